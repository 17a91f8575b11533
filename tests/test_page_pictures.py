"""Pictures on the page without a browser: where they come from, whose they are, what is made of them while sliders move."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

import generators
from generators.base import BadInput, Request
from generators.pictures import read_picture, to_png
from page import shelf
from page.asked import DEEPEST, read, source_picture
from page.desk import LIVE_WAITING, Desk
from page.guard import wipe
from page.pictures import STORED
from page.runs import PRIVATE, Runs
from tests.painters import SIZE, Copier, Painter, rubbed

RED = np.full((SIZE, SIZE, 3), (200, 10, 10), np.uint8)
BLUE = np.full((SIZE, SIZE, 3), (10, 10, 200), np.uint8)
FACE = {"generator": "painter", "seed": 7}


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Painter:
    """Painter and copier are all that there is, and have nothing stored."""
    known, models = {"painter": Painter, "copier": Copier}, {"painter": Painter(), "copier": Copier()}

    def find(name: str) -> Any:
        if name not in known:
            raise BadInput("There is no such generator.", "没有这个生成器。")
        return known[name]

    monkeypatch.setattr(generators, "find", find)
    monkeypatch.setattr(generators, "names", lambda: tuple(known))
    monkeypatch.setattr(generators, "load", lambda name, variant=None: models[name])
    monkeypatch.setattr(generators, "folders", lambda name: {"plain": tmp_path / name})
    return models["painter"]


def wish(session: str = "me") -> Any:
    return SimpleNamespace(session_hash=session)


async def told(desk: Desk, event: str, given: dict[str, Any], session: str = "me") -> tuple[dict[str, Any], dict[str, Any]]:
    """All of an answer: the first message and status, and the last message joined to what was told."""
    shown = [each async for each in getattr(desk, event)(gr.EventData(None, given), wish(session))]
    return shown[0]


async def copied(desk: Desk, picture: np.ndarray, session: str = "me", **more: Any) -> str:
    """Id of the run that copies a visitor's own picture."""
    message, _ = await told(desk, "run", {"generator": "copier", "picture": to_png(picture), **more}, session)
    assert "error" not in message, message["error"]
    return str(message["run"])


def pixels(url: str) -> np.ndarray:
    return read_picture(url, SIZE)


def gone(desk: Desk, run: str) -> bool:
    return "error" in desk.fetch({"run": run})


# What is given


def test_a_picture_of_any_kind_reaches_the_model(painter: Painter) -> None:
    wide = io.BytesIO()
    Image.new("RGB", (90, 40), (200, 10, 10)).save(wide, "BMP")
    for given in (to_png(RED), base64.b64encode(wide.getvalue()).decode(), wide.getvalue()):
        card, request, private = read({"generator": "copier", "picture": given})
        assert card.name == "copier" and private and request.picture is not None
        assert (request.picture == RED).all()


@pytest.mark.parametrize("given", ["x", "data:image/png;base64,AAAA", 5, [1], {"a": 1}, base64.b64encode(b"GIF89a").decode()], ids=repr)
def test_what_is_no_picture_gets_one_sentence(painter: Painter, given: Any) -> None:
    async def story() -> None:
        desk = Desk()
        before = await copied(desk, RED)
        message, status = await told(desk, "run", {"generator": "copier", "picture": given})
        assert set(message["error"]) == {"en", "zh"} and message["done"] and not status["running"]
        assert not gone(desk, before), "what was there stays"
        assert set((await desk.live({"generator": "copier", "picture": given}))["error"]) == {"en", "zh"}

    asyncio.run(story())


def test_a_source_is_made_again(painter: Painter) -> None:
    made = Painter().picture(Request.check(Painter.card, seed=7))
    assert (source_picture(FACE) == made).all()
    _, request, private = read({"generator": "copier", "source": FACE, "hidden": [0, 5]})
    assert not private and request.picture is not None and (request.picture == made).all() and request.hidden == (0, 5)
    twice = {"generator": "copier", "source": FACE, "hidden": [3]}
    assert (source_picture(twice) == rubbed(made, [3])).all()
    changed = {"generator": "painter", "source": FACE, "settings": {"warmth": 20}}
    assert (source_picture(changed)[..., 0] == made[..., 0] + 20).all()


