"""Requests of a text model whose runs do not end before a given number of tokens."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, islice

import generators
from generators.base import Request

OPENINGS = ("Once upon a time", "There was once a king who had", "In the middle of the forest", "The old woman said", "Long ago")


def long_runs(tokens: int, wanted: int = 1, name: str = "lstm") -> list[Request]:
    """So many of them, by seed; found by running them, unwatched."""
    card, model = generators.card(name), generators.load(name)
    requests = (Request.check(card, text=OPENINGS[0], seed=seed, settings={"length": tokens}) for seed in count())
    long = (each for each in requests if sum(1 for _ in model.generate(replace(each, watched=False))) == tokens)
    return list(islice(long, wanted))
