"""What the browser gets of a run: messages of strings and numbers. numpy only, no torch, no gradio.

Letters: H heads, Q queries (new rows only), K keys, C keys kept of a long row.

A weight p travels as one byte u = round(255·√p), so small weights keep their digits; the browser reads (u/255)², which is
off by at most (2√p + 1/510)/510. Causal rows are cut behind their own position. Exact numbers come in `detail_message`.
The bytes of all maps of a message follow each other in one string, deflated where that saves something (of very many bytes each map
has a string of its own, so that the view can unpack first what it shows first); of a long row, of which
only the strongest keys were kept, the gaps between their places come after the weights.
Of maps that every step computes anew (cells of a picture that forms, looking at words) a step has the mean of its heads, the last
step all of them; the other steps' come in `maps_message` when they are asked for.
What the step before said already, and what follows from the rest, is left out: half of a message is its names.
A view that misses messages (a hidden tab) sees it by `first` and asks for the rest: the same message, from where it stands.
"""

from __future__ import annotations

import math
import re
import zlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np

from generators.base import Card, Request
from generators.edits import Kind
from generators.metrics import mean_and_spread
from generators.pictures import to_png
from generators.trace import Attention, Axis, Choice, Detail, Grid, Region, Step, Tokens, Trace, Words

WORTH_PACKING = 256  # bytes from which a message is deflated, if that saves a tenth
WORTH_HASTE = 2**18  # bytes from which it is deflated quickly rather than well
WORTH_PARTING = 2**20  # bytes from which each map is deflated by itself: the view unpacks first what it shows first
CANDIDATES = 6  # that the view shows
DIGITS = 5  # of exact numbers
PROBABILITY_DIGITS = 3
SAME = 0.003  # of a figure: two models that are no further apart are as good as each other
BY_LENGTH = re.compile(r"(\w+)_len_(\d+)_(\d+|up)")
Side = Literal["with", "without"]
SIDES: tuple[Side, ...] = get_args(Side)
GREY_LEVELS = {"en": "grey levels", "zh": "灰阶"}  # of 255, in which pictures are apart

Verdict = Literal["better", "worse", "undecided", ""]
"""Of attention: "" where there is nothing to compare."""

OF_WRITERS = ("bleu", "word_error", "bits_per_char", "copied_name_64")
"""Metrics under a run of a model whose card names no headline: of those that it has."""


def quantise(weights: np.ndarray) -> np.ndarray:
    """One byte a weight: round(255·√p). Any shape; returns uint8."""
    levels: np.ndarray = np.sqrt(weights, dtype=np.float32)
    levels *= 255
    np.minimum(np.rint(levels, out=levels), 255, out=levels)
    whole: np.ndarray = levels.astype(np.uint8)
    return whole


def error_bound(weight: float) -> float:
    """How far a weight that travelled as one byte can be off."""
    return (2 * math.sqrt(weight) + 1 / 510) / 510


