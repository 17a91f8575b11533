"""What watching costs: tokens a second of the text model with every weight heard, against the same run unheard."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace

import torch

import generators
from generators.base import Generator, Request
from tests.benchmarks import Row
from tests.benchmarks.long_runs import long_runs

REPETITIONS = 25
TOKENS = 128
BAR = 0.95


def measure() -> Iterator[Row]:
    """Pairs of runs, the order changing with each pair; the median of the pairs' ratios."""
    torch.set_num_threads(1)
    model = generators.load("lstm")
    (request,) = long_runs(TOKENS)
    plain = replace(request, watched=False)
    for each in (request, plain):
        tokens_per_second(model, each)  # the first of each kind warms caches
    ratios, speeds = [], []
    for repetition in range(REPETITIONS):
        watched_first = repetition % 2 == 0
        first, second = (tokens_per_second(model, each) for each in ((request, plain) if watched_first else (plain, request)))
        watched, unheard = (first, second) if watched_first else (second, first)
        ratios.append(watched / unheard)
        speeds.append(watched)
    ratio = statistics.median(ratios)
    yield Row(
        "watching ÷ not watching, tokens/s of `lstm`",
        f"{ratio:.3f} (at {statistics.median(speeds):.0f} tokens/s; {min(ratios):.2f} to {max(ratios):.2f} over {REPETITIONS})",
        f"≥ {BAR}",
        ratio >= BAR,
    )


def tokens_per_second(model: Generator, request: Request) -> float:
    """Of one run, its first step (which reads the prompt) included."""
    began = time.perf_counter()
    steps = sum(1 for _ in model.generate(request))
    return steps / (time.perf_counter() - began)
