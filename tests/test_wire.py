"""What reaches the browser: weights within their bound, rows cut where they end, gaps filled, few bytes."""

from __future__ import annotations

import io
import json
import zlib
from base64 import b64decode
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from generators.base import Card, Pin, Request, Variant
from generators.pictures import to_png
from generators.trace import Attention, Beam, Choice, Detail, Grid, Region, Step, Tokens, Trace, Unknown
from page import wire
from tests.browser.view_runs import forming

dice = np.random.default_rng(7)


def rows(heads: int, queries: int, keys: int, *, causal_from: int | None = None) -> np.ndarray:
    """(H, Q, K) weights; causal rows see the keys up to their own position."""
    weights = dice.dirichlet(np.full(keys, 0.3), (heads, queries)).astype(np.float32)
    if causal_from is not None:
        weights *= np.arange(keys) <= causal_from + np.arange(queries)[:, None]
        weights = (weights + 1e-6 * (np.arange(keys) <= causal_from + np.arange(queries)[:, None])).astype(np.float32)
    return weights / weights.sum(-1, keepdims=True)


def text_run(prompt: int, written: int, heads: int = 4, candidates: int = 8) -> Trace:
    """A run of a model that looks at all tokens so far."""
    labels = tuple(f" w{i}" for i in range(prompt + written))
    trace = Trace("writer", "tales", {"seed": 3, "attention": True})
    for index in range(written):
        first, keys = (0, prompt) if index == 0 else (prompt + index - 1, prompt + index)
        part = Attention(
            "self", 0, rows(heads, keys - first, keys, causal_from=first), Tokens(labels[first:keys]), Tokens(labels[:keys]), first
        )
        choices = tuple(Choice(i, f" c{i}", 1 / (i + 2)) for i in range(candidates))
        chosen = Choice(9, labels[prompt + index], 0.123456)
        trace.add(Step(index, (part,), chosen.label, labels[:prompt] if index == 0 else (), chosen, (chosen, *choices)))
    return trace


def picture_run(size: int = 8) -> Trace:
    picture = dice.integers(0, 255, (16, 16, 3)).astype(np.uint8)
    part = Attention("self", 0, rows(2, size * size, 16), Grid(size, size), Grid(4, 4))
    trace = Trace("painter", "faces", {"seed": 5})
    trace.add(Step(0, (part,), picture=picture, facts={"gamma": 0.8312345}, stop="end"))
    return trace


def bytes_of(message: dict[str, Any]) -> np.ndarray:
    """All that the maps of a message say, one after the other."""
    blocks = message.get("apart", [message])
    parts = [zlib.decompress(b64decode(each["packed"])) if "packed" in each else b64decode(each.get("data", "")) for each in blocks]
    return np.frombuffer(b"".join(parts), np.uint8)


def unpacked(message: dict[str, Any]) -> list[list[np.ndarray]]:
    """By step and map (H, Q, K) weights as the browser reads them; (H, Q, K + 1) where only the strongest were sent, the others last."""
    data, at = bytes_of(message), 0
    before: list[dict[str, Any]] = []
    found: list[list[np.ndarray]] = []
    for step in message["steps"]:
        maps = step.get("maps", [])
        maps = [{"as": place, "first": maps} for place in range(len(before))] if isinstance(maps, int) else maps
        maps = [{**{part: before[each["as"]][part] for part in ("kind", "layer", "h")}, **each} if "as" in each else each for each in maps]
        found.append([])
        for each in maps:
            heads, queries, top = each["h"], each.get("q", 1), each.get("top")
            keys = each.get("k", each["first"] + queries if each["kind"] == "self" else len(message["head"]["prompt"]))
            ends = [min(each["first"] + q + 1, keys) if each.get("ragged") else keys for q in range(queries)]
            if top is None:
                size = heads * sum(ends)
                read = np.zeros((heads, queries, keys))
                for head, part in enumerate(data[at : at + size].reshape(heads, sum(ends))):
                    for query, row in enumerate(np.split(part, np.cumsum(ends)[:-1])):
                        read[head, query, : ends[query]] = (row / 255.0) ** 2
            else:
                levels, low, high = heads * queries * (top + 1), heads * queries * top, heads * queries * top
                size = levels + low + high
                weights = (data[at : at + levels].reshape(heads, queries, top + 1) / 255.0) ** 2
                gaps = data[at + levels :][:low].astype(int) + 256 * data[at + levels + low :][:high].astype(int)
                read = np.zeros((heads, queries, keys + 1))
                np.put_along_axis(read, gaps.reshape(heads, queries, top).cumsum(-1), weights[..., :-1], -1)
                read[..., -1] = weights[..., -1]
            found[-1].append(read)
            at += size
        before = maps
    assert at == len(data)
    return found


