"""Axes, attention rows, traces: checked when made, whole when read back."""

import json
from contextlib import suppress

import numpy as np
import pytest

from generators.trace import Attention, Choice, Detail, Grid, Step, Tokens, Trace, TraceError, load_series, save_series


def rows(*shape):
    weights = np.random.default_rng(0).random(shape, np.float32) + 0.1
    return weights / weights.sum(-1, keepdims=True)


def test_weights_must_fit_their_axes():
    with pytest.raises(TraceError, match=r"cross: weights are \(4, 256, 8\), axes say \(H, 256, 9\)"):
        Attention("cross", 0, rows(4, 256, 8), Grid(16, 16), Tokens(tuple("abcdefghi")))


@pytest.mark.parametrize("broken", [np.full((1, 1, 2), 0.4), np.array([[[np.nan, 1]]]), np.array([[[1.5, -0.5]]])])
def test_weights_must_be_distributions(broken):
    with pytest.raises(TraceError):
        Attention("self", 0, broken.astype(np.float32), Tokens(("a",)), Tokens(("a", "b")))


def text_trace():
    """Prompt "a b", then "c", "d": rows 0 and 1 at step 0, row 2 at step 1."""
    trace = Trace("toy", "one", {"text": "a b"})
    first = Attention(
        "self", 0, np.tril(rows(2, 2, 2)) / np.tril(rows(2, 2, 2)).sum(-1, keepdims=True), Tokens(("a", " b")), Tokens(("a", " b"))
    )
    trace.add(Step(0, (first,), " c", ("a", " b"), Choice(5, " c", 0.5), (Choice(5, " c", 0.5), Choice(6, " x", 0.25))))
    second = Attention(
        "self", 0, rows(2, 1, 3), Tokens((" c",)), Tokens(("a", " b", " c")), first_query=2, used=np.array([[True], [False]])
    )
    detail = Detail("self", 0, 2, *(np.ones(shape, np.float32) for shape in [(2, 4), (2, 3, 4), (2, 3, 4), (2, 3), (2, 3), (2, 4)]))
    trace.add(Step(1, (second,), " d", chosen=Choice(7, " d", 1.0), details=(detail,), notes=({"en": "n", "zh": "注"},), stop="end"))
    return trace


def test_map_gathers_rows_of_the_steps():
    trace = text_trace()
    whole = trace.map("self", 0)
    assert whole.shape == (2, 3, 3)
    assert (whole[:, 0] == [1, 0, 0]).all() and whole[0, 1, 2] == 0
    assert np.array_equal(whole[1, 2], trace.steps[1].attentions[0].weights[1, 0])
    assert np.array_equal(trace.map("self", 0, head=1), whole[1])
    assert trace.map("self", 0, step=1)[:, :2].sum() == 0
    assert trace.maps() == [("self", 0)]
    with pytest.raises(TraceError):
        trace.map("cross", 0)
    with pytest.raises(TraceError):
        trace.map("self", 0, head=2)


def test_a_row_names_where_it_stood_and_what_it_chose():
    trace = text_trace()
    assert trace.tokens == ("a", " b", " c", " d")
    assert trace.forced == (5, 7)
    assert trace.text == " c d"
    stood = trace.steps[1].attentions[0]
    assert trace.tokens[stood.first_query] == stood.query.labels[0] == " c"
    assert trace.tokens[stood.first_query + 1] == trace.steps[1].chosen.label


def test_saved_and_loaded(tmp_path):
    trace = text_trace()
    trace.save(tmp_path / "run.npz")
    again = Trace.load(tmp_path / "run.npz")
    assert again.half and again.tokens == trace.tokens and again.request == trace.request and again.done
    assert np.allclose(again.map("self", 0), trace.map("self", 0), atol=1e-3)
    assert again.steps[1].attentions[0].key == trace.steps[1].attentions[0].key
    assert again.steps[1].attentions[0].used.tolist() == [[True], [False]]
    assert again.steps[1].details[0].key.shape == (2, 3, 4)
    assert again.steps[0].candidates == trace.steps[0].candidates and again.steps[1].notes[0]["zh"] == "注"


