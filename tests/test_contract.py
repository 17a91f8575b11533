"""What every generator promises, checked on each folder by itself: on its tiny model, and on the trained ones that ship."""

import contextvars
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

import generators
from generators.attention import watched
from generators.base import BadInput, Generator, NotReady, Request
from generators.edits import Edit
from generators.trace import Tokens, Trace, load_series

LANGUAGES = {"en", "zh"}
SHIPPED = [(name, each.name) for name in generators.names() for each in generators.find(name).card.variants]
MODELS = [(name, None) for name in generators.names()] + SHIPPED


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: f"{model[0]}-{model[1] or 'tiny'}")
def model(request) -> tuple[Generator, Request]:
    """A generator and a short request to it."""
    name, variant = request.param
    run = generators.find(name).tiny() if variant is None else generators.load(name, variant)
    return run, ask(run, variant)


def ask(run, variant=None, **given):
    """A request short enough for tests: every setting that counts tokens at 12, steps at 4."""
    known = {each.name for each in run.card.settings_of(run.card.variant(variant).name)}
    settings = {name: few for name, few in {"length": 12, "steps": 4}.items() if name in known}
    return Request.check(run.card, **{"variant": variant, "text": "Ada", "seed": 5, "settings": settings, **given})


def outcome(trace: Trace):
    return trace.forced if trace.picture is None else trace.picture.tobytes()


def same(one: Trace, other: Trace, tolerance: float = 0.0) -> bool:
    """Same choices, same pictures, same weights."""
    if len(one.steps) != len(other.steps) or one.maps() != other.maps() or one.forced != other.forced:
        return False
    if one.picture is not None and np.abs(one.picture.astype(int) - other.picture).max() > (1 if tolerance else 0):
        return False
    return all(np.abs(one.map(*each) - other.map(*each)).max() <= tolerance for each in one.maps())


def test_card_is_whole(model):
    card = model[0].card
    texts = [card.title, card.summary, *(part for part, _ in card.anatomy)]
    for variant in card.variants:
        texts += [variant.title, variant.placeholder]
        assert len(variant.tries) >= 3
        for each in variant.tries:
            texts += [each.question, each.look_for]
            Request.from_dict(card, {"variant": variant.name, **try_request(each)})
    for setting in card.settings:
        texts += [setting.label, setting.help]
        assert setting.check(setting.default) == setting.default
    assert all(set(text) == LANGUAGES and all(text.values()) for text in texts)
    assert sum(lit for _, lit in card.anatomy) >= 1
    assert card.produces in ("text", "picture")


def try_request(each):
    """A Try's request, in the words of a link, as those of Request.from_dict."""
    given = dict(each.request)
    if "prompt" in given:
        given["text"] = given.pop("prompt")
    if given.pop("without", False):
        given["attention"] = False
    return given


def test_same_request_same_trace(model):
    run, request = model
    one, two = run.trace(request), run.trace(request)
    assert one.done and same(one, two) and one.text == two.text
    assert outcome(run.trace(replace(request, seed=6, text=""))) != outcome(run.trace(replace(request, seed=7, text="")))


def test_rows_name_their_tokens(model):
    run, request = model
    trace = run.trace(request)
    assert trace.maps()
    if run.card.produces == "text":
        labels = "".join(step.chosen.label for step in trace.steps if step.chosen)
        assert "".join(labels.split()).startswith("".join(trace.text.split())[:4]), "but for spaces, labels join to the text"
        for step in trace.steps:
            assert step.chosen is None or step.chosen in step.candidates
            assert sum(each.probability for each in step.candidates) <= 1 + 1e-4
            for rows in step.attentions:
                if rows.kind == "self" and isinstance(rows.query, Tokens):
                    last = rows.first_query + len(rows.query)
                    assert rows.query.labels == trace.tokens[rows.first_query : last]
                    assert rows.key.labels == trace.tokens[: len(rows.key)]
                if rows.kind == "cross" and isinstance(rows.key, Tokens):
                    assert (rows.first_query, rows.query.labels) == (step.index, (step.chosen.label,)), "a row belongs to its word"
                    assert rows.key.labels == trace.steps[0].prompt
                if rows.kind == "cross" and not isinstance(rows.key, Tokens):
                    assert (rows.first_query, rows.query.labels) == (step.index, (step.chosen.label,)), "a row belongs to its word"
    else:
        assert trace.picture.dtype == np.uint8 and trace.picture.ndim == 3
        for step in trace.steps:
            for rows in step.attentions:
                assert not isinstance(rows.key, Tokens) or rows.key.labels == trace.steps[0].prompt


