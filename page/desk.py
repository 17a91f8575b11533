"""The desk: what the page and the API can ask for, and what they get; nothing given is trusted.

A run is answered by messages for the view (`page.wire`) and a status for the controls; anything that goes wrong becomes one
sentence in every language, and what was on the screen stays there. What a wish carries is read by `page.asked`, how it is answered
stands in `page.answers`, two runs beside each other in `page.pairs`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

import gradio as gr

import generators
from generators.base import BadInput, NotReady, Request, read_seed
from generators.trace import Detail, Step, Trace, Words
from page import inside, leaving, pictures, reach, shelf, wire
from page.answers import Shown, failure, heading, sentence, status
from page.asked import Asked, read, read_changes, read_index, read_kind, read_object, read_variant, takes_time
from page.pairs import PANES, Pane, framed, key_of, made, merged, read_pane
from page.runs import UNEXPECTED, Run, Runs

SESSIONS = 4096  # panes of visitors whose last run is remembered
WAIT = 0.15  # seconds after which a run that has not begun says that it will
LAST_WORD = 0.1  # seconds after the last steps at which the stream ends
LONGEST_GOODBYE = 0.5  # seconds that a stopped run may take to say how it ended
LOOKERS = 2  # threads for what a visitor asks about a run
LIVE_WAITING = 8  # pictures for sliders that may wait for their thread; who comes then is told that it is busy


class _Replaced(Exception):
    """A newer wish of the session came while the picture of this one was read."""


def wish(start: Callable[[Desk, Mapping[str, Any], str], Awaitable[Run]]) -> Callable[..., AsyncGenerator[Shown, None]]:
    """An event of the page, made of a function that finds the run for what the event carried and for its session; it is answered in the
    pane that it came from, or as the page's only run."""

    async def event_function(self: Desk, event: gr.EventData, request: gr.Request) -> AsyncGenerator[Shown, None]:
        session, pane = str(request.session_hash), None
        try:
            pane = read_pane(event._data)
        except BadInput as error:
            yield failure(error.words, self._turn(session))
            return
        turn = self._turn(session, pane)

        async def found() -> Run:
            run = await start(self, read_object(event._data), session)
            if pane is None:
                self._enough(session, "b")
            return run

        async with aclosing(self._tell(found(), key_of(session, pane), turn)) as shown:
            async for each in shown:
                yield each if pane is None else framed({pane: each}, turn, each[1]["running"])

    event_function.__name__, event_function.__doc__ = start.__name__, start.__doc__
    return event_function


