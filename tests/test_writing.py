"""What all writers share: prompts read as the model knows them, dice, forced tokens, the stop list, caps, long rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import generators
from generators import tokens, writing
from generators.base import BadInput, Request
from generators.edits import Edit
from generators.prompts import read_prompt
from generators.stoplist import completes, is_listed
from generators.trace import Trace
from generators.writing import KEPT, Writer

TALE = "Once upon a time there was a cat, who ate a mouse.\nThe mouse said: “Thank you.”\n"
CHARACTERS = tokens.Characters("，。日月山水")
WRITERS = [name for name in generators.names() if issubclass(generators.find(name), Writer)]


@pytest.fixture(autouse=True, scope="module")
def patience():
    """No run ends because the machine is busy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "SECONDS", float("inf"))
        yield


@pytest.fixture(scope="module")
def pieces():
    return tokens.Pieces.learn([TALE] * 20, 320)


@pytest.fixture(scope="module", params=WRITERS)
def run(request):
    return generators.find(request.param).tiny()


def ask(run, text="Ada", **given):
    return Request.check(run.card, text=text, **given)


# Prompts


@pytest.mark.parametrize(
    ("text", "settings", "width", "lines"),
    [
        ("白日依山尽", {}, 5, "白日依山尽"),
        ("", {}, 7, ""),
        ("故人西辞黄鹤楼,\n烟花", {}, 7, "故人西辞黄鹤楼，烟花"),
        ("日", {"form": "5"}, 5, "日"),
    ],
)
def test_an_opening_gives_its_form(text, settings, width, lines):
    read = read_prompt(text, settings, CHARACTERS, verse=True, longest=160)
    assert read.ids[:2] == (tokens.form_token(width, 4), tokens.TEXT)
    assert tokens.decode(CHARACTERS, read.ids) == lines


def test_line_breaks_of_an_opening_become_marks():
    read = read_prompt("日山\n水月\n日", {}, CHARACTERS, verse=True, longest=160)
    assert tokens.decode(CHARACTERS, read.ids) == "日山，水月。日"


def test_a_title_stands_before_the_text(pieces):
    read = read_prompt("The cat ", {"start": "title", "length": 9}, pieces, verse=False, longest=160)
    assert read.ids[0] == tokens.TITLE and read.ids[-1] == tokens.TEXT and read.room == 9
    assert tokens.decode(pieces, read.ids) == "The cat"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The prompt is empty"),
        ("a\x07\u202eb", "U+0007, U+202E"),
        ("שלום", "in the order of typing"),
        ("🦊", "🦊"),
        ("cat " * 1000, "the last 160 of its 1,000 tokens, from “cat cat cat cat cat cat …” on"),
        ("x" * 100_000, "the last 20,000"),
    ],
)
def test_what_is_done_to_a_prompt_is_said(pieces, text, said):
    notes = read_prompt(text, {}, pieces, verse=False, longest=160).notes
    assert any(said in note["en"] for note in notes) and all(note["zh"] for note in notes)


def test_a_plain_prompt_needs_no_words(pieces):
    assert read_prompt("Once upon a time", {}, pieces, verse=False, longest=160).notes == ()


# Runs


def test_forced_tokens_are_chosen_and_the_dice_stay_the_same(run):
    plain = run.trace(ask(run, seed=3, settings={"length": 8}))
    again = run.trace(replace(ask(run, seed=3, settings={"length": 8}), forced=plain.forced[:4]))
    assert again.forced == plain.forced


def test_without_temperature_the_most_likely_token_follows(run):
    traces = [run.trace(ask(run, seed=seed, settings={"temperature": 0, "length": 8})) for seed in (1, 2)]
    assert traces[0].forced == traces[1].forced
    assert all(step.chosen == step.candidates[0] and step.chosen.probability == 1 for step in traces[0].steps)


def test_a_run_has_a_last_token(run):
    endless = replace(ask(run), settings={"length": 10**6, "temperature": 0}, watched=False)
    steps = list(run.generate(replace(endless, forced=(tokens.form_token(5, 4),) * 2000)))
    assert len(steps) <= run.longest and steps[-1].stop == "length"


def test_each_step_offers_eight(run):
    for step in run.generate(ask(run, settings={"top_k": 2, "length": 4})):
        assert len(step.candidates) == 8
        assert [each.probability for each in step.candidates[2:]] == [0.0] * 6


