"""How far chance moves a difference: the held-out rows drawn again and again, the same ones for both sides.

The bootstrap of Efron 1979, paired as in Koehn 2004. It says whether other rows would show the same difference, not whether another
training would. Letters: N rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

DRAWS = 1000
INSIDE = 0.95

Figure = Callable[..., float]
"""How often each row was drawn, (N,) int for every set of rows → the figure of that draw."""


def ratio(one: float, other: float, unit: str = "") -> float:
    """one ÷ other; of decibels the ratio of what they stand for. NaN where there is none."""
    if unit.startswith("dB"):
        return 10 ** ((one - other) / 10)
    return one / other if other else math.nan


def interval(one: Figure, other: Figure, rows: Sequence[int], unit: str = "", draws: int = DRAWS) -> list[float] | None:
    """[low, high] of one ÷ other in the middle 95 % of the draws; None where some draw has no ratio.

    rows: how many there are in each set that a figure is taken from. The draws are always the same.
    """
    dice = np.random.default_rng(0)
    found = np.empty(draws)
    for draw in range(draws):
        counts = [np.bincount(dice.integers(0, count, count), minlength=count) for count in rows]
        found[draw] = ratio(one(*counts), other(*counts), unit)
    if not np.isfinite(found).all():
        return None
    beyond = (1 - INSIDE) / 2
    return [round(float(each), 4) for each in np.quantile(found, [beyond, 1 - beyond])]


def mean_of(values: np.ndarray) -> Figure:
    """values: (N,), of each row one."""
    known = np.asarray(values, np.float64)
    return lambda counts: float(counts @ known / counts.sum())


def quotient(parts: np.ndarray, wholes: np.ndarray) -> Figure:
    """A sum over another, as bits over characters; 0 of nothing. parts, wholes: (N,)."""
    above, below = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    return lambda counts: float(counts @ above / (counts @ below or 1))


def row(
    one: Figure | None, other: Figure | None, unit: str, better: str, rows: Sequence[int], draws: int = DRAWS, n: int | None = None
) -> dict[str, Any]:
    """A metric as a card has it: with attention, without, and how far chance moves their ratio. None: there is no such side.

    rows: as `interval` takes them. n: what the metric is said to be measured on, if not the first of them.
    """
    values = [None if each is None else each(*(np.ones(count, np.int64) for count in rows)) for each in (one, other)]
    found = {"with": values[0], "without": values[1], "unit": unit, "better": better, "n": rows[0] if n is None else n}
    between = interval(one, other, rows, unit, draws) if one and other else None
    return found | ({"interval": between} if between else {})
