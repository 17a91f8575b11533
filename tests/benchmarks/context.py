"""What a token costs as the text grows: time and memory, which may grow with the text, but no faster."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from statistics import median
from typing import cast

import torch

import generators
from generators import gpt
from generators.base import Request
from generators.trace import Trace
from tests.benchmarks import Row
from tests.benchmarks.long_runs import OPENINGS

CONTEXTS = (128, 256, 512, 1024)
AROUND = 24  # tokens before each of them, whose median counts
REPETITIONS = 3
NOISE = 1.05


def measure() -> Iterator[Row]:
    """Runs of the bundled transformer with all weights, through all these lengths; its words are given, so that none ends early."""
    torch.set_num_threads(1)
    model = cast(gpt.Run, generators.load("gpt"))
    request = Request.check(model.card, text=OPENINGS[0], settings={"length": CONTEXTS[-1]})
    words = model.vocabulary.encode(" " + ". ".join(OPENINGS))
    request = replace(request, forced=tuple(words * (CONTEXTS[-1] // len(words) + 1)))
    times: dict[int, list[float]] = {context: [] for context in CONTEXTS}
    for _ in range(REPETITIONS):
        trace = Trace(model.card.name, request.variant)
        run, held = model.generate(request), {}
        began = time.perf_counter()
        for step in run:
            taken = time.perf_counter() - began
            trace.add(step)
            read = len(step.attentions[0].key)
            for context in CONTEXTS:
                if context - AROUND < read <= context:
                    times[context].append(taken * 1000)
                    held[context] = read, trace.nbytes  # of the last one: what is chosen last is not read
            began = time.perf_counter()
    speeds = [median(times[context]) for context in CONTEXTS]
    yield Row(
        f"ms a token of `gpt`, watched, at {', '.join(map(str, CONTEXTS))} tokens of context",
        ", ".join(f"{each:.2f}" for each in speeds),
        "a doubling at most doubles it",
        all(after <= 2 * before for before, after in pairwise(speeds)),
    )
    growth = [(more - some) / (after - before) for (before, some), (after, more) in pairwise(held[context] for context in CONTEXTS)]
    yield Row(
        "bytes that a token adds to the trace, between these lengths",
        ", ".join(f"{each:,.0f}" for each in growth),
        "no more from 512 to 1,024 than from 256 to 512",
        growth[-1] <= NOISE * growth[-2],
    )