def test_regions_are_of_words_that_are_there(model):
    run, request = model
    trace = run.trace(request)
    shown = trace.picture if trace.picture is not None else trace.source
    for region in trace.steps[-1].regions:
        assert region.mask.shape == shown.shape[:2] and region.mask.dtype == bool and region.mask.any()
        assert region.positions and max(region.positions) < len(trace.tokens)


def test_one_step_can_be_looked_into(model):
    """Of a picture that forms in many steps: one alone is what it was, with the maps of every kind."""
    run, request = model
    trace = run.trace(request)
    if trace.steps[0].state is None:
        return
    index = len(trace.steps) // 2
    was, cell = trace.steps[index], 3
    for state in (was.state, None):
        (step,) = run.generate(replace(request, only=index, state=state, pin=cell))
        assert step.index == index and np.array_equal(step.picture, was.picture)
        kinds = {rows.kind for rows in step.attentions}
        assert kinds > {rows.kind for rows in was.attentions}, "also those that a run does not keep"
        for rows in was.attentions:
            again = next(each for each in step.attentions if (each.kind, each.layer) == (rows.kind, rows.layer))
            assert np.abs(again.weights - rows.weights).max() < 1e-5
        for detail in step.details:
            rows = next(each for each in step.attentions if (each.kind, each.layer) == (detail.kind, detail.layer))
            assert np.allclose(rows.weights[:, cell], detail.weights, atol=1e-5)
    with pytest.raises(BadInput):
        list(run.generate(replace(request, only=10**6)))


def test_one_step_alone_is_what_it_was(model):
    """With all before it known: the same choice and weights, and how likely every token was."""
    run, request = model
    trace = run.trace(request)
    index = 2 * len(trace.steps) // 3
    was = trace.steps[index]
    (step,) = run.generate(replace(request, forced=trace.forced, only=index))
    assert step.index == index and step.stop == was.stop and step.text == was.text
    for rows in was.attentions:
        again = next(each for each in step.attentions if (each.kind, each.layer) == (rows.kind, rows.layer))
        first = rows.first_query - again.first_query
        assert np.abs(again.dense()[:, first : first + len(rows.query), : len(rows.key)] - rows.dense()).max() < 1e-5
    if was.chosen is None:
        return
    assert step.chosen.id == was.chosen.id and step.chosen.probability == pytest.approx(was.chosen.probability, abs=1e-4)
    assert step.odds.sum() == pytest.approx(1, abs=1e-4) and step.odds[step.chosen.id] > 0
    for only in (len(trace.steps), -1):
        with pytest.raises(BadInput):
            list(run.generate(replace(request, forced=trace.forced, only=only)))


def test_watching_changes_nothing(model):
    run, request = model
    seen, unseen = run.trace(request), run.trace(replace(request, watched=False))
    assert seen.forced == unseen.forced and seen.text == unseen.text
    if seen.picture is not None:  # the fused kernel adds up in another order: 1e-5, which may round to the next of 255 levels
        assert np.abs(seen.picture.astype(int) - unseen.picture).max() <= 1
    assert not any(step.attentions for step in run.generate(replace(request, watched=False)))


def painted(trace: Trace) -> tuple[Edit, ...]:
    """Every recorded row, as edits that paint it."""
    return tuple(
        Edit("paint", rows=rows.dense()[..., : len(rows.key)], map=rows.kind, layers=(rows.layer,), steps=(step.index,))
        for step in trace.steps
        for rows in step.attentions
    )


def test_painted_rows_give_the_same_output(model):
    run, request = model
    trace = run.trace(request)
    again = run.trace(replace(request, edits=painted(trace)))
    assert same(trace, again, tolerance=1e-4)
    assert all(
        abs(one.probability - two.probability) <= 1e-4
        for a, b in zip(trace.steps, again.steps, strict=True)
        for one, two in zip(a.candidates, b.candidates, strict=True)
    )


