"""From the key I to all numbers of one head on the screen, of a long run that was just made, in a real Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator

from playwright.sync_api import Page

import generators
from tests.benchmarks import Row
from tests.benchmarks.painting import done, open_page
from tests.benchmarks.serving import browsing, percentile, serving
from tests.benchmarks.wishes import prompt, writes_long

TOKENS = 256
OPENINGS = 24
BAR = 150  # milliseconds, p50
CLOCK = """() => { const panel = document.querySelector(".av-inside"), began = performance.now();
    return new Promise((known) => {
        const seen = () => panel.dataset.of && panel.dataset.of !== window.insideBefore ? requestAnimationFrame(() => setTimeout(() => {
            window.insideBefore = panel.dataset.of; known(performance.now() - began); })) : requestAnimationFrame(seen);
        document.dispatchEvent(new KeyboardEvent("keydown", { key: "i", bubbles: true }));
        seen();
    }); }"""


def measure() -> Iterator[Row]:
    """Each time at another word, whose numbers nobody asked for before."""
    for card in filter(writes_long, generators.cards()):
        with serving() as server, browsing() as page:
            settings = json.dumps({"length": TOKENS})
            open_page(page, server.url, generator=card.name, prompt=prompt(card, 0), settings=settings)
            done(page)
            taken = [opened(page, number) for number in range(OPENINGS + 1)]
        middle = percentile(taken[1:], 0.5)
        yield Row(
            f"inside one step of {TOKENS} tokens of `{card.name}`, p50 / p95 over {OPENINGS}",
            f"{middle:.0f} / {percentile(taken[1:], 0.95):.0f} ms",
            f"≤ {BAR} ms",
            middle <= BAR,
        )


def opened(page: Page, number: int) -> float:
    """Milliseconds from the key to the painted numbers; the panel is closed again."""
    page.locator(".av-token").nth(-2 - 7 * number).click()
    page.wait_for_timeout(250)
    taken = float(page.evaluate(CLOCK))
    page.keyboard.press("i")
    page.wait_for_timeout(50)
    return taken
