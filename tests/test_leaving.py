"""Leaving one out: on attention made up so that the answer is known, on every generator's tiny model, and as the page asks for it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch

import generators
from generators.attention import attend, watch
from generators.base import BadInput, Card, Generator, Pin, Request, Variant
from generators.leaving import MOST, Leaving, Part, step_of
from generators.pictures import as_attention, as_detail
from generators.trace import Attention, Choice, Grid, Step, Tokens, Trace
from generators.writing import detail_of
from page import leaving
from page.desk import Desk
from page.runs import Run, Runs

WORDS = {"en": "made up", "zh": "编造"}
KEYS, TELLING = 5, 2


class Pointer(Generator):
    """Its one query looks at key TELLING alone, the only one with a value: logits are (5, 0), without it (0, 0)."""

    card = Card("pointer", WORDS, WORDS, ("text",), "text", (Variant("plain", WORDS, "1", WORDS, Pin("cross", 0)),), (), ((WORDS, True),))
    keys = KEYS

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls()

    @classmethod
    def tiny(cls) -> Self:
        return cls()

    def generate(self, request: Request) -> Iterator[Step]:
        key, value = torch.zeros(1, 1, self.keys, 2), torch.zeros(1, 1, self.keys, 2)
        key[0, 0, TELLING % self.keys, 0], value[0, 0, TELLING % self.keys, 0] = 1000.0, 5.0
        labels = Tokens(tuple("abcdefgh"[: self.keys]))
        with torch.inference_mode(), watch(request.edits, detail=request.pin) as watcher:
            logits = attend(torch.ones(1, 1, 1, 2), key, value, name=("cross", 0))[0, 0, 0]
        rows = tuple(Attention("cross", 0, each.weights[0].numpy(), Tokens(("x",)), labels) for each in watcher.heard)
        odds = logits.softmax(-1).numpy()
        details = tuple(detail_of(each) for each in watcher.heard if each.inside)
        chosen = Choice(0, "x", float(odds[0]))
        yield Step(0, rows, text="x", prompt=labels.labels, chosen=chosen, details=details, odds=odds, stop="length")


class Lonely(Pointer):
    """There is one key only."""

    keys = 1


class Painter(Generator):
    """A picture of 4×4 cells of 2×2 pixels: each is as grey as the mean of what its cell looks at; all look everywhere alike, on two grids.

    Only key 5 of the finer grid has a value, 160: every pixel is 160 / 16 = 10, and without its region, which the coarser grid has too, 0.
    """

    card = replace(Pointer.card, name="painter", produces="picture")

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls()

    @classmethod
    def tiny(cls) -> Self:
        return cls()

    def generate(self, request: Request) -> Iterator[Step]:
        rows, details, drawn = [], [], np.zeros((8, 8, 3), np.uint8)
        with torch.inference_mode(), watch(request.edits, detail=request.pin) as watcher:
            for layer, side in enumerate((4, 2)):
                value = torch.zeros(1, 1, side**2, 1)
                if side == 4:
                    value[0, 0, 5] = 160.0
                query = torch.zeros(1, 1, side**2, 1)
                made = attend(query, query, value, name=("self", layer)).view(side, side).numpy()
                if side == 4:
                    drawn[:] = np.round(made).astype(np.uint8).repeat(2, 0).repeat(2, 1)[..., None]
        for heard, side in zip(watcher.heard, (4, 2), strict=True):
            rows.append(as_attention(heard, Grid(side, side)))
            details += [as_detail(heard)] if heard.inside else []
        yield Step(0, tuple(rows), picture=drawn, details=tuple(details), stop="end")


def ask(run: Generator) -> Request:
    return Request.check(run.card)


def test_only_the_key_that_matters_changes_anything() -> None:
    question = Leaving(Pointer(), ask(Pointer()), "cross", 0)
    assert [part.place for part in question.parts] == list(range(KEYS)) and question.all == KEYS and question.unit == "share"
    changes = [question.without(part).here for part in question.parts]
    moved = math.exp(5) / (1 + math.exp(5)) - 0.5  # of (0.993, 0.007) to (0.5, 0.5)
    assert changes == pytest.approx([0, 0, moved, 0, 0], abs=1e-6)


def test_a_key_that_is_all_there_is_cannot_be_hidden() -> None:
    question = Leaving(Lonely(), ask(Lonely()), "cross", 0)
    assert [question.without(part).here for part in question.parts] == [None]


def test_hiding_adds_to_what_is_changed_already() -> None:
    off = Request.check(Pointer.card, edits=[{"action": "off"}])
    question = Leaving(Pointer(), off, "cross", 0)
    assert [question.without(part).here for part in question.parts] == [0] * KEYS


def test_a_region_is_hidden_on_every_grid() -> None:
    question = Leaving(Painter(), ask(Painter()), "self", 5)
    assert question.regions == Grid(2, 2) and question.unit == "levels", "no more regions than the coarsest grid has cells"
    assert question.parts[0] == Part(0, {0: (0, 1, 4, 5), 1: (0,)})
    hidden = question.parts[0].hidden("self")
    assert [(edit.keys, edit.layers, edit.map) for edit in hidden] == [((0, 1, 4, 5), (0,), "self"), ((0,), (1,), "self")]
    changes = [question.without(part) for part in question.parts]
    assert [change.whole for change in changes] == [10, 3, 3, 3], "without its region 0, without another 160 / 12 = 13"
    assert [change.here for change in changes] == [10, 3, 3, 3]


def test_the_change_is_measured_where_the_query_is() -> None:
    class Spot(Painter):
        def generate(self, request: Request) -> Iterator[Step]:
            for step in super().generate(request):
                assert step.picture is not None
                picture = step.picture.copy()
                picture[2:] = 7  # nothing but the upper row hangs on what is looked at
                yield replace(step, picture=picture)

    upper, lower = (Leaving(Spot(), ask(Spot()), "self", query) for query in (3, 12))
    assert (upper.without(upper.parts[0]).here, lower.without(lower.parts[0]).here) == (10, 0)
    assert upper.without(upper.parts[0]).whole == lower.without(lower.parts[0]).whole == 2.5
    coarse = Leaving(Spot(), ask(Spot()), "self", 1, layer=1)
    assert coarse.without(coarse.parts[0]).here == 5, "a cell of the coarser grid is half in that row"


def test_of_a_long_row_the_strongest_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generators.leaving.MOST", 1)
    question = Leaving(Pointer(), ask(Pointer()), "cross", 0)
    assert ([part.place for part in question.parts], question.all) == ([TELLING], KEYS) and MOST >= 256


def test_what_is_not_there_is_said_in_a_sentence() -> None:
    for query, layer, kind in ((7, None, "cross"), (0, 3, "cross"), (0, None, "self")):
        with pytest.raises(BadInput):
            Leaving(Pointer(), ask(Pointer()), kind, query, layer=layer)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="nothing to leave out"):
        Leaving(Pointer(), replace(ask(Pointer()), attention=False), "cross", 0)


@pytest.mark.parametrize("name", generators.names())
def test_every_generator_can_be_asked(name: str) -> None:
    run = generators.find(name).tiny()
    settings = {few: count for few, count in (("length", 4), ("steps", 4)) if few in {each.name for each in run.card.settings}}
    request = Request.check(run.card, text="Ada", seed=5, settings=settings)
    trace = run.trace(request)
    for kind in dict.fromkeys(kind for kind, _ in trace.maps()):
        rows = next(each for step in reversed(trace.steps) for each in step.attentions if each.kind == kind)
        query = rows.first_query + len(rows.query) - 1
        step = step_of(trace, kind, query) if trace.picture is None else len(trace.steps) - 1
        repeat = replace(request, forced=trace.forced, state=trace.steps[step].state)
        question = Leaving(run, repeat, kind, query, step=step)
        changes = [question.without(part) for part in question.parts]
        assert question.unit == ("levels" if trace.picture is not None else "share")
        assert len(changes) == (len(rows.key) if isinstance(rows.key, Tokens) else 16)
        assert all(change.here is not None and 0 <= change.here <= 255 for change in changes)
        assert any(change.whole for change in changes), "tiny models are made so that attention counts"


def test_a_word_of_the_prompt_chose_nothing() -> None:
    rows = [Attention("self", 0, np.eye(3, dtype=np.float32)[None], Tokens(("a", "b", "c")), Tokens(("a", "b", "c")))]
    rows += [Attention("self", 0, np.full((1, 1, 4), 0.25, np.float32), Tokens(("d",)), Tokens(("a", "b", "c", "d")), 3)]
    trace = Trace("x", "y", {}, [Step(0, (rows[0],)), Step(1, (rows[1],))])
    assert (step_of(trace, "self", 2), step_of(trace, "self", 3)) == (0, 1)
    with pytest.raises(BadInput, match="Nothing was chosen here"):
        step_of(trace, "self", 1)
    with pytest.raises(BadInput, match="no such position"):
        step_of(trace, "self", 4)


# As the page asks


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> tuple[Desk, Run]:
    """A desk with one run of the pointer."""
    model = Pointer()
    monkeypatch.setattr(generators, "load", lambda name, variant=None: model)
    desk, trace = Desk(Runs(lambda name, variant: model)), model.trace(ask(model))
    run = Run("r1", "pointer", ask(model), "", trace, done=True)
    monkeypatch.setattr(desk, "find", lambda given: run)
    return desk, run


def asked(desk: Desk, **given: Any) -> dict[str, Any]:
    return asyncio.run(desk.leave_out({"run": "r1", "query": 0, "kind": "cross", **given}))


def test_changes_come_some_at_a_time(desk: tuple[Desk, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "CHUNK", 0.0)
    found: list[float] = []
    for first in range(KEYS):
        sent = asked(desk[0], **({"from": first} if first else {}))
        assert (sent["first"], sent["count"], sent["total"], sent["unit"]) == (first, 1, KEYS, "share")
        assert ("parts" in sent) == (first == 0)
        found += sent["changes"]
    assert found == pytest.approx([0, 0, 0.493307, 0, 0], abs=1e-6)


def test_what_was_found_is_not_asked_of_the_model_again(desk: tuple[Desk, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    first = asked(desk[0])
    assert first["count"] == KEYS and first["parts"] == list(range(KEYS)) and first["all"] == KEYS
    monkeypatch.setattr(Leaving, "without", lambda self, part: pytest.fail("asked again"))
    assert asked(desk[0]) == first
    assert asked(desk[0], **{"from": KEYS})["count"] == 0


def test_a_wrong_question_is_answered_by_a_sentence(desk: tuple[Desk, Run]) -> None:
    for wrong in ({"query": 9}, {"query": -1}, {"kind": "sideways"}, {"from": "x"}, {"kind": "self"}):
        assert set(asked(desk[0], **wrong)["error"]) == {"en", "zh"}, wrong
    desk[1].request = replace(desk[1].request, attention=False)
    assert asked(desk[0])["error"]["en"] == "Without attention there is nothing to leave out."