class Desk:
    """Answers one page."""

    def __init__(self, runs: Runs | None = None) -> None:
        self.runs = runs or Runs()
        self._lookers = ThreadPoolExecutor(LOOKERS, "look")
        self._liver = ThreadPoolExecutor(1, "live")  # sliders get no more than this of the machine
        self._living = 0  # pictures for sliders that are asked for
        self._last: OrderedDict[str, str] = OrderedDict()  # session → id of its last run
        self._stop: dict[str, asyncio.Event] = {}  # session → set when it wants no more
        self._turns: OrderedDict[str, int] = OrderedDict()  # session → its newest wish

    # What the visitor does. Each answers with messages and statuses.

    @wish
    async def run(self, given: Mapping[str, Any], session: str) -> Run:
        """{generator, variant, prompt, seed, settings, edits, forced, without, picture or source, hidden, code}: a new run."""
        return self._begin(await self._read(given, session), session)

    async def pair(self, event: gr.EventData, request: gr.Request) -> AsyncGenerator[Shown, None]:
        """{a, b}: two runs beside each other, each as `run` takes it; b with {of: "a"} starts from what a has made."""
        session = str(request.session_hash)
        turn = self._turn(session)
        for pane in PANES:
            self._enough(session, pane)
        given = event._data if isinstance(event._data, Mapping) else {}
        first = asyncio.ensure_future(self._first(given.get("a"), session))
        second = self._second(given.get("b"), first, session)
        streams = {pane: self._tell(run, key_of(session, pane), turn) for pane, run in zip(PANES, (first, second), strict=True)}
        async with aclosing(merged(streams, turn)) as shown:
            async for each in shown:
                yield each

    @wish
    async def show(self, given: Mapping[str, Any], session: str) -> Run:
        """{example}: a stored run."""
        run = shelf.run(given.get("example"))
        self.runs.forget(session)
        return run

    @wish
    async def pick(self, given: Mapping[str, Any], session: str) -> Run:
        """{run, step, id}: another token at that step; what was chosen before it stays."""
        run, step, chosen = self.find(given), read_index(given.get("step")), read_index(given.get("id"))
        if step >= len(run.trace.steps):
            raise BadInput("This run has no such step.", "这次运行没有这一步。")
        before = (each.chosen.id for each in run.trace.steps[:step] if each.chosen is not None)
        return self._vary(run, session, forced=(*before, chosen))

    @wish
    async def edit(self, given: Mapping[str, Any], session: str) -> Run:
        """{run, edits}: the same run with these changes of its attention."""
        return self._vary(self.find(given), session, edits=read_changes(given.get("edits")))

    @wish
    async def rub(self, given: Mapping[str, Any], session: str) -> Run:
        """{run, hidden}: the same run with exactly these cells of its picture rubbed out."""
        run = self.find(given)
        checked = Request.check(generators.card(run.generator), variant=run.request.variant, hidden=given.get("hidden"))
        return self._vary(run, session, hidden=checked.hidden)

    @wish
    async def face(self, given: Mapping[str, Any], session: str) -> Run:
        """{run, seed, without}: the same run from another seed; of the session's last run if none is named."""
        wanted = given.get("run") or self._last.get(session)
        if not wanted:
            raise BadInput("There is no run to vary yet.", "还没有可以变化的运行。")
        run = self.find({"run": wanted})
        attention = not given["without"] if "without" in given else run.request.attention
        card = generators.card(run.generator)
        checked = Request.check(card, variant=run.request.variant, attention=attention)
        changes: dict[str, Any] = {"attention": checked.attention, "picture": None, "hidden": (), "forced": ()}
        if "seed" in card.accepts:  # its prompt is the seed
            changes["text"] = ""
        return self._vary(run, session, seed=read_seed(given.get("seed")), **changes)

    async def stop(self, request: gr.Request) -> None:
        """The visitor wants no more of what is going on."""
        for pane in PANES:
            self._enough(str(request.session_hash), pane)

    async def forget(self, request: gr.Request) -> None:
        """The visitor's own picture, and all that was made of it, is not wanted any more."""
        self.runs.forget(str(request.session_hash))

    async def leave(self, request: gr.Request) -> None:
        """The visitor has closed the page."""
        await self.stop(request)
        await self.forget(request)

    # What the view asks for while it shows a run: one JSON object in, one out.

    def fetch(self, given: Any) -> dict[str, Any]:
        """{run, first}: all steps from there."""
        with sentence() as answer:
            given = read_object(given)
            run, first = self.find(given), read_index(given.get("first", 0))
            count = max(0, len(run.trace.steps) - first)
            answer |= wire.message(run.trace, run.id, first, count, done=run.done, head=heading(run), error=run.error)
        return answer

    async def row(self, given: Any) -> dict[str, Any]:
        """{run, query, step}: the three components for that query, exact, by running it again; step: of a picture that forms, its last if
        none is named."""
        with sentence() as answer:
            given = read_object(given)
            answer |= await self.details(given.get("run"), given.get("query"), given.get("step"))
        return answer

    async def maps(self, given: Any) -> dict[str, Any]:
        """{run, step, kind}: all heads of all maps of that kind at that step; step null: their mean over the steps. What a run has not
        kept is made by running the step again."""
        with sentence() as answer:
            given = read_object(given)
            run, step, kind = self.find(given), given.get("step"), read_kind(given.get("kind"))
            index = None if step is None else read_index(step)
            found = await self.look(lambda: wire.maps_of(run.trace, kind, index))
            if not found and index is not None:
                found = tuple(each for each in (await self._again(run, index, None)).attentions if each.kind == kind)
            if not found:
                raise BadInput("This run has no such maps.", "这次运行没有这样的图。")
            answer |= wire.maps_message(found, index)
        return answer

    async def inside(self, given: Any) -> dict[str, Any]:
        """{run, query, step, kind, layer, head}: every number of one head for that query: `page.inside`."""
        return await inside.inside(self, given)

    async def leave_out(self, given: Any) -> dict[str, Any]:
        """{run, query, step, kind, layer, from}: how much the output changes without each key, some keys at a time: `page.leaving`."""
        return await leaving.leave_out(self, given)

    async def reach(self, given: Any) -> dict[str, Any]:
        """{run, query}: the cells that one cell depends on where convolution is in attention's place: `page.reach`."""
        return await reach.reach(self, given)

    def learning(self, given: Any) -> dict[str, Any]:
        """{generator, variant}: one example while the model learned; {} if there is none."""
        with sentence() as answer:
            card, variant = read_variant(read_object(given))
            series = shelf.learned(card.name, variant)
            if series:
                trace = next(iter(series.values()))
                answer |= wire.series_message(series, head=wire.heading(card, Request.from_dict(card, trace.request), stored=True))
        return answer

    async def film(self, given: Any) -> dict[str, Any]:
        """The next pictures, small: `pictures.film`."""
        return await self._ask(pictures.film, given)

    async def gallery(self, given: Any) -> dict[str, Any]:
        """Many pictures at one go, with, without or both: `pictures.gallery`."""
        return await self._ask(pictures.gallery, given)

    async def stored(self, given: Any) -> dict[str, Any]:
        """Pictures of the Lab's own to choose from: `pictures.stored`."""
        return await self._ask(pictures.stored, given)

    def phrases(self, given: Any) -> dict[str, Any]:
        """{generator, variant}: what a prompt can be put together from by tapping; {} where it is free text."""
        with sentence() as answer:
            card, variant = read_variant(read_object(given))
            answer |= shelf.phrases(card.name, variant)
        return answer

    async def live(self, given: Any) -> dict[str, Any]:
        """What a request would make, while a slider is dragged: `pictures.live`; {busy: true} where too many wait for theirs."""
        if self._living >= LIVE_WAITING:
            return {"busy": True}
        self._living += 1
        try:
            return await self._ask(pictures.live, given, self._liver)
        finally:
            self._living -= 1

    def problems(self) -> dict[str, Words]:
        """ "GENERATOR/VARIANT" → what is wrong with it, for those that cannot run."""
        return {f"{name}/{variant}": words for (name, variant), words in self.runs.problems.items()}

    # What programs ask for.

    async def result(self, given: Mapping[str, Any]) -> tuple[Run, float]:
        """A run, followed to its end, and the seconds that took. Raises BadInput, NotReady, RuntimeError."""
        card, request, private = await self._read(given)
        began = time.perf_counter()
        run = self.runs.start(card.name, request, secrets.token_urlsafe(9) if private else "")
        async for _ in self.runs.follow(run):
            pass
        if run.error is not None:
            raise BadInput(run.error["en"], run.error["zh"])
        return run, time.perf_counter() - began

    async def details(self, run_id: Any, query: Any, step: Any = None) -> dict[str, Any]:
        """The three components of a query of a kept run, of a picture that forms at a step. Raises BadInput."""
        run = self.find({"run": run_id})
        return wire.detail_message(await self.numbers(run, read_index(query), None if step is None else read_index(step)))

    # Inside.

    def _turn(self, session: str, pane: Pane | None = None) -> int:
        """A number for a new wish, higher than those before it in its pane; in both for what is no pane's."""
        keys = [key_of(session, each) for each in ((pane,) if pane else PANES)]
        turn = max(time.time_ns() // 1_000_000, *(self._turns.get(key, 0) + 1 for key in keys))
        for key in keys:
            self._turns[key] = turn
            self._turns.move_to_end(key)
        while len(self._turns) > SESSIONS:
            self._turns.popitem(last=False)
        return turn

    async def _tell(self, found: Awaitable[Run], key: str, turn: int) -> AsyncGenerator[Shown, None]:
        """The messages of a run that is looked for, or the sentence that says why there is none."""
        try:
            run = await found
            async with aclosing(self.answer(run, key, turn)) as shown:
                async for each in shown:
                    yield each
        except _Replaced:
            return
        except (BadInput, NotReady) as error:
            yield failure(error.words, turn)
        except Exception:
            logging.exception("a visitor's wish failed")
            yield failure(UNEXPECTED, turn)

    def _begin(self, asked: Asked, session: str) -> Run:
        """The run of what is asked. A picture that is the visitor's own is their only one now."""
        card, request, private = asked
        if "picture" in card.accepts:
            self.runs.forget(session, request.picture if private else None)
        return self.runs.start(card.name, request, session if private else "")

    async def _first(self, given: Any, session: str) -> Run:
        """Of pane "a"."""
        return self._begin(await self._read(read_object(given), session), session)

    async def _second(self, given: Any, first: asyncio.Future[Run], session: str) -> Run:
        """Of pane "b": its picture is the same as that beside it, or made by it, and as private."""
        given, key = read_object(given), key_of(session, "b")
        if given.get("of") != "a":
            card, request, private = await self._read(given, key)
            return self.runs.start(card.name, request, session if private else "")
        card, _ = read_variant(given)
        enough = self._stop[key] = asyncio.Event()
        run, part = await made(first, enough, "picture" if "picture" in card.accepts else "prompt")
        _, request, private = await self._read({**given, **part}, key)
        return self.runs.start(card.name, request, run.owner if private else "")

    async def _read(self, given: Mapping[str, Any], key: str = "") -> Asked:
        """As `page.asked.read`, in a thread where that takes its time. Raises _Replaced if the pane has another wish by then."""
        if not takes_time(given):
            return read(given)
        turn = self._turns.get(key)
        asked: Asked = await self.look(lambda: read(given, kept=self.runs.kept))
        if self._turns.get(key) != turn:
            raise _Replaced
        return asked

    def _vary(self, run: Run, session: str, **changes: Any) -> Run:
        request = replace(run.request, **changes)
        return self.runs.start(run.generator, request, session if run.owner and request.picture is not None else "")

    def find(self, given: Mapping[str, Any]) -> Run:
        """The run that is named. Raises BadInput if it is gone or never was."""
        wanted = given.get("run")
        return shelf.run(wanted) if isinstance(wanted, str) and wanted.startswith(shelf.PREFIX) else self.runs.get(wanted)

    async def answer(self, run: Run, key: str, turn: int) -> AsyncGenerator[Shown, None]:
        """The messages of a run for a pane, until it ends or the visitor wants something else there."""
        enough = self._remember(key, run)
        sent = 0
        try:
            async with aclosing(self._follow(run, enough)) as counts:
                async for _ in counts:
                    count = len(run.trace.steps)  # what is told as done must be all
                    done = run.done or run.trace.done or enough.is_set()
                    head = heading(run) if sent == 0 else None
                    message = wire.message(run.trace, run.id, sent, count - sent, done=done, head=head, error=run.error)
                    yield message | {"turn": turn}, status(run, done, first=head is not None) | {"turn": turn}
                    sent = count
                    if done:
                        break
            if sent:  # Gradio sends the last message twice: let it be a small one, once what it follows is on the screen
                with suppress(TimeoutError):
                    await asyncio.wait_for(enough.wait(), LAST_WORD)
                last = wire.message(run.trace, run.id, sent, 0, done=True, error=run.error)
                yield last | {"turn": turn}, status(run, True) | {"turn": turn}
        finally:
            if self._stop.get(key) is enough:
                del self._stop[key]

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

    def _remember(self, key: str, run: Run) -> asyncio.Event:
        """The pane's run is this one now; the one before has had its time. Returns what is set when this one has."""
        self._last[key] = run.id
        self._last.move_to_end(key)
        if len(self._last) > SESSIONS:
            self._last.popitem(last=False)
        if key in self._stop:
            self._stop[key].set()
        self._stop[key] = asyncio.Event()
        return self._stop[key]

    def _enough(self, session: str, pane: Pane) -> None:
        """The visitor wants no more of the run that is going on there."""
        event = self._stop.get(key_of(session, pane))
        if event is not None:
            event.set()

    async def numbers(self, run: Run, query: int, step: int | None, *, whole: bool = False) -> tuple[Detail, ...]:
        """Details of a query that an example holds, else by replay; whole: with their keys and values, which no example has.

        step: of a picture that forms, its last if none is named. Raises BadInput.
        """
        forms = _forms(run.trace)
        at = (len(run.trace.steps) - 1 if step is None else step) if forms else None
        for each in run.trace.steps:
            found = each.details
            if found and found[0].query_index == query and at in (None, each.index) and not (whole and found[0].key is None):
                return found
        if at is not None:
            again = (await self._again(run, at, query)).details
            if not again:
                raise BadInput("This run has no such position.", "这次运行没有这个位置。")
            return again
        repeat = replace(run.request, forced=run.trace.forced)
        told: tuple[Detail, ...] = await self.look(lambda: generators.load(run.generator, repeat.variant).replay(repeat, query))
        return told

    async def _again(self, run: Run, index: int, query: int | None) -> Step:
        """One step of a picture that forms, alone, from what it began with; an example has kept that not, and runs up to it."""
        if not _forms(run.trace) or index >= len(run.trace.steps):
            raise BadInput("This run has no such step.", "这次运行没有这一步。")
        repeat = replace(run.request, only=index, state=run.trace.steps[index].state, pin=query)
        step: Step = await self.look(lambda: next(generators.load(run.generator, repeat.variant).generate(repeat)))
        return step

    async def _ask(self, answer: Callable[[Mapping[str, Any]], dict[str, Any]], given: Any, pool: ThreadPoolExecutor | None = None) -> Any:
        """What a function of `page.pictures` answers, or the sentence that says why not."""
        with sentence() as told:
            given = read_object(given)
            told |= await self.look(lambda: answer(given), pool)
        return told

    async def look(self, ask: Callable[[], Any], pool: ThreadPoolExecutor | None = None) -> Any:
        """What a function answers, asked in a thread; by default in one of those for what a visitor asks about a run."""
        return await asyncio.get_running_loop().run_in_executor(pool or self._lookers, ask)


def _forms(trace: Trace) -> bool:
    """Whether its picture forms step by step, so that every step looks anew."""
    return sum(step.picture is not None for step in trace.steps[:2]) == 2