@pytest.mark.parametrize(
    "source",
    [
        5,
        "x",
        [],
        {"generator": "nobody"},
        {"generator": "copier"},
        {"example": "example:a/b/c"},
        {"generator": "painter", "seed": -1},
        {"a": "x" * 99_999},
    ],
    ids=lambda each: json.dumps(each)[:40],
)
def test_a_source_that_is_none_gets_one_sentence(painter: Painter, source: Any) -> None:
    async def story() -> None:
        message, _ = await told(Desk(), "run", {"generator": "copier", "source": source})
        assert set(message["error"]) == {"en", "zh"} and len(message["error"]["en"]) < 300

    asyncio.run(story())


def test_sources_of_sources_end(painter: Painter) -> None:
    source: dict[str, Any] = FACE
    for _ in range(DEEPEST - 1):
        source = {"generator": "copier", "source": source}
    source_picture(source)
    with pytest.raises(BadInput):
        source_picture({"generator": "copier", "source": source})


def test_a_picture_inside_a_source_is_not_taken(painter: Painter) -> None:
    with pytest.raises(BadInput, match="Give me a picture"):
        source_picture({"generator": "copier", "picture": to_png(RED)})


def test_a_stored_example_is_a_source(painter: Painter, tmp_path: Path) -> None:
    request = Request.check(Copier.card, picture=RED, text="Ada", hidden=[1])
    Copier().trace(request).save(tmp_path / "copier" / "examples" / "ada.npz")
    (listed,) = shelf.listing("copier", "plain")
    assert listed["label"] == "Ada ▨" and listed["pictured"] and "picture" not in listed["request"]
    assert (source_picture({"example": listed["id"]}) == RED).all(), "the picture it was given, not the one it made"

    async def story() -> None:
        answer = await Desk().stored({"generator": "copier"})
        assert answer["pictures"][0]["source"] == {"example": listed["id"]} and (pixels(answer["pictures"][0]["url"]) == RED).all()

    asyncio.run(story())


def test_faces_of_a_painter_fill_the_shelf(painter: Painter) -> None:
    async def story() -> None:
        desk = Desk()
        offered = (await desk.stored({"generator": "copier"}))["pictures"]
        assert len(offered) == STORED
        for each in offered[:2]:
            assert (source_picture(each["source"]) == pixels(each["url"])).all()
        assert "error" in await desk.stored({"generator": "nobody"})

    asyncio.run(story())


# Whose they are


def test_own_pictures_are_shared_with_nobody(painter: Painter) -> None:
    async def story() -> None:
        desk = Desk()
        mine, yours = await copied(desk, RED), await copied(desk, RED, "you")
        assert mine != yours, "the same picture, but not the same visitor"
        assert mine == await copied(desk, RED), "one's own run is found again"
        lab = [(await told(desk, "run", {"generator": "copier", "source": FACE}, each))[0]["run"] for each in ("me", "you")]
        assert lab[0] == lab[1], "what the Lab made is for all"

    asyncio.run(story())


def test_another_picture_forgets_the_one_before(painter: Painter) -> None:
    async def story() -> None:
        desk = Desk()
        red = await copied(desk, RED)
        rubbed_out, _ = await told(desk, "rub", {"run": red, "hidden": [1, 2]})
        assert not gone(desk, red) and not gone(desk, rubbed_out["run"])
        yours = await copied(desk, RED, "you")
        blue = await copied(desk, BLUE)
        assert gone(desk, red) and gone(desk, rubbed_out["run"]) and not gone(desk, blue) and not gone(desk, yours)
        await told(desk, "run", {"generator": "copier", "source": FACE})
        assert gone(desk, blue), "a picture of the Lab's is another picture, too"
        assert "error" in (await told(desk, "rub", {"run": blue, "hidden": [1]}))[0]

    asyncio.run(story())


