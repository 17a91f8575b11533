"""Two runs beside each other: one event starts both, one stream tells of both.

Pane "a" is what the controls say, pane "b" a second request; what is told of them travels together, for two streams into one
component would overwrite each other: {"pair": {"a": MESSAGE or null, "b": MESSAGE or null}, "turn"} and the same of their statuses.
A pane has a key of its own, under which the desk remembers its last run, its turn and how to stop it: what is picked, edited or
rubbed out in one pane leaves the run of the other alone, and is answered for that pane only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Literal, get_args

from generators.base import BadInput
from generators.pictures import to_png
from page.answers import Shown
from page.runs import PAUSE, Run

Pane = Literal["a", "b"]
PANES: tuple[Pane, ...] = get_args(Pane)


def key_of(session: str, pane: Pane | None) -> str:
    """Of a pane of a session; the page's only run is that of pane "a"."""
    return f"{session}/b" if pane == "b" else session


def read_pane(given: Any) -> Pane | None:
    """The pane that an event of the view came from; None where there is but one. Raises BadInput."""
    pane = given.get("pane") if isinstance(given, Mapping) else None
    for each in (None, *PANES):
        if pane == each:
            return each
    raise BadInput("The panes are a and b.", "对比的两边是 a 和 b。")


def framed(shown: Mapping[Pane, Shown], turn: int, running: bool) -> Shown:
    """What is told of some panes, as one message and one status."""
    messages = {pane: message for pane, (message, _) in shown.items()}
    statuses = {pane: status for pane, (_, status) in shown.items()}
    return {"pair": messages, "turn": turn}, {"pair": statuses, "running": running, "turn": turn}


async def merged(streams: Mapping[Pane, AsyncGenerator[Shown, None]], turn: int) -> AsyncGenerator[Shown, None]:
    """The streams as one: a message every PAUSE seconds, sooner where both have news; of a pane that has none it says null. Closes them."""
    coming = {pane: asyncio.ensure_future(anext(stream, None)) for pane, stream in streams.items()}
    running = dict.fromkeys(streams, True)
    last = 0.0  # when something was told
    try:
        while coming:
            await asyncio.wait(coming.values(), return_when=asyncio.FIRST_COMPLETED)
            if (soon := last + PAUSE - time.perf_counter()) > 0:  # the other may have news, too
                await asyncio.wait(coming.values(), timeout=soon)
            news = {pane: task.result() for pane, task in coming.items() if task.done()}
            for pane, each in news.items():
                running[pane] = each is not None and each[1]["running"]
                if each is None:
                    del coming[pane]
                else:
                    coming[pane] = asyncio.ensure_future(anext(streams[pane], None))
            if told := {pane: each for pane, each in news.items() if each is not None}:
                last = time.perf_counter()
                yield framed({pane: told.get(pane, (None, None)) for pane in PANES}, turn, any(running.values()))
    finally:
        for task in coming.values():
            task.cancel()
        await asyncio.gather(*coming.values(), return_exceptions=True)
        for stream in streams.values():
            await stream.aclose()


async def made(run: asyncio.Future[Run], enough: asyncio.Event, wanted: Literal["picture", "prompt"]) -> tuple[Run, Mapping[str, Any]]:
    """What pane "a" made, as a part of the request of pane "b": its picture or its text; once its run, which pane "a" follows, is done.

    enough: set when the visitor does not want to wait. Raises BadInput if nothing is made, or not to its end.
    """
    unmade = BadInput(
        "There is nothing to go on from: the run beside it did not come to its end.", "没有可以接着用的内容：旁边的运行没有完成。"
    )
    try:
        first = await run
    except Exception as error:  # pane "a" says it
        raise unmade from error
    over = [asyncio.ensure_future(each) for each in (first.end(), enough.wait())]
    try:
        await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in over:
            task.cancel()
    trace = first.trace
    if not trace.done or first.stopped or first.error is not None:
        raise unmade
    if wanted == "prompt" and trace.text.strip():
        return first, {"prompt": trace.text.strip()}
    if wanted == "picture" and trace.picture is not None:
        return first, {"picture": to_png(trace.picture)}
    raise unmade