def test_one_changed_row_changes_the_output(model):
    """The row of the last choice, turned upside down, gives other probabilities; a face's, other pixels.

    A writer draws from all tokens at a high temperature: at a low one a sure choice hides that its reasons changed.
    """
    run, request = model
    bold = {"temperature": 2.0, "top_k": 0, "top_p": 1.0}
    known = {each.name for each in run.card.settings_of(request.variant)}
    request = replace(request, settings={**request.settings, **{name: value for name, value in bold.items() if name in known}})
    trace = run.trace(request)
    step = trace.steps[-1]
    rows = next(rows for rows in reversed(step.attentions) if rows.weights.shape[-1] > 1)
    query = rows.first_query + len(rows.query) - 1
    if trace.picture is not None:
        query = int(rows.weights.max((0, 2)).argmax())
    upside = 1 - rows.weights[:, query - rows.first_query][:, None]
    edit = Edit("paint", rows=upside, map=rows.kind, layers=(rows.layer,), steps=(step.index,), queries=(query,))
    fingers = [run.replay(replace(request, edits=edits, forced=trace.forced), query) for edits in ((), (edit,))]
    assert any(not np.allclose(a.context, b.context, atol=1e-6) for a, b in zip(*fingers, strict=True))
    edited = run.trace(replace(request, edits=(edit,), forced=trace.forced))
    assert [c.probability for c in edited.steps[-1].candidates] != [c.probability for c in step.candidates] or (
        trace.picture is not None and not same(trace, edited)
    )


def test_every_edit_runs(model):
    run, request = model
    trace = run.trace(request)
    for edit in (Edit("sharpness", 3.0), Edit("hide", keys=(0,)), Edit("uniform"), Edit("shuffle"), Edit("off"), Edit("off", heads=(0,))):
        edited = run.trace(replace(request, edits=(edit,), forced=trace.forced))
        assert edited.done
        for step in edited.steps:
            for rows in step.attentions:
                assert np.abs(rows.weights.sum(-1) - 1).max() < 1e-4
                assert (rows.used is not None) == (edit.action == "off")


def test_settings_at_their_ends(model):
    run, request = model
    for setting in run.card.settings_of(request.variant):
        ends = tuple(setting.choices) if setting.kind == "choice" else (setting.low, setting.high)
        for end in ends:
            if setting.name == "length" and end == setting.high:
                continue  # the cap is tested where the generator is
            settings = {**request.settings, setting.name: setting.check(end)}
            assert run.trace(replace(request, settings=settings)).done


def test_details_are_the_rows_own(model):
    run, request = model
    trace = run.trace(request)
    query = trace.steps[-1].attentions[0].first_query + len(trace.steps[-1].attentions[0].query) // 2
    for detail in run.replay(request, query):
        if (detail.kind, detail.layer) in trace.maps():
            row = trace.map(detail.kind, detail.layer)[:, query, : detail.weights.shape[-1]]
            assert np.allclose(row, detail.weights, atol=1e-5)
        scores = np.exp(detail.scores - detail.scores.max(-1, keepdims=True))
        assert np.allclose(scores / scores.sum(-1, keepdims=True), detail.weights, atol=1e-4)
        assert np.allclose(np.einsum("hk,hkv->hv", detail.weights, detail.value), detail.context, atol=1e-4)
        if detail.direction is None:
            scaled = np.einsum("hd,hkd->hk", detail.query, detail.key) * detail.scale
        else:
            scaled = np.tanh(detail.query[:, None] + detail.key) @ detail.direction
        seen = np.isfinite(detail.scores)
        assert np.allclose(scaled[seen], detail.scores[seen], atol=1e-3)
    with pytest.raises(BadInput):
        run.replay(request, 10**6)


def test_a_run_goes_on_from_another_candidate(model):
    run, request = model
    trace = run.trace(request)
    if run.card.produces != "text":
        return
    step = next(step for step in trace.steps if len(step.candidates) > 1)
    other = next(each for each in step.candidates if each.id != step.chosen.id)
    branch = run.trace(replace(request, forced=(*trace.forced[: step.index], other.id)))
    assert branch.forced[: step.index + 1] == (*trace.forced[: step.index], other.id)
    assert branch.steps[step.index].chosen.label == other.label
    with pytest.raises(BadInput):
        list(run.generate(replace(request, forced=(10**7,))))