def whole(trace: Trace) -> dict[str, Any]:
    return wire.message(trace, "r", 0, len(trace.steps), done=True)


@given(st.floats(0, 1))
def test_a_weight_is_off_by_no_more_than_its_bound(weight: float) -> None:
    read = (int(wire.quantise(np.array([weight]))[0]) / 255) ** 2
    assert abs(read - weight) <= wire.error_bound(weight) + 1e-7


def test_a_text_run_comes_back_row_by_row() -> None:
    trace = text_run(5, 7)
    for step, (read,) in zip(trace.steps, unpacked(whole(trace)), strict=True):
        exact = step.attentions[0].weights.astype(np.float64)
        bound = (2 * np.sqrt(exact) + 1 / 510) / 510 + 1e-7
        assert (np.abs(read - exact) <= bound).all()


def test_several_layers_come_back_from_one_string() -> None:
    labels = tuple(f" w{i}" for i in range(9))
    trace = Trace("writer", "tales")
    for index in range(4):
        first, keys = (0, 6) if index == 0 else (5 + index, 6 + index)
        axes = Tokens(labels[first:keys]), Tokens(labels[:keys])
        parts = tuple(Attention("self", layer, rows(3, keys - first, keys, causal_from=first), *axes, first) for layer in range(5))
        trace.add(Step(index, parts, labels[0], labels[:6] if index == 0 else (), Choice(index, labels[0], 1.0)))
    trace.steps[0] = replace(trace.steps[0], prompt=labels[:6])
    for index, choice in enumerate(labels[6:]):
        trace.steps[index] = replace(trace.steps[index], chosen=Choice(index, choice, 1.0))
    sent = whole(trace)
    assert [step["maps"] for step in sent["steps"][1:]] == [6, 7, 8], "all maps of a step by one number"
    for step, read in zip(trace.steps, unpacked(sent), strict=True):
        for part, found in zip(step.attentions, read, strict=True):
            assert np.abs(found - part.weights).max() <= wire.error_bound(1.0)


def test_of_a_long_row_the_strongest_keys_travel_and_the_sum_of_the_others() -> None:
    labels = tuple(f"w{i}" for i in range(700))
    part = Attention("self", 0, rows(2, 3, 700), Tokens(labels[:3]), Tokens(labels)).strongest(16)
    trace = Trace("g", "v")
    trace.add(Step(0, (part,), prompt=labels))
    sent = whole(trace)
    ((read,),) = unpacked(sent)
    exact = part.dense().astype(np.float64)
    assert (np.abs(read - exact) <= (2 * np.sqrt(exact) + 1 / 510) / 510 + 1e-7).all()
    assert sent["steps"][0]["maps"][0]["top"] == 16 and len(bytes_of(sent)) == 2 * 3 * (17 + 16 + 16)


def test_very_many_bytes_travel_map_by_map() -> None:
    labels = tuple(f"w{i}" for i in range(512))
    axes = Tokens(labels), Tokens(labels)
    trace = Trace("g", "v")
    trace.add(Step(0, tuple(Attention("self", layer, rows(4, 512, 512, causal_from=0), *axes) for layer in range(3)), prompt=labels))
    sent = whole(trace)
    assert len(sent["apart"]) == 3 and "packed" not in sent and "data" not in sent
    for part, read in zip(trace.steps[0].attentions, unpacked(sent)[0], strict=True):
        assert np.abs(read - part.weights).max() <= wire.error_bound(1.0)


