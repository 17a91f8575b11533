"""From the press on Generate to the first token or picture on the screen, in a real Chromium; and from a hole to what fills it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial

from playwright.sync_api import Page

import generators
from generators.base import Card
from tests.benchmarks import Row
from tests.benchmarks.painting import DICE, GENERATE, PROMPT, RUB, SOURCE, done, open_page, painted
from tests.benchmarks.serving import browsing, percentile, serving
from tests.benchmarks.wishes import forms, prompt

PRESSES = 24
TOKENS = 12  # of a run: the first is what counts
BARS = {False: (200, 400), True: (400, 800)}  # whether its pictures form in many steps → milliseconds, p50 and p95


def measure() -> Iterator[Row]:
    """Each press asks for something that was never asked for; the first one, which waits for the model, is not counted."""
    with serving() as server, browsing() as page:
        for card in generators.cards():
            open_page(page, server.url, generator=card.name, **short(card))
            done(page)
            first = "token" if card.produces == "text" else "frame" if forms(card) else "picture"
            yield row(f"press → first painted {first} of `{card.name}`", page, partial(press, page, card), *BARS[forms(card)])
            if card.variant(None).grid:
                page.locator(RUB).click()
                yield row(f"rubbed out → painted by `{card.name}`", page, partial(rub, page, card), *BARS[False])


def row(what: str, page: Page, press: Callable[[int], float], middle_bar: int, slow_bar: int) -> Row:
    """The times of presses by number."""
    taken = []
    for number in range(PRESSES + 1):
        taken.append(press(number))
        done(page)
    middle, slow = percentile(taken[1:], 0.5), percentile(taken[1:], 0.95)
    return Row(
        f"{what}, p50 / p95 over {PRESSES}",
        f"{middle:.0f} / {slow:.0f} ms",
        f"≤ {middle_bar} / {slow_bar} ms",
        middle <= middle_bar and slow <= slow_bar,
    )


def short(card: Card) -> dict[str, str]:
    """Settings for the address that make a run end soon."""
    return {"settings": json.dumps({"length": TOKENS})} if any(setting.name == "length" for setting in card.settings) else {}


def press(page: Page, card: Card, number: int, changed: str = "run") -> float:
    """Generate for another prompt, or the dice for another picture where there is none."""
    if "text" not in card.accepts:
        return painted(page, page.locator(DICE).click, changed=changed)
    page.locator(PROMPT).fill(prompt(card, number))
    return painted(page, page.locator(GENERATE).click, changed=changed)


def rub(page: Page, card: Card, number: int) -> float:
    """Three by three more cells of the picture, none of them touched before."""
    box = page.locator(SOURCE).first.bounding_box()
    if box is None:
        raise RuntimeError("the picture is not on the screen")
    cell = box["width"] / card.variant(None).grid
    row, column = divmod(number, 5)
    page.mouse.move(box["x"] + (3 * column + 1.5) * cell, box["y"] + (3 * row + 1.5) * cell)
    page.mouse.down()
    return painted(page, page.mouse.up, "pointerup")
