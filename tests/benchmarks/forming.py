"""A picture that forms step by step, in a real Chromium: from the press until it is whole, and the bytes that it takes."""

from __future__ import annotations

from collections.abc import Iterator

from playwright.sync_api import Page

import generators
from tests.benchmarks import Row
from tests.benchmarks.painting import done, open_page
from tests.benchmarks.press import press
from tests.benchmarks.serving import browsing, percentile, serving
from tests.benchmarks.wishes import forms

PICTURES = 12
QUIET = 1000  # milliseconds after a run in which the view may ask for what it shows of it
WHOLE_BAR = 2.5  # seconds, p50
BYTES_BAR = 400_000


def measure() -> Iterator[Row]:
    """Presses with the settings as they are, each for other words; the first one, which waits for the model, is not counted."""
    for card in filter(forms, generators.cards()):
        with serving() as server, browsing() as page:
            open_page(page, server.url, generator=card.name)
            done(page)
            counted = Counted(page)
            taken, sizes = [], []
            for number in range(PICTURES + 1):
                before = counted.bytes
                taken.append(press(page, card, number, "whole") / 1000)
                page.wait_for_timeout(QUIET)
                sizes.append(counted.bytes - before)
        steps = next(setting.default for setting in card.settings if setting.name == "steps")
        middle, largest = percentile(taken[1:], 0.5), max(sizes[1:])
        yield Row(
            f"press → whole picture of `{card.name}`, {steps} steps with maps, p50 / p95 over {PICTURES}",
            f"{middle:.2f} / {percentile(taken[1:], 0.95):.2f} s",
            f"≤ {WHOLE_BAR:g} s",
            middle <= WHOLE_BAR,
        )
        yield Row(
            f"bytes that reach the browser for a run of `{card.name}`, without a click: most / median of {PICTURES}",
            f"{largest:,} / {percentile(sizes[1:], 0.5):,}",
            f"≤ {BYTES_BAR:,}",
            largest <= BYTES_BAR,
        )


class Counted:
    """Counts what comes over the network from now on. bytes: the bodies of all answers and streams, as they are unpacked."""

    def __init__(self, page: Page) -> None:
        self.bytes = 0
        session = page.context.new_cdp_session(page)
        session.on("Network.dataReceived", self._add)
        session.send("Network.enable")

    def _add(self, event: dict[str, int]) -> None:
        self.bytes += event["dataLength"]
