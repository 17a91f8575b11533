"""Inside one step, without a browser: the numbers of one head, exact where they are few, and those of the models that ship."""

from __future__ import annotations

import asyncio
import math
from base64 import b64decode
from typing import Any

import numpy as np
import pytest

from generators.base import BadInput
from generators.edits import Edit
from generators.trace import Detail
from page.desk import Desk
from page.inside import numbers_message
from tests.test_page import all_of, event, wish

QUERY = [[1.0, 2.0]]
KEYS = [[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]]
VALUES = [[[1.0], [2.0], [4.0]]]
SHIPPED = [
    ("gpt", "tales_en", {"prompt": "The king", "settings": {"length": 6}}),
    ("lstm", "tales_en", {"prompt": "The king", "settings": {"length": 6}}),
    ("seq2seq", None, {"prompt": "cat"}),
    ("gan", None, {"prompt": "7"}),
]


def detail(*, scores: list[list[float]], weights: list[list[float]], context: list[list[float]], **given: Any) -> Detail:
    rows = [np.array(each, np.float32) for each in (QUERY, KEYS, VALUES, scores, weights, context)]
    return Detail("self", 0, 2, rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], **given)


def softmax(scores: list[float]) -> list[float]:
    powers = [math.exp(each) for each in scores]
    return [each / sum(powers) for each in powers]


def floats(text: str) -> np.ndarray:
    return np.frombuffer(b64decode(text), "<f4")


def test_the_sum_is_told_part_by_part() -> None:
    scores = [0.5, 1.0, 1.5]
    weights = softmax(scores)
    context = sum(weight * value for weight, value in zip(weights, (1, 2, 4), strict=True))
    found = detail(scores=[scores], weights=[weights], context=[[context]], scale=0.5)
    told = numbers_message(found, 0, facts={"gamma": 0.25, "loss": 9.0})
    assert told["q"] == [1, 2] and told["products"] == [1, 2, 3] and told["scores"] == scores and told["scale"] == 0.5
    assert floats(told["k"]).tolist() == [1, 0, 0, 1, 1, 1] and floats(told["v"]).tolist() == [1, 2, 4]
    assert told["weights"] == pytest.approx(weights) and told["context"] == pytest.approx([context])
    assert told["changed"] == [] and not told["edited"] and told["after"] == [{"name": "gamma", "value": 0.25}]
    assert (told["query"], told["heads"], "plain" in told, "total" in told) == (2, 1, False, False)


def test_an_additive_score_has_its_direction() -> None:
    products = [math.tanh(2) + math.tanh(2) * 3, math.tanh(1) + math.tanh(3) * 3, math.tanh(2) + math.tanh(3) * 3]
    weights = softmax(products)
    found = detail(scores=[products], weights=[weights], context=[[1.0]], direction=np.array([1, 3], np.float32), scale=1.0)
    told = numbers_message(found, 0)
    assert told["direction"] == [1, 3] and told["products"] == pytest.approx(products)
    assert told["changed"] == ["context"] and told["total"] == pytest.approx([np.dot(weights, [1, 2, 4])])


def test_what_an_edit_changed_is_named() -> None:
    hide, paint = Edit("hide", keys=(1,)), Edit("paint", rows=(((0.5, 0.0, 0.5),),))
    told = numbers_message(
        detail(scores=[[0.5, -math.inf, 1.5]], weights=[[0.5, 0.0, 0.5]], context=[[2.5]], scale=0.5), 0, edits=(hide, paint)
    )
    assert told["scores"] == [0.5, None, 1.5] and told["hidden"] == [1] and told["edited"]
    assert told["changed"] == ["weights"] and told["plain"] == pytest.approx([1 / (1 + math.e), 0, math.e / (1 + math.e)])


def test_without_keys_there_is_a_sentence() -> None:
    rows = np.ones((1, 1), np.float32)
    with pytest.raises(BadInput):
        numbers_message(Detail("self", 0, 0, rows, None, None, rows, rows, rows), 0)


@pytest.mark.parametrize(("generator", "variant", "given"), SHIPPED, ids=[each[0] for each in SHIPPED])
def test_shipped_models_say_what_their_maps_show(generator: str, variant: str | None, given: dict[str, Any]) -> None:
    async def ask() -> tuple[dict[str, Any], np.ndarray]:
        desk = Desk()
        request = {"generator": generator, **({"variant": variant} if variant else {}), **given}
        shown = await all_of(desk.run(event(request), wish()))
        run = shown[-1][0]["run"]
        trace = desk.find({"run": run}).trace
        rows = next(each for step in reversed(trace.steps) for each in step.attentions)
        query = rows.first_query + len(rows.query) - 1
        told = await desk.inside({"run": run, "query": query, "kind": rows.kind, "layer": rows.layer, "head": 0})
        return told, rows.weights[0, -1].astype(np.float64)

    told, shown = asyncio.run(ask())
    assert "error" not in told, told
    weights = np.array(told["weights"])
    assert weights.sum() == pytest.approx(1, abs=1e-5)
    assert np.abs(weights - shown).max() <= 1e-5
    scores = np.array([-np.inf if each is None else each for each in told["scores"]])
    powers = np.exp(scores - scores.max())
    assert powers / powers.sum() == pytest.approx(weights, abs=1e-5)
    values = floats(told["v"]).reshape(len(weights), -1)
    assert weights @ values == pytest.approx(told.get("total", told["context"]), abs=1e-4)
    if "direction" not in told:
        keys = floats(told["k"]).reshape(len(weights), -1)
        assert keys @ np.array(told["q"]) == pytest.approx(told["products"], rel=1e-4, abs=1e-4)
        assert told["scale"] == pytest.approx(len(told["q"]) ** -0.5)


@pytest.mark.parametrize("wrong", [None, {}, {"run": "r9", "query": 0}, {"query": -1}, {"head": "x"}])
def test_a_wrong_question_is_answered_by_a_sentence(wrong: Any) -> None:
    assert set(asyncio.run(Desk().inside(wrong))["error"]) == {"en", "zh"}
