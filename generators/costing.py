"""What a run costs, alone and unwatched: multiply-adds as torch counts them, milliseconds of one thread.

    python -m generators cost NAME [--variant V] [--write]

Of the variant's first stored example, run anew: a writer's cost is of one token, the mean of the first `TOKENS` that it writes, what it
reads before them included; a painter's of one picture.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

import generators
from generators.base import Generator, NotReady, Request
from generators.trace import load_series

TOKENS = 64
RUNS = 5
SIDES = {"with": True, "without": False}


def cost(name: str, variant: str | None = None) -> dict[str, Any]:
    """{side: {multiply_adds, milliseconds}, per: "token" or "picture"}, as on a card.json. Raises NotReady where no example is stored."""
    card = generators.card(name)
    known = card.variant(variant)
    run = generators.load(name, known.name)
    request = example(name, known.name)
    writes = card.produces == "text"
    found: dict[str, Any] = {"per": "token" if writes else "picture"}
    with one_thread():
        for side, attention in SIDES.items():
            if attention or card.twin:
                found[side] = measured(run, replace(request, attention=attention), TOKENS if writes else None)
    return found


def example(name: str, variant: str) -> Request:
    """The request of the first stored example, unwatched, without its edits."""
    folder = generators.folders(name)[variant] / "examples"
    for path in sorted(folder.glob("*.npz")):
        request = Request.from_dict(generators.card(name), next(iter(load_series(Path(path)).values())).request)
        return replace(request, edits=(), forced=(), watched=False, pin=None)
    raise NotReady(f"No example of {name} is stored.", f"没有 {name} 的存例。")


def measured(run: Generator, request: Request, tokens: int | None) -> dict[str, float]:
    """tokens: how many steps are looked at, by each of which the cost is divided; None: the whole run counts as one."""
    counter = FlopCounterMode(display=False)
    with counter:
        steps = made(run, request, tokens)  # its first run also warms up what the clock then sees
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        made(run, request, tokens)
        times.append(1000 * (time.perf_counter() - began))
    parts = steps if tokens else 1
    return {"multiply_adds": round(counter.get_total_flops() / 2 / parts), "milliseconds": float(f"{statistics.median(times) / parts:.3g}")}


def made(run: Generator, request: Request, tokens: int | None) -> int:
    """How many steps came."""
    return sum(1 for _ in islice(run.generate(request), tokens))


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
