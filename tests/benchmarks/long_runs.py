"""Requests of the text model whose runs do not end before a given number of tokens."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, islice

import generators
from generators.base import Request

PROMPT = "Once upon a time"


def long_runs(tokens: int, wanted: int = 1) -> list[Request]:
    """So many of them, by seed; found by running them, unwatched."""
    card, model = generators.card("lstm"), generators.load("lstm")
    requests = (Request.check(card, text=PROMPT, seed=seed, settings={"length": tokens}) for seed in count())
    long = (each for each in requests if sum(1 for _ in model.generate(replace(each, watched=False))) == tokens)
    return list(islice(long, wanted))
