"""The attention view alone, with runs that no model made: `?trace=words&how=stream`, or two of them beside each other:
`?pair=words,twin`. What the view tells the server is shown."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np

from generators.pictures import to_png
from generators.trace import Attention, Detail, Grid
from page import wire
from page.view import AttentionView
from tests.browser.view_runs import TRACES, painted, portrait, redrawn

CLAIM = {
    "en": "A fixed vector cannot hold a long sentence: without attention, quality falls as sentences grow (Bahdanau, Cho, Bengio 2015).",
    "zh": "一个固定向量装不下长句：没有注意力，句子越长质量越差（Bahdanau 等，2015）。",
}
METRIC = [("1_4", 52.1, 47.0), ("5_8", 41.3, 30.2), ("9_12", 33.8, 19.5), ("13_up", 27.2, 10.4)]
FIGURES = {
    "metrics": {f"bleu_len_{name}": {"with": one, "without": other, "better": "higher", "n": 200} for name, one, other in METRIC},
    "length_unit": {"en": "words in the source", "zh": "源句词数"},
}
CURVES = wire.curves(FIGURES, CLAIM)
DOES = ("before", "first", "same", "after_same")
SHARES = ((0.62, 0.1, 0.0, 0.0), (0.05, 0.45, 0.02, 0.01), (0.05, 0.08, 0.31, 0.02), (0.03, 0.08, 0.05, 0.52), (0.05, 0.08, 0.03, 0.02))
HEADS = {"self": [[dict(zip(DOES, SHARES[(layer + head) % 5], strict=True)) for head in range(4)] for layer in range(4)]}

FRECHET = {"with": 3.12, "without": 3.91, "better": "lower", "unit": "", "floor": 0.9, "n": 5000}
QUALITY = {
    "metrics": {
        "frechet": FRECHET | {"with_seeds": [5.1, 5.2, 5.5], "without_seeds": [5.9, 6.0, 6.1]},
        "precision": {"with": 0.71, "without": 0.69, "better": "higher", "with_seeds": [0.7, 0.6], "without_seeds": [0.65, 0.66]},
        "psnr": {"with": 24.8, "without": 24.9, "better": "higher", "unit": "dB", "n": 1000},
        "nearest_train": {"with": 14.2},
        "nearest_held_out": {"with": 13.9},
    },
    "memory": {
        "unit": {"en": "grey levels", "zh": "灰阶"},
        "edges": [float(each) for each in range(4, 33, 2)],
        "made": [2, 18, 64, 122, 173, 190, 162, 118, 72, 40, 22, 10, 5, 2],
        "held_out": [5, 26, 80, 140, 181, 178, 150, 104, 66, 38, 18, 9, 4, 1],
        "closer": 0.008,
        "n": 1000,
    },
}
PAINTER = {"figures": wire.headline(QUALITY, ("frechet", "precision")), "memory": wire.memory(QUALITY), "gallery": True, "twin": True}
REDRAWER = {"accepts": ["text", "picture"], "figures": wire.headline(QUALITY, ("psnr",)), "grid": 16}
PICTURES = {"face": {"gallery": True}, "memory": PAINTER, "read": REDRAWER, "fill": REDRAWER}

SHARES_OF_TRUTH = [
    [[round(0.5 + 0.06 * layer + 0.03 * head + 0.01 * step, 3) for step in range(21)] for head in range(5)] for layer in range(4)
]
BEST = {"layer": 3, "head": 2, "step": 14, "threshold": 0.4}
TRUTH = {"kind": "cross", "n": 1000, "uniform": 0.14, "steps": 20, "pointing": SHARES_OF_TRUTH, "iou": SHARES_OF_TRUTH, "best": BEST}
TOLD = {"kind": "cross", "n": 1000, "uniform": 0.12, "steps": 1, "pointing": [[[0.95], [0.95]]], "iou": [[[0.43], [0.43]]]}
PAINTS = {
    "produces": "picture",
    "accepts": ["text"],
    "pin": {"kind": "cross", "layer": 3, "head": None, "query": 135},
    "truth": wire.truth({"truth": TRUTH}),
}
TELLS = {"accepts": ["picture"], "pin": {"kind": "cross", "layer": 0, "head": None, "query": 0}, "truth": wire.truth({"truth": TOLD})}

COST = {"multiply_adds": 1_530_000, "milliseconds": 1.24, "per": "token"}
BITS = {"name": "bits_per_char", "unit": "", "better": "lower", "n": 5000}
CARDS = {
    "words": {"parameters": 1_486_080, "minutes": 43, "cost": COST, "figures": [BITS | {"value": 2.031}]},
    "twin": {"parameters": 1_487_104, "minutes": 130, "cost": COST, "figures": [BITS | {"value": 2.094}]},
}

HEADINGS: dict[str, dict[str, Any]] = {
    name: {
        "title": {"en": "Writer", "zh": "写手"},
        "variant_title": {"en": "Tales", "zh": "故事"},
        "accepts": [],
        "produces": "picture" if name in PICTURES else "text",
        "anatomy": [[{"en": "LSTM", "zh": "LSTM"}, False], [{"en": "Attention", "zh": "注意力"}, True]],
        "pin": {"kind": "cross" if trace.generator == "translator" else "self", "layer": 0, "head": None, "query": -1},
        **PICTURES.get(name, {}),
        **({"mixer": PAINTS, "teller": TELLS}.get(trace.generator, {})),
        **({"curves": CURVES} if trace.generator == "translator" else {}),
        **({"heads": HEADS} if name == "layers" else {}),
        **({"card": CARDS[name]} if name in CARDS else {}),
    }
    for name, trace in TRACES.items()
}


def part(name: str, first: int, count: int) -> dict[str, Any]:
    trace = TRACES[name]
    return wire.message(trace, name, first, count, done=first + count >= len(trace.steps), head=HEADINGS[name])


def fetch(data: dict[str, Any]) -> dict[str, Any]:
    return part(data["run"], data["first"], 10**6)


def row(data: dict[str, Any]) -> dict[str, Any]:
    trace, query = TRACES[data["run"]], data["query"]
    kind = trace.maps()[0][0]
    if "step" in data:
        return wire.detail_message([exact(each, query) for each in trace.steps[data["step"]].attentions if query < len(each.query)])
    weights = trace.map(kind, 0)[:, query]
    keys = query + 1 if kind == "self" and trace.picture is None else weights.shape[1]
    weights, ones = weights[:, :keys], np.ones((len(weights), keys, 4))
    scores = np.where(weights > 0, np.log(np.maximum(weights, 1e-9)), -np.inf)
    direction = ones[0, 0] if kind == "cross" else None
    return wire.detail_message([Detail(kind, 0, query, ones[:, 0], ones, ones, scores, weights, ones[:, 0], direction)])


def exact(part: Attention, query: int) -> Detail:
    """Details whose scores are the logarithms of the weights."""
    weights = part.weights[:, query].astype(np.float64)
    ones = np.ones((*weights.shape, 4))
    return Detail(part.kind, part.layer, query, ones[:, 0], ones, ones, np.log(weights), weights, ones[:, 0] * weights.max())


def maps(data: dict[str, Any]) -> dict[str, Any]:
    """All heads of a step; cells look at cells near them."""
    trace, step = TRACES[data["run"]], data["step"]
    if data["kind"] == "cross":
        return wire.maps_message(wire.maps_of(trace, "cross", step), step)
    near, axis = redrawn(side=8, layers=1).steps[0].attentions[-1].weights, Grid(8, 8)
    return wire.maps_message([Attention("self", layer, near, axis, axis) for layer in range(2)], step)


def learning(data: dict[str, Any]) -> dict[str, Any]:
    return wire.series_message({1: TRACES["branch"], 100: TRACES["words"]}) if data["generator"] == "writer" else {"series": []}


def film(data: dict[str, Any]) -> dict[str, Any]:
    pictures = [painted(data["seed"] + 40 * i).picture for i in range(7)]
    return {"pictures": [{"seed": data["seed"] + i, "url": to_png(each)} for i, each in enumerate(pictures) if each is not None]}


def gallery(data: dict[str, Any]) -> dict[str, Any]:
    """Portraits; the twin's have another colour."""
    wanted = ("with", "without") if data["compare"] else ("without" if data["without"] else "with",)
    seeds = range(data["seed"], data["seed"] + 16)
    shift = {"with": 0, "without": 1000}
    return {"sheets": {name: [{"seed": seed, "url": to_png(portrait(seed + shift[name]))} for seed in seeds] for name in wanted}}


