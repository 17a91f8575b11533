"""From a slider's movement to the picture on the screen, in a real Chromium."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

from playwright.sync_api import FloatRect, Page

import generators
from generators.base import Card
from tests.benchmarks import Row
from tests.benchmarks.painting import SLIDER, done, open_page, painted
from tests.benchmarks.serving import browsing, percentile, serving

MOVES = 40
DRAG = 3.0  # seconds
BAR = 100.0  # milliseconds, p50

COUNT = """() => {
  window.previews = 0;
  const view = document.querySelector("[data-run]");
  new MutationObserver(() => { window.previews++; }).observe(view, { attributeFilter: ["data-preview"] });
}"""


def measure() -> Iterator[Row]:
    """The first live slider of every generator that has one: moved and waited for, then dragged without waiting."""
    with serving() as server, browsing() as page:
        for card in filter(has_sliders, generators.cards()):
            open_page(page, server.url, generator=card.name)
            done(page)
            box = grip(page)
            taken = [painted(page, partial(drag, page, box, step), "input", "preview") for step in range(MOVES + 1)][1:]
            page.evaluate(COUNT)
            began, steps = time.monotonic(), 0
            while time.monotonic() - began < DRAG:
                steps += 1
                drag(page, box, steps)
            rate = page.evaluate("() => window.previews") / (time.monotonic() - began)
            page.mouse.up()
            done(page)
            middle = percentile(taken, 0.5)
            yield Row(
                f"slider of `{card.name}` → painted, p50 / p95 over {MOVES} moves; painted a second while dragged on",
                f"{middle:.0f} / {percentile(taken, 0.95):.0f} ms; {rate:.0f}",
                f"≤ {BAR:g} ms",
                middle <= BAR,
            )


def has_sliders(card: Card) -> bool:
    """Whether a setting of its answers while it is dragged."""
    return card.produces == "picture" and any(setting.live and setting.kind in ("float", "int") for setting in card.settings)


def grip(page: Page) -> FloatRect:
    """Take hold of the first slider in its middle; returns where it lies."""
    slider = page.locator(SLIDER).first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    if box is None:
        raise RuntimeError("the slider is not on the screen")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    return box


def drag(page: Page, box: FloatRect, step: int) -> None:
    """On to the place of that number: to and fro over the middle of it, each place another one than the last."""
    share = 0.2 + 0.6 * abs((step * 7 % 40) / 20 - 1)
    page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
