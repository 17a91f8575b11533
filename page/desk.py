"""The desk: what the page and the API can ask for, and what they get; nothing given is trusted.

A run is answered by messages for the view (`page.wire`) and a status for the controls; anything that goes wrong becomes one
sentence in every language, and what was on the screen stays there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager, suppress
from dataclasses import replace
from typing import Any

import gradio as gr

import generators
from generators.base import HIGHEST_SEED, BadInput, Card, NotReady, Request, read_seed
from generators.edits import EditError, read_edits
from generators.trace import Trace, Words
from page import shelf, wire
from page.runs import UNEXPECTED, Run, Runs

LONGEST_TEXT = 1_000_000  # characters of a prompt that a generator gets to see; its own limit is lower, and it says so
SESSIONS = 4096  # visitors whose last run is remembered
WAIT = 0.15  # seconds after which a run that has not begun says that it will
LONGEST_GOODBYE = 0.5  # seconds that a stopped run may take to say how it ended
FILM = 8  # pictures of a film
LOOKERS = 2  # threads for what a visitor asks about a run

Shown = tuple[Any, Any]
"""A message for the view and a status for the controls. Both carry `turn`, which grows from wish to wish: a wish that was replaced
may have its last word after the first of the next one."""


def wish(start: Callable[[Desk, Mapping[str, Any], str], Run]) -> Callable[..., AsyncGenerator[Shown, None]]:
    """An event of the page, made of a function that finds the run for what the event carried and for its session."""

    async def event_function(self: Desk, event: gr.EventData, request: gr.Request) -> AsyncGenerator[Shown, None]:
        session, turn = str(request.session_hash), time.time_ns() // 1_000_000
        try:
            run = start(self, _object(event._data), session)
            async with aclosing(self.answer(run, session, turn)) as shown:
                async for each in shown:
                    yield each
        except (BadInput, NotReady) as error:
            yield _failure(error.words, turn)
        except Exception:
            logging.exception("a visitor's wish failed")
            yield _failure(UNEXPECTED, turn)

    event_function.__name__, event_function.__doc__ = start.__name__, start.__doc__
    return event_function


def read(given: Mapping[str, Any]) -> tuple[Card, Request]:
    """The card and the checked request of {generator, variant, prompt, seed, settings, edits, forced, without}. Raises BadInput."""
    card, variant = _variant(given)
    text = given.get("prompt") or ""
    request = Request.check(
        card,
        variant=variant,
        text=text[:LONGEST_TEXT] if isinstance(text, str) else text,
        seed=given.get("seed"),
        settings=_mapping(given.get("settings")),
        edits=given.get("edits"),
        forced=given.get("forced") or (),
        attention=not given.get("without"),
    )
    return card, request


class Desk:
    """Answers one page."""

    def __init__(self, runs: Runs | None = None) -> None:
        self.runs = runs or Runs()
        self._lookers = ThreadPoolExecutor(LOOKERS, "look")
        self._last: OrderedDict[str, Run] = OrderedDict()  # session → its last run
        self._stop: dict[str, asyncio.Event] = {}  # session → set when it wants no more

    # What the visitor does. Each answers with messages and statuses.

    @wish
    def run(self, given: Mapping[str, Any], session: str) -> Run:
        """{generator, variant, prompt, seed, settings, edits, forced, without}: a new run."""
        card, request = read(given)
        return self.runs.start(card.name, request)

    @wish
    def show(self, given: Mapping[str, Any], session: str) -> Run:
        """{example}: a stored run."""
        return shelf.run(given.get("example"))

    @wish
    def pick(self, given: Mapping[str, Any], session: str) -> Run:
        """{run, step, id}: another token at that step; what was chosen before it stays."""
        run, step, chosen = self._find(given), _index(given.get("step")), _index(given.get("id"))
        if step >= len(run.trace.steps):
            raise BadInput("This run has no such step.", "这次运行没有这一步。")
        before = (each.chosen.id for each in run.trace.steps[:step] if each.chosen is not None)
        return self._vary(run, forced=(*before, chosen))

    @wish
    def edit(self, given: Mapping[str, Any], session: str) -> Run:
        """{run, edits}: the same run with these changes of its attention."""
        return self._vary(self._find(given), edits=_edits(given.get("edits")))

    @wish
    def face(self, given: Mapping[str, Any], session: str) -> Run:
        """{run, seed}: the same run from another seed; of the session's last run if none is named."""
        run = self._find(given) if given.get("run") else self._last.get(session)
        if run is None:
            raise BadInput("There is no run to vary yet.", "还没有可以变化的运行。")
        return self._vary(run, seed=read_seed(given.get("seed")), text="", forced=())

    async def stop(self, request: gr.Request) -> None:
        """The visitor wants no more of the run that is going on."""
        event = self._stop.get(str(request.session_hash))
        if event is not None:
            event.set()

    # What the view asks for while it shows a run: one JSON object in, one out.

    def fetch(self, given: Any) -> dict[str, Any]:
        """{run, first}: all steps from there."""
        with _sentence() as answer:
            given = _object(given)
            run, first = self._find(given), _index(given.get("first", 0))
            count = max(0, len(run.trace.steps) - first)
            answer |= wire.message(run.trace, run.id, first, count, done=run.done, head=_heading(run), error=run.error)
        return answer

    async def row(self, given: Any) -> dict[str, Any]:
        """{run, query}: the three components for that query, exact, by running it again."""
        with _sentence() as answer:
            given = _object(given)
            answer |= wire.detail_message(await self._details(self._find(given), _index(given.get("query"))))
        return answer

    def learning(self, given: Any) -> dict[str, Any]:
        """{generator, variant}: one example while the model learned; {} if there is none."""
        with _sentence() as answer:
            card, variant = _variant(_object(given))
            series = shelf.learned(card.name, variant)
            if series:
                trace = next(iter(series.values()))
                answer |= wire.series_message(series, head=wire.heading(card, Request.from_dict(card, trace.request), stored=True))
        return answer

    async def film(self, given: Any) -> dict[str, Any]:
        """{generator, variant, seed, settings}: the next pictures, small; {} if the generator has none to offer."""
        with _sentence() as answer:
            given = _object(given)
            card, variant = _variant(given)
            request = Request.check(card, variant=variant, seed=given.get("seed", 0), settings=_mapping(given.get("settings")))
            if hasattr(generators.find(card.name), "film"):
                answer |= await self._look(lambda: _film(generators.load(card.name, variant), request))
        return answer

    def problems(self) -> dict[str, Words]:
        """ "GENERATOR/VARIANT" → what is wrong with it, for those that cannot run."""
        return {f"{name}/{variant}": words for (name, variant), words in self.runs.problems.items()}

    # What programs ask for.

    async def result(self, card: Card, request: Request) -> tuple[Run, float]:
        """A run, followed to its end, and the seconds that took. Raises BadInput, NotReady, RuntimeError."""
        began = time.perf_counter()
        run = self.runs.start(card.name, request)
        async for _ in self.runs.follow(run):
            pass
        if run.error is not None:
            raise BadInput(run.error["en"], run.error["zh"])
        return run, time.perf_counter() - began

    async def details(self, run_id: Any, query: Any) -> dict[str, Any]:
        """The three components of a query of a kept run. Raises BadInput."""
        return wire.detail_message(await self._details(self._find({"run": run_id}), _index(query)))

    # Inside.

    def _vary(self, run: Run, **changes: Any) -> Run:
        return self.runs.start(run.generator, replace(run.request, **changes))

    def _find(self, given: Mapping[str, Any]) -> Run:
        wanted = given.get("run")
        return shelf.run(wanted) if isinstance(wanted, str) and wanted.startswith(shelf.PREFIX) else self.runs.get(wanted)

    async def answer(self, run: Run, session: str, turn: int) -> AsyncGenerator[Shown, None]:
        """The messages of a run for a session, until it ends or the session wants something else."""
        enough = self._remember(session, run)
        sent = 0
        try:
            async with aclosing(self._follow(run, enough)) as counts:
                async for _ in counts:
                    count = len(run.trace.steps)  # what is told as done must be all
                    done = run.done or run.trace.done or enough.is_set()
                    head = _heading(run) if sent == 0 else None
                    message = wire.message(run.trace, run.id, sent, count - sent, done=done, head=head, error=run.error)
                    yield message | {"turn": turn}, _status(run, done) | {"turn": turn}
                    sent = count
                    if done:
                        break
            if sent:  # Gradio sends the last message twice: let it be a small one
                last = wire.message(run.trace, run.id, sent, 0, done=True, error=run.error)
                yield last | {"turn": turn}, _status(run, True) | {"turn": turn}
        finally:
            if self._stop.get(session) is enough:
                del self._stop[session]

    async def _follow(self, run: Run, enough: asyncio.Event) -> AsyncGenerator[int, None]:
        """As `Runs.follow`, until the visitor has had enough; the last number comes after that. A late first step is announced by 0."""
        if run.done:
            yield len(run.trace.steps)
            return
        steps = self.runs.follow(run)
        stopped = asyncio.ensure_future(enough.wait())
        coming = asyncio.ensure_future(anext(steps, None))
        try:
            await asyncio.wait((coming, stopped), timeout=WAIT, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                yield 0
            while not stopped.done():
                await asyncio.wait((coming, stopped), return_when=asyncio.FIRST_COMPLETED)
                if coming.done():
                    count = coming.result()
                    if count is None:
                        return
                    yield count
                    coming = asyncio.ensure_future(anext(steps, None))
        finally:
            coming.cancel()
            stopped.cancel()
            await asyncio.gather(coming, stopped, return_exceptions=True)
            await steps.aclose()
        if not run.followers:
            with suppress(TimeoutError):
                await asyncio.wait_for(run.end(), LONGEST_GOODBYE)
        yield len(run.trace.steps)

    def _remember(self, session: str, run: Run) -> asyncio.Event:
        """The session's run is this one now; the one before has had its time. Returns what is set when this one has."""
        self._last[session] = run
        self._last.move_to_end(session)
        if len(self._last) > SESSIONS:
            self._last.popitem(last=False)
        if session in self._stop:
            self._stop[session].set()
        self._stop[session] = asyncio.Event()
        return self._stop[session]

    async def _details(self, run: Run, query: int) -> tuple[Any, ...]:
        """Details that an example holds, else by replay."""
        for step in run.trace.steps:
            if step.details and step.details[0].query_index == query:
                return step.details
        repeat = replace(run.request, forced=run.trace.forced)
        return await self._look(lambda: generators.load(run.generator, repeat.variant).replay(repeat, query))

    async def _look(self, ask: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._lookers, ask)


def _status(run: Run, done: bool) -> dict[str, Any]:
    """What the controls show of a run, and the request that repeats it."""
    status = {"run": run.id, "running": not done, "rate": round(run.rate), "generator": run.generator, "request": run.trace.request}
    return status if run.error is None else status | {"error": dict(run.error)}


def _failure(words: Words, turn: int) -> Shown:
    """A sentence in place of a run."""
    message = wire.message(Trace("", ""), "", 0, 0, done=True, error=words)
    return message | {"turn": turn}, {"run": "", "running": False, "error": dict(words), "turn": turn}


@contextmanager
def _sentence() -> Iterator[dict[str, Any]]:
    """An answer to fill; what goes wrong inside becomes its `error`."""
    answer: dict[str, Any] = {}
    try:
        yield answer
    except (BadInput, NotReady) as error:
        answer["error"] = dict(error.words)
    except Exception:
        logging.exception("a question of the view failed")
        answer["error"] = dict(UNEXPECTED)


def _heading(run: Run) -> dict[str, Any]:
    """What the view says about a run before its first step."""
    stored = run.id.startswith(shelf.PREFIX)
    figures = shelf.figures(run.generator, run.request.variant)
    heading = wire.heading(generators.card(run.generator), run.request, stored=stored, figures=figures)
    telling = next((each for step in run.trace.steps for each in step.details), None) if stored else None
    if telling is not None:  # an example opens at the first row whose components it holds
        heading["pin"] |= {"query": telling.query_index}
    heading["notes"] = [dict(each) for each in run.forecast]
    return heading | {"learned": shelf.learning(run.generator, run.request.variant).is_file()}


def _film(model: Any, request: Request) -> dict[str, Any]:
    seeds = [(request.seed + each) % (HIGHEST_SEED + 1) for each in range(1, FILM + 1)]
    pictures = model.film(seeds, request.settings)
    return {"pictures": [{"seed": seed, "url": wire.picture_url(picture)} for seed, picture in zip(seeds, pictures)]}


def _object(given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise BadInput("This asks for nothing that there is.", "没有可以回答的内容。")
    return given


def _mapping(given: Any) -> Mapping[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise BadInput("Settings are given as name and value.", "设置应以名称和数值给出。")
    return given or {}


def _variant(given: Mapping[str, Any]) -> tuple[Card, str]:
    """Card and variant by name. Raises BadInput."""
    card = generators.card(str(given.get("generator") or ""))
    wanted = given.get("variant")
    return card, card.variant(None if wanted is None else str(wanted)).name


def _index(given: Any) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise BadInput("A position is a whole number from 0.", "位置应是从 0 开始的整数。")
    return given


def _edits(given: Any) -> tuple[Any, ...]:
    try:
        return read_edits(given)
    except EditError as error:
        raise BadInput(str(error), f"注意力的修改有误：{error}") from None
