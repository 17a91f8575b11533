"""From the press to the end of two runs beside each other, in a real Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator

from playwright.sync_api import Page

import generators
from tests.benchmarks import Row
from tests.benchmarks.painting import GENERATE, PROMPT, open_page
from tests.benchmarks.serving import browsing, percentile, serving
from tests.benchmarks.wishes import prompt, writes_long

TOKENS = 64
PRESSES = 8
BAR = 1.5  # seconds, p50
BOTH = """before => { const views = [...document.querySelectorAll(".attention-view")];
    return views.length === 2 && views.every((each, at) => each.dataset.done === "true" && each.dataset.run !== before[at]); }"""


def measure() -> Iterator[Row]:
    """A writer and its twin, each time from another prompt; the first, which waits for the models, is not counted."""
    for card in filter(writes_long, generators.cards()):
        with serving() as server, browsing() as page:
            settings, compare = json.dumps({"length": TOKENS}), json.dumps({"without": True})
            open_page(page, server.url, generator=card.name, prompt=prompt(card, 0), settings=settings, compare=compare)
            page.wait_for_function(BOTH, arg=["", ""])
            taken = [pressed(page, prompt(card, number + 1)) for number in range(PRESSES + 1)]
        middle = percentile(taken[1:], 0.5)
        yield Row(
            f"two runs of {TOKENS} tokens of `{card.name}` beside each other, p50 / slowest of {PRESSES}",
            f"{middle:.2f} / {max(taken[1:]):.2f} s",
            f"≤ {BAR} s",
            middle <= BAR,
        )


def pressed(page: Page, text: str) -> float:
    """Seconds from the press to both being done."""
    before = page.evaluate("[...document.querySelectorAll('.attention-view')].map((each) => each.dataset.run ?? '')")
    page.locator(PROMPT).fill(text)
    began = float(page.evaluate("performance.now()"))
    page.locator(GENERATE).click()
    page.wait_for_function(BOTH, arg=before)
    return (float(page.evaluate("performance.now()")) - began) / 1000