def rubbed(event: gr.EventData) -> dict[str, Any]:
    """The portrait with those cells hidden, as another run."""
    hidden = tuple(event._data["hidden"])
    trace = redrawn(hidden)
    name = f"rubbed-{'-'.join(map(str, hidden))}"
    TRACES[name] = trace
    return wire.message(trace, name, 0, 1, done=True, head=HEADINGS["fill"])


def opened(request: gr.Request) -> Iterator[dict[str, Any]]:
    """Messages of the run that the address names: at once, step by step, with a hole; then another run (`then`), or an error."""
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
    if "then" in request.query_params:
        yield part(request.query_params["then"], 0, 10**6)
    if how == "error":
        yield {"run": name, "steps": [], "error": {"en": "That went wrong.", "zh": "出错了。"}}


def beside(request: gr.Request) -> Iterator[dict[str, Any]]:
    """Messages of two runs that the address names, a step of each at a time; then another pair or run (`then`)."""
    names = request.query_params["pair"].split(",")
    for first in range(max(len(TRACES[name].steps) for name in names)):
        sides = zip(("a", "b"), names, strict=True)
        yield {"pair": {pane: part(name, first, 1) for pane, name in sides if first < len(TRACES[name].steps)}, "turn": 1}
    if "then" in request.query_params:
        yield part(request.query_params["then"], 0, 10**6) | {"turn": 2}


def shown(request: gr.Request) -> Iterator[dict[str, Any]]:
    """What the address asks for."""
    yield from beside(request) if "pair" in request.query_params else opened(request)


def heard(event: gr.EventData) -> dict[str, Any]:
    return dict(event._data)


with gr.Blocks(fill_width=True) as demo:
    view = AttentionView(fetch=fetch, row=row, maps=maps, learning=learning, film=film, gallery=gallery)
    told = gr.JSON(elem_id="told")
    other = gr.Button("branch", elem_id="branch")
    demo.load(shown, None, view, show_progress="hidden")
    other.click(lambda: part("branch", 0, 99), None, view, show_progress="hidden")
    view.rub(rubbed, None, view, show_progress="hidden", trigger_mode="multiple")
    for listen in (view.pick, view.edit, view.face, view.rub):
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
