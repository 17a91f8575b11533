"""Two runs timed side by side: what disturbs the machine disturbs both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator


def seconds_in_turns(first: Iterator[object], second: Iterator[object]) -> tuple[float, float]:
    """Seconds that each took for as many steps as both have, a step of one after a step of the other."""
    taken = [0.0, 0.0]
    for _ in zip(_timed(first, taken, 0), _timed(second, taken, 1), strict=False):
        pass
    return taken[0], taken[1]


def _timed(run: Iterator[object], taken: list[float], place: int) -> Iterator[None]:
    while True:
        began = time.perf_counter()
        if next(run, run) is run:
            return
        taken[place] += time.perf_counter() - began
        yield


def speed_ratio(ours: Callable[[], Iterator[object]], theirs: Callable[[], Iterator[object]], repetitions: int) -> tuple[float, str]:
    """Our steps a second ÷ theirs, the median over repetitions after one that warms caches; and their range, as text."""
    ratios = []
    for repetition in range(repetitions + 1):
        if repetition % 2:
            mine, other = seconds_in_turns(ours(), theirs())
        else:
            other, mine = seconds_in_turns(theirs(), ours())
        ratios.append(other / mine)
    del ratios[0]
    return statistics.median(ratios), f"{min(ratios):.2f} to {max(ratios):.2f} over {repetitions}"
