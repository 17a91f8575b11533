"""How much travels: a run's messages, against the page that BertViz's head view makes of the same weights."""

from __future__ import annotations

import importlib
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import torch

import generators
from generators.trace import Trace
from page import wire
from tests.benchmarks import Row
from tests.benchmarks.long_runs import long_runs

TOKENS = 128
BAR = 12
INSTALLED_APART = Path(__file__).parents[2] / ".venv" / "bertviz"


def measure() -> Iterator[Row]:
    """One message for every token, the dearest way to send them, each a JSON string inside Gradio's JSON."""
    (request,) = long_runs(TOKENS)
    trace = generators.load("lstm").trace(request)
    head = wire.heading(generators.card("lstm"), request)
    last = len(trace.steps) - 1
    ours = sum(sent_bytes(wire.message(trace, "0123456789ab", step, 1, done=step == last, head=head)) for step in range(last + 1))
    theirs = head_view_bytes(trace)
    yield Row(
        f"bytes of a {len(trace.forced)}-token run of `lstm` ÷ BertViz's head view",
        f"1/{theirs / ours:.1f} ({ours:,} ÷ {theirs:,})",
        f"≤ 1/{BAR}",
        ours * BAR <= theirs,
    )


def sent_bytes(message: dict[str, object]) -> int:
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return len(json.dumps(text, ensure_ascii=False).encode())


def head_view_bytes(trace: Trace) -> int:
    """Length of the HTML that `head_view(…, html_action="return")` gives back for all layers."""
    weights = [torch.from_numpy(trace.map(kind, layer)[None]) for kind, layer in trace.maps()]  # each (1, H, Q, K)
    tokens = list(trace.tokens[: weights[0].shape[-1]])
    return len(bertviz().head_view(weights, tokens, html_action="return").data.encode())


def bertviz() -> types.ModuleType:
    """BertViz itself; of the notebook that it asks for, only the class that holds a text is needed."""

    class Shown:
        def __init__(self, data: str) -> None:
            self.data = data

    display = types.ModuleType("IPython.display")
    display.HTML = display.Javascript = display.display = Shown  # type: ignore[attr-defined]
    sys.modules.setdefault("IPython", types.ModuleType("IPython"))
    sys.modules.setdefault("IPython.display", display)
    if str(INSTALLED_APART) not in sys.path:
        sys.path.append(str(INSTALLED_APART))
    return importlib.import_module("bertviz")