def test_interleaved_runs_never_hear_each_other(model):
    """Two runs with other edits, each turn in another thread under a fresh copied context, closed from a third."""
    run, request = model
    requests = [request, replace(request, edits=(Edit("uniform"),))]
    alone = [run.trace(each) for each in requests]
    together = [Trace(run.card.name, each.variant) for each in requests]
    turns, left = [iter(run.generate(each)) for each in requests], []

    def turn(iterator, trace):
        for step in iterator:
            trace.add(step)
            break
        left.append((watched(), torch.is_inference_mode_enabled(), torch.is_grad_enabled()))

    def in_thread(function, *args):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(function, *args))
        thread.start()
        thread.join()

    for _ in range(max(len(trace.steps) for trace in alone) + 1):
        for iterator, trace in zip(turns, together, strict=True):
            in_thread(turn, iterator, trace)
    assert all(same(one, two) for one, two in zip(alone, together, strict=True))
    open_run = run.generate(request)
    in_thread(next, open_run)
    in_thread(open_run.close)
    assert set(left) == {(False, False, True)} and not watched()


HOSTILE = ["<img src=x onerror=alert(1)>", "${alert(1)}", "{{value}}", "C:\\users"]
STRANGE = ["", " ", "שלום \u202e\x00\x07 你好 🦊", "e\u0301" * 3]


@pytest.mark.parametrize("text", HOSTILE + STRANGE)
def test_any_prompt_runs(model, text):
    run, request = model
    trace = run.trace(replace(request, text=text))
    assert trace.done and trace.steps[0].notes is not None
    if run.card.produces == "text" and not text.strip():
        assert trace.steps[0].notes, "an unconditional run says so"


def test_a_very_long_prompt_is_cut_and_says_so(model):
    run, request = model
    first = next(iter(run.generate(replace(request, text="long ago " * 11_000))))
    assert first.notes or run.card.produces == "picture"
    assert sum(rows.weights.nbytes for rows in first.attentions) < 32e6


def test_the_twin_runs_and_shows_no_weights(model):
    run, request = model
    if not run.card.twin:
        with pytest.raises(BadInput):
            Request.check(run.card, attention=False)
        return
    trace = run.trace(replace(request, attention=False))
    assert trace.done and not trace.maps()


def known_of(model):
    """The card's variant that a model is asked for."""
    run, request = model
    return run.card.variant(request.variant)


def given_picture(run, request, size):
    """The request with a picture that nobody has learned: a red disc on a slope."""
    row, column = np.mgrid[:size, :size] / (size - 1)
    picture = np.stack([255 * column, 255 * row, 120 + 0 * row], -1).astype(np.uint8)
    picture[np.hypot(row - 0.5, column - 0.4) < 0.3] = (200, 60, 40)
    return replace(request, picture=picture)


def test_a_picture_comes_the_same_way_by_every_door(model):
    """The quick picture, and the sheet of many, are what a run makes."""
    run, request = model
    if run.card.produces != "picture":
        with pytest.raises(BadInput):
            run.picture(request)
        return
    made = run.trace(replace(request, text="", seed=7)).picture.astype(int)
    assert np.abs(run.picture(replace(request, text="", seed=7)) - made).max() <= 1
    if not run.card.gallery:
        with pytest.raises(BadInput):
            run.sheet(request, [7])
        return
    sheet = run.sheet(replace(request, text=""), [5, 7])
    assert sheet.shape == (2, *made.shape) and sheet.dtype == np.uint8 and np.abs(sheet[1] - made).max() <= 1
    assert np.abs(run.sheet(request, [3, 4, 7])[2] - made).max() <= 1, "a face hangs on its seed alone"


def test_a_given_picture_is_seen(model):
    run, request = model
    if "picture" not in run.card.accepts:
        assert run.trace(request).source is None or run.trace(request).steps[0].state is not None
        return
    asked = given_picture(run, request, known_of(model).size or run.trace(request).picture.shape[0])
    trace = run.trace(asked)
    assert np.array_equal(trace.source, asked.picture)
    if run.card.produces == "picture":
        assert trace.picture.shape == asked.picture.shape and not np.array_equal(trace.picture, run.trace(request).picture)
    else:
        other = run.trace(replace(asked, picture=255 - asked.picture))
        assert [c.probability for c in trace.steps[0].candidates] != [c.probability for c in other.steps[0].candidates]
    twice = run.trace(asked)
    assert same(trace, twice)
    if any(kind == "encoder" for kind, _ in trace.maps()):
        assert np.abs(run.trace(replace(asked, picture=255 - asked.picture)).map("encoder", 0) - trace.map("encoder", 0)).max() > 1e-4