def test_rows_over_another_text_are_named_by_the_words_they_chose() -> None:
    source, written = ("the", " cat", " sleeps"), ("le", " chat", " dort")
    trace = Trace("t", "v")
    for index, word in enumerate(written):
        part = Attention("cross", 0, rows(1, 1, 3), Tokens((word,)), Tokens(source), index)
        trace.add(Step(index, (part,), word, source if index == 0 else (), Choice(index, word, 1.0)))
    sent = whole(trace)
    assert sent["steps"][0]["maps"] == [{"kind": "cross", "layer": 0, "h": 1, "first": 0}]
    assert [step["maps"] for step in sent["steps"][1:]] == [1, 2]
    for step, (read,) in zip(trace.steps, unpacked(sent), strict=True):
        assert np.abs(read - step.attentions[0].weights).max() <= wire.error_bound(1.0)


def test_the_hypotheses_of_a_beam_search_travel_with_their_step() -> None:
    trace = Trace("g", "v")
    trace.add(Step(0, beams=(Beam("the cat", -0.123456, True, False), Beam("a cat", -1.5, ended=True))))
    (sent,) = whole(trace)["steps"]
    assert sent["beams"] == [["the cat", -0.12346, 1, 0], ["a cat", -1.5, 0, 1]]


def test_what_the_step_before_said_is_left_out() -> None:
    first, second = whole(text_run(5, 2))["steps"]
    assert set(first["maps"][0]) == {"kind", "layer", "h", "first", "q", "ragged"}
    assert second["maps"] == 5
    assert second["cand"][second["chosen"] - 1] == [9, " w6", 0.123] and "text" not in second


def test_the_chosen_token_is_always_among_the_candidates() -> None:
    trace = Trace("g", "v")
    trace.add(Step(0, chosen=Choice(99, "z", 0.01), candidates=tuple(Choice(i, str(i), 0.1) for i in range(8)), text="z!"))
    (sent,) = whole(trace)["steps"]
    assert len(sent["cand"]) == wire.CANDIDATES and sent["cand"][sent["chosen"] - 1] == [99, "z", 0.01] and sent["text"] == "z!"


def test_causal_rows_end_at_their_own_position() -> None:
    message = wire.message(text_run(6, 2, heads=2), "r", 0, 1, done=False)
    sent = message["steps"][0]["maps"][0]
    assert sent["ragged"] and len(bytes_of(message)) == 2 * (1 + 2 + 3 + 4 + 5 + 6)
    assert "query" not in sent and "key" not in sent  # the sequence itself


def test_a_row_that_looks_ahead_is_sent_whole() -> None:
    labels = Tokens(("a", "b", "c"))
    trace = Trace("g", "v")
    trace.add(Step(0, (Attention("encoder", 0, rows(1, 3, 3), labels, labels),), prompt=labels.labels))
    sent = whole(trace)
    assert "ragged" not in sent["steps"][0]["maps"][0] and len(bytes_of(sent)) == 9


def test_a_picture_names_its_grids_and_is_deflated() -> None:
    trace = picture_run(32)
    message = whole(trace)
    (sent,) = message["steps"]
    (given_map,) = sent["maps"]
    assert (given_map["query"], given_map["key"]) == ({"grid": [32, 32]}, {"grid": [4, 4]})
    assert "packed" in message and "data" not in message
    exact = trace.steps[0].attentions[0].weights.astype(np.float64)
    assert np.abs(unpacked(message)[0][0] - exact).max() <= wire.error_bound(1.0)
    head, _, data = sent["picture"].partition(",")
    assert head == "data:image/png;base64" and sent["facts"] == {"gamma": 0.83123}
    assert (np.asarray(Image.open(io.BytesIO(b64decode(data)))) == trace.steps[0].picture).all()


def test_a_picture_made_from_a_picture_travels_with_it_once() -> None:
    source = dice.integers(0, 255, (16, 16, 3)).astype(np.uint8)
    trace = picture_run()
    trace.request |= {"picture": to_png(source), "hidden": [1, 2]}
    trace.steps[0] = replace(trace.steps[0], source=source)
    message = whole(trace)
    head, _, data = message["steps"][0]["source"].partition(",")
    assert head == "data:image/png;base64" and (np.asarray(Image.open(io.BytesIO(b64decode(data)))) == source).all()
    assert message["head"]["request"] == {"seed": 5, "hidden": [1, 2]} and "picture" in trace.request


