"""What is so, for once known: whether a picture shows what its words say, and whether a map looks at the thing that its word names.

    verdicts = [verdict(meaning, found) for …]; shares(verdicts)           painted scenes, as the detector sees them
    truth = Truth(); truth.add(maps, masks); truth.choice(), truth.card()  maps of attention against silhouettes

Letters: W words, L layers, H heads, S steps, g cells a side of a map, P pixels a side of a silhouette.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Protocol

import numpy as np

from generators.lexicon import Meaning

APART = 1 / 8  # of the picture: by so much at least the centre of what is left or above lies before the other
CLEAR = 0.25  # of what is found: so much at most may be painted besides that is no object
THRESHOLDS = tuple(round(0.05 * n, 2) for n in range(3, 15))  # 0.15 … 0.70, to choose among


class Thing(Protocol):
    """As `detector.Thing`."""

    @property
    def word(self) -> str: ...
    @property
    def mask(self) -> np.ndarray: ...
    @property
    def share(self) -> float: ...


class Found(Protocol):
    """As `detector.Found`: this file needs no torch."""

    @property
    def objects(self) -> Sequence[Thing]: ...
    @property
    def ground(self) -> str: ...
    @property
    def unclear(self) -> float: ...


# Painted scenes


@dataclass(frozen=True)
class Verdict:
    """What of a painted scene is as it was said; None where nothing was said of it, or nothing can be said of it.

    object: the named things are there. alone: no other thing is, nor much that is no thing at all.
    """

    object: bool
    place: bool | None
    background: bool | None
    alone: bool = True

    @property
    def all(self) -> bool:
        return self.object and self.alone and self.place is not False and self.background is not False


def verdict(meaning: Meaning, found: Found) -> Verdict:
    """place: of two things that are there, whether they stand as was said."""
    things = {thing.word: thing for thing in found.objects}
    clear = found.unclear <= CLEAR * sum(thing.share for thing in found.objects)
    place = None
    if meaning.relation is not None and set(meaning.objects) <= set(things):
        first, second = (things[word].mask for word in meaning.objects)
        axis = 1 if meaning.relation == "to the left of" else 0
        place = bool(centre(second)[axis] - centre(first)[axis] >= APART * first.shape[axis])
    background = None if meaning.ground is None else found.ground == meaning.ground
    return Verdict(set(meaning.objects) <= set(things), place, background, set(things) <= set(meaning.objects) and clear)


def centre(mask: np.ndarray) -> tuple[float, float]:
    """Of the pixels of a mask that has some: row, column."""
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


def shares(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Share of scenes that are right: `object`, `background`, `all` of all that say so; `place` of those with two things, both there."""
    found = {}
    for name in ("object", "place", "background", "all"):
        judged = [getattr(each, name) for each in verdicts]
        known = [each for each in judged if each is not None]
        found[name] = mean(known) if known else 0.0
    return found


# Maps


def enlarged(maps: np.ndarray, side: int) -> np.ndarray:
    """(…, g, g) → (…, side, side), bilinearly; beyond the centres of the outer cells as they are."""
    cells = maps.shape[-1]
    at = np.clip((np.arange(side) + 0.5) * cells / side - 0.5, 0, cells - 1)  # where each pixel's centre lies among the cells
    matrix = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells))).astype(np.float32)  # (side, g)
    return matrix @ maps @ matrix.T