@pytest.mark.parametrize("way", ["forget", "leave"])
def test_who_leaves_or_takes_the_picture_away_is_forgotten(painter: Painter, way: str) -> None:
    async def story() -> None:
        desk = Desk()
        mine, yours = await copied(desk, RED), await copied(desk, BLUE, "you")
        await getattr(desk, way)(wish())
        assert gone(desk, mine) and not gone(desk, yours)
        assert not any((np.array_equal(run.request.picture, RED)) for run in desk.runs._kept.values())

    asyncio.run(story())


def test_own_pictures_are_forgotten_in_time(painter: Painter) -> None:
    assert PRIVATE == 15 * 60

    async def story() -> None:
        desk = Desk(Runs(lambda name, variant: generators.load(name, variant), private=0.3))
        mine = await copied(desk, RED)
        lab = (await told(desk, "run", {"generator": "copier", "source": FACE}, "you"))[0]["run"]
        assert not gone(desk, mine)
        await asyncio.sleep(0.5)  # nobody asks for anything: the timer does it
        assert gone(desk, mine) and not gone(desk, lab)

    asyncio.run(story())


def test_what_gradio_remembers_holds_no_picture(painter: Painter) -> None:
    async def story() -> None:
        desk, url = Desk(), to_png(RED)
        shown = [each async for each in desk.run(gr.EventData(None, {"generator": "copier", "picture": url}), wish())]  # type: ignore[attr-defined]
        assert shown[0][1]["request"]["picture"] == url, "the controls see it as the model does"
        assert url not in json.dumps(shown[-1]), "the last message and status stay with gradio"

    asyncio.run(story())


def test_gradio_forgets_a_visit() -> None:
    served = SimpleNamespace(state_holder=SimpleNamespace(session_data={"me": RED, "you": BLUE}))
    wipe(served, "me")  # type: ignore[arg-type]
    wipe(SimpleNamespace(), "me")  # type: ignore[arg-type]
    assert list(served.state_holder.session_data) == ["you"]


