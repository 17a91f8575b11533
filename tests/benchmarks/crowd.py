"""A class at once: thirty visitors press Generate in the same moment, over HTTP and server-sent events as a browser does.

Texts are written all at once; pictures that form step by step are painted a few at a time, and who waits is told their place.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

import generators
from generators.base import Card, Request
from tests.benchmarks import Row
from tests.benchmarks.long_runs import long_runs
from tests.benchmarks.serving import PATIENCE, percentile, serving
from tests.benchmarks.wishes import forms, prompt

VISITORS = 30
TOKENS = 64
BARS = {"lstm": (4.0, 20.0), "gpt": (5.0, 30.0)}  # seconds until the first token (p95), until all is done
FRAME_BAR, PICTURES_BAR, AGAIN_BAR = 10.0, 90.0, 0.5  # seconds from one's turn to the first frame, until all is done, for the same again
MESSAGE = re.compile(r'\\"first\\":(\d+),\\"count\\":(\d+)')  # inside the JSON string that the view gets


@dataclass(frozen=True)
class Visit:
    """What one visitor saw. first, last: seconds from the press to the first token or frame and to the end. steps: how many came.

    place: the first one in the line that was told, 0 without waiting. turn: seconds from the press until it had come.
    """

    first: float
    last: float
    steps: int
    error: str
    place: int = 0
    turn: float = 0.0


def measure() -> Iterator[Row]:
    """After one visitor alone, so that the model is loaded; everybody asks for another run."""
    yield from writing()
    for card in filter(forms, generators.cards()):
        yield from painting(card)


def writing() -> Iterator[Row]:
    """Text models."""
    for name, (first_bar, all_bar) in BARS.items():
        wishes = [wish(name, each) for each in long_runs(TOKENS, VISITORS + 1, name)]
        with serving() as server:
            asyncio.run(visits(server.url, wishes[:1]))
            seen = asyncio.run(visits(server.url, wishes[1:]))
        errors = [visit.error for visit in seen if visit.error] or [f"{v.steps} steps" for v in seen if v.steps < TOKENS]
        first, everyone = percentile([visit.first for visit in seen], 0.95), max(visit.last for visit in seen)
        what = f"{VISITORS} HTTP/SSE clients of `{name}`, {TOKENS} tokens each"
        yield Row(f"{what}: first token p95", f"{first:.2f} s", f"≤ {first_bar:g} s", first <= first_bar and not errors)
        yield Row(f"{what}: all done", f"{everyone:.2f} s", f"≤ {all_bar:g} s", everyone <= all_bar and not errors)
        yield Row(f"{what}: errors", f"{len(errors)} {errors[0] if errors else ''}".strip(), "0", not errors)


def painting(card: Card) -> Iterator[Row]:
    """One whose pictures form step by step, with its settings as they are."""
    wishes = [wish(card.name, Request.check(card, text=prompt(card, each), seed=each)) for each in range(VISITORS + 1)]
    with serving() as server:
        asyncio.run(visits(server.url, wishes[:1]))
        seen = asyncio.run(visits(server.url, wishes[1:]))
        again = asyncio.run(visits(server.url, wishes[1:2]))[0].last
    errors = [visit.error for visit in seen if visit.error]
    waited, straight = [visit for visit in seen if visit.place], [visit.first for visit in seen if not visit.place]
    frame, everyone = max(visit.first - visit.turn for visit in seen), max(visit.last for visit in seen)
    what = f"{VISITORS} HTTP/SSE clients of `{card.name}`, {seen[0].steps} steps each"
    told = bool(waited) and max(straight, default=0) <= min(visit.last for visit in waited)
    places = f"{len(waited)}, up to place {max((visit.place for visit in waited), default=0)}"
    yield Row(f"{what}: told their place in the line", places, "all who wait", told)
    yield Row(f"{what}: first frame after its turn, worst", f"{frame:.2f} s", f"≤ {FRAME_BAR:g} s", frame <= FRAME_BAR and not errors)
    yield Row(f"{what}: all done", f"{everyone:.2f} s", f"≤ {PICTURES_BAR:g} s", everyone <= PICTURES_BAR and not errors)
    yield Row(f"{what}: errors", f"{len(errors)} {errors[0] if errors else ''}".strip(), "0", not errors)
    yield Row(f"the same prompt and seed of `{card.name}` again", f"{again:.2f} s", f"≤ {AGAIN_BAR:g} s", again <= AGAIN_BAR)


def wish(generator: str, request: Request) -> dict[str, Any]:
    """What a press on Generate sends for a request."""
    return {"generator": generator, "variant": request.variant, "prompt": request.text, "seed": request.seed, "settings": request.settings}


async def visits(url: str, wishes: list[dict[str, Any]]) -> list[Visit]:
    """All these presses at once."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE, limits=limits, trust_env=False) as client:
        event = run_event((await client.get("/config")).json())
        return list(await asyncio.gather(*(visit(client, event, each) for each in wishes)))


def run_event(config: dict[str, Any]) -> tuple[int, int, int]:
    """The page's own event behind Generate: (its number, the component that triggers it, how many inputs it has)."""
    for each in config["dependencies"]:
        for trigger, name in each["targets"]:
            if name == "run":
                return each["id"], trigger, len(each["inputs"])
    raise RuntimeError("the page has no event called run")


async def visit(client: httpx.AsyncClient, event: tuple[int, int, int], wished: dict[str, Any]) -> Visit:
    """One press, followed to its end."""
    number, trigger, inputs = event
    session = secrets.token_hex(6)
    began = time.perf_counter()
    joined = {"data": [None] * inputs, "event_data": wished, "fn_index": number, "trigger_id": trigger, "session_hash": session}
    (await client.post("/gradio_api/queue/join", json=joined)).raise_for_status()
    first = last = float("inf")
    steps, place, turn, error = 0, 0, 0.0, "the stream ended early"
    async with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as stream:
        async for line in stream.aiter_lines():
            if not line.startswith("data:"):
                continue
            now = time.perf_counter() - began
            for start, count in MESSAGE.findall(line):
                steps = max(steps, int(start) + int(count))
            if steps and first == float("inf"):
                first = now
            told = json.loads(line.removeprefix("data:"))
            waiting = place_told(told.get("output", {}).get("data", ()))
            place = place or waiting or 0
            if waiting == 0 and place and not turn:
                turn = now
            if told["msg"] == "process_completed":
                last, error = now, "" if told["success"] and '\\"error\\":' not in line else line[:200]
                break
    return Visit(first, last, steps, error, place, turn)


def place_told(data: Iterable[Any]) -> int | None:
    """The place in the line that an answer tells, 0 where there is none any more; None: it says nothing of it.

    data: for each output its value, or, after the first time, Gradio's edits of it: [what to do, path, value].
    """
    for each in data:
        if isinstance(each, dict) and "running" in each:
            return int(each.get("place", 0))
        for action, path, value in each if isinstance(each, list) else ():
            if path and path[-1] == "place":
                return 0 if action == "delete" else int(value)
    return None
