"""Keeps what the page shows before any model is loaded: stored examples, and one example as it looked while the model learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from generators.base import Request
from generators.lstm import Run
from generators.lstm.card import CARD
from generators.trace import Trace, save_series
from generators.training import read_weights, snapshot_steps

EXAMPLES: dict[str, dict[str, Mapping[str, Any]]] = {
    "tales_en": {
        "the-wolf-and-the-fox": {"text": '"Who are you?" said the wolf.', "seed": 1, "settings": {"temperature": 0.5, "length": 80}},
        "behind-the-door": {"text": "The princess opened the door and", "seed": 2, "settings": {"length": 110}},
        "the-old-witch": {"text": "The old witch looked at the boy and said", "seed": 3, "settings": {"temperature": 0.5, "length": 90}},
        "the-king-of-the-frog": {"text": "The frog jumped out of the water.", "seed": 2, "settings": {"temperature": 0.5, "length": 90}},
        "the-giant-mouse": {
            "text": "The Giant And The Mouse",
            "seed": 3,
            "settings": {"temperature": 0.5, "length": 90, "start": "title"},
        },
        "a-farmer-in-a-great-city": {"text": "Once upon a time", "seed": 1, "settings": {"temperature": 0.7, "length": 110}},
        "a-poor-woodcutter": {
            "text": "A poor woodcutter lived with his wife",
            "seed": 2,
            "settings": {"temperature": 0.5, "length": 90},
        },
    },
    "poems_zh": {
        "a-flute-in-the-southern-hills": {"seed": 1, "settings": {"form": "7", "temperature": 0.8}},
        "moss-on-the-water": {"text": "明月松间照", "seed": 2, "settings": {"temperature": 0.7}},
        "to-an-old-friend": {"text": "明月松间照", "seed": 13, "settings": {"temperature": 0.7}},
        "farewell-to-a-friend": {"text": "送友人", "seed": 3, "settings": {"form": "5", "start": "title", "temperature": 0.8}},
        "autumn-night": {"text": "秋夜", "seed": 2, "settings": {"form": "7", "start": "title", "temperature": 0.8}},
        "from-yellow-crane-tower": {"text": "故人西辞黄鹤楼", "seed": 1, "settings": {"temperature": 0.8}},
        "two-years-of-dreams": {"text": "白云", "seed": 2, "settings": {"temperature": 0.7}},
        "plum-blossom": {"text": "梅花", "seed": 7, "settings": {"form": "7", "start": "title", "temperature": 0.7}},
    },
}
"""Variant → file name → what `Request.check` takes. The first of each is the one that is seen learning."""


def record(variant: str, folder: Path, work: Path) -> None:
    """Write examples/*.npz and learning.npz into a variant's folder. work: where the training left its `snapshots`."""
    run = Run.load(folder)
    for old in (folder / "examples").glob("*.npz"):
        old.unlink()
    for name, given in EXAMPLES[variant].items():
        example(run, Request.check(CARD, variant=variant, **given)).save(folder / "examples" / f"{name}.npz")
    first = next(iter(EXAMPLES[variant].values()))
    save_series(folder / "learning.npz", learning(run, Request.check(CARD, variant=variant, **first), work / "snapshots"))


def example(run: Run, request: Request) -> Trace:
    """The run, with the three components of its most telling row and of the row that the page pins first."""
    plain = run.trace(request)
    pinned = [run.trace(replace(request, pin=query)) for query in sorted({telling(plain), first_pinned(plain)})]
    details = [tuple(each for step in steps for each in step.details) for steps in zip(*(trace.steps for trace in pinned), strict=True)]
    steps = [replace(step, details=kept) for step, kept in zip(plain.steps, details, strict=True)]
    return Trace(plain.generator, plain.variant, plain.request, steps).rounded()


def first_pinned(trace: Trace) -> int:
    """The row that the card names, else the one that chose the last word."""
    pin = CARD.variant(trace.variant).pin
    rows = len(trace.tokens) - 1
    if 0 <= pin.query < rows:
        return pin.query
    words = [row for row in range(rows) if any(map(str.isalnum, trace.tokens[row + 1])) and not trace.tokens[row + 1].startswith("⟨")]
    return words[-1] if words else rows - 1


def telling(trace: Trace) -> int:
    """The row that chose a token and looks most at one word further back, under the head that the card names."""
    pin = CARD.variant(trace.variant).pin
    weights = trace.map(pin.kind, pin.layer)  # (H, Q, K)
    rows = weights.mean(0) if pin.head is None else weights[pin.head]
    first = len(trace.steps[0].prompt) - 1
    far = np.tril(rows, -3)
    far[:, [label.startswith("⟨") or not any(map(str.isalnum, label)) for label in trace.tokens[: far.shape[1]]]] = 0
    return first + int(far[first:].max(-1).argmax())


def learning(run: Run, request: Request, snapshots: Path) -> dict[int, Trace]:
    """Training step → the text that the trained model wrote, read by the model of that step."""
    there = sorted(int(path.stem) for path in snapshots.glob("*.safetensors"))
    wanted = {min(there, key=lambda each: abs(each - step)) for step in snapshot_steps(there[-1], 11)}
    forced = run.trace(request).forced
    series = {}
    model = run.model(True)
    final = {name: weight.clone() for name, weight in model.state_dict().items()}
    for step in sorted(wanted):
        model.load_state_dict(read_weights(snapshots / f"{step}.safetensors"))
        series[step] = run.trace(replace(request, forced=forced)).rounded()
    model.load_state_dict(final)
    return series
