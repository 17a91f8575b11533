"""From a click on a word or a cell to its map on the screen, in a real Chromium. A finger clicks: a mouse would hover first, and paint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from playwright.sync_api import Page

import generators
from tests.benchmarks import Row
from tests.benchmarks.painting import done, open_page, painted
from tests.benchmarks.serving import browsing, percentile, serving
from tests.benchmarks.wishes import describes, forms

STAGES = {  # the words that can be clicked, and the picture of cells
    forms: (".av-key-of", ".av-painting-stage .av-frame:visible >> nth=-1"),
    describes: (".av-told-word:not(.av-told-mark)", ".av-telling-stage .av-frame"),
}
CLICKS = 40
CELLS = 8  # a side: the middles of so many squares are clicked
BAR = 60  # milliseconds, p95


def measure() -> Iterator[Row]:
    """Of the stored run that the page opens with, done again, so that all of it is there: another word or cell each time."""
    for kind, (words, picture) in STAGES.items():
        for card in filter(kind, generators.cards()):
            with serving() as server, browsing(touch=True) as page:
                open_page(page, server.url, generator=card.name)
                done(page)
                yield row(f"click on a word of `{card.name}` → painted", page, partial(word, page, words))
                yield row(f"click on a cell of `{card.name}` → painted", page, partial(cell, page, picture))


def row(what: str, page: Page, click: Callable[[int], object]) -> Row:
    """The times of clicks by number; the first is not counted."""
    taken = []
    for number in range(CLICKS + 1):
        taken.append(painted(page, partial(click, number), changed="look"))
        page.wait_for_timeout(100)
    slow = percentile(taken[1:], 0.95)
    return Row(f"{what}, p95 (p50) over {CLICKS}", f"{slow:.0f} ms ({percentile(taken[1:], 0.5):.0f})", f"≤ {BAR} ms", slow <= BAR)


def word(page: Page, words: str, number: int) -> None:
    """Click on the next word, the first after the last; it begins with the second, for the first may be what is shown."""
    there = page.locator(words)
    there.nth((number + 1) % there.count()).tap()


def cell(page: Page, picture: str, number: int) -> None:
    """Click on a cell far from the last one."""
    box = page.locator(picture).bounding_box()
    if box is None:
        raise RuntimeError("the picture is not on the screen")
    place, side = (number + 1) * 29 % CELLS**2, box["width"] / CELLS
    page.touchscreen.tap(box["x"] + (place % CELLS + 0.5) * side, box["y"] + (place // CELLS + 0.5) * side)
