"""Edits as data: what can be read back, and one sentence for what cannot."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.edits import Edit, EditError, read_edits

positions = st.none() | st.lists(st.integers(0, 50), max_size=4).map(tuple)
scopes = {
    "layers": positions,
    "heads": positions,
    "queries": positions,
    "steps": positions,
    "map": st.sampled_from([None, "self", "cross"]),
}
edits = st.one_of(
    st.builds(Edit, st.just("sharpness"), st.floats(0, 100), **scopes),
    st.builds(Edit, st.just("hide"), keys=st.lists(st.integers(0, 50), min_size=1, max_size=4).map(tuple), **scopes),
    st.builds(Edit, st.sampled_from(["uniform", "off"]), **scopes),
    st.builds(Edit, st.just("shuffle"), seed=st.integers(0, 1000), **scopes),
)


@given(st.lists(edits, max_size=4))
def test_json_round_trip(given_edits):
    assert read_edits(json.dumps([edit.to_dict() for edit in given_edits])) == tuple(given_edits)


def test_painted_rows_round_trip():
    (edit,) = read_edits([{"action": "paint", "rows": [[[0.5, 0.5]]], "queries": [3]}])
    assert edit.rows.shape == (1, 1, 2)
    assert edit.to_dict() == {"action": "paint", "rows": [[[0.5, 0.5]]], "queries": [3]}
    assert read_edits([{"action": "paint", "rows": [1, 0, 2]}])[0].rows.shape == (1, 1, 3)


def test_nothing_is_no_edits():
    assert read_edits(None) == read_edits("") == read_edits([]) == ()


@pytest.mark.parametrize(
    "given",
    [
        "{",
        "[" * 5000,
        7,
        [7],
        [{}],
        [{"action": "explode"}],
        [{"action": "off", "colour": 1}],
        [{"action": "hide"}],
        [{"action": "hide", "keys": [-1]}],
        [{"action": "hide", "keys": [0.5]}],
        [{"action": "hide", "keys": "0"}],
        [{"action": "hide", "keys": [10**9]}],
        [{"action": "sharpness", "value": -1}],
        [{"action": "sharpness", "value": float("nan")}],
        [{"action": "sharpness", "value": "2"}],
        [{"action": "sharpness", "value": True}],
        [{"action": "shuffle", "seed": -1}],
        [{"action": "off", "heads": [True]}],
        [{"action": "off", "map": "sideways"}],
        [{"action": "paint"}],
        [{"action": "paint", "rows": []}],
        [{"action": "paint", "rows": [[["a"]]]}],
        [{"action": "paint", "rows": [[[-1.0]]]}],
        [{"action": "paint", "rows": [[[1.0], [1.0, 2.0]]]}],
        [{"action": "off"}] * 65,
        [{"action": "paint", "rows": [[[1.0] * 600_000]]}] * 2,
    ],
)
def test_rubbish_is_refused_in_one_sentence(given):
    with pytest.raises(EditError) as refusal:
        read_edits(given)
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)