def pointing(weights: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Whether the most looked-at pixel is one of the silhouette: the pointing game (Zhang et al. 2016, section 4.1), without tolerance.

    weights: (…, g, g). masks: (…, P, P) bool, or one for all. Returns (…) bool.
    """
    return _pointing(enlarged(weights, masks.shape[-1]), masks)


def iou(weights: np.ndarray, masks: np.ndarray, threshold: float) -> np.ndarray:
    """Intersection over union of the silhouette and what is looked at by the threshold or more, from 0 the least of the map to 1 the most.

    weights: (…, g, g). masks: (…, P, P) bool, or one for all. Returns (…) float32; 0 for a map that is the same everywhere.
    """
    return _iou(_spread(enlarged(weights, masks.shape[-1])), masks, threshold)


def _pointing(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    flat = maps.reshape(*maps.shape[:-2], -1)
    silhouettes = np.broadcast_to(masks, maps.shape).reshape(flat.shape)
    hit: np.ndarray = np.take_along_axis(silhouettes, flat.argmax(-1)[..., None], -1)[..., 0]
    return hit


def _spread(maps: np.ndarray) -> np.ndarray:
    """From 0 to 1."""
    least, most = maps.min((-1, -2), keepdims=True), maps.max((-1, -2), keepdims=True)
    return (maps - least) / np.maximum(most - least, 1e-12)


def _iou(maps: np.ndarray, masks: np.ndarray, threshold: float) -> np.ndarray:
    looked = (maps >= threshold).astype(np.float32).reshape(*maps.shape[:-2], -1)
    silhouettes = masks.astype(np.float32).reshape(*masks.shape[:-2], -1)
    both = np.einsum("...p,...p->...", looked, silhouettes)
    return both / np.maximum(looked.sum(-1) + silhouettes.sum(-1) - both, 1)


@dataclass(frozen=True)
class Choice:
    """One map of many, fixed on validation. head, step: None for the mean of all. thresholds: of it, and of the mean of all maps."""

    layer: int
    head: int | None
    step: int | None
    threshold: float
    threshold_mean: float


class Truth:
    """Adds up how well every map looks at its thing: of each layer the heads and then their mean, the steps and then their mean."""

    def __init__(self, choice: Choice | None = None) -> None:
        """choice: what was fixed on validation; without it all thresholds are tried, so that it can be."""
        self.fixed = choice
        self.thresholds = THRESHOLDS if choice is None else (choice.threshold,)
        self.means = THRESHOLDS if choice is None else (choice.threshold_mean,)
        self.words, self.pictures, self.pixels = 0, 0, 0.0
        self.hits: list[np.ndarray] = []  # L of (H + 1, S + 1): sums over words
        self.overlaps: list[np.ndarray] = []  # L of (thresholds, H + 1, S + 1)
        self.hit_mean, self.overlap_mean = 0.0, np.zeros(len(self.means))

    def add(self, maps: Sequence[np.ndarray], masks: np.ndarray, pictures: int = 1) -> None:
        """maps: of each layer (W, H, S, g, g), the weights between a word and the cells. masks: (W, P, P) bool, of the words' things.

        pictures: that they come from. A word whose thing is not there is left out by the caller.
        """
        if not self.hits:
            shapes = [(layer.shape[1] + 1, layer.shape[2] + 1) for layer in maps]
            self.hits = [np.zeros(shape) for shape in shapes]
            self.overlaps = [np.zeros((len(self.thresholds), *shape)) for shape in shapes]
        self.words, self.pictures, self.pixels = (
            self.words + len(masks),
            self.pictures + pictures,
            self.pixels + float(masks.mean((1, 2)).sum()),
        )
        for word, mask in enumerate(masks):
            whole = np.zeros(mask.shape, np.float32)
            for layer, weights in enumerate(maps):
                one = enlarged(_with_means(weights[word].astype(np.float32)), mask.shape[-1])  # (H + 1, S + 1, P, P)
                whole += one[-1, -1]
                self.hits[layer] += _pointing(one, mask)
                spread = _spread(one)
                for index, threshold in enumerate(self.thresholds):
                    self.overlaps[layer][index] += _iou(spread, mask, threshold)
            self.hit_mean += float(_pointing(whole, mask))
            self.overlap_mean += [float(_iou(_spread(whole), mask, threshold)) for threshold in self.means]

    def choice(self) -> Choice:
        """The map of which pointing and intersection over union together are highest."""
        if self.fixed is not None:
            return self.fixed
        best = max(
            (
                (float((self.hits[layer] + each).max()), layer, index)
                for layer, sums in enumerate(self.overlaps)
                for index, each in enumerate(sums)
            )
        )
        _, layer, index = best
        together = self.hits[layer] + self.overlaps[layer][index]
        head, step = (int(each) for each in np.unravel_index(together.argmax(), together.shape))
        heads, steps = (size - 1 for size in together.shape)
        return Choice(
            layer,
            None if head == heads else head,
            None if step == steps else step,
            self.thresholds[index],
            self.means[int(self.overlap_mean.argmax())],
        )

    def figures(self) -> dict[str, float]:
        """`pointing` and `iou` of the choice, and of the plain mean of all layers, heads and steps."""
        choice = self.choice()
        at = (-1 if choice.head is None else choice.head, -1 if choice.step is None else choice.step)
        overlaps = self.overlaps[choice.layer][self.thresholds.index(choice.threshold)]
        return {
            "pointing": float(self.hits[choice.layer][at]) / self.words,
            "iou": float(overlaps[at]) / self.words,
            "pointing_mean": self.hit_mean / self.words,
            "iou_mean": float(self.overlap_mean[self.means.index(choice.threshold_mean)]) / self.words,
        }

    def card(self) -> dict[str, Any]:
        """What a card says as `truth`: pointing and iou by layer, head (last: their mean) and step (last: their mean).

        uniform: what a map that is the same everywhere would hit. n: pictures; words: maps that were judged, of each kind.
        """
        choice = self.choice()
        index = self.thresholds.index(choice.threshold)
        return {
            "kind": "cross",
            "n": self.pictures,
            "words": self.words,
            "uniform": round(self.pixels / self.words, 4),
            "steps": self.hits[0].shape[1] - 1,
            "pointing": [(hits / self.words).round(4).tolist() for hits in self.hits],
            "iou": [(overlaps[index] / self.words).round(4).tolist() for overlaps in self.overlaps],
            "best": {"layer": choice.layer, "head": choice.head, "step": choice.step, "threshold": choice.threshold},
        }


def _with_means(maps: np.ndarray) -> np.ndarray:
    """(H, S, g, g) → (H + 1, S + 1, g, g): last the mean of the heads, and of the steps."""
    maps = np.concatenate([maps, maps.mean(0, keepdims=True)])
    return np.concatenate([maps, maps.mean(1, keepdims=True)], 1)