def heading(card: Card, request: Request, *, stored: bool = False, figures: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the view says about a run before its first step: names, parts of the network, what is pinned first.

    figures: the variant's card.json: figures by length, the headline, what it remembers of its pupils, what its heads do.
    grid: cells a side of which any may be rubbed out. gallery: whether many seeds can be asked for at once; twin: whether without, too.
    truth: how often a word's map points at its thing, by layer, head and step. card: what the model of the side shown costs and can do.
    """
    variant, found = card.variant(request.variant), figures or {}
    measured = {"curves": curves(found, card.claim), "heads": _habits(found)}
    measured |= {"figures": headline(found, card.headline), "memory": memory(found), "truth": truth(found)}
    measured["card"] = costs(found, card.headline or OF_WRITERS, "with" if request.attention else "without")
    offered = {"grid": variant.grid, "gallery": card.gallery, "twin": card.twin and card.gallery}
    return {
        "title": dict(card.title),
        "variant_title": dict(variant.title),
        "network": dict(card.network or card.title),
        "icon": variant.icon,
        "language": variant.language,
        "accepts": list(card.accepts),
        "produces": card.produces,
        "anatomy": [[dict(words), attention] for words, attention in card.anatomy],
        "labels": {setting.name: dict(setting.label) for setting in card.settings_of(variant.name)},
        "pin": {"kind": variant.pin.kind, "layer": variant.pin.layer, "head": variant.pin.head, "query": variant.pin.query},
        "stored": stored,
        **{name: each for name, each in (measured | offered).items() if each},
    }


def headline(figures: Mapping[str, Any], names: Iterable[str]) -> list[dict[str, Any]]:
    """The figures that are said under what was made, by those names of a card.json's metrics, with their verdict.

    Of a metric that was repeated over seeds, seeds, spread (the larger of the two sides) and means: {"with": …, "without": …}.
    """
    metrics = figures.get("metrics", {})
    return [
        _figure(name, metrics[name]) for name in names if isinstance(metrics.get(name), Mapping) and _is_number(metrics[name].get("with"))
    ]


def costs(figures: Mapping[str, Any], names: Iterable[str], side: Side) -> dict[str, Any]:
    """What a card.json says of one side alone: parameters, minutes of training, cost of a token or a picture, its headline; what it does
    not say is left out. {} if it says nothing."""
    training = figures.get("training" if side == "with" else "training_without") or {}
    size = training.get("parameters", figures.get("parameters") if side == "with" else None)
    cost = figures.get("cost") or {}
    said: dict[str, Any] = {"parameters": size, "minutes": training.get("minutes")}
    found = {name: value for name, value in said.items() if _is_number(value)}
    if isinstance(cost.get(side), Mapping):
        found["cost"] = {**{name: value for name, value in cost[side].items() if _is_number(value)}, "per": cost.get("per", "")}
    measured = [
        {name: each[name] for name in ("name", "unit", "better", "n", "floor", "verdict") if name in each} | {"value": each[side]}
        for each in headline(figures, names)
        if side in each
    ]
    return found | ({"figures": measured} if measured else {})


def _figure(name: str, metric: Mapping[str, Any]) -> dict[str, Any]:
    said = {"name": name, "unit": metric.get("unit", ""), "better": metric.get("better", "higher"), "verdict": verdict(metric)}
    said |= {part: metric[part] for part in (*SIDES, "floor", "n") if _is_number(metric.get(part))}
    seeds = {side: metric.get(f"{side}_seeds") or [] for side in SIDES}
    if all(seeds.values()):
        repeated = {side: mean_and_spread(values) for side, values in seeds.items()}
        said |= {"seeds": min(map(len, seeds.values())), "spread": _rounded(max(spread for _, spread in repeated.values()))}
        said["means"] = {side: _rounded(average) for side, (average, _) in repeated.items()}
    return said


def verdict(metric: Mapping[str, Any]) -> Verdict:
    """Whether attention helped: by the means of the seeds where there are some, else by the shipped pair.

    Undecided where the sides are no further apart than the larger of their standard deviations; of one pair without seeds, than SAME of
    the larger figure, or where other held-out rows could turn it round (`interval`, generators.chance).
    """
    pairs = [metric.get(f"{side}_seeds") or [metric.get(side)] for side in SIDES]
    if not all(_is_number(value) for values in pairs for value in values):
        return ""
    (one, spread), (other, other_spread) = map(mean_and_spread, pairs)
    if abs(one - other) <= max(spread, other_spread, 0 if len(pairs[0]) > 1 else SAME * max(abs(one), abs(other))):
        return "undecided"
    between = metric.get("interval")
    if between and len(pairs[0]) == 1 and between[0] <= 1 <= between[1]:
        return "undecided"
    return "better" if (one < other) == (metric.get("better") == "lower") else "worse"


def memory(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a model of pictures copies its pupils, as its card.json has it: distances to the nearest training picture as two histograms
    over common edges, of what it made and of pictures that it never saw; `closer` says what share it made too near. {} if not measured."""
    found, metrics = figures.get("memory"), figures.get("metrics", {})
    if not isinstance(found, Mapping) or not all(part in found for part in ("edges", "made", "held_out", "closer")):
        return {}
    nearest = {name: metrics.get(name, {}).get("with") for name in ("nearest_train", "nearest_held_out")}
    return {"unit": GREY_LEVELS, **found, **{name: _rounded(value) for name, value in nearest.items() if _is_number(value)}}


def truth(figures: Mapping[str, Any]) -> dict[str, Any]:
    """How the maps of words stand to the things that the words name, as a card.json has it: shares of pictures by layer, by head and the
    mean of them, by step (as many as the longest there); what a uniform map would reach; which map is best. {} if not measured."""
    found = figures.get("truth")
    if not isinstance(found, Mapping) or not all(part in found for part in ("kind", "n", "uniform", "steps", "pointing")):
        return {}
    tables = {name: _shares(found[name]) for name in ("pointing", "iou") if name in found}
    return {name: part for name, part in found.items() if name in ("kind", "n", "uniform", "steps", "best")} | tables


def _shares(table: Any) -> Any:
    """A nested list of shares, each with three digits."""
    return [_shares(each) for each in table] if isinstance(table, list) else round(float(table), 3)


def curves(figures: Mapping[str, Any], claim: Words | None = None) -> list[dict[str, Any]]:
    """Figures by length of the source, as a card.json has them (`NAME_len_FROM_TO`, `NAME_len_FROM_up`), one curve for each NAME."""
    found: dict[str, dict[str, Any]] = {}
    for metric, given in figures.get("metrics", {}).items():
        parts = BY_LENGTH.fullmatch(metric)
        if parts is None or not isinstance(given, Mapping):
            continue
        name, start, end = parts.groups()
        curve = found.setdefault(name, {"name": name, "unit": given.get("unit", ""), "better": given.get("better", "higher"), "points": []})
        point = {"from": int(start), "to": None if end == "up" else int(end)}
        curve["points"].append(point | {side: given[side] for side in SIDES if isinstance(given.get(side), (int, float))})
    for curve in found.values():
        curve["points"].sort(key=lambda point: point["from"])
        curve["length_unit"] = dict(figures.get("length_unit", {}))
        curve |= {"claim": dict(claim)} if claim else {}
    return list(found.values())


def _habits(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What each head was measured to do: kind → layers → heads → {habit: share}."""
    heads = figures.get("heads", {})
    return {
        kind: [[{habit: round(float(share), 3) for habit, share in head.items()} for head in layer] for layer in layers]
        for kind, layers in heads.items()
    }


def message(
    trace: Trace,
    run_id: str,
    first: int,
    count: int,
    *,
    done: bool,
    head: Mapping[str, Any] | None = None,
    error: Words | None = None,
) -> dict[str, Any]:
    """Steps `first` to `first + count` of a run; with what heads it where they are the first. No steps yet: the view waits."""
    steps = trace.steps[first : first + count]
    tokens, prompt = trace.tokens, len(trace.steps[0].prompt) if trace.steps else 0
    data: list[bytes] = []
    sent: dict[str, Any] = {
        "run": run_id,
        "first": first,
        "count": len(steps),
        "steps": [_step(step, trace.steps[step.index - 1] if step.index else None, tokens, prompt, data) for step in steps],
        "done": done,
        **_packed(data),
    }
    if first == 0:
        sent["head"] = {
            "generator": trace.generator,
            "variant": trace.variant,
            "request": {name: part for name, part in trace.request.items() if name != "picture"},  # the first step has it
            "seed": trace.request.get("seed", 0),
            "attention": bool(trace.request.get("attention", True)),
            "prompt": list(trace.steps[0].prompt) if trace.steps else [],
            **(head or {}),
        }
    if error is not None:
        sent["error"] = dict(error)
    return sent


def detail_message(details: Iterable[Detail]) -> dict[str, Any]:
    """The three components of one query, exact: scores (null where it may not look), weights, context; and q. additive: how it scores."""
    return {"details": [_detail(each) for each in details]}


def maps_of(trace: Trace, kind: Kind, step: int | None = None) -> tuple[Attention, ...]:
    """The maps of one kind that a step kept, by layer; None: each averaged over the steps. Empty where none was kept."""
    steps = trace.steps if step is None else trace.steps[step : step + 1]
    found: dict[int, list[Attention]] = {}
    for each in (each for one in steps for each in one.attentions if each.kind == kind):
        found.setdefault(each.layer, []).append(each)
    return tuple(_averaged(found[layer]) for layer in sorted(found))


def _averaged(maps: list[Attention]) -> Attention:
    if len(maps) == 1:
        return maps[0]
    weights: np.ndarray = np.stack([each.weights for each in maps]).mean(0, dtype=np.float32)
    known = [each.used for each in maps if each.used is not None]
    used: np.ndarray | None = np.max(np.stack(known), axis=0) if known else None
    return replace(maps[0], weights=weights, used=used)


def maps_message(maps: Iterable[Attention], step: int | None = None) -> dict[str, Any]:
    """Whole maps with all their heads and both axes, of one step (None: averaged over all): what a run's own messages leave out."""
    data: list[bytes] = []
    sent = [_map(each, None, (), -1, data) for each in maps]
    return {"step": step, "maps": sent, **_packed(data)}


def series_message(series: Mapping[int, Trace], head: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One example while its model learned: a whole run by training step, in order."""
    return {
        "series": [
            {"step": step, "message": message(trace, f"learned-{step}", 0, len(trace.steps), done=True, head=head)}
            for step, trace in sorted(series.items())
        ]
    }


def _packed(maps: list[bytes]) -> dict[str, Any]:
    """The bytes of all maps: as `_base64` says, of all that follow each other; `apart` one by one where they are many."""
    size = sum(map(len, maps))
    if size < WORTH_PARTING:
        return _base64(b"".join(maps)) if size else {}
    return {"apart": [_base64(each) for each in maps]}


def _base64(data: bytes) -> dict[str, str]:
    """`packed` if deflated, else `data`."""
    if len(data) >= WORTH_PACKING:
        packed = zlib.compress(data, 1 if len(data) >= WORTH_HASTE else 6)
        if len(packed) < 0.9 * len(data):
            return {"packed": b64encode(packed).decode()}
    return {"data": b64encode(data).decode()}


def _step(step: Step, before: Step | None, tokens: tuple[str, ...], prompt: int, data: list[bytes]) -> dict[str, Any]:
    """One step; parts that say nothing are left out. chosen: place among the candidates, from 1; text: where it is not theirs.

    maps: one for each, or the number that is `first` in all of them where that is all there is to say. Their bytes go into `data`.
    """
    choices = [_choice(each) for each in step.candidates[:CANDIDATES]]
    chosen = step.chosen and _choice(step.chosen)
    if chosen and chosen not in choices:
        choices[CANDIDATES - 1 :] = [chosen]
    parts: dict[str, Any] = {
        "text": "" if chosen and step.text == chosen[1] else step.text,
        "chosen": choices.index(chosen) + 1 if chosen else 0,
        "cand": choices,
        "source": None if step.source is None else to_png(step.source),
        "picture": None if step.picture is None else to_png(step.picture),
        "facts": {name: value if value == int(value) else _rounded(value) for name, value in step.facts.items() if math.isfinite(value)},
        "notes": [dict(each) for each in step.notes],
        "stop": step.stop,
        "beams": [[each.text, _rounded(each.score), int(each.chosen), int(each.ended)] for each in step.beams],
        "unknown": [[each.text, list(each.offers)] for each in step.unknown],
        "regions": [_region(each) for each in step.regions],
        "maps": _maps(step, before, tokens, prompt, data),
        "detail": [_detail(each) for each in step.details],
    }
    return {name: part for name, part in parts.items() if part}


def _region(region: Region) -> dict[str, Any]:
    """mask: a bit a pixel, row by row, packed from the highest bit on."""
    bits = b64encode(np.packbits(region.mask).tobytes()).decode()
    return {"label": region.label, "at": list(region.positions), "size": list(region.mask.shape), "mask": bits}


def _choice(choice: Choice) -> list[Any]:
    return [choice.id, choice.label, _rounded(choice.probability, PROBABILITY_DIGITS)]


def _maps(step: Step, before: Step | None, tokens: tuple[str, ...], prompt: int, data: list[bytes]) -> list[dict[str, Any]] | int:
    maps = [_map(each, before, tokens, prompt, data, mixed=not step.stop and _is_anew(each)) for each in step.attentions]
    first = maps[0]["first"] if maps else 0
    told = first and len(maps) == len(before.attentions if before else ())
    return first if told and maps == [{"as": place, "first": first} for place in range(len(maps))] else maps


def _is_anew(given: Attention) -> bool:
    """Whether every step computes all of its rows again."""
    return isinstance(given.query, Grid) and isinstance(given.key, Tokens) and given.heads > 1 and given.places is None


def _map(
    given: Attention, before: Step | None, tokens: tuple[str, ...], prompt: int, data: list[bytes], *, mixed: bool = False
) -> dict[str, Any]:
    """The new rows of one map. Left out: kind, layer and h where a map of the step before had them (`as` is its place there);
    q where it is 1; k where it is first + q, or the prompt's tokens if the map looks at another text; query and key where they are
    the sequence itself (a row of a cross map is named by the word it chose), or as in the step before.
    ragged: causal rows, each cut behind its own position. top: C, where only the strongest keys were kept.
    mean: only the mean of the heads follows (`mixed`)."""
    heads, queries, _ = given.weights.shape
    keys = len(given.key)
    earlier = before.attentions if before else ()
    place = next((i for i, each in enumerate(earlier) if (each.kind, each.layer, each.heads) == (given.kind, given.layer, heads)), None)
    last = None if place is None else earlier[place]
    sent: dict[str, Any] = {"kind": given.kind, "layer": given.layer, "h": heads} if place is None else {"as": place}
    sent["first"] = given.first_query
    if queries != 1:
        sent["q"] = queries
    if keys != (given.first_query + queries if given.kind == "self" else prompt):
        sent["k"] = keys
    if not _is_sequence(given.query, given.first_query + (prompt if given.kind == "cross" else 0), tokens):
        sent["query"] = {"same": True} if last is not None and last.query == given.query else given.query.to_dict()
    if not _is_sequence(given.key, 0, tokens):
        sent["key"] = {"same": True} if last is not None and last.key == given.key else given.key.to_dict()
    if given.used is not None:
        sent["used"] = b64encode(np.packbits(given.used).tobytes()).decode()
    if given.places is not None:
        sent["top"] = given.places.shape[-1]
        data.append(_strongest(given.weights, given.places))
        return sent
    weights = given.weights
    if queries > 1 and given.kind == "self" and "query" not in sent and "key" not in sent:
        behind = np.arange(keys) >= np.minimum(given.first_query + np.arange(queries) + 1, keys)[:, None]  # (Q, K) a causal row ends
        if not given.weights[:, behind].any():
            sent["ragged"] = True
            weights = weights[:, ~behind]
    if mixed:
        sent["mean"] = True
        weights = weights.mean(0, keepdims=True)
    data.append(quantise(weights).tobytes())
    return sent


def _strongest(weights: np.ndarray, places: np.ndarray) -> bytes:
    """Rows (H, Q, C + 1) of the strongest keys, by place, the others last; then the gaps between the places, low bytes, high bytes."""
    order = np.argsort(places, axis=-1)
    by_place = np.concatenate([np.take_along_axis(weights[..., :-1], order, -1), weights[..., -1:]], -1)
    ordered = np.take_along_axis(places, order, -1).astype(np.uint32)  # (H, Q, C)
    gaps = ordered.copy()
    gaps[..., 1:] -= ordered[..., :-1]
    return quantise(by_place).tobytes() + (gaps & 255).astype(np.uint8).tobytes() + (gaps >> 8).astype(np.uint8).tobytes()


def _is_sequence(axis: Axis, first: int, tokens: tuple[str, ...]) -> bool:
    return isinstance(axis, Tokens) and axis.labels == tokens[first : first + len(axis)]


def _detail(detail: Detail) -> dict[str, Any]:
    return {
        "kind": detail.kind,
        "layer": detail.layer,
        "query": detail.query_index,
        "scores": _numbers(detail.scores),
        "weights": _numbers(detail.weights),
        "context": _numbers(detail.context),
        "q": _numbers(detail.query),
        **({} if detail.direction is None else {"additive": True}),
    }


def _numbers(rows: np.ndarray) -> list[list[float | None]]:
    return [[_rounded(value) if math.isfinite(value) else None for value in row] for row in rows.astype(np.float64).tolist()]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _rounded(value: float, digits: int = DIGITS) -> float:
    """With so many significant digits; what is not finite is 0, as JSON knows no other."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else 0.0
