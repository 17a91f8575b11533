"""From the press on Generate to the first token or face on the screen, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import generators
from tests.benchmarks import Row
from tests.benchmarks.painting import GENERATE, PROMPT, done, open_page, painted
from tests.benchmarks.serving import browsing, percentile, serving

PRESSES = 30
MIDDLE_BAR = 200  # milliseconds, p50
SLOW_BAR = 400  # p95


def measure() -> Iterator[Row]:
    """Each press asks for something that was never asked for; the first one, which waits for the model, is not counted."""
    with serving() as server, browsing() as page:
        for card in generators.cards():
            open_page(page, server.url, generator=card.name)
            done(page)
            taken = []
            for press in range(PRESSES + 1):
                page.locator(PROMPT).fill(f"{('Once upon a time', 'face')[card.produces == 'picture']} {press}")
                taken.append(painted(page, page.locator(GENERATE).click))
                done(page)
            middle, slow = percentile(taken[1:], 0.5), percentile(taken[1:], 0.95)
            yield Row(
                f"press → first painted step of `{card.name}`, p50 / p95 over {PRESSES}",
                f"{middle:.0f} / {slow:.0f} ms",
                f"≤ {MIDDLE_BAR} / {SLOW_BAR} ms",
                middle <= MIDDLE_BAR and slow <= SLOW_BAR,
            )