FACES = Card(
    name="painter",
    title={"en": "Paint", "zh": "画"},
    summary={"en": "Paints.", "zh": "画画。"},
    accepts=("seed", "picture"),
    produces="picture",
    variants=(Variant("faces", {"en": "Face", "zh": "脸"}, "🙂", {"en": "", "zh": ""}, Pin("self", 0), size=64, grid=16),),
    settings=(),
    anatomy=(({"en": "Attention", "zh": "注意力"}, True),),
    gallery=True,
    headline=("frechet", "psnr", "unknown"),
)


def test_a_heading_says_what_can_be_done_with_a_picture_and_how_good_it_is() -> None:
    metrics = {
        "frechet": {"with": 3.1, "without": 3.9, "better": "lower", "with_seeds": [5, 6, 7], "without_seeds": [9, 9.5, 10], "floor": 0.9},
        "psnr": {"with": 24.5, "without": None, "unit": "dB", "better": "higher", "n": 1000},
        "nearest_train": {"with": 14.25},
    }
    memory = {"edges": [0, 1, 2], "made": [0, 9], "held_out": [1, 8], "closer": 0.01, "n": 9}
    head = wire.heading(FACES, Request("faces"), figures={"metrics": metrics, "memory": memory})
    assert (head["grid"], head["gallery"], head["twin"]) == (16, True, True)
    assert head["figures"] == [
        {"name": "frechet", "unit": "", "better": "lower", "verdict": "better", "with": 3.1, "without": 3.9, "floor": 0.9}
        | {"seeds": 3, "spread": 1.0, "means": {"with": 6.0, "without": 9.5}},
        {"name": "psnr", "unit": "dB", "better": "higher", "verdict": "", "with": 24.5, "n": 1000},
    ]
    assert head["memory"] == {"unit": wire.GREY_LEVELS, **memory, "nearest_train": 14.25}
    plain = wire.heading(replace(FACES, gallery=False, variants=(replace(FACES.variants[0], grid=0),)), Request("faces"))
    assert not {"grid", "gallery", "twin", "figures", "memory"} & set(plain)


@pytest.mark.parametrize(
    ("given_metric", "said"),
    [
        ({"with": 3, "without": 4, "better": "lower"}, "better"),
        ({"with": 3, "without": 4, "better": "higher"}, "worse"),
        ({"with": 3, "without": 3, "better": "higher"}, "undecided"),
        ({"with": 3, "without": None}, ""),
        ({"with": 24.004, "without": 23.973, "better": "higher"}, "undecided"),
        ({"with": 1.01, "without": 1.0, "better": "lower"}, "worse"),
        ({"with": 3, "without": 9, "better": "higher", "with_seeds": [4, 6], "without_seeds": [4, 5]}, "undecided"),  # 5 ± 1.4, 4.5 ± 0.7
        ({"with": 3, "without": 9, "better": "higher", "with_seeds": [8, 9], "without_seeds": [4, 5]}, "better"),
    ],
)
def test_a_verdict_takes_the_spread_into_account(given_metric: dict[str, Any], said: str) -> None:
    assert wire.verdict(given_metric) == said


def test_an_axis_that_stays_is_named_once() -> None:
    source = Tokens(("le", "roi"))
    trace = Trace("t", "v")
    for index in range(3):
        part = Attention("cross", 1, rows(1, 1, 2), Tokens((f"w{index}",)), source, index)
        trace.add(Step(index, (part,), chosen=Choice(index, f"w{index}", 1.0)))
    assert [step["maps"][0]["key"] for step in whole(trace)["steps"]] == [{"tokens": ["le", "roi"]}, {"same": True}, {"same": True}]


