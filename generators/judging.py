"""How faces that a model made are judged: against drawn ones that it never saw, and for what it remembers of those it learned from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from generators import features
from generators.chance import Figure, interval, mean_of
from generators.data import read_avatars
from generators.metrics import among, frechet, kid, nearest, precision, recall, remembering

MADE = 5000  # faces, from the seeds 0 to 4,999
COMPARED = 1000  # of them, with what was learned from
PART = 100  # faces at a time
DRAWS = 200  # of the faces, for the spread of a Fréchet distance

Sample = Callable[[Sequence[int]], np.ndarray]
"""Seeds → (N, S, S, 3) uint8."""

UNITS = {
    "frechet": ("squared distance in 64 features", "lower"),
    "kid": ("squared distance, cubic kernel", "lower"),
    "precision": ("share of made faces among the drawn", "higher"),
    "recall": ("share of drawn faces among the made", "higher"),
    "nearest_train": ("grey levels to the nearest training face, median of made faces", "higher"),
    "nearest_held_out": ("grey levels to the nearest training face, median of held-out faces", "higher"),
}


def sampled(sample: Sample, count: int = MADE) -> np.ndarray:
    """(count, S, S, 3) uint8, in parts that fit a cache."""
    return np.concatenate([sample(range(first, min(first + PART, count))) for first in range(0, count, PART)])


def figures(
    sides: Mapping[str, np.ndarray], data: Path, style: str = features.STYLE, limit: int | None = None
) -> tuple[dict[str, dict[str, Any]], dict[str, Any] | None]:
    """The metrics of made faces, and what the model with attention remembers, as a card has them.

    sides: "with" and, where there is a twin, "without" → `sampled` faces. data: a folder of drawn faces, all of which count; the
    training faces are those of the folder `train` beside it, without which nothing is said of memory and floors. Raises BadInput.

    Precision and recall compare as many made faces as there are drawn ones. `floor`: the figure of training faces in place of made ones.
    """
    drawn = read_avatars(data, style).images[:limit]
    folder = data.resolve().parent / "train"
    learned = read_avatars(folder, style).images if (folder / "avatars").is_dir() and folder != data.resolve() else None
    look = features.load().of
    real = look(drawn)
    found: dict[str, dict[str, Any]] = {
        name: {"with": None, "without": None, "unit": unit, "better": better, "n": len(drawn)} for name, (unit, better) in UNITS.items()
    }
    for side, made in sides.items():
        for name, value in _compared(look(made), real).items():
            found[name][side] = value
    if len(sides) == 2:
        for name, between in _intervals([look(made) for made in sides.values()], real).items():
            found[name] |= {"interval": between} if between else {}
    if learned is None:
        return found, None
    for name, value in _compared(look(learned), real).items():
        found[name]["floor"] = value
    unseen = nearest(drawn[:COMPARED], learned)
    memory: dict[str, Any] | None = None
    for side, made in sides.items():
        distances = nearest(made[:COMPARED], learned)
        found["nearest_train"][side] = float(np.median(distances))
        found["nearest_held_out"][side] = float(np.median(unseen))
        if side == "with":
            memory = remembering(distances, unseen) | {"unit": {"en": "grey levels", "zh": "灰度级"}}
    return found, memory


def _intervals(sides: Sequence[np.ndarray], real: np.ndarray) -> dict[str, list[float] | None]:
    """How far chance moves the ratio of two sides' figures (`chance.interval`), where that takes seconds. sides, real: features."""
    count = min(map(len, sides))
    one, other = (made[:count] for made in sides)
    same, twin = one[: len(real)], other[: len(real)]

    def away(made: np.ndarray) -> Figure:
        return lambda drawn, others: frechet(made.repeat(drawn, axis=0), real.repeat(others, axis=0))

    return {
        "frechet": interval(away(one), away(other), [count, len(real)], draws=DRAWS),
        "precision": interval(mean_of(among(same, real)), mean_of(among(twin, real)), [len(same)]),
        "recall": interval(mean_of(among(real, same)), mean_of(among(real, twin)), [len(real)]),
    }


def _compared(made: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """made, real: features."""
    same = made[: len(real)]
    return {
        "frechet": frechet(made, real),
        "kid": kid(made, real),
        "precision": precision(same, real),
        "recall": recall(same, real),
    }