def test_an_over_long_prompt_keeps_its_end(run):
    trace = run.trace(ask(run, "long ago " * 400 + "the end", settings={"length": 2}))
    prompt = trace.steps[0].prompt
    assert len(prompt) == run.longest_prompt + 1 and "".join(prompt).endswith("the end")
    assert f"the last {run.longest_prompt} of its 3,607 tokens" in trace.steps[0].notes[0]["en"]


# Long rows


@pytest.fixture(scope="module")
def long_run(run, patience):
    """A prompt longer than KEPT keys where the writer takes one, and a run that goes on to its cap."""
    request = ask(run, "long ago " * 200, settings={"length": run.longest})
    return request, run.trace(replace(request, forced=tuple(run.vocabulary.encode("so ") * 500)))


def test_of_long_rows_the_strongest_keys_are_kept(run, long_run):
    request, trace = long_run
    last = trace.steps[-1].attentions[0]
    assert len(last.key) > KEPT and last.weights.shape[-1] == KEPT + 1 and last.places.shape[-1] == KEPT
    details = run.replay(replace(request, forced=trace.forced), last.first_query)
    whole = np.stack([each.weights for each in details if each.layer == last.layer])[0]  # (H, K)
    kept = last.dense()[:, 0, :-1]
    assert np.allclose(kept[kept > 0], whole[kept > 0], atol=1e-6)
    assert np.allclose(last.weights[:, 0, -1], np.sort(whole)[:, :-KEPT].sum(-1), atol=1e-5), "the others are the weakest"


def test_memory_of_a_long_run_grows_with_its_length_only(run, long_run):
    _, trace = long_run
    sizes = [Trace("", "", steps=[step]).nbytes for step in trace.steps]
    assert max(sizes[1:]) == sizes[-1] == sizes[-10], "past the cap every step takes the same"


def test_a_long_run_is_announced(run, long_run):
    request, trace = long_run
    (said,) = run.forecast(request)
    assert f"{len(trace.tokens):,} tokens" in said["en"] and f"{KEPT} keys" in said["en"] and said["zh"]
    megabytes = int(said["en"].split(" MB")[0].split()[-1])
    assert megabytes == pytest.approx(trace.nbytes / 2**20, abs=1, rel=0.5)
    assert run.forecast(ask(run, settings={"length": 12})) == ()
    assert run.forecast(replace(request, attention=False)) == (), "a run without rows has none to cut"


def test_a_row_is_painted_at_its_absolute_keys(run, long_run):
    """Also of a row that is shown cut: all on one early key, which is not among the strongest."""
    request, trace = long_run
    last = trace.steps[-1].attentions[-1]
    query, key = last.first_query, 3
    row = [0.0] * len(last.key)
    row[key] = 1.0
    edit = Edit("paint", rows=[[row]], layers=(last.layer,), queries=(query,))
    edited = run.trace(replace(request, forced=trace.forced, edits=(edit,)))
    rows = edited.steps[-1].attentions[-1]
    assert rows.first_query == query and np.allclose(rows.dense()[:, 0, key], 1)
    assert all(np.array_equal(a.weights, b.weights) for a, b in zip(edited.steps[-2].attentions, trace.steps[-2].attentions, strict=True))


# What is never written


def test_a_listed_word_is_stopped_where_it_would_be_complete():
    assert is_listed("FUCK") and not is_listed("duck")
    assert completes("the old fu", "ck") and completes("", "Shit!") and completes("说", "傻逼")
    assert not completes("the old du", "ck") and not completes("the fuck ", "said") and not completes("", "")


@pytest.mark.parametrize("name", WRITERS)
def test_a_listed_word_is_never_chosen(name, monkeypatch):
    """A model that wants nothing else: every token of the word is by far the likeliest."""
    run = generators.find(name).tiny()
    read, word = run.read, run.vocabulary.encode(" fuck")

    def longing(model, new, memory):
        logits, memory = read(model, new, memory)
        logits = logits.clone()
        logits[word] += 50.0
        return logits, memory

    monkeypatch.setattr(run, "read", longing)
    for opening in ("", "fuc"):
        texts = [run.trace(ask(run, opening, seed=seed, settings={"length": 40})).text for seed in range(5)]
        assert all(set(text) <= set(" fuck") and "fuck" not in opening + text for text in texts) and len("".join(texts)) > 100


def test_a_listed_word_cannot_be_forced(run):
    with pytest.raises(BadInput, match="not written here"):
        run.generate(replace(ask(run, ""), forced=tuple(run.vocabulary.encode("shit"))))


def test_runs_leave_torchs_dice_alone():
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    for name in WRITERS:
        generators.find(name).tiny()
    assert torch.equal(torch.rand(1), expected)
