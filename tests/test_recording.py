"""Stored examples: what the page shows first, and one example while its model learned."""

import numpy as np
import pytest

import generators
from generators.base import Pin, Request
from generators.recording import example, first_pinned, record, telling
from generators.trace import Attention, Choice, Step, Tokens, Trace, load_series
from generators.training import write_weights

TEXTS = [name for name in generators.names() if generators.find(name).card.produces == "text"]


@pytest.fixture(params=TEXTS)
def run(request):
    return generators.find(request.param).tiny()


def given(run):
    """A short run, where there is a length to set."""
    short = any(each.name == "length" for each in run.card.settings_of(run.card.default))
    return {"text": "Ada", "settings": {"length": 6} if short else {}}


def ask(run):
    return Request.check(run.card, **given(run))


def told(*looks):
    """A run over the prompt "The cat": each further word with the key that its row looks at."""
    labels, trace = ["The", " cat"], Trace("toy", "one")
    for index, (word, looked_at) in enumerate(looks):
        query = len(labels) - 1
        rows = np.eye(len(labels))[[0, looked_at] if index == 0 else [looked_at]][None]
        axis = Tokens(tuple(labels))
        attention = Attention("self", 0, rows, Tokens(axis.labels[query + 1 - rows.shape[1] :]), axis, query + 1 - rows.shape[1])
        chosen = Choice(9, word, 1.0)
        trace.add(Step(index, (attention,), word, tuple(labels) if index == 0 else (), chosen, (chosen,)))
        labels.append(word)
    return trace


def test_the_row_that_looks_far_at_a_word_is_telling():
    trace = told((" saw", 1), (",", 0), (" the", 3), (" cat", 1), (".", 5))
    assert telling(trace, Pin("self", 0, head=0)) == 4, "row 3 looks at itself, row 4 three tokens back at “cat”"


def test_without_a_pinned_row_the_one_of_the_last_word_is_pinned():
    trace = told((" saw", 1), (" me", 0), (".", 0), ("⟨end⟩", 0))
    assert first_pinned(trace, Pin("self", 0)) == 2
    assert first_pinned(trace, Pin("self", 0, query=1)) == 1
    assert first_pinned(trace, Pin("self", 0, query=99)) == 2


def test_an_example_holds_what_is_shown_of_its_pinned_rows(run):
    request = ask(run)
    stored = example(run, request)
    assert stored.half and stored.forced == run.trace(request).forced
    details = [each for step in stored.steps for each in step.details]
    assert {(each.kind, each.layer) for each in details} == set(stored.maps())
    assert all(each.key is None and each.value is None and np.isfinite(each.context).all() for each in details)
    rows = {each.query_index for each in details}
    pin = run.card.variant(None).pin
    assert rows == {telling(stored, pin), first_pinned(stored, pin)}


def test_what_is_recorded_is_written(run, tmp_path):
    model = run.model(True)
    snapshots = tmp_path / "snapshots"
    for step in (0, 50):
        fewer = {name: weight * (step + 50) / 100 if weight.is_floating_point() else weight for name, weight in model.state_dict().items()}
        write_weights(snapshots / f"{step}.safetensors", fewer)
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "old.npz").write_bytes(b"")
    record(run, run.card.default, {"one": given(run)}, tmp_path, snapshots)
    assert [each.name for each in (tmp_path / "examples").iterdir()] == ["one.npz"]
    stored, series = Trace.load(tmp_path / "examples" / "one.npz"), load_series(tmp_path / "learning.npz")
    assert list(series) == [0, 50] and all(each.forced == stored.forced for each in series.values())
    kind, layer = stored.maps()[0]
    assert np.abs(series[0].map(kind, layer) - stored.map(kind, layer)).max() > 0.01
    again = run.trace(Request.from_dict(run.card, stored.request))
    assert np.allclose(again.map(kind, layer), stored.map(kind, layer), atol=2e-3), "the model has its own weights again"
