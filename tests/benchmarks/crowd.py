"""A class at once: thirty visitors press Generate in the same moment, over HTTP and server-sent events as a browser does."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from generators.base import Request
from tests.benchmarks import Row
from tests.benchmarks.long_runs import long_runs
from tests.benchmarks.serving import PATIENCE, percentile, serving

VISITORS = 30
TOKENS = 64
BARS = {"lstm": (4.0, 20.0), "gpt": (5.0, 30.0)}  # seconds until the first token (p95), until all is done
MESSAGE = re.compile(r'\\"first\\":(\d+),\\"count\\":(\d+)')  # inside the JSON string that the view gets


@dataclass(frozen=True)
class Visit:
    """What one visitor saw. first, last: seconds from the press to the first token and to the end. steps: how many came."""

    first: float
    last: float
    steps: int
    error: str


def measure() -> Iterator[Row]:
    """After one visitor alone, so that the model is loaded; everybody asks for another run."""
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
    steps, error = 0, "the stream ended early"
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
            if told["msg"] == "process_completed":
                last, error = now, "" if told["success"] and '\\"error\\":' not in line else line[:200]
                break
    return Visit(first, last, steps, error)
