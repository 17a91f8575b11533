"""How much travels: a run's messages, against the pages that other tools make of the same weights."""

from __future__ import annotations

import json
from collections.abc import Iterator

import torch

import generators
from generators.trace import Trace
from tests.benchmarks import Row
from tests.benchmarks.apart import other
from tests.benchmarks.long_runs import long_runs
from tests.benchmarks.made_up import made_up, message

TOKENS = 128
BERTVIZ_BARS = {"lstm": 12, "6 × 6 heads": 25}
CIRCUITSVIS_BAR = 12


def measure() -> Iterator[Row]:
    """One message for every token, the dearest way to send them, each a JSON string inside Gradio's JSON."""
    (request,) = long_runs(TOKENS)
    traces = {"`lstm`": generators.load("lstm").trace(request), "6 × 6 heads": made_up(6, 6, 8, TOKENS)}
    for name, trace in traces.items():
        ours = sum(sent_bytes(trace, step) for step in range(len(trace.steps)))
        others = {"BertViz's head view": (head_view_bytes(trace), BERTVIZ_BARS[name.strip("`")])}
        if name != "`lstm`":
            others["CircuitsVis's heads"] = (attention_heads_bytes(trace), CIRCUITSVIS_BAR)
        for tool, (theirs, bar) in others.items():
            yield Row(
                f"bytes of a {len(trace.forced)}-token run of {name} ÷ {tool}",
                f"1/{theirs / ours:.1f} ({ours:,} ÷ {theirs:,})",
                f"≤ 1/{bar}",
                ours * bar <= theirs,
            )


def sent_bytes(trace: Trace, step: int) -> int:
    """Of the message with that step."""
    return len(json.dumps(message(trace, "0123456789ab", step, 1), ensure_ascii=False).encode())


def head_view_bytes(trace: Trace) -> int:
    """Length of the HTML that BertViz's `head_view(…, html_action="return")` gives back for all layers."""
    weights = [torch.from_numpy(trace.map(kind, layer)[None]) for kind, layer in trace.maps()]  # each (1, H, Q, K)
    tokens = list(trace.tokens[: weights[0].shape[-1]])
    return len(other("bertviz").head_view(weights, tokens, html_action="return").data.encode())


def attention_heads_bytes(trace: Trace) -> int:
    """Length of the HTML of CircuitsVis's `attention_heads(…)` for all layers, one each, without the script that it fetches."""
    pages = []
    for kind, layer in trace.maps():
        weights = trace.map(kind, layer)  # (H, Q, K)
        pages.append(other("circuitsvis.attention").attention_heads(torch.from_numpy(weights), list(trace.tokens[: weights.shape[-1]])))
    return sum(len(str(page).encode()) for page in pages)