def test_a_slow_picture_does_not_replace_a_newer_wish(painter: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        desk, gate = Desk(), threading.Event()
        slow = read_picture

        def waiting(given: Any, size: int) -> np.ndarray:
            if given == to_png(RED):
                gate.wait(5)
            return slow(given, size)

        monkeypatch.setattr("generators.pictures.read_picture", waiting)
        old = asyncio.create_task(_all(desk, {"generator": "copier", "picture": to_png(RED)}))
        await asyncio.sleep(0.05)
        new = await copied(desk, BLUE)
        gate.set()
        assert await old == [] and not gone(desk, new)

    async def _all(desk: Desk, given: dict[str, Any]) -> list[Any]:
        return [each async for each in desk.run(gr.EventData(None, given), wish())]  # type: ignore[attr-defined]

    asyncio.run(story())


# What is made of them


def test_rub_runs_the_same_with_holes(painter: Painter) -> None:
    async def story() -> None:
        desk = Desk()
        first, _ = await told(desk, "run", {"generator": "copier", "source": FACE})
        holed, status = await told(desk, "rub", {"run": first["run"], "hidden": [5, 4, 4]})
        assert status["request"]["hidden"] == [4, 5]
        assert (pixels(status["request"]["picture"]) == source_picture(FACE)).all()
        whole, _ = await told(desk, "rub", {"run": holed["run"], "hidden": []})
        assert whole["run"] == first["run"]
        for wrong in ([99], ["a"], list(range(16)), "x", {"a": 1}, [True]):
            assert set((await told(desk, "rub", {"run": first["run"], "hidden": wrong}))[0]["error"]) == {"en", "zh"}

    asyncio.run(story())


def test_a_slider_is_answered_with_a_picture(painter: Painter) -> None:
    async def story() -> None:
        desk = Desk()
        usual = pixels((await desk.live({"generator": "painter", "prompt": "Ada"}))["picture"])
        warmer = pixels((await desk.live({"generator": "painter", "prompt": "Ada", "settings": {"warmth": 20}}))["picture"])
        assert (warmer[..., 0] == usual[..., 0] + 20).all() and (warmer[..., 1:] == usual[..., 1:]).all()
        coded = pixels((await desk.live({"generator": "painter", "prompt": "Ada", "code": {"2": 1.5}}))["picture"])
        assert (coded[..., 2] == usual[..., 2] + 15).all()
        own = pixels((await desk.live({"generator": "copier", "picture": to_png(RED), "hidden": [0]}))["picture"])
        assert (own == rubbed(RED, [0])).all()
        assert not desk.runs._kept, "nothing of it is kept"

    asyncio.run(story())


def test_sliders_do_not_pile_up(painter: Painter) -> None:
    async def story() -> None:
        painter.seconds = 0.02
        desk = Desk()
        answers = await asyncio.gather(*(desk.live({"generator": "painter", "seed": seed}) for seed in range(LIVE_WAITING + 5)))
        assert sum("busy" in each for each in answers) == 5 and sum("picture" in each for each in answers) == LIVE_WAITING
        assert "picture" in await desk.live({"generator": "painter"}), "and afterwards it goes on"

    asyncio.run(story())


def test_a_gallery_is_sixteen_seeds_at_one_go(painter: Painter) -> None:
    async def story() -> None:
        desk = Desk()
        given = {"generator": "painter", "seed": 2**32 - 3, "picture": to_png(RED)}
        sheets = (await desk.gallery(given))["sheets"]
        assert list(sheets) == ["with"] and [each["seed"] for each in sheets["with"]][:5] == [2**32 - 3, 2**32 - 2, 2**32 - 1, 0, 1]
        assert len(sheets["with"]) == 16 and sheets == (await desk.gallery(given))["sheets"]
        assert (pixels(sheets["with"][4]["url"]) == source_picture({"generator": "painter", "seed": 1})).all()
        both = (await desk.gallery(given | {"compare": True}))["sheets"]
        assert list(both) == ["with", "without"] and both["with"] == sheets["with"] != both["without"]
        assert list((await desk.gallery(given | {"without": True}))["sheets"]) == ["without"]
        film = (await desk.film({"generator": "painter", "seed": 5}))["pictures"]
        assert [each["seed"] for each in film] == list(range(6, 14)) and await desk.film({"generator": "copier"}) == {}
        for wrong in (
            {"generator": "copier"},
            {"generator": "painter", "seed": -1},
            {"generator": "painter", "settings": {"a": 1}},
            [],
            None,
        ):
            assert set((await desk.gallery(wrong))["error"]) == {"en", "zh"}

    asyncio.run(story())


def test_a_face_of_a_sheet_is_run_watched(painter: Painter) -> None:
    async def story() -> None:
        desk = Desk()
        own, _ = await told(desk, "run", {"generator": "painter", "picture": to_png(RED)})
        _, status = await told(desk, "face", {"run": own["run"], "seed": 9, "without": True})
        assert "picture" not in status["request"] and status["request"]["seed"] == 9 and not status["request"]["attention"]
        _, status = await told(desk, "face", {"run": status["run"], "seed": 9, "without": False})
        assert status["request"]["attention"]

    asyncio.run(story())


def test_what_needs_a_picture_is_warmed_with_one(painter: Painter) -> None:
    runs = Desk().runs
    for name in ("painter", "copier"):
        runs.warm(name, "plain")
    assert not runs.problems


def test_programs_give_pictures(painter: Painter) -> None:
    async def story() -> None:
        desk = Desk()
        run, _ = await desk.result({"generator": "copier", "picture": to_png(RED), "hidden": [2]})
        assert run.owner and np.array_equal(run.trace.picture, rubbed(RED, [2]))
        again, _ = await desk.result({"generator": "copier", "picture": to_png(RED), "hidden": [2]})
        assert again is not run, "who asks is not known, so nothing is shared"

    asyncio.run(story())
