"""The page without a browser: runs and their scheduler, what the desk answers, the API's types, strings and lessons."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import threading
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

import generators
from generators.base import BadInput, Card, Generator, NotReady, Pin, Request, Setting, Variant
from generators.trace import Attention, Choice, Step, Tokens, Trace
from page import controls, shelf, theme
from page.about import FIGURES, LESSONS, lesson
from page.desk import Desk
from page.figures import NAMES, table
from page.runs import PAUSE, UNEXPECTED, Run, Runs
from page.wire import BY_LENGTH

HOME = Path(__file__).parents[1]
WORDS = {"en": "words", "zh": "词"}


class Counter(Generator):
    """Says numbers, one a step, and tells what happens to it."""

    card = Card(
        "counter",
        WORDS,
        WORDS,
        ("text",),
        "text",
        (Variant("plain", WORDS, "1", WORDS, Pin("self", 0)),),
        (Setting("length", "int", 5, WORDS, WORDS, 1, 100_000, 1),),
        ((WORDS, True),),
    )

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.began, self.closed = 0, threading.Event()

    @classmethod
    def load(cls, folder: Path) -> Counter:
        return cls()

    @classmethod
    def tiny(cls) -> Counter:
        return cls()

    def generate(self, request: Request) -> Iterator[Step]:
        if request.text == "bad":
            raise BadInput("This is bad.", "这不行。")
        if request.text == "bug":
            raise ZeroDivisionError
        self.began += 1
        return self._steps(request)

    def _steps(self, request: Request) -> Iterator[Step]:
        try:
            length = int(request.settings["length"])
            for index in range(length):
                time.sleep(self.seconds)
                token = request.forced[index] if index < len(request.forced) else index + request.seed
                row = np.full((2, 1, index + 1), 1 / (index + 1), np.float32)
                keys = Tokens(tuple("a" for _ in range(index + 1)))
                yield Step(
                    index,
                    (Attention("self", 0, row, Tokens(("a",)), keys, index),) if index < 64 else (),
                    text=f"{token} ",
                    prompt=("a",) if index == 0 else (),
                    chosen=Choice(token, "a", 1.0),
                    stop="length" if index + 1 == length else "",
                )
        finally:
            self.closed.set()


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """The only generator that there is."""
    model = Counter()
    monkeypatch.setattr(generators, "find", _only({"counter": Counter}))
    monkeypatch.setattr(generators, "names", lambda: ("counter",))
    monkeypatch.setattr(generators, "load", lambda name, variant=None: model)
    return model


def _only(known: dict[str, Any]) -> Any:
    def find(name: str) -> Any:
        if name not in known:
            raise BadInput("There is no such generator.", "没有这个生成器。")
        return known[name]

    return find


def runs_of(model: Counter, **limits: Any) -> Runs:
    return Runs(lambda name, variant: model, **limits)


def request(text: str = "", **settings: Any) -> Request:
    return Request.check(Counter.card, text=text, settings=settings)


def until_the_end(runs: Runs, run: Run) -> Coroutine[Any, Any, list[int]]:
    async def follow() -> list[int]:
        return [count async for count in runs.follow(run)]

    return follow()


# Runs


def test_a_run_tells_its_first_step_at_once_and_its_end_last() -> None:
    model = Counter(seconds=0.02)

    async def story() -> None:
        runs = runs_of(model)
        run = runs.start("counter", request(length=30))
        counts = await until_the_end(runs, run)
        assert counts[0] == 1
        assert counts[-1] == len(run.trace.steps) == 30
        assert run.done and run.trace.done and not run.stopped and run.rate > 0

    asyncio.run(story())


def test_a_short_run_is_told_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("page.runs.FIRST_TURN", 1.0)

    async def story() -> None:
        runs = runs_of(Counter(seconds=0.001))
        run = runs.start("counter", request(length=5))
        assert set(await until_the_end(runs, run)) == {5} and run.rate > 0

    asyncio.run(story())


def test_messages_keep_their_distance() -> None:
    async def story() -> None:
        runs = runs_of(Counter(seconds=0.002))
        times = [time.perf_counter() async for _ in runs.follow(runs.start("counter", request(length=100)))]
        assert min(np.diff(times)[:-1]) >= 0.9 * PAUSE

    asyncio.run(story())


def test_the_same_request_shares_one_run() -> None:
    model = Counter(seconds=0.002)

    async def story() -> None:
        runs = runs_of(model)
        first, second, other = (runs.start("counter", each) for each in (request(length=40), request(length=40), request(length=41)))
        assert first is second and first is not other
        await asyncio.gather(until_the_end(runs, first), until_the_end(runs, second))
        assert runs.start("counter", request(length=40)) is first
        assert await until_the_end(runs, first) == [40]
        assert model.began == 1

    asyncio.run(story())


def test_a_run_that_nobody_follows_ends_and_is_not_shared() -> None:
    model = Counter(seconds=0.005)

    async def story() -> None:
        runs = runs_of(model)
        run = runs.start("counter", request(length=10_000))
        following = runs.follow(run)
        assert await anext(following) >= 1
        await following.aclose()
        await asyncio.wait_for(run.end(), 1)
        assert model.closed.is_set() and run.stopped and run.trace.steps[-1].stop == "stopped"
        assert runs.start("counter", request(length=10_000)) is not run

    asyncio.run(story())


def test_a_run_has_its_time() -> None:
    async def story() -> None:
        runs = runs_of(Counter(seconds=0.01), longest=0.2)
        run = runs.start("counter", request(length=10_000))
        await asyncio.wait_for(until_the_end(runs, run), 5)
        assert run.stopped and 0.2 <= run.computed < 1

    asyncio.run(story())


def test_thirty_runs_advance_together() -> None:
    async def story() -> None:
        runs = runs_of(Counter(seconds=0.002))
        all_runs = [runs.start("counter", request(str(number), length=60)) for number in range(30)]
        began = time.perf_counter()
        firsts: list[float] = []

        async def follow(run: Run) -> None:
            async for count in runs.follow(run):
                if count and len(firsts) < 30 and run.id not in seen:
                    seen.add(run.id)
                    firsts.append(time.perf_counter() - began)

        seen: set[str] = set()
        await asyncio.gather(*(follow(run) for run in all_runs))
        whole = time.perf_counter() - began
        assert max(firsts) < whole / 2, "the last to be served waits for the others to end"

    asyncio.run(story())


def test_a_forecast_is_told_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"en": "This takes 9 seconds.", "zh": "需要 9 秒。"}
    monkeypatch.setattr(Counter, "forecast", lambda self, request: (told,))

    async def story() -> None:
        runs = runs_of(Counter(seconds=0.3))
        run = runs.start("counter", request(length=2))
        assert (await until_the_end(runs, run))[:2] == [0, 1] and run.forecast == (told,)

    asyncio.run(story())


@pytest.mark.parametrize(("text", "sentence"), [("bad", "This is bad."), ("bug", UNEXPECTED["en"])])
def test_what_goes_wrong_becomes_one_sentence(text: str, sentence: str) -> None:
    async def story() -> None:
        runs = runs_of(Counter())
        run = runs.start("counter", request(text))
        assert await until_the_end(runs, run) == [0]
        assert run.error is not None and run.error["en"] == sentence
        assert runs.start("counter", request(text)) is not run, "what failed is tried again"

    asyncio.run(story())


def test_old_runs_are_rounded_then_forgotten() -> None:
    async def story() -> None:
        runs = runs_of(Counter(), capacity=30_000)
        kept = []
        for number in range(8):
            run = runs.start("counter", request(str(number), length=50))  # about 10 kB of float32
            await until_the_end(runs, run)
            kept.append(run)
        assert not kept[-1].trace.half
        assert any(run.trace.half for run in kept)
        assert sum(run.size for run in runs._kept.values()) <= 30_000 + kept[-1].size
        with pytest.raises(BadInput, match="expired"):
            runs.get(kept[0].id)
        assert runs.get(kept[-1].id) is kept[-1]

    asyncio.run(story())


def test_missing_weights_are_remembered_and_forgiven() -> None:
    missing = True

    def load(name: str, variant: str | None) -> Generator:
        if missing:
            raise NotReady("The weights are missing.", "缺少权重。")
        return Counter()

    runs = Runs(load)
    with pytest.raises(NotReady):
        runs.model("counter", "plain")
    assert runs.problems["counter", "plain"]["zh"] == "缺少权重。"
    missing = False
    runs.model("counter", "plain")
    assert not runs.problems


# The desk


def wish(session: str = "me") -> Any:
    return SimpleNamespace(session_hash=session)


def event(data: Any) -> gr.EventData:
    return gr.EventData(None, data)


async def all_of(answer: AsyncGenerator[Any, None] | Any) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [shown async for shown in answer]


def test_a_wish_is_answered_by_steps_without_gaps(counter: Counter) -> None:
    async def story() -> None:
        counter.seconds = 0.005
        shown = await all_of(Desk().run(event({"generator": "counter", "prompt": "x", "settings": {"length": 40}}), wish()))
        messages = [message for message, _ in shown]
        assert messages[0]["first"] == 0 and "head" in messages[0]
        for before, after in pairwise(messages):
            assert after["first"] == before["first"] + before["count"]
        assert [message["done"] for message in messages] == [False] * (len(messages) - 2) + [True, True]
        assert messages[-1]["count"] == 0 and len(json.dumps(messages[-1])) < 200, "what gradio sends twice is small"
        assert shown[-1][1]["running"] is False and shown[-1][1]["request"]["text"] == "x"

    asyncio.run(story())


def test_a_forecast_heads_the_first_message(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"en": "This takes 9 seconds.", "zh": "需要 9 秒。"}
    monkeypatch.setattr(Counter, "forecast", lambda self, request: (told,))
    counter.seconds = 0.1

    async def story() -> None:
        shown = await all_of(Desk().run(event({"generator": "counter", "settings": {"length": 3}}), wish()))
        messages = [message for message, _ in shown if "head" in message]
        assert messages[0]["count"] == 0 and not messages[0]["done"] and messages[0]["head"]["notes"] == [told]

    asyncio.run(story())


RUBBISH: list[Any] = [
    None,
    [],
    "run",
    7,
    {},
    {"generator": "nobody"},
    {"generator": "../counter"},
    {"generator": ["counter"]},
    {"generator": "counter", "variant": "none"},
    {"generator": "counter", "variant": {"a": 1}},
    {"generator": "counter", "prompt": 7},
    {"generator": "counter", "seed": -1},
    {"generator": "counter", "seed": "1e30"},
    {"generator": "counter", "seed": 0.5},
    {"generator": "counter", "seed": {}},
    {"generator": "counter", "settings": {"length": 0}},
    {"generator": "counter", "settings": {"length": 1e9}},
    {"generator": "counter", "settings": {"length": "many"}},
    {"generator": "counter", "settings": {"nothing": 1}},
    {"generator": "counter", "settings": [1]},
    {"generator": "counter", "edits": [{"action": "explode"}]},
    {"generator": "counter", "edits": "{"},
    {"generator": "counter", "forced": ["a"]},
    {"generator": "counter", "prompt": "bad"},
    {"generator": "counter", "prompt": "bug"},
]


@pytest.mark.parametrize("given", RUBBISH, ids=lambda each: json.dumps(each)[:40])
def test_rubbish_gets_one_sentence_in_both_languages(counter: Counter, given: Any) -> None:
    async def story() -> None:
        desk = Desk()
        (message, status), *more = await all_of(desk.run(event(given), wish()))
        assert not more and message["done"] and status["running"] is False
        for language in ("en", "zh"):
            assert 3 < len(message["error"][language]) < 300 and "Traceback" not in message["error"][language]
        again = await all_of(desk.run(event({"generator": "counter"}), wish()))
        assert again[-1][0]["done"] and "error" not in again[-1][0], "the session goes on"

    asyncio.run(story())


@pytest.mark.parametrize(
    "given", [None, [], "x", 5, {}, {"run": "gone"}, {"run": 5}, {"run": "example:a/b/../c"}, {"generator": "x"}, {"query": -1}]
)
def test_server_functions_answer_rubbish_with_a_sentence(counter: Counter, given: Any) -> None:
    async def story() -> None:
        desk = Desk()
        for answer in (desk.fetch(given), await desk.row(given), desk.learning(given), await desk.film(given)):
            assert set(answer["error"]) == {"en", "zh"}

    asyncio.run(story())


def test_stop_ends_the_run_and_says_so(counter: Counter) -> None:
    async def story() -> None:
        counter.seconds = 0.01
        desk, shown = Desk(), []
        async for message, status in desk.run(event({"generator": "counter", "settings": {"length": 9999}}), wish()):
            shown.append((message, status))
            if len(shown) == 2:
                await desk.stop(wish("somebody else"))
                await desk.stop(wish())
        message, status = shown[-1]
        assert message["done"] and status["running"] is False
        assert desk.runs.get(message["run"]).trace.steps[-1].stop == "stopped"
        assert counter.closed.is_set() and len(shown) < 6

    asyncio.run(story())


def test_a_new_wish_replaces_the_one_before(counter: Counter) -> None:
    async def story() -> None:
        counter.seconds = 0.01
        desk = Desk()
        long = asyncio.create_task(all_of(desk.run(event({"generator": "counter", "settings": {"length": 9999}}), wish())))
        await asyncio.sleep(0.2)
        short = await all_of(desk.run(event({"generator": "counter", "settings": {"length": 3}}), wish()))
        replaced = await asyncio.wait_for(long, 2)
        assert short[-2][0]["steps"][-1]["stop"] == "length" and replaced[-1][0]["done"]
        assert replaced[-1][0]["turn"] < short[0][0]["turn"], "what comes late is known by its turn"

    asyncio.run(story())


def test_a_closed_answer_ends_its_run(counter: Counter) -> None:
    async def story() -> None:
        counter.seconds = 0.01
        answer = Desk().run(event({"generator": "counter", "settings": {"length": 9999}}), wish())
        await anext(aiter(answer))
        await answer.aclose()  # type: ignore[attr-defined]
        assert await asyncio.to_thread(counter.closed.wait, 2)

    asyncio.run(story())


def test_branch_edit_and_seed_vary_the_run(counter: Counter) -> None:
    async def story() -> None:
        desk = Desk()
        first = (await all_of(desk.run(event({"generator": "counter"}), wish())))[-1][0]["run"]
        branch = await all_of(desk.pick(event({"run": first, "step": 2, "id": 77}), wish()))
        assert branch[-1][1]["request"]["forced"] == [0, 1, 77]
        edited = await all_of(desk.edit(event({"run": first, "edits": [{"action": "uniform"}]}), wish()))
        assert edited[-1][1]["request"]["edits"] == [{"action": "uniform"}]
        seeded = await all_of(desk.face(event({"seed": 9}), wish()))
        assert seeded[-1][1]["request"]["seed"] == 9
        for wrong in ({"run": first, "step": 99, "id": 1}, {"run": first, "step": 1}, {"run": "gone", "step": 0, "id": 1}):
            assert "error" in (await all_of(desk.pick(event(wrong), wish())))[-1][0]
        assert "error" in (await all_of(desk.face(event({"seed": 1}), wish("a stranger"))))[-1][0]

    asyncio.run(story())


def test_what_was_missed_is_fetched(counter: Counter) -> None:
    async def story() -> None:
        desk = Desk()
        run = (await all_of(desk.run(event({"generator": "counter"}), wish())))[-1][0]["run"]
        assert [step["cand"] for step in desk.fetch({"run": run, "first": 3})["steps"]] == [[[3, "a", 1.0]], [[4, "a", 1.0]]]
        assert desk.fetch({"run": run, "first": 10**9})["count"] == 0

    asyncio.run(story())


# Stored examples


def test_examples_are_listed_and_shown(counter: Counter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generators, "folders", lambda name: {"plain": tmp_path})
    trace = counter.trace(request("A frog went walking through the summer rain"))
    trace.save(tmp_path / "examples" / "1-frog.npz")
    (tmp_path / "examples" / "2-broken.npz").write_bytes(b"PK\x03\x04 cut short")
    (listed,) = shelf.listing("counter", "plain")
    assert listed["id"] == "example:counter/plain/1-frog" and listed["label"] == "A frog went walking th…"

    async def story() -> None:
        desk = Desk()
        shown = await all_of(desk.show(event({"example": listed["id"]}), wish()))
        assert len(shown) == 2 and shown[0][0]["done"] and shown[0][0]["head"]["stored"]
        assert shown[0][0]["count"] == len(trace.steps)
        held = [each.query_index for step in trace.steps for each in step.details]
        assert shown[0][0]["head"]["pin"]["query"] == (held[0] if held else -1)
        branch = await all_of(desk.pick(event({"run": listed["id"], "step": 0, "id": 5}), wish()))
        assert branch[-1][1]["request"]["forced"] == [5]
        for wrong in ("example:counter/plain/none", "example:counter/plain/../../x", "example:", None, 5):
            assert "error" in (await all_of(desk.show(event({"example": wrong}), wish())))[0][0]
        assert "error" in (await all_of(desk.show(event({"example": "example:counter/plain/2-broken"}), wish())))[0][0]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The king", "The king"),
        ("Once upon a time there was a king", "Once upon a time there…"),
        ("明月松间照，清泉石上流。", "明月松间照，清泉石上流"),
        ("春江花月夜春江花月夜春江", "春江花月夜春江花月夜春…"),
        ("\n a  b \nc", "a b"),
    ],
)
def test_a_label_is_one_line_that_fits(text: str, label: str) -> None:
    assert shelf._short(text) == label


def test_while_it_learned_is_sent_in_order(counter: Counter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from generators.trace import save_series

    monkeypatch.setattr(generators, "folders", lambda name: {"plain": tmp_path})
    assert Desk().learning({"generator": "counter", "variant": "plain"}) == {}
    save_series(tmp_path / "learning.npz", {each: counter.trace(request()) for each in (100, 1, 10)})
    sent = Desk().learning({"generator": "counter", "variant": "plain"})
    assert [each["step"] for each in sent["series"]] == [1, 10, 100]


# The page


def test_gradios_own_labels_can_change_their_language() -> None:
    assert theme._core(), "no script of gradio's page exports changeLocale"


# Words


def test_both_languages_have_the_same_strings() -> None:
    english, chinese = (controls.strings()[language] for language in controls.LANGUAGES)
    assert list(english) == list(chinese)
    assert all(each.strip() for strings in (english, chinese) for each in strings.values())


def test_every_string_is_used_and_every_used_string_is_there() -> None:
    files = [*(HOME / "page").glob("controls*"), *(HOME / "page" / name for name in ("about.py", "figures.py", "helps.py"))]
    sources = "".join(path.read_text(encoding="utf-8") for path in files)
    known = set(controls.strings()["en"])
    texts = r'\btext\("(\w+)"\)|title\("(\w+)"\)|reason(?:: | \?\? )"(\w+)"'
    plain = texts + r'|data-(?:text|label)="(\w+)"|words\["(\w+)"\]|columns = \((.*)\)'
    named = {name for groups in re.findall(plain, sources) for given in groups for name in re.findall(r"\w+", given)}
    named |= {name for pair in re.findall(r'text\(\w+ \? "(\w+)" : "(\w+)"\)', sources) for name in pair}
    assert named <= known, f"missing: {named - known}"
    named |= set(re.findall(r'"(\w+)"', sources))
    patterns = (part for pair in re.findall(r'text\(`(\w*\$?{[^`]*)`\)|words\[f"([^"]*)"\]', sources) for part in pair if part)
    made = {re.sub(r"\$?{\w+}", r"\\w+", each) for each in patterns}
    named |= {name for name in known for each in made if re.fullmatch(each, name)}
    assert known <= named, f"unused: {known - named}"


def test_no_sentence_is_hard_coded_in_the_page() -> None:
    """Chinese nowhere but where a sentence stands in both languages; no English sentence in a template."""
    for path in [*(HOME / "page").glob("*.html"), *(HOME / "page").glob("*.css")]:
        shown = re.sub(r"<[^>]*>|/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL) if path.suffix == ".html" else ""
        assert set(re.findall(r"[^\W\d_]+", shown)) <= {"EN", "中文"}, path.name
    for path in (HOME / "page").glob("*.js"):
        for quoted in re.findall(
            r'"([^"\n]*)"|`([^`\n]*)`', re.sub(r"/\*.*?\*/|//.*", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        ):
            words = re.sub(r"\$\{[^}]*\}", "", "".join(quoted))
            assert not re.search(r"[A-Z][a-z]+ [a-z]+ [a-z]+|[一-鿿]", words), f"{path.name}: {words}"
    for path in (HOME / "page").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                for word in node.keywords:
                    if word.arg in {"label", "placeholder", "info"}:
                        assert not isinstance(word.value, ast.Constant) or not isinstance(word.value.value, str), path.name


def test_lessons_are_in_both_languages_and_their_links_lead_somewhere() -> None:
    english, chinese = (sorted(path.name for path in (LESSONS / language).glob("*.md")) for language in ("en", "zh"))
    assert english == chinese and english
    for language in controls.LANGUAGES:
        text = lesson(language)
        assert FIGURES not in text
        for generator, variant in re.findall(r"\]\(\?generator=(\w+)(?:&variant=(\w+))?", text):
            generators.card(generator).variant(variant or None)
    for name in english:
        pair = [(LESSONS / language / name).read_text(encoding="utf-8") for language in ("en", "zh")]
        links = [[re.sub(r"prompt=[^&]*", "prompt", link) for link in re.findall(r"\]\(([^)]*)\)", text)] for text in pair]
        assert links[0] == links[1], f"{name}: the two languages link to different places"


def table_of(metric: dict[str, Any], folder: Path, name: str = "bits_per_char") -> str:
    (folder / "card.json").write_text(json.dumps({"metrics": {name: metric}}), encoding="utf-8")
    return table("en", controls.strings()["en"])


def test_figures_come_from_the_cards(counter: Counter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generators, "folders", lambda name: {"plain": tmp_path})
    assert controls.strings()["en"]["no_figures"] in lesson("en")
    metric = {"with": 2.3456789, "without": None, "unit": "bits", "better": "lower", "n": 3, "floor": 0.5}
    assert "| **words** words | Bits for a character ↓ | 2.35 | – | 0.5 |  |" in table_of(metric, tmp_path)
    assert "| `unheard_of` bits ↓ |" in table_of(metric, tmp_path, "unheard_of")
    assert "| Sounds said wrongly ↓ | 12.5 % |" in table_of(metric | {"with": 0.125, "unit": "share"}, tmp_path, "phoneme_error")


def test_shipped_metrics_have_names() -> None:
    shipped = {
        name for card in generators.cards() for each in card.variants for name in shelf.figures(card.name, each.name).get("metrics", {})
    }
    assert {name for name in shipped if not BY_LENGTH.fullmatch(name)} <= set(NAMES)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"with": 2.0, "without": 2.5, "better": "lower"}, "helps"),
        ({"with": 2.0, "without": 2.5, "better": "higher"}, "does not help"),
        (
            {"with": 2.0, "without": 2.5, "better": "lower", "with_seeds": [2.0, 2.2], "without_seeds": [2.1, 2.2]},
            "within chance",
        ),
        (
            {"with": 2.0, "without": 2.5, "better": "lower", "with_seeds": [2.4, 2.5], "without_seeds": [2.1, 2.2]},
            "does not help",
        ),
    ],
)
def test_a_figure_says_whether_attention_helped(
    counter: Counter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], says: str
) -> None:
    monkeypatch.setattr(generators, "folders", lambda name: {"plain": tmp_path})
    told = table_of(given | {"unit": "bits"}, tmp_path)
    assert f"| {says} |" in told
    assert "with_seeds" not in given or "seeds: 2 | 2.1 ± 0.1 |" in told or "seeds: 2 | 2.45 ± 0.07 |" in told


def test_a_trace_of_nothing_can_be_told() -> None:
    """A failure is a message, too, and needs no run."""
    from page import wire

    assert wire.message(Trace("", ""), "", 0, 0, done=True, error=UNEXPECTED)["error"] == dict(UNEXPECTED)
