"""Two runs beside each other, without a browser: what the desk tells of both, and what becomes of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import generators
from generators.base import BadInput
from generators.pictures import read_picture, to_png
from page.desk import Desk
from page.wire import costs
from tests.painters import SIZE, Copier, Painter
from tests.test_page import Counter, all_of, event, wish

RED = np.full((SIZE, SIZE, 3), (200, 10, 10), np.uint8)
MODELS: dict[str, Any] = {"counter": Counter, "painter": Painter, "copier": Copier}


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """One that counts, one that paints, one that copies a picture; nothing is stored."""
    made = {name: model() for name, model in MODELS.items()}

    def find(name: str) -> Any:
        if name not in MODELS:
            raise BadInput("There is no such generator.", "没有这个生成器。")
        return MODELS[name]

    monkeypatch.setattr(generators, "find", find)
    monkeypatch.setattr(generators, "names", lambda: tuple(MODELS))
    monkeypatch.setattr(generators, "load", lambda name, variant=None: made[name])
    monkeypatch.setattr(generators, "folders", lambda name: {"plain": tmp_path / name})
    return made


def counting(length: int, seed: int = 0) -> dict[str, Any]:
    return {"generator": "counter", "seed": seed, "settings": {"length": length}}


async def pair(desk: Desk, a: Any, b: Any, session: str = "me") -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return await all_of(desk.pair(event({"a": a, "b": b}), wish(session)))


def of(pane: str, shown: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[dict[str, Any]]:
    """The messages of one pane."""
    return [message["pair"][pane] for message, _ in shown if message["pair"][pane] is not None]


def steps(pane: str, shown: list[tuple[dict[str, Any], dict[str, Any]]]) -> int:
    return sum(message["count"] for message in of(pane, shown))


def test_one_stream_tells_of_both(models: dict[str, Any]) -> None:
    models["counter"].seconds = 0.004

    async def story() -> None:
        shown = await pair(Desk(), counting(40), counting(20, seed=9))
        a, b = of("a", shown), of("b", shown)
        assert (steps("a", shown), steps("b", shown)) == (40, 20)
        assert [each["head"]["seed"] for each in (a[0], b[0])] == [0, 9]
        for messages in (a, b):
            assert messages[-1]["done"] and not messages[-1]["count"]
            assert sum("head" in each for each in messages) == 1
        assert len({message["turn"] for message, _ in shown}) == 1
        running = [status["running"] for _, status in shown]
        assert running[0] and not running[-1] and running == sorted(running, reverse=True)
        told = next(status["pair"]["a"] for _, status in shown if status["pair"]["a"])
        assert told["request"]["settings"] == {"length": 40}

    asyncio.run(story())


def test_the_same_twice_is_one_run(models: dict[str, Any]) -> None:
    async def story() -> None:
        shown = await pair(Desk(), counting(10), counting(10))
        assert of("a", shown)[0]["run"] == of("b", shown)[0]["run"] and models["counter"].began == 1

    asyncio.run(story())


@pytest.mark.parametrize("wrong", [None, 7, {"generator": "nobody"}, {"generator": "counter", "prompt": "bad"}], ids=str)
def test_what_is_wrong_with_one_leaves_the_other(models: dict[str, Any], wrong: Any) -> None:
    async def story() -> None:
        for good, ill, given in (("a", "b", (counting(5), wrong)), ("b", "a", (wrong, counting(5)))):
            shown = await pair(Desk(), *given)
            assert steps(good, shown) == 5 and not any("error" in each for each in of(good, shown))
            assert set(of(ill, shown)[-1]["error"]) == {"en", "zh"} and not steps(ill, shown)
            assert not shown[-1][1]["running"]

    asyncio.run(story())


@pytest.mark.parametrize("given", [None, [], "pair", {"a": 1}, {"b": []}], ids=str)
def test_rubbish_is_two_sentences(models: dict[str, Any], given: Any) -> None:
    async def story() -> None:
        shown = await all_of(Desk().pair(event(given), wish()))
        assert all(set(of(pane, shown)[0]["error"]) == {"en", "zh"} for pane in "ab")

    asyncio.run(story())


def test_stop_stops_both(models: dict[str, Any]) -> None:
    models["counter"].seconds = 0.01

    async def story() -> None:
        desk, shown = Desk(), []
        async for each in desk.pair(event({"a": counting(9999), "b": counting(9999, seed=1)}), wish()):
            shown.append(each)
            if len(shown) == 3:
                await desk.stop(wish("somebody else"))
                await desk.stop(wish())
        assert len(shown) < 12 and not shown[-1][1]["running"]
        for pane in "ab":
            assert of(pane, shown)[-1]["done"]
            run = desk.runs.get(of(pane, shown)[0]["run"])
            await asyncio.wait_for(run.end(), 2)
            assert run.trace.steps[-1].stop == "stopped"

    asyncio.run(story())


@pytest.mark.parametrize("event_name", ["run", "pair"])
def test_a_new_wish_replaces_both(models: dict[str, Any], event_name: str) -> None:
    models["counter"].seconds = 0.01

    async def story() -> None:
        desk = Desk()
        long = asyncio.create_task(pair(desk, counting(9999), counting(9999, seed=1)))
        await asyncio.sleep(0.2)
        given = counting(2) if event_name == "run" else {"a": counting(2), "b": counting(3)}
        short = await all_of(getattr(desk, event_name)(event(given), wish()))
        replaced = await asyncio.wait_for(long, 2)
        assert all(of(pane, replaced)[-1]["done"] for pane in "ab")
        assert replaced[-1][0]["turn"] < short[0][0]["turn"]
        assert not desk._stop, "nobody waits for anything"

    asyncio.run(story())


def test_a_closed_answer_ends_both(models: dict[str, Any]) -> None:
    models["counter"].seconds = 0.01

    async def story() -> None:
        desk = Desk()
        answer: Any = desk.pair(event({"a": counting(9999), "b": counting(9999, seed=1)}), wish())
        await anext(answer)
        await answer.aclose()
        runs = list(desk.runs._kept.values())
        await asyncio.wait_for(asyncio.gather(*(run.end() for run in runs)), 2)
        assert len(runs) == 2 and all(run.stopped for run in runs)

    asyncio.run(story())


def test_what_is_changed_in_one_pane_leaves_the_other(models: dict[str, Any]) -> None:
    models["counter"].seconds = 0.01

    async def story() -> None:
        desk = Desk()
        both = asyncio.create_task(pair(desk, counting(60), counting(61)))
        await asyncio.sleep(0.2)
        b = desk.runs.get(desk._last["me/b"])
        shown = await all_of(desk.edit(event({"run": b.id, "edits": [{"action": "uniform"}], "pane": "b"}), wish()))
        assert all(set(message["pair"]) == {"b"} == set(status["pair"]) for message, status in shown)
        assert steps("b", shown) == 61 and shown[-1][1]["pair"]["b"]["request"]["edits"] == [{"action": "uniform"}]
        whole = await both
        assert steps("a", whole) == 60 and steps("b", whole) < 61, "pane a goes on, what was in pane b is over"
        assert shown[0][0]["turn"] > whole[0][0]["turn"]
        (message, status), *_ = await all_of(desk.edit(event({"run": b.id, "edits": [], "pane": "c"}), wish()))
        assert "error" in message and "pair" not in message and not status["running"]

    asyncio.run(story())


def test_pane_b_starts_from_what_pane_a_made(models: dict[str, Any]) -> None:
    async def story() -> None:
        desk = Desk()
        shown = await pair(desk, {"generator": "painter", "seed": 7}, {"generator": "copier", "of": "a"})
        made = read_picture(of("a", shown)[0]["steps"][0]["picture"], SIZE)
        seen = desk.runs.get(of("b", shown)[0]["run"])
        assert seen.request.picture is not None and (seen.request.picture == made).all() and not seen.owner
        assert shown[0][0]["pair"]["b"] is None, "until the picture is there"
        told = await pair(desk, counting(3), {"generator": "counter", "of": "a"})
        assert of("b", told)[0]["head"]["request"]["text"] == "0 1 2"

    asyncio.run(story())


def test_without_a_picture_pane_b_says_so(models: dict[str, Any]) -> None:
    models["counter"].seconds = 0.01

    async def story() -> None:
        desk = Desk()
        for given in ({"generator": "painter", "prompt": 5}, counting(3)):
            shown = await pair(desk, given, {"generator": "copier", "of": "a"})
            assert "nothing to go on from" in of("b", shown)[0]["error"]["en"]
        shown = []
        async for each in desk.pair(event({"a": counting(9999), "b": {"generator": "copier", "of": "a"}}), wish()):
            shown.append(each)
            if len(shown) == 2:
                await desk.stop(wish())
        assert "nothing to go on from" in of("b", shown)[0]["error"]["en"] and of("a", shown)[-1]["done"]

    asyncio.run(story())


def test_what_is_made_of_an_own_picture_is_private_in_both_panes(models: dict[str, Any]) -> None:
    async def story() -> None:
        desk = Desk()
        own = {"generator": "copier", "picture": to_png(RED)}
        for b in (own | {"hidden": [3]}, {"generator": "copier", "of": "a"}):
            shown = await pair(desk, own, b)
            runs = [desk.runs.get(of(pane, shown)[0]["run"]) for pane in "ab"]
            assert [run.owner for run in runs] == ["me", "me"]
            others = await pair(desk, own, b, "somebody else")
            assert not {run.id for run in runs} & {of(pane, others)[0]["run"] for pane in "ab"}
            await desk.forget(wish())
            assert all("error" in desk.fetch({"run": run.id}) for run in runs)

    asyncio.run(story())


def test_a_pane_has_the_card_of_its_side() -> None:
    figures = {
        "parameters": 100,
        "training": {"minutes": 9.5},
        "training_without": {"minutes": 7, "parameters": 101},
        "cost": {"with": {"multiply_adds": 5, "milliseconds": 1.5}, "without": {"multiply_adds": 4}, "per": "token"},
        "metrics": {"bleu": {"with": 0.5, "without": 0.4, "unit": "share", "better": "higher"}, "exact": {"with": 0.9}},
    }
    assert costs(figures, ["bleu", "exact"], "with") == {
        "parameters": 100,
        "minutes": 9.5,
        "cost": {"multiply_adds": 5, "milliseconds": 1.5, "per": "token"},
        "figures": [
            {"name": "bleu", "unit": "share", "better": "higher", "verdict": "better", "value": 0.5},
            {"name": "exact", "unit": "", "better": "higher", "verdict": "", "value": 0.9},
        ],
    }
    assert costs(figures, ["bleu", "exact"], "without") == {
        "parameters": 101,
        "minutes": 7,
        "cost": {"multiply_adds": 4, "per": "token"},
        "figures": [{"name": "bleu", "unit": "share", "better": "higher", "verdict": "better", "value": 0.4}],
    }
    assert costs({}, ["bleu"], "with") == {}
