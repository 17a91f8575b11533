"""Keeps what the page shows before any model is loaded: stored examples, and one example as it looked while the model learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from torch import nn

from generators.base import Card, Pin, Request
from generators.trace import Axis, Tokens, Trace, save_series
from generators.training import read_weights, snapshot_steps

LEARNING_STEPS = 11  # training steps at which the first example is shown, at most
FAR = 3  # tokens back from which a look counts as telling


class Learned(Protocol):
    """A text generator whose model can be taken out and given other weights."""

    card: ClassVar[Card]

    def trace(self, request: Request) -> Trace: ...

    def model(self, attention: bool) -> nn.Module: ...


def record(run: Learned, variant: str, examples: Mapping[str, Mapping[str, Any]], folder: Path, snapshots: Path) -> None:
    """Write examples/*.npz and learning.npz into a variant's folder.

    examples: file name → what `Request.check` takes; the first is the one that is seen learning. snapshots: weights on the way, one
    file a training step, named by it.
    """
    for old in (folder / "examples").glob("*.npz"):
        old.unlink()
    requests = {name: Request.check(run.card, variant=variant, **given) for name, given in examples.items()}
    for name, request in requests.items():
        example(run, request).save(folder / "examples" / f"{name}.npz")
    save_series(folder / "learning.npz", learning(run, next(iter(requests.values())), snapshots))


def example(run: Learned, request: Request) -> Trace:
    """The run, with the three components of its most telling row and of the row that the page pins first."""
    plain = run.trace(request)
    pin = run.card.variant(request.variant).pin
    pinned = [run.trace(replace(request, pin=query)) for query in sorted({telling(plain, pin), first_pinned(plain, pin)})]
    details = [
        tuple(replace(each, key=None, value=None) for step in steps for each in step.details)
        for steps in zip(*(trace.steps for trace in pinned), strict=True)
    ]
    steps = [replace(step, details=kept) for step, kept in zip(plain.steps, details, strict=True)]
    return Trace(plain.generator, plain.variant, plain.request, steps).rounded()


def first_pinned(trace: Trace, pin: Pin) -> int:
    """The row that the pin names, else the one that chose the last word."""
    chosen, first = _chosen(trace, pin)
    if 0 <= pin.query < first + len(chosen):
        return pin.query
    words = [row for row, label in enumerate(chosen) if _is_word(label)]
    return first + (words[-1] if words else len(chosen) - 1)


def telling(trace: Trace, pin: Pin) -> int:
    """The row that chose a token and looks most at one word or cell, under the pin's head; where rows look back, at one further back."""
    weights = trace.map(pin.kind, pin.layer)  # (H, Q, K)
    rows = weights.mean(0) if pin.head is None else weights[pin.head]
    looked_at = _keys(trace, pin)
    rows = rows[:, : len(looked_at)].copy()
    if isinstance(looked_at, Tokens):
        rows[:, [not _is_word(label) for label in looked_at.labels]] = 0
    if pin.kind == "self":
        rows = np.tril(rows, -FAR)
    chosen, first = _chosen(trace, pin)
    return first + int(rows[first : first + len(chosen)].max(-1).argmax())


def learning(run: Learned, request: Request, snapshots: Path) -> dict[int, Trace]:
    """Training step → the text that the trained model wrote, read by the model of that step."""
    there = sorted(int(path.stem) for path in snapshots.glob("*.safetensors"))
    wanted = {min(there, key=lambda each: abs(each - step)) for step in snapshot_steps(there[-1], LEARNING_STEPS)}
    forced = run.trace(request).forced
    series = {}
    model = run.model(True)
    final = {name: weight.clone() for name, weight in model.state_dict().items()}
    for step in sorted(wanted):
        model.load_state_dict(read_weights(snapshots / f"{step}.safetensors"))
        series[step] = run.trace(replace(request, forced=forced)).rounded()
    model.load_state_dict(final)
    return series


def _chosen(trace: Trace, pin: Pin) -> tuple[tuple[str, ...], int]:
    """Labels of the chosen tokens, and the row that chose the first of them: the prompt's last, or row 0 of another axis."""
    prompt = len(trace.steps[0].prompt)
    return trace.tokens[prompt:], prompt - 1 if pin.kind == "self" else 0


def _keys(trace: Trace, pin: Pin) -> Axis:
    """The keys of the pin's map."""
    axes = (each.key for step in reversed(trace.steps) for each in step.attentions if (each.kind, each.layer) == (pin.kind, pin.layer))
    return next(axes)


def _is_word(label: str) -> bool:
    return not label.startswith("⟨") and any(map(str.isalnum, label))
