"""Runs that no model made, of any size: what the view and the wire are measured with."""

from __future__ import annotations

import json

import numpy as np

import generators
from generators.base import Request
from generators.trace import Attention, Choice, Step, Tokens, Trace
from generators.writing import KEPT
from page import wire

NAME = "gpt"
WORDS = (" the", " king", " of", " golden", ",", " and", " said", ".", " a", " daughter", " who", " had", " never", " seen", " it")


def made_up(layers: int, heads: int, prompt: int, written: int) -> Trace:
    """A run of a transformer of that size: sharp and flat heads, rows kept as every text generator keeps them."""
    dice = np.random.default_rng(0)
    labels = tuple(WORDS[place] for place in dice.integers(len(WORDS), size=prompt + written))
    card = generators.card(NAME)
    trace = Trace(NAME, card.default, Request.check(card, text="".join(labels[:prompt])).to_dict())
    sharp = np.linspace(0.5, 4, heads, dtype=np.float32)[:, None, None]
    for index in range(written):
        first, end = (0, prompt) if index == 0 else (prompt + index - 1, prompt + index)
        query, key = Tokens(labels[first:end]), Tokens(labels[:end])
        ahead = np.arange(end) > np.arange(first, end)[:, None]  # (Q, K)
        rows = []
        for layer in range(layers):
            powers = np.exp(sharp * dice.standard_normal((heads, end - first, end), np.float32))
            powers[:, ahead] = 0
            rows.append(Attention("self", layer, powers / powers.sum(-1, keepdims=True), query, key, first).strongest(KEPT))
        others = (Choice(number, word, 0.5**number) for number, word in enumerate(WORDS[:7], 2))
        choices = (Choice(1, labels[prompt + index], 0.5), *others)
        stop = "length" if index + 1 == written else ""
        trace.add(Step(index, tuple(rows), choices[0].label, labels[:prompt] if index == 0 else (), choices[0], choices, stop=stop))
    return trace


def message(trace: Trace, run_id: str, first: int, count: int, *, stored: bool = False) -> str:
    """The message with these steps, as the browser gets it. stored: shown at once, as an example is."""
    card = generators.card(trace.generator)
    head = wire.heading(card, Request.from_dict(card, trace.request), stored=stored)
    sent = wire.message(trace, run_id, first, count, done=first + count >= len(trace.steps), head=head)
    return json.dumps(sent, ensure_ascii=False, separators=(",", ":"))