def test_what_was_missed_is_the_same_message_from_where_one_stands() -> None:
    trace = text_run(4, 9)
    rest = wire.message(trace, "r", 4, 100, done=True)
    assert (rest["first"], rest["count"], "head" in rest) == (4, 5, False)
    assert rest["steps"] == whole(trace)["steps"][4:]
    assert wire.message(trace, "r", 9, 100, done=True)["steps"] == []
    assert wire.message(Trace("g", "v"), "r", 0, 0, done=False)["head"]["prompt"] == []  # waiting


def test_switched_off_rows_travel_as_bits() -> None:
    used = np.array([[True, False, True], [False, False, True]])
    labels = Tokens(("a", "b", "c"))
    trace = Trace("g", "v")
    trace.add(Step(0, (Attention("self", 0, rows(2, 3, 3), labels, labels, used=used),), prompt=labels.labels))
    bits = np.unpackbits(np.frombuffer(b64decode(whole(trace)["steps"][0]["maps"][0]["used"]), np.uint8))[:6]
    assert (bits.reshape(2, 3) == used).all()


def test_details_are_exact_and_know_where_one_may_not_look() -> None:
    scores = np.array([[1.25, -np.inf], [-0.5, 2.0]], np.float32)
    weights = np.array([[1, 0], [0.075858, 0.924142]], np.float32)
    detail = Detail("self", 0, 4, np.ones((2, 3)), np.ones((2, 2, 3)), np.ones((2, 2, 5)), scores, weights, np.full((2, 5), 1 / 3))
    (sent,) = wire.detail_message([detail])["details"]
    assert sent["scores"] == [[1.25, None], [-0.5, 2.0]] and sent["query"] == 4
    assert np.abs(np.array(sent["weights"]) - weights).max() < 1e-5
    assert sent["context"][0] == [0.33333] * 5


def test_a_series_is_a_run_by_training_step() -> None:
    series = wire.series_message({100: text_run(2, 2), 1: text_run(2, 2)}, head={"title": {"en": "Tale"}})["series"]
    assert [each["step"] for each in series] == [1, 100]
    assert all(each["message"]["done"] and each["message"]["head"]["title"] == {"en": "Tale"} for each in series)


def test_messages_are_plain_json() -> None:
    for trace in (text_run(3, 3), picture_run()):
        sent = whole(trace)
        assert json.loads(json.dumps(sent, allow_nan=False)) == sent


def test_figures_by_length_become_curves() -> None:
    figure = {"with": 30.0, "without": 20.0, "unit": "%", "better": "higher", "n": 9}
    names = ("bleu", "bleu_len_13_up", "bleu_len_1_4", "bleu_len_5_8")
    figures = {"metrics": dict.fromkeys(names, figure), "length_unit": {"en": "words", "zh": "词"}}
    (curve,) = wire.curves(figures, {"en": "It helps.", "zh": "有用。"})
    assert curve["name"] == "bleu" and curve["length_unit"]["en"] == "words" and curve["claim"]["en"] == "It helps."
    assert [(point["from"], point["to"]) for point in curve["points"]] == [(1, 4), (5, 8), (13, None)]
    assert curve["points"][0]["with"] == 30.0 and curve["points"][0]["without"] == 20.0
    assert wire.curves({"metrics": {"bleu": figure}}) == wire.curves({}) == []


@pytest.mark.parametrize("heads", [4, 8])
def test_a_run_of_128_tokens_is_small(heads: int) -> None:
    """Message by message, each inside Gradio's own JSON; the random weights of this test are harder to pack than a model's."""
    trace = text_run(8, 120, heads=heads)
    messages = [json.dumps(wire.message(trace, "r" * 16, i, 1, done=i == 119), separators=(",", ":")) for i in range(120)]
    assert sum(len(json.dumps(each)) for each in messages) <= 33_000 + 11_500 * heads


# Pictures that form


def forming_run(steps: int = 3, heads: int = 4, grids: tuple[int, ...] = (2, 4)) -> Trace:
    labels = ("style ", "a ", "fox", "∅")
    trace = Trace("mixer", "scenes", {"text": "a fox"})
    for step in range(steps):
        maps = [Attention("cross", i, rows(heads, side * side, 4), Grid(side, side), Tokens(labels)) for i, side in enumerate(grids)]
        trace.add(Step(step, tuple(maps), prompt=labels if not step else (), stop="end" if step == steps - 1 else ""))
    return trace


