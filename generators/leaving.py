"""Leave one out: how much the output changes when nobody may look at one key, or at one region of a picture.

    question = Leaving(generator, request, kind, query)     runs the step as it was, once
    question.parts                                          what is left out, one at a time
    question.without(part)                                  the change: of the next token's chances, or of the picture

A part is hidden from all queries, in all heads and layers of its kind; nothing else is changed, so what others carry of it along other
ways (a recurrent state, a convolution) stays. The order of such changes beside that of the weights: Jain and Wallace 2019, Attention is
not Explanation, section 4.1; what that shows and what it does not: Wiegreffe and Pinter 2019, Attention is not not Explanation.

Letters: H heads, K keys, S pixels a side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from generators.base import BadInput, Generator, Request
from generators.edits import Edit, Kind
from generators.trace import Axis, Detail, Grid, Step, Trace

MOST = 256  # keys that are left out; of a longer row the strongest
SIDE = 4  # regions a side of a picture, where its grid is no coarser
NOTHING = "Without attention there is nothing to leave out.", "没有注意力，就没有可以去掉的键。"

Unit = Literal["share", "levels"]
Patch = tuple[slice, slice]


@dataclass(frozen=True)
class Part:
    """What is left out at a time: a key, or the cells of a region. place: its number, regions row by row. keys: by layer."""

    place: int
    keys: Mapping[int, tuple[int, ...]]

    def scores(self, detail: Detail) -> np.ndarray:
        """(H, its keys) of one query."""
        return detail.scores[:, self.keys[detail.layer]]

    def weights(self, detail: Detail) -> np.ndarray:
        """(H, its keys) of one query."""
        return detail.weights[:, self.keys[detail.layer]]

    def hidden(self, kind: Kind) -> tuple[Edit, ...]:
        """The edits that hide it: one for all layers where it has the same keys."""
        layers: dict[tuple[int, ...], list[int]] = {}
        for layer, keys in self.keys.items():
            layers.setdefault(keys, []).append(layer)
        return tuple(Edit("hide", keys=keys, layers=tuple(those), map=kind) for keys, those in layers.items())


@dataclass(frozen=True)
class Change:
    """How far the output moved; None where the part could not be hidden, as a query must look somewhere.

    here: of tokens the total variation distance of the chances of all of them, 0 … 1; of a picture the mean absolute difference at the
    query's own place, in grey levels, 0 … 255. whole: likewise of the whole picture; of tokens the same as here.
    """

    here: float | None
    whole: float | None


class Leaving:
    """One query of one run, and what it may look at.

    parts: what is left out, in order, of `all` that there are. unit: of the changes. regions: rows and columns that a picture is cut into.
    """

    def __init__(self, generator: Generator, request: Request, kind: Kind, query: int, *, layer: int | None = None, step: int = 0) -> None:
        """request: with the tokens of the run forced, and the state of its step where that is known. layer: whose grid the query is on.

        Raises NotReady, BadInput; BadInput too if the run has no such map or query.
        """
        if not request.attention:
            raise BadInput(*NOTHING)
        self._generator, self._kind = generator, kind
        self._request = replace(request, only=step, pin=query, watched=True)
        self._plain = self._run()
        self._request = replace(self._request, watched=False, state=self._plain.state)
        maps = {each.layer: each for each in self._plain.attentions if each.kind == kind}
        own = maps.get(min(maps, default=0) if layer is None else layer)
        if own is None:
            raise BadInput("This run has no such map.", "这次运行没有这样的图。")
        self._layers = {number for number, each in maps.items() if each.query == own.query}  # on whose axis the query is this one
        looks = self._looks(self._plain)
        if not looks:
            raise BadInput("This run has no such position.", "这次运行没有这个位置。")
        self._patch = _patch(own.query, query, self._plain.picture)
        self.unit: Unit = "levels" if self._plain.odds is None else "share"
        axes = {number: each.key for number, each in maps.items()}
        self.regions = _regions(axes.values())
        allowed = [part for part in _parts(axes, self.regions) if any(np.isfinite(part.scores(each)).any() for each in looks)]
        strength = [sum(float(part.weights(each).sum()) for each in looks) for part in allowed]
        self.parts = tuple(allowed[index] for index in sorted(np.argsort(strength, kind="stable")[-MOST:].tolist()))
        self.all = len(allowed)

    def without(self, part: Part) -> Change:
        """The change when nobody may look at that part."""
        step = self._run(part.hidden(self._kind))
        if any(part.weights(each).any() for each in self._looks(step)):
            return Change(None, None)
        if step.odds is not None and self._plain.odds is not None:
            moved = float(np.abs(step.odds - self._plain.odds).sum(dtype=np.float64)) / 2
            return Change(moved, moved)
        assert step.picture is not None and self._plain.picture is not None
        levels = np.abs(step.picture.astype(np.int16) - self._plain.picture)  # (S, S, 3)
        return Change(float(levels[self._patch].mean()), float(levels.mean()))

    def _run(self, edits: tuple[Edit, ...] = ()) -> Step:
        return next(iter(self._generator.generate(replace(self._request, edits=self._request.edits + edits))))

    def _looks(self, step: Step) -> list[Detail]:
        """How the query looked, by layer."""
        return [each for each in step.details if each.kind == self._kind and each.layer in self._layers]


def step_of(trace: Trace, kind: Kind, query: int) -> int:
    """The step whose token the query chose. Raises BadInput for a query that chose none."""
    for step in trace.steps:
        for rows in step.attentions:
            last = rows.first_query + len(rows.query) - 1
            if rows.kind != kind or not rows.first_query <= query <= last:
                continue
            if query < last:
                raise BadInput("Nothing was chosen here: take a word that was written.", "这里没有选出词：请取一个写出来的词。")
            return step.index
    raise BadInput("This run has no such position.", "这次运行没有这个位置。")


def _regions(axes: Iterable[Axis]) -> Grid | None:
    """Into how many regions the cells of these axes are cut: SIDE a side, fewer where a grid is coarser. None: they are no cells."""
    grids = [each for each in axes if isinstance(each, Grid)]
    return Grid(*(min(SIDE, *sides) for sides in zip(*((each.height, each.width) for each in grids), strict=True))) if grids else None


def _parts(axes: Mapping[int, Axis], regions: Grid | None) -> list[Part]:
    """All that can be left out: every key; of cells every region, on the grid of each layer."""
    if regions is None:
        return [Part(place, dict.fromkeys(axes, (place,))) for place in range(min(map(len, axes.values())))]
    within = {layer: _region_of(axis, regions) for layer, axis in axes.items() if isinstance(axis, Grid)}
    cells = {layer: [tuple(np.flatnonzero(found == place).tolist()) for place in range(len(regions))] for layer, found in within.items()}
    return [Part(place, {layer: found[place] for layer, found in cells.items()}) for place in range(len(regions))]


def _region_of(grid: Grid, regions: Grid) -> np.ndarray:
    """(cells,) the number of the region in which each cell lies."""
    rows, columns = (np.arange(sides) * wanted // sides for sides, wanted in ((grid.height, regions.height), (grid.width, regions.width)))
    numbers: np.ndarray = (rows[:, None] * regions.width + columns).ravel()
    return numbers


def _patch(axis: Axis, cell: int, picture: np.ndarray | None) -> Patch:
    """Where in a picture (S, S, 3) a cell lies; of what is no cell everywhere."""
    if picture is None or not isinstance(axis, Grid):
        return slice(None), slice(None)
    size, (row, column) = len(picture), divmod(cell, axis.width)
    rows, columns = (slice(at * size // count, (at + 1) * size // count) for at, count in ((row, axis.height), (column, axis.width)))
    return rows, columns
