"""How long until there is something to see: the server up, the page ready, an example on the screen."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks import Row
from tests.benchmarks.painting import EXAMPLE, done, open_page, painted
from tests.benchmarks.serving import browsing, percentile, serving

REPETITIONS = 5
SERVING_BAR = 8.0  # seconds
READY_BAR = 2.0
EXAMPLE_BAR = 0.5


def measure() -> Iterator[Row]:
    """The server starts once; pages are opened afresh, each in the state of a first visit."""
    with serving() as server:
        yield Row("process start → serving", f"{server.seconds:.1f} s", f"≤ {SERVING_BAR:g} s", server.seconds <= SERVING_BAR)
        ready, tapped = [], []
        for repetition in range(REPETITIONS):
            with browsing() as page:
                ready.append(open_page(page, server.url) / 1000)
                done(page)  # the first example, which the page opens with
                others = page.locator(EXAMPLE).count() - 1
                tapped.append(painted(page, page.locator(EXAMPLE).nth(1 + repetition % others).click) / 1000)
    interactive, example = percentile(ready, 0.5), percentile(tapped, 0.5)
    over = f"median of {REPETITIONS}, worst"
    yield Row("page → interactive", f"{interactive:.2f} s ({over} {max(ready):.2f})", f"≤ {READY_BAR:g} s", interactive <= READY_BAR)
    yield Row("example on tap → painted", f"{example:.2f} s ({over} {max(tapped):.2f})", f"≤ {EXAMPLE_BAR:g} s", example <= EXAMPLE_BAR)
