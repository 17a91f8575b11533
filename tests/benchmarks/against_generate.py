"""Greedy writing with all weights, as the page does it, against transformers' own `generate(output_attentions=True)`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from generators.base import Generator, Request
from tests.benchmarks import Row
from tests.benchmarks.models import BUNDLED, LARGE, as_shipped, greedy, read_ids, transformers

TOKENS = 128
BARS = {BUNDLED: 1.3, LARGE: 1.0}
REPETITIONS = {BUNDLED: 9, LARGE: 3}


def measure() -> Iterator[Row]:
    """Whole runs in pairs, the order changing with each pair; the median of the pairs' ratios. One thread, float32."""
    torch.set_num_threads(1)
    for name, model in transformers().items():
        request = greedy(model, TOKENS)
        eager = as_shipped(model.model(True), "eager")
        watched = partial(chosen, model, request)
        generated = partial(with_attentions, eager, read_ids(model, request))
        same = watched() == generated()  # which warms both
        ratios = []
        for repetition in range(REPETITIONS[name]):
            if repetition % 2:
                ours, theirs = seconds(watched), seconds(generated)
            else:
                theirs, ours = seconds(generated), seconds(watched)
            ratios.append(theirs / ours)
        ratio = statistics.median(ratios)
        yield Row(
            f"watching ÷ `generate(output_attentions=True)`, {TOKENS} greedy tokens, {name}",
            f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f} over {len(ratios)}; {'the same tokens' if same else 'OTHER TOKENS'})",
            f"≥ {BARS[name]}",
            ratio >= BARS[name] and same,
        )


def chosen(model: Generator, request: Request) -> list[int]:
    """The tokens of a run, all of its weights made on the way."""
    return [step.chosen.id for step in model.generate(request) if step.chosen]


def with_attentions(model: Any, ids: Tensor) -> list[int]:
    """The tokens that transformers generates, with its attentions. Raises RuntimeError if there are none."""
    with torch.inference_mode():
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=TOKENS,
            output_attentions=True,
            return_dict_in_generate=True,
        )
    if len(out.attentions) != TOKENS or out.attentions[-1][-1] is None:
        raise RuntimeError("generate gave no attentions")
    return list(out.sequences[0, ids.shape[1] :].tolist())


def seconds(run: Callable[[], object]) -> float:
    """That it takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