def test_what_is_rubbed_out_is_not_looked_at(model):
    run, request = model
    variant = known_of(model)
    if not variant.grid:
        return
    whole = run.trace(request)
    source = whole.steps[0].source
    cells = len(next(rows.key for rows in whole.steps[0].attentions if rows.kind == "encoder"))
    hidden = tuple(range(cells // 4, cells // 2))
    trace = run.trace(replace(request, hidden=hidden))
    looked = [each for each in trace.maps() if each[0] != "self"]
    assert any(kind == "cross" for kind, _ in looked) and not any(kind == "cross" for kind, _ in whole.maps())
    for kind, layer in looked:
        assert trace.map(kind, layer)[..., hidden].max() == 0 and trace.map(kind, layer).sum(-1) == pytest.approx(1, abs=1e-4)
    assert not np.array_equal(trace.source, source) and not np.array_equal(trace.picture, whole.picture)
    side = int(cells**0.5)
    there = np.kron(~np.isin(np.arange(cells), hidden).reshape(side, side), np.ones((source.shape[0] // side,) * 2)).astype(bool)
    assert np.array_equal(trace.source[there], source[there])
    other = source.copy()
    other[~there] = 255 - other[~there]
    blind = [run.trace(replace(request, picture=each, hidden=hidden)) for each in (source, other)]
    assert same(*blind), "nothing of what was rubbed out reaches the model"
    assert run.trace(replace(request, hidden=hidden, attention=False)).done


def test_every_slider_and_axis_moves_the_picture(model):
    run, request = model
    variant = known_of(model)
    plain = run.trace(request)
    for setting in run.card.settings_of(variant.name):
        if not setting.live:
            continue
        ends = tuple(setting.choices) if setting.kind == "choice" else (setting.low, setting.high)
        other = {"other": "Bo"} if any(each.kind == "word" for each in run.card.settings_of(variant.name)) else {}
        moved = [run.trace(replace(request, settings={**request.settings, **other, setting.name: end})).picture for end in ends]
        assert any(not np.array_equal(each, plain.picture) for each in moved), setting.name
    for axis in range(min(4, variant.axes)):
        assert not np.array_equal(run.trace(replace(request, code={axis: 3.0})).picture, plain.picture)


@pytest.mark.parametrize(("name", "variant"), SHIPPED)
def test_stored_examples_still_draw(name, variant):
    folder = generators.folders(name)[variant] / "examples"
    stored = sorted(folder.glob("*.npz"))
    assert len(stored) >= 6
    for path in stored:
        assert path.stat().st_size <= 500_000
        trace = Trace.load(path)
        assert (trace.generator, trace.variant) == (name, variant) and trace.done and trace.maps()
        assert any(step.details for step in trace.steps), "an example holds the components of the query it pins"
        Request.from_dict(generators.find(name).card, trace.request)


@pytest.mark.parametrize(("name", "variant"), SHIPPED)
def test_a_stored_example_is_what_the_model_makes(name, variant):
    path = sorted((generators.folders(name)[variant] / "examples").glob("*.npz"))[0]
    stored, run = Trace.load(path), generators.load(name, variant)
    again = run.trace(replace(Request.from_dict(run.card, stored.request), forced=stored.forced))
    assert same(stored, again, tolerance=2e-3)


@pytest.mark.parametrize(("name", "variant"), SHIPPED)
def test_learning_shows_the_example_growing(name, variant):
    series = load_series(generators.folders(name)[variant] / "learning.npz")
    steps = list(series)
    assert 8 <= len(steps) <= 12 and steps == sorted(steps)
    first, last = series[steps[0]], series[steps[-1]]
    assert first.maps() == last.maps() and first.tokens == last.tokens
    kind, layer = last.maps()[0]
    assert np.abs(first.map(kind, layer) - last.map(kind, layer)).max() > 0.02


@pytest.mark.parametrize(("name", "variant"), SHIPPED)
def test_damaged_weights_are_one_sentence(name, variant, tmp_path):
    good = generators.folders(name)[variant]
    for path in good.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = next(path for path in sorted(tmp_path.glob("*.safetensors")) if path.stem != "without")
    weights.write_bytes(weights.read_bytes()[:1000])
    for broken in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotReady) as refusal:
            generators.find(name).load(broken)
        assert set(refusal.value.words) == LANGUAGES and "\n" not in str(refusal.value)
