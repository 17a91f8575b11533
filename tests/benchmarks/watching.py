"""What watching costs: steps a second with every weight heard, against the same without.

For every generator: its stored examples made again, watched and unheard. For models of transformers besides: greedy writing as
the page does it, against the loop that everybody writes, with keys and values kept and no weights to be had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch

import generators
from generators.base import Generator, Request
from generators.trace import Step, Trace
from tests.benchmarks import Row
from tests.benchmarks.models import as_shipped, greedy, plain_loop, read_ids, transformers
from tests.benchmarks.turns import speed_ratio
from tests.benchmarks.wishes import forms

REPETITIONS = 9
FORMING = 3  # runs of one whose pictures form in many steps, each of which looks at every word
TOKENS = 128
BAR = 0.95
PICTURE_BAR = 0.9  # grids of 16 × 16 cells
FORMING_BAR = 0.85


def measure() -> Iterator[Row]:
    """Medians of repetitions in which a step of one follows a step of the other."""
    torch.set_num_threads(1)
    for card in generators.cards():
        model, requests = generators.load(card.name), examples(card.name)[: FORMING if forms(card) else None]
        unheard = [replace(each, watched=False) for each in requests]
        ratio, spread = speed_ratio(partial(made, model, requests), partial(made, model, unheard), REPETITIONS)
        what, bar = ("steps/s", BAR) if card.produces == "text" else ("pictures/s", FORMING_BAR if forms(card) else PICTURE_BAR)
        yield Row(f"watching ÷ not watching, {what} of `{card.name}`", f"{ratio:.3f} ({spread})", f"≥ {bar}", ratio >= bar)
    for name, model in transformers().items():
        request = greedy(model, TOKENS)
        plain = as_shipped(model.model(True), "sdpa")
        ratio, spread = speed_ratio(
            partial(model.generate, request), partial(plain_loop, plain, read_ids(model, request), TOKENS), REPETITIONS
        )
        what = f"watching ÷ plain loop with cache (sdpa, argmax), {TOKENS} tokens, {name}"
        yield Row(what, f"{ratio:.3f} ({spread})", f"≥ {BAR}", ratio >= BAR)


def examples(name: str) -> list[Request]:
    """What the stored runs of a generator's first variant asked for."""
    card = generators.card(name)
    stored = sorted((generators.folders(name)[card.default] / "examples").glob("*.npz"))
    return [Request.from_dict(card, Trace.load(each).request) for each in stored]


def made(model: Generator, requests: list[Request]) -> Iterator[Step]:
    """The steps of all these runs, one run after the other."""
    for each in requests:
        yield from model.generate(each)
