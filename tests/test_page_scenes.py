"""Words and pictures on the page without a browser: phrases, words that are not known, steps run again, the line, describing."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

import generators
from generators.base import BadInput, Request
from generators.pictures import to_png
from page.desk import Desk
from page.runs import Run, Runs
from tests.painters import Painter
from tests.sceners import PHRASES, STEPS, Scener, Teller, colour

PROMPT = "a fox to the left of a dragoon on a blue background"
ASKED = {"generator": "scener", "prompt": PROMPT, "seed": 3}


@pytest.fixture
def scener(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scener:
    """A painter of words, one who says what it sees and one of faces are all that there is."""
    known: dict[str, Any] = {"teller": Teller, "painter": Painter, "scener": Scener}
    models = {name: each() for name, each in known.items()}

    def find(name: str) -> Any:
        if name not in known:
            raise BadInput("There is no such generator.", "没有这个生成器。")
        return known[name]

    monkeypatch.setattr(generators, "find", find)
    monkeypatch.setattr(generators, "names", lambda: tuple(known))
    monkeypatch.setattr(generators, "load", lambda name, variant=None: models[name])
    monkeypatch.setattr(generators, "folders", lambda name: {"plain": tmp_path / name})
    return models["scener"]  # type: ignore[no-any-return]


Shown = list[tuple[dict[str, Any], dict[str, Any]]]


async def told(desk: Desk, event: str, given: dict[str, Any], session: str = "me") -> Shown:
    """All messages and statuses of an answer."""
    wish = SimpleNamespace(session_hash=session)
    return [each async for each in getattr(desk, event)(gr.EventData(None, given), wish)]


async def painted(desk: Desk, **more: Any) -> Run:
    """The kept run of a prompt."""
    return desk.runs.get((await told(desk, "run", ASKED | more))[-1][0]["run"])


def store(scener: Scener, folder: Path) -> str:
    """An example of what it painted."""
    scener.trace(Request.check(Scener.card, text=PROMPT, seed=3)).save(folder / "scener" / "examples" / "fox.npz")
    return "example:scener/plain/fox"


# Phrases, and words that are not known


def test_phrases_are_told_of_who_has_them(scener: Scener) -> None:
    desk = Desk()
    assert desk.phrases({"generator": "scener", "variant": "plain"}) == dict(PHRASES)
    assert desk.phrases({"generator": "painter"}) == {}
    for wrong in (None, {"generator": "nobody"}, {"generator": "scener", "variant": "none"}):
        assert "error" in desk.phrases(wrong)


def test_what_is_not_known_is_told_with_what_is_near(scener: Scener) -> None:
    async def story() -> None:
        shown = await told(Desk(), "run", ASKED)
        assert shown[-1][1]["unknown"] == [["dragoon ", ["dog", "fox"]]]
        assert "unknown" not in (await told(Desk(), "run", ASKED | {"prompt": "a fox on a blue background"}))[-1][1]

    asyncio.run(story())


def test_another_seed_paints_the_same_words(scener: Scener) -> None:
    async def story() -> None:
        desk = Desk()
        run = await painted(desk)
        request = (await told(desk, "face", {"run": run.id, "seed": 9}))[-1][1]["request"]
        assert (request["text"], request["seed"]) == (PROMPT, 9)

    asyncio.run(story())


# Steps run again


@pytest.mark.parametrize("stored", [False, True], ids=["kept", "stored"])
def test_a_step_is_run_again_alone(scener: Scener, tmp_path: Path, stored: bool) -> None:
    """A kept run remembers what each step began with; a stored one runs up to it."""

    async def story() -> None:
        desk = Desk()
        run = store(scener, tmp_path) if stored else (await painted(desk)).id
        told = await desk.maps({"run": run, "step": 2, "kind": "self"})
        assert "error" not in told and told == await desk.maps({"run": run, "step": 2, "kind": "self"})
        again = scener.asked[-1]
        assert again.only == 2 and (again.state is None) == stored
        assert len(scener.asked) == 3
        details = (await desk.row({"run": run, "query": 5, "step": 2}))["details"]
        assert [(each["kind"], each["layer"], each["query"]) for each in details] == [("cross", 0, 5), ("cross", 1, 5), ("self", 0, 5)]
        assert await desk.details(run, 5) == await desk.details(run, 5, STEPS - 1) != {"details": details}

    asyncio.run(story())


def test_kept_maps_are_not_made_again(scener: Scener) -> None:
    async def story() -> None:
        desk = Desk()
        run = await painted(desk)
        for step in (0, STEPS - 1, None):
            assert "error" not in await desk.maps({"run": run.id, "step": step, "kind": "cross"})
        assert len(scener.asked) == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    "given",
    [{"step": STEPS}, {"step": -1}, {"step": "1"}, {"step": 0, "kind": "none"}, {"step": None}, {"step": 0, "run": "gone"}, {}],
    ids=str,
)
def test_a_step_that_is_none_gets_one_sentence(scener: Scener, given: dict[str, Any]) -> None:
    async def story() -> None:
        desk = Desk()
        run = await painted(desk)
        assert set((await desk.maps({"run": run.id, "kind": "self"} | given)).get("error", {})) == {"en", "zh"}

    asyncio.run(story())


def test_a_cell_that_is_none_gets_one_sentence(scener: Scener) -> None:
    async def story() -> None:
        desk = Desk()
        run, face = await painted(desk), (await told(desk, "run", {"generator": "painter", "prompt": "7"}))[-1][0]["run"]
        assert "error" in await desk.row({"run": run.id, "query": 64, "step": 0})
        assert "error" in await desk.row({"run": run.id, "query": 0, "step": STEPS})
        assert "error" in await desk.maps({"run": face, "step": 0, "kind": "cross"}), "its picture does not form"

    asyncio.run(story())


def test_what_a_step_began_with_counts_and_is_not_sent(scener: Scener) -> None:
    async def story() -> None:
        desk = Desk()
        run = await painted(desk)
        await run.end()
        assert run.size >= STEPS * 3 * 32 * 32 * 4
        assert "state" not in desk.fetch({"run": run.id})["steps"][0]

    asyncio.run(story())


# The line


def lined(count: int, seconds: float = 0.005) -> tuple[Runs, list[Run]]:
    """Runs of so many prompts, by one who takes its time."""
    model = Scener()
    model.seconds = seconds
    runs = Runs(lambda name, variant: model)
    return runs, [runs.start("scener", Request.check(Scener.card, text="a fox", seed=seed)) for seed in range(count)]


async def places(runs: Runs, run: Run) -> list[int]:
    """The places that are told of a run, the steps that are there as negative numbers."""
    return [run.place or -count async for count in runs.follow(run)]


def test_who_comes_later_waits_and_is_told_the_place() -> None:
    async def story() -> None:
        runs, all_runs = lined(8, seconds=0.02)
        seen = await asyncio.gather(*(places(runs, run) for run in all_runs))
        assert [each[0] for each in seen[3:]] == [1, 2, 3, 4, 5]
        for each in seen:
            waited = [place for place in each if place > 0]
            assert waited == sorted(waited, reverse=True) and each[-1] == -STEPS
        assert [run.ended for run in all_runs[::3]] == sorted(run.ended for run in all_runs[::3]), "first come, first served"

    asyncio.run(story())


def test_who_leaves_the_line_lets_the_others_move_up() -> None:
    async def story() -> None:
        runs, all_runs = lined(5, seconds=0.02)
        first = [asyncio.ensure_future(places(runs, run)) for run in all_runs[:3]]
        while len(runs._lines.get("scener", ())) < 3:
            await asyncio.sleep(0.001)
        leaving, last = runs.follow(all_runs[3]), asyncio.ensure_future(places(runs, all_runs[4]))
        assert await anext(leaving) == 0 and all_runs[3].place == 1
        await asyncio.sleep(0.05)
        assert all_runs[4].place == 2
        await leaving.aclose()
        await asyncio.wait_for(all_runs[3].end(), 1)
        assert all_runs[3].stopped and not all_runs[3].trace.steps and all_runs[4].place <= 1
        await asyncio.gather(*first, last)
        assert all_runs[4].trace.done

    asyncio.run(story())


def test_thirty_who_ask_at_once_are_all_served() -> None:
    async def story() -> None:
        runs, all_runs = lined(30, seconds=0.002)
        began = time.perf_counter()
        turns = await asyncio.gather(*(places(runs, run) for run in all_runs))
        assert all(run.trace.done for run in all_runs) and max(each for turn in turns for each in turn) == 27
        again = runs.start("scener", all_runs[7].request)
        assert again is all_runs[7] and time.perf_counter() - began < 60

    asyncio.run(story())


def test_the_status_tells_the_place(scener: Scener) -> None:
    scener.seconds = 0.05

    async def story() -> None:
        desk = Desk()
        answers = await asyncio.gather(*(told(desk, "run", ASKED | {"seed": seed}, str(seed)) for seed in range(5)))
        statuses = [[status.get("place", 0) for _, status in shown] for shown in answers]
        assert max(statuses[0]) == 0 and statuses[4][0] == 2 and statuses[4][-1] == 0
        waiting = next(message for message, status in answers[4] if status.get("place"))
        assert waiting["count"] == 0 and "head" in waiting and not waiting["done"]

    asyncio.run(story())


# Describing


def test_a_picture_just_painted_is_described_without_painting_it_again(scener: Scener) -> None:
    async def story() -> None:
        desk = Desk()
        run = await painted(desk, prompt="a fox to the left of a bee")
        source = {"generator": "scener", "variant": "plain", "prompt": run.request.text, "seed": "3"}
        shown = await told(desk, "run", {"generator": "teller", "source": source})
        assert len(scener.asked) == 1
        caption = desk.runs.get(shown[-1][0]["run"])
        assert caption.trace.text == "a fox a bee " and not caption.owner
        await told(desk, "run", {"generator": "teller", "source": source | {"seed": "4"}})
        assert len(scener.asked) == 2, "what nobody has painted yet is painted"

    asyncio.run(story())


def test_pictures_of_words_and_faces_are_offered_to_who_describes(scener: Scener, tmp_path: Path) -> None:
    example = store(scener, tmp_path)

    async def story() -> None:
        desk = Desk()
        offered = (await desk.stored({"generator": "teller"}))["pictures"]
        assert offered[0]["source"] == {"example": example}
        assert any(each["source"].get("generator") == "painter" for each in offered)
        assert all("example" not in each["source"] for each in (await desk.stored({"generator": "painter"}))["pictures"])
        shown = await told(desk, "run", {"generator": "teller", "source": offered[0]["source"]})
        assert desk.runs.get(shown[-1][0]["run"]).trace.text.startswith("a fox")

    asyncio.run(story())


def test_programs_paint_words_and_describe(scener: Scener) -> None:
    picture = np.empty((32, 32, 3), np.uint8)
    picture[:, :16], picture[:, 16:] = colour("owl"), colour("bee")

    async def story() -> None:
        desk = Desk()
        run, _ = await desk.result(ASKED)
        assert run.trace.picture is not None and run.trace.steps[0].unknown[0].offers == ("dog", "fox")
        told, _ = await desk.result({"generator": "teller", "picture": to_png(picture)})
        assert told.trace.text == "a owl a bee " and told.owner

    asyncio.run(story())