def test_of_every_step_the_mean_of_the_heads_travels_and_of_the_last_all() -> None:
    trace = forming_run()
    sent = whole(trace)
    data, at = bytes_of(sent), 0
    for step, told in zip(trace.steps, sent["steps"], strict=True):
        for exact, given_map in zip(step.attentions, told["maps"], strict=True):
            assert given_map.get("mean", False) == (step.index < 2)
            weights = exact.weights if step.stop else exact.weights.mean(0, keepdims=True)
            read = (data[at : at + weights.size].reshape(weights.shape) / 255.0) ** 2
            assert (np.abs(read - weights) <= (2 * np.sqrt(weights) + 1 / 510) / 510 + 1e-6).all()
            at += weights.size
    assert at == len(data)
    first, second, _ = sent["steps"]
    assert first["maps"][1] == {"kind": "cross", "layer": 1, "h": 4, "first": 0, "q": 16, "query": {"grid": [4, 4]}, "mean": True}
    assert second["maps"][1] == {"as": 1, "first": 0, "q": 16, "query": {"same": True}, "mean": True}, "named once"


def test_all_heads_of_a_step_or_of_their_average_come_when_asked_for() -> None:
    trace = forming_run()
    for step, exact in ((1, [each.weights for each in trace.steps[1].attentions]), (None, [trace.map("cross", i) for i in range(2)])):
        if step is None:
            exact = [np.mean([each.attentions[i].weights for each in trace.steps], 0) for i in range(2)]
        sent = wire.maps_message(wire.maps_of(trace, "cross", step), step)
        assert sent["step"] == step and [(each["h"], each["q"], each["k"]) for each in sent["maps"]] == [(4, 4, 4), (4, 16, 4)]
        assert sent["maps"][0]["query"] == {"grid": [2, 2]} and sent["maps"][0]["key"] == {"tokens": ["style ", "a ", "fox", "∅"]}
        read = (bytes_of(sent) / 255.0) ** 2
        assert np.abs(read - np.concatenate([each.ravel() for each in exact])).max() <= wire.error_bound(1.0)
    assert wire.maps_of(trace, "self", 1) == () == wire.maps_of(trace, "self")


def test_silhouettes_travel_bit_by_bit() -> None:
    mask = dice.random((5, 5)) < 0.5
    trace = Trace("g", "v")
    trace.add(Step(0, regions=(Region("fox", (2, 3), mask),), unknown=(Unknown("dragn", ("dragon",)),)))
    (sent,) = whole(trace)["steps"]
    (region,) = sent["regions"]
    assert (region["label"], region["at"], region["size"]) == ("fox", [2, 3], [5, 5])
    bits = np.unpackbits(np.frombuffer(b64decode(region["mask"]), np.uint8), count=25)
    assert np.array_equal(bits.reshape(5, 5), mask) and sent["unknown"] == [["dragn", ["dragon"]]]


def test_what_a_step_was_given_travels_with_it() -> None:
    trace = forming(steps=3)
    assert [set(step) >= {"source", "picture", "facts"} for step in whole(trace)["steps"]] == [True] * 3


def test_the_truth_of_a_card_is_told_in_three_digits() -> None:
    best = {"layer": 1, "head": None, "step": 3, "threshold": 0.4}
    told = {"kind": "cross", "n": 1000, "uniform": 0.14, "steps": 1, "pointing": [[[0.92345]]], "iou": [[[0.4]]], "best": best, "else": 1}
    assert wire.truth({"truth": told}) == {key: each for key, each in told.items() if key != "else"} | {"pointing": [[[0.923]]]}
    assert wire.truth({}) == wire.truth({"truth": {"kind": "cross"}}) == {}


def test_a_picture_of_20_steps_is_small() -> None:
    """As it comes, each message inside Gradio's own JSON: pictures, noise, maps of four layers, noisier than a model's."""
    trace = forming()
    messages = [json.dumps(wire.message(trace, "r" * 16, i, 1, done=i == 19), separators=(",", ":")) for i in range(20)]
    assert sum(len(json.dumps(each)) for each in messages) <= 320_000
