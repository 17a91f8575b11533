"""Leaving each of 64 words out in turn, from the key T to the last bar, and how often its progress is told, in a real Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator

import generators
from tests.benchmarks import Row
from tests.benchmarks.painting import done, open_page
from tests.benchmarks.serving import browsing, serving
from tests.benchmarks.wishes import prompt, writes_long

TOKENS = 64
BAR, EVERY = 5.0, 0.5  # seconds: until all is known; between two tellings of the progress
CLOCK = """() => { const began = performance.now(), told = [began], bar = document.querySelector(".av-leaving progress");
    new MutationObserver(() => told.push(performance.now())).observe(bar, { attributes: true });
    return new Promise((known) => {
        const running = document.querySelector(".av-leaving-running"), body = document.querySelector(".av-leaving-body");
        const all = () => known({ taken: performance.now() - began, told });
        const ended = () => (running.hidden && !body.hidden ? all() : requestAnimationFrame(ended));
        document.dispatchEvent(new KeyboardEvent("keydown", { key: "t", bubbles: true }));
        ended();
    }); }"""


def measure() -> Iterator[Row]:
    """At the last word that was chosen."""
    for card in filter(writes_long, generators.cards()):
        with serving() as server, browsing() as page:
            open_page(page, server.url, generator=card.name, prompt=prompt(card, 0), settings=json.dumps({"length": TOKENS}))
            done(page)
            page.locator(".av-token").nth(min(TOKENS, page.locator(".av-token").count() - 1)).click()
            page.wait_for_timeout(250)
            found = page.evaluate(CLOCK)
            count = page.locator(".av-leaving table tbody tr").count()
        taken, longest = found["taken"] / 1000, max(b - a for a, b in zip(found["told"], found["told"][1:], strict=False)) / 1000
        yield Row(
            f"leaving each of {count} words out with `{card.name}`: all; longest between two tellings",
            f"{taken:.2f} s; {longest:.2f} s",
            f"≤ {BAR:g} s; ≤ {EVERY:g} s",
            taken <= BAR and longest <= EVERY,
        )
