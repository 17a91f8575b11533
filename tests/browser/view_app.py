"""The attention view alone, with runs that no model made: `?trace=words&how=stream`. What the view tells the server is shown."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np

from generators.trace import Detail
from page import wire
from page.view import AttentionView
from tests.browser.view_runs import TRACES, painted

HEADINGS: dict[str, dict[str, Any]] = {
    name: {
        "title": {"en": "Writer", "zh": "写手"},
        "variant_title": {"en": "Tales", "zh": "故事"},
        "produces": "picture" if name == "face" else "text",
        "anatomy": [[{"en": "LSTM", "zh": "LSTM"}, False], [{"en": "Attention", "zh": "注意力"}, True]],
        "pin": {"kind": "self", "layer": 0, "head": None, "query": -1},
    }
    for name in TRACES
}


def part(name: str, first: int, count: int) -> dict[str, Any]:
    trace = TRACES[name]
    return wire.message(trace, name, first, count, done=first + count >= len(trace.steps), head=HEADINGS[name])


def fetch(data: dict[str, Any]) -> dict[str, Any]:
    return part(data["run"], data["first"], 10**6)


def row(data: dict[str, Any]) -> dict[str, Any]:
    trace, query = TRACES[data["run"]], data["query"]
    weights = trace.map("self", 0)[:, query]
    keys = weights.shape[1] if trace.picture is not None else query + 1
    weights, ones = weights[:, :keys], np.ones((len(weights), keys, 4))
    scores = np.where(weights > 0, np.log(np.maximum(weights, 1e-9)), -np.inf)
    return wire.detail_message([Detail("self", 0, query, ones[:, 0], ones, ones, scores, weights, ones[:, 0])])


def learning(data: dict[str, Any]) -> dict[str, Any]:
    return wire.series_message({1: TRACES["branch"], 100: TRACES["words"]}) if data["generator"] == "writer" else {"series": []}


def film(data: dict[str, Any]) -> dict[str, Any]:
    pictures = [painted(data["seed"] + 40 * i).picture for i in range(7)]
    return {"pictures": [{"seed": data["seed"] + i, "url": wire.picture_url(each)} for i, each in enumerate(pictures) if each is not None]}


def opened(request: gr.Request) -> Iterator[dict[str, Any]]:
    """Messages of the run that the address names: at once, step by step, with a hole, or none but an error at the end."""
    name, how = request.query_params.get("trace", "words"), request.query_params.get("how", "")
    steps = len(TRACES[name].steps)
    if how == "hole":
        yield part(name, 0, 2)
        yield part(name, 5, steps)
    elif how == "stream":
        for first in range(steps):
            yield part(name, first, 1)
    else:
        yield part(name, 0, steps)
    if how == "error":
        yield {"run": name, "steps": [], "error": {"en": "That went wrong.", "zh": "出错了。"}}


def heard(event: gr.EventData) -> dict[str, Any]:
    return dict(event._data)


with gr.Blocks(fill_width=True) as demo:
    view = AttentionView(fetch=fetch, row=row, learning=learning, film=film)
    told = gr.JSON(elem_id="told")
    other = gr.Button("branch", elem_id="branch")
    demo.load(opened, None, view, show_progress="hidden")
    other.click(lambda: part("branch", 0, 99), None, view, show_progress="hidden")
    for listen in (view.pick, view.edit, view.face):
        listen(heard, None, told)

if __name__ == "__main__":
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    demo.launch(
        server_name="127.0.0.1",
        server_port=int(os.environ.get("PORT", "7861")),
        theme=gr.themes.Default(font=["system-ui"], font_mono=["monospace"]),
        ssr_mode=False,
        quiet="-v" not in sys.argv,
    )
