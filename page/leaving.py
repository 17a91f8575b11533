"""Leave one out: how much the output changes when nobody may look at one key, some keys at a time.

    leave_out(desk, {run, query, kind, layer?, step?, from})  →  the changes from that part on, as many as CHUNK seconds bring

The browser asks again until it has all, so that stopping is asking no more. What was found is kept as long as its run.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import generators
from generators.base import BadInput
from generators.edits import Kind
from generators.leaving import NOTHING, Change, Leaving, step_of
from page.answers import sentence
from page.asked import read_index, read_kind, read_object
from page.runs import Run

if TYPE_CHECKING:
    from page.desk import Desk

CHUNK = 0.3  # seconds of work for one answer
KEPT = 8  # questions about one run whose answers are kept
DIGITS = 6  # of a change


class Asked(NamedTuple):
    """One query of a run. layer: whose grid it is on. step: of a picture that forms."""

    query: int
    kind: Kind
    layer: int | None
    step: int


@dataclass
class Found:
    """What is known of a question so far. leaving: None until the run was made again as it was; changes: of the first parts."""

    leaving: Leaving | None = None
    changes: list[Change] = field(default_factory=list)

    def answer(self, first: int) -> dict[str, Any]:
        """{first, count, total, changes, whole, unit}; with `parts` and `all`, and `regions` of a picture, where it is the first."""
        leaving, changes = self.leaving, self.changes[first:]
        assert leaving is not None
        sent: dict[str, Any] = {"first": first, "count": len(changes), "total": len(leaving.parts), "unit": leaving.unit}
        sent["changes"] = [_rounded(each.here) for each in changes]
        if leaving.unit == "levels":
            sent["whole"] = [_rounded(each.whole) for each in changes]
        if first == 0:
            sent |= {"parts": [each.place for each in leaving.parts], "all": leaving.all}
            sent |= {"regions": [leaving.regions.height, leaving.regions.width]} if leaving.regions else {}
        return sent


_worker = ThreadPoolExecutor(1, "leave")  # who leaves out takes no more than this of the machine
_found: WeakKeyDictionary[Run, OrderedDict[Asked, Found]] = WeakKeyDictionary()


async def leave_out(desk: Desk, given: Any) -> dict[str, Any]:
    """{run, query, kind, layer?, step?, from} → as `Found.answer` says; {error} where there is nothing to leave out."""
    with sentence() as answer:
        given = read_object(given)
        run = desk.find(given)
        asked, first = _read(run, given), read_index(given.get("from", 0))
        found = _kept(run, asked)
        if found.leaving is None or len(found.changes) <= first:
            await desk.look(lambda: _work(run, asked, found), _worker)
        answer |= found.answer(first)
    return answer


def _read(run: Run, given: Mapping[str, Any]) -> Asked:
    """What is asked, checked as far as the run alone tells. Raises BadInput."""
    query, kind = read_index(given.get("query")), read_kind(given.get("kind"))
    layer = None if given.get("layer") is None else read_index(given["layer"])
    if not run.trace.steps:
        raise BadInput("This run has no such step.", "这次运行没有这一步。")
    if not run.request.attention:
        raise BadInput(*NOTHING)
    if run.trace.picture is None:
        return Asked(query, kind, None, step_of(run.trace, kind, query))
    last = len(run.trace.steps) - 1
    step = last if given.get("step") is None else read_index(given["step"])
    if step > last:
        raise BadInput("This run has no such step.", "这次运行没有这一步。")
    return Asked(query, kind, layer, step)


def _kept(run: Run, asked: Asked) -> Found:
    """What was found of that question already, or nothing yet; the question asked longest ago is forgotten."""
    known = _found.setdefault(run, OrderedDict())
    found = known.setdefault(asked, Found())
    known.move_to_end(asked)
    if len(known) > KEPT:
        known.popitem(last=False)
    return found


def _work(run: Run, asked: Asked, found: Found) -> None:
    """Leave out the next parts, as many as there is time for and one at least. In the worker's thread."""
    until = time.perf_counter() + CHUNK
    if found.leaving is None:
        request = replace(run.request, forced=run.trace.forced, state=run.trace.steps[asked.step].state)
        model = generators.load(run.generator, request.variant)
        found.leaving = Leaving(model, request, asked.kind, asked.query, layer=asked.layer, step=asked.step)
    for part in found.leaving.parts[len(found.changes) :]:
        found.changes.append(found.leaving.without(part))
        if time.perf_counter() >= until:
            return


def _rounded(change: float | None) -> float | None:
    return None if change is None else round(change, DIGITS)