def test_pictures_and_series(tmp_path):
    def face(step):
        trace = Trace("toy", "two")
        picture = np.full((4, 4, 3), step, np.uint8)
        trace.add(
            Step(0, (Attention("self", 0, rows(1, 4, 1), Grid(2, 2), Grid(1, 1)),), picture=picture, facts={"gamma": 0.5}, stop="end")
        )
        return trace

    save_series(tmp_path / "learning.npz", {step: face(step) for step in (0, 10, 100)})
    series = load_series(tmp_path / "learning.npz")
    assert list(series) == [0, 10, 100]
    assert face(1).seed == 0 and series[10].seed == 0
    assert (series[100].picture == 100).all() and series[10].steps[0].attentions[0].key == Grid(1, 1)


def test_maps_are_described_by_their_whole_axes():
    (text,) = text_trace().describe_maps()
    assert text == {"kind": "self", "layer": 0, "heads": 2, "query": {"tokens": 3}, "key": {"tokens": 3}}
    trace = Trace("toy", "one", steps=[Step(0, (Attention("cross", 2, rows(4, 6, 3), Grid(2, 3), Tokens(tuple("abc"))),))])
    assert trace.describe_maps() == [{"kind": "cross", "layer": 2, "heads": 4, "query": {"grid": [2, 3]}, "key": {"tokens": 3}}]


def test_the_strongest_keys_of_a_long_row_are_kept():
    whole = Attention("self", 0, np.array([[[0.1, 0.4, 0.2, 0.3]], [[0.7, 0.0, 0.1, 0.2]]]), Tokens(("d",)), Tokens(tuple("abcd")), 3)
    cut = whole.strongest(2)
    assert [set(row) for row in cut.places[:, 0].tolist()] == [{1, 3}, {0, 3}]
    assert np.allclose(cut.weights.sum(-1), 1) and np.allclose(cut.weights[:, 0, -1], [0.3, 0.1])
    assert np.allclose(cut.dense()[0, 0], [0, 0.4, 0, 0.3, 0.3]) and whole.strongest(4) is whole
    with pytest.raises(TraceError, match="places"):
        Attention("self", 0, cut.weights, cut.query, cut.key, 3, places=cut.places + 3)


def test_rounding_halves_the_memory():
    trace = text_trace()
    assert trace.rounded().half and trace.rounded().nbytes * 2 == trace.nbytes


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04rubbish", b"x" * 1000])
def test_a_file_that_is_no_trace_is_refused(tmp_path, content):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(TraceError, match="not a stored run"):
        Trace.load(path)


def test_a_file_with_one_wrong_byte_is_read_or_refused(tmp_path):
    text_trace().save(tmp_path / "run.npz")
    whole = (tmp_path / "run.npz").read_bytes()
    for place in range(0, len(whole), 7):
        (tmp_path / "run.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :])
        with suppress(TraceError):
            Trace.load(tmp_path / "run.npz")


def test_a_file_of_format_1_is_read(tmp_path):
    """Each of its arrays had a name."""
    looked = {
        "kind": "self",
        "layer": 0,
        "query": {"grid": [2, 1]},
        "key": {"grid": [1, 2]},
        "first_query": 0,
        "weights": "a1",
        "used": None,
    }
    step = {"text": "", "prompt": [], "chosen": None, "candidates": [], "picture": "a0", "facts": {}, "notes": [], "stop": "end"}
    packed = {"generator": "toy", "variant": "two", "request": {}, "steps": [step | {"attentions": [looked], "details": []}]}
    meta = json.dumps({"format": 1, "traces": [[0, packed]]}).encode()
    arrays = {"a0": np.full((2, 2, 3), 9, np.uint8), "a1": np.array([[[0.25, 0.75], [1, 0]]], np.float16)}
    np.savez(tmp_path / "old.npz", **arrays, meta=np.frombuffer(meta, np.uint8))
    read = Trace.load(tmp_path / "old.npz")
    assert (read.picture == 9).all() and read.map("self", 0).tolist() == arrays["a1"].tolist()


def test_a_pickle_is_refused(tmp_path):
    np.savez(tmp_path / "pickle.npz", meta=np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(TraceError):
        Trace.load(tmp_path / "pickle.npz")


def test_steps_come_in_order():
    with pytest.raises(TraceError):
        Trace("toy", "one").add(Step(1))
