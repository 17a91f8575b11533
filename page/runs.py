"""Runs: they are stepped a turn at a time in a few threads, followed by whoever watches, and kept for a while.

    start(name, request)   a run; whoever asks for the same gets the same one
    follow(run)            how many steps there are, each time there are more; the run ends when nobody follows it
    get(run_id)            a run that is kept, or a sentence that says it has expired
    forget(owner)          a visitor's own pictures, and all that was made of them

Texts are written all at once, for they are read while they grow; of pictures a few of each generator are painted at a time, and who
comes later waits in a line and is told their place.

A run of a visitor's own picture is private: it has an owner, nobody else gets it by asking for the same, and it is kept PRIVATE seconds
at most. A run belongs to one event loop. Its generator is stepped, and closed, in the pool; everything else happens in the loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

import generators
from generators.base import BadInput, Generator, NotReady, Request
from generators.trace import Step, Trace, Words

CAPACITY = 256 * 2**20  # bytes of weights and pictures that are kept
TURN = 0.04  # seconds that a run may step before the next one has its turn
FIRST_TURN = 0.015  # of its first: one that is done sooner comes whole, of others one sees the beginning
PAUSE = 0.05  # seconds between two messages to one follower
LONGEST = 90.0  # seconds of computing in one run, whatever its generator allows itself
GRACE = 0.05  # seconds that a run waits for its next follower
PRIVATE = 15 * 60.0  # seconds that a run of a visitor's own picture is kept
WORKERS = 2
IN_HAND = 1  # runs of a line more than there are workers: one is at hand while the steps of another are sent
WARM_STEPS = 3

UNEXPECTED: Words = {
    "en": "Something went wrong here, not with what you gave; please try again.",
    "zh": "这里出了点问题，不是你的输入有误；请再试一次。",
}

Load = Callable[[str, str | None], Generator]


@dataclass(eq=False)
class Run:
    """One run of a generator, and what it left so far.

    key: the same for the same request. computed: seconds that its steps took. began, ended: times of the first and last step.
    driven: somebody steps it. done: no more steps will come. stopped: nobody wanted more, or its time was over.
    forecast: what is to be said before its first step. error: what ended it instead. size: bytes of its trace, once it is done.
    owner: whose picture it is made of; empty where everybody may have it. born: when it was asked for.
    place: in the line, from 1; 0 once its turn has come.
    """

    id: str
    generator: str
    request: Request
    key: str
    trace: Trace
    computed: float = 0.0
    began: float = 0.0
    ended: float = 0.0
    driven: bool = False
    done: bool = False
    stopped: bool = False
    forecast: tuple[Words, ...] = ()
    error: Words | None = None
    size: int = 0
    followers: int = 0
    owner: str = ""
    born: float = field(default_factory=time.monotonic)
    place: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def rate(self) -> float:
        """Steps a second after the first, which reads the whole prompt; 0 while there is no telling."""
        return (len(self.trace.steps) - 1) / (self.ended - self.began) if self.ended > self.began else 0.0

    @property
    def wanted(self) -> bool:
        """Whether whoever asks for the same may have this one."""
        going = not self.driven or self.followers > 0
        return not self.stopped and self.error is None and (going or self.done or self.trace.done)

    def tell(self) -> None:
        """Wake the followers."""
        self._news.set()
        self._news = asyncio.Event()

    async def news(self) -> None:
        """Wait until there is something that was not there at the call."""
        await self._news.wait()

    async def end(self) -> None:
        """Wait until no more steps will come."""
        while not self.done:
            await self.news()


class Runs:
    """All runs of one page."""

    def __init__(
        self,
        load: Load | None = None,
        *,
        capacity: int = CAPACITY,
        longest: float = LONGEST,
        private: float = PRIVATE,
        workers: int = WORKERS,
    ) -> None:
        self._load = load or generators.load
        self._capacity = capacity
        self._longest = longest
        self._private = private
        self._pool = ThreadPoolExecutor(workers, "run")
        self._loader = ThreadPoolExecutor(1, "load")
        self._abreast = workers + IN_HAND
        self._lines: dict[str, list[Run]] = {}  # generator of pictures → its runs, first come first served
        self._kept: OrderedDict[str, Run] = OrderedDict()  # by id, the longest unused first
        self._same: dict[str, str] = {}  # key → id
        self._driving: set[asyncio.Task[None]] = set()
        self.problems: dict[tuple[str, str], Words] = {}

    def start(self, name: str, request: Request, owner: str = "") -> Run:
        """The run of a request: one that was asked for before, or a new one that starts when it is followed.

        owner: whoever gave the picture of the request, where it is their own.
        """
        self.sweep()
        asked = request.to_dict()
        key = _key(name, owner, asked)
        same = self._kept.get(self._same.get(key, ""))
        if same is not None and same.wanted:
            self._kept.move_to_end(same.id)
            return same
        fresh = Run(secrets.token_urlsafe(9), name, request, key, Trace(name, request.variant, asked), owner=owner)
        self._kept[fresh.id] = fresh
        self._same[key] = fresh.id
        self._make_room()
        if owner:
            asyncio.get_running_loop().call_later(self._private, self.sweep)
        return fresh

    def kept(self, name: str, request: Request) -> np.ndarray | None:
        """The picture that a run of that request made, if one is kept that is nobody's own. May be asked in any thread."""
        run = self._kept.get(self._same.get(_key(name, "", request.to_dict()), ""))
        return run.trace.picture if run is not None and run.trace.done and run.wanted else None

    def forget(self, owner: str, but: np.ndarray | None = None) -> None:
        """Let go of all runs of an owner's pictures, but those of the picture that is still in use."""
        for run in [each for each in self._kept.values() if each.owner and each.owner == owner]:
            used = run.request.picture
            if but is None or used is None or not np.array_equal(but, used):
                self._drop(run)

    def sweep(self) -> None:
        """Let go of private runs whose time is over."""
        now = time.monotonic()
        for run in [each for each in self._kept.values() if each.owner and now - each.born >= self._private]:
            self._drop(run)

    def get(self, run_id: object) -> Run:
        """A run that is kept. Raises BadInput if it is gone or never was."""
        if not isinstance(run_id, str) or run_id not in self._kept:
            raise BadInput("This run has expired: please run it again.", "这次运行已过期，请重新运行。")
        self._kept.move_to_end(run_id)
        return self._kept[run_id]

    async def follow(self, run: Run) -> AsyncGenerator[int, None]:
        """The number of steps that are there: at once, then whenever it grew, at most every PAUSE seconds, then at the end;
        0 where there is a forecast before the first, or another place in the line.

        Close it to stop following; a run that nobody follows ends within a turn.
        """
        run.followers += 1
        try:
            if not run.driven:
                run.driven = True
                task = asyncio.create_task(self._drive(run))
                self._driving.add(task)  # a task that nobody holds may be collected
                task.add_done_callback(self._driving.discard)
            told = (0, 0, False)
            while not run.done:
                now = (len(run.trace.steps), run.place, bool(run.forecast))
                if now == told:
                    await run.news()
                    continue
                told = now
                yield now[0]
                await asyncio.sleep(PAUSE)
            yield len(run.trace.steps)
        finally:
            run.followers -= 1
            run.tell()  # one that waits in a line need not

    def model(self, name: str, variant: str) -> Generator:
        """The model, loaded here and now. Raises NotReady, and remembers it in `problems`; BadInput."""
        try:
            model = self._load(name, variant)
        except NotReady as error:
            self.problems[name, variant] = error.words
            raise
        self.problems.pop((name, variant), None)
        return model

    def warm(self, name: str, variant: str) -> None:
        """Load a model and let it take its first steps, which are the slowest; a problem is remembered, not raised."""
        card = generators.card(name)
        grey = np.full((1, 1, 3), 128, np.uint8) if card.accepts == ("picture",) else None
        try:
            steps = self.model(name, variant).generate(Request.check(card, variant=variant, picture=grey))
            for _ in zip(range(WARM_STEPS), steps):
                pass
            _close(steps)
        except NotReady as error:
            logging.warning("%s/%s: %s", name, variant, error)
        except Exception:
            logging.exception("%s/%s cannot run", name, variant)
            self.problems[name, variant] = UNEXPECTED

    def _expect(self, run: Run) -> tuple[Generator, tuple[Words, ...]]:
        """The run's model, and what it says before it begins."""
        model = self.model(run.generator, run.request.variant)
        return model, model.forecast(run.request)

    async def _drive(self, run: Run) -> None:
        """Step a run until it ends, fails, has had its time or is not followed any more."""
        steps: Iterator[Step] = iter(())
        turn = asyncio.get_running_loop().run_in_executor
        try:
            model, run.forecast = await turn(self._loader, self._expect, run)
            steps = model.generate(run.request)
            if run.forecast:
                run.tell()
            if model.card.produces == "picture":
                await self._line_up(run)
            ended = False
            while not ended and run.computed < self._longest and await _followed(run):
                made = await turn(self._pool, _turn, steps, TURN if run.trace.steps else FIRST_TURN)
                for step in made.steps:
                    run.trace.add(step)
                ended = made.last or run.trace.done
                run.computed += made.ended - made.began
                run.began, run.ended = run.began or made.first, made.ended
                run.tell()
            run.stopped = not ended
        except (BadInput, NotReady) as error:
            run.error = error.words
        except Exception:
            logging.exception("a run of %s failed", run.generator)
            run.error = UNEXPECTED
        finally:
            self._leave(run)
            await turn(self._pool, _close, steps)
            if run.stopped and run.trace.steps:
                run.trace.steps[-1] = replace(run.trace.steps[-1], stop="stopped")
            run.done = True
            run.size = run.trace.nbytes
            self._make_room()
            run.tell()

    async def _line_up(self, run: Run) -> None:
        """Wait until its turn has come, or nobody follows it."""
        self._lines.setdefault(run.generator, []).append(run)
        self._move_up(run.generator)
        while run.place and await _followed(run):
            if run.place:
                await run.news()

    def _leave(self, run: Run) -> None:
        if run in self._lines.get(run.generator, ()):
            self._lines[run.generator].remove(run)
            run.place = 0
            self._move_up(run.generator)

    def _move_up(self, generator: str) -> None:
        """Tell everybody in a line whose place has changed."""
        for number, run in enumerate(self._lines[generator]):
            place = max(0, number + 1 - self._abreast)
            if run.place != place:
                run.place = place
                run.tell()

    def _make_room(self) -> None:
        """Round what was not used for longest to half precision, then let it go, until all fits."""
        over = sum(run.size for run in self._kept.values()) - self._capacity
        for forget in (False, True):
            for run in list(self._kept.values())[:-1]:
                if over <= 0:
                    return
                if not run.done or run.followers or (run.trace.half and not forget):
                    continue
                over -= run.size
                if forget:
                    self._drop(run)
                else:
                    run.trace = run.trace.rounded()
                    run.size = run.trace.nbytes
                    over += run.size

    def _drop(self, run: Run) -> None:
        del self._kept[run.id]
        if self._same.get(run.key) == run.id:
            del self._same[run.key]


async def _followed(run: Run) -> bool:
    """Whether somebody follows the run; one who asks for the same as the one who just left has GRACE seconds to take it over."""
    if not run.followers:
        await asyncio.sleep(GRACE)
    return run.followers > 0


def _key(name: str, owner: str, asked: Mapping[str, Any]) -> str:
    """The same for the same request of the same owner."""
    return hashlib.sha256(json.dumps([name, owner, asked], sort_keys=True).encode()).hexdigest()


class _Turn(NamedTuple):
    """What a run made in one turn. last: whether no more will come. began, first, ended: times before it, of its first step, after it."""

    steps: list[Step]
    last: bool
    began: float
    first: float
    ended: float


def _turn(steps: Iterator[Step], seconds: float) -> _Turn:
    """Steps until so many seconds are over; one at least, if there is one."""
    made: list[Step] = []
    began = first = now = time.perf_counter()
    for step in steps:
        made.append(step)
        now = time.perf_counter()
        if len(made) == 1:
            first = now
        if now - began > seconds:
            return _Turn(made, False, began, first, now)
    return _Turn(made, True, began, first, time.perf_counter())


def _close(steps: Iterator[Step]) -> None:
    close = getattr(steps, "close", None)
    if close is not None:
        close()
