"""The encoder–decoder with additive attention: its equations, its search, its bad input; its training starts, stops and goes on."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

import generators
from generators.attention import watch
from generators.base import BadInput, Request
from generators.data import Pair
from generators.edits import Edit
from generators.searching import LENGTH_POWER, beam_search
from generators.seq2seq import LONGEST, Run, prompt
from generators.seq2seq import train as train_module
from generators.seq2seq.corpus import Corpus, collate, corpus_of, learn_languages, rows_of
from generators.seq2seq.model import AdditiveScores, BiGRU, EncoderDecoder, GRUGates
from generators.seq2seq.tokens import START, UNKNOWN, Languages, Reader, Symbols, decode
from generators.tokens import END, SPECIALS, Pieces
from generators.training import IGNORED, read_json, read_weights

FIRST = len(SPECIALS)
WORDS = [("cat", "K AE T"), ("act", "AE K T"), ("tack", "T AE K"), ("at", "AE T"), ("kat", "K AE T"), ("tact", "T AE K T")]
SENTENCES = [("The cat sleeps.", "Le chat dort."), ("The cat sleeps.", "Le chat est endormi."), ("A dog eats.", "Un chien mange.")]
COUPLETS = [("明月松间照", "清泉石上流"), ("两个黄鹂鸣翠柳", "一行白鹭上青天"), ("海内存知己", "天涯若比邻")]


@pytest.fixture(scope="module")
def tiny():
    return Run.tiny()


@pytest.fixture(scope="module")
def languages():
    """Variant → both vocabularies, learned from a handful of pairs."""
    rows = {"sound_en": WORDS, "eng_fra": SENTENCES * 10, "couplets_zh": COUPLETS}
    return {variant: learn_languages(variant, [Pair(a, (b,)) for a, b in pairs], 300) for variant, pairs in rows.items()}


def small(attention=True, seed=0, **given):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return EncoderDecoder(20, 12, 8, 12, 6, attention=attention, **given).eval().requires_grad_(False)


def ids(*shape, high=20):
    return torch.randint(FIRST, high, shape, generator=torch.Generator().manual_seed(3))


def ask(run, **given):
    return run.trace(Request.check(run.card, **{"settings": {"length": 12}, **given}))


def notes(run, **given):
    return " ".join(each["en"] for each in ask(run, **given).steps[0].notes)


# The network


def test_the_reader_is_two_grus():
    reader, units = BiGRU(5, 4), 4
    twins = [torch.nn.GRU(5, units, batch_first=True) for _ in range(2)]
    weight, bias = reader.project.weight.view(2, 3 * units, 5), reader.project.bias.view(2, 3 * units)
    for side, gru in enumerate(twins):
        gru.load_state_dict(
            {
                "weight_ih_l0": weight[side],
                "bias_ih_l0": bias[side],
                "weight_hh_l0": reader.weight[side].T,
                "bias_hh_l0": reader.bias[side, 0],
            }
        )
    inputs = torch.randn(3, 6, 5)
    annotations, last = reader(inputs)
    ahead, behind = twins[0](inputs)[0], twins[1](inputs.flip(1))[0].flip(1)
    assert torch.allclose(annotations, torch.cat([ahead, behind], -1), atol=1e-6)
    assert torch.allclose(last, torch.cat([ahead[:, -1], behind[:, 0]], -1), atol=1e-6)


def test_gradients_of_gates_and_scores_are_torchs():
    given, recurrent, hidden = (torch.randn(2, n, requires_grad=True) for n in (9, 9, 3))

    def plain(given, recurrent, hidden):
        (xr, xz, xn), (hr, hz, hn) = given.chunk(3, -1), recurrent.chunk(3, -1)
        update = torch.sigmoid(xz + hz)
        return (1 - update) * torch.tanh(xn + torch.sigmoid(xr + hr) * hn) + update * hidden

    query, key, direction = (
        torch.randn(2, 4, requires_grad=True),
        torch.randn(2, 5, 4, requires_grad=True),
        torch.randn(4, requires_grad=True),
    )
    for ours, theirs, inputs in (
        (GRUGates.apply, plain, (given, recurrent, hidden)),
        (AdditiveScores.apply, lambda q, k, v: torch.tanh(q[:, None] + k) @ v, (query, key, direction)),
    ):
        one, two = ours(*inputs), theirs(*inputs)
        assert torch.allclose(one, two, atol=1e-6)
        factor = torch.randn_like(one)
        pairs = zip(torch.autograd.grad(one, inputs, factor), torch.autograd.grad(two, inputs, factor), strict=True)
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in pairs)


def test_attention_is_the_papers_formula():
    """e = vᵀ tanh(W s + U h), α = softmax(e), c = Σ α h; training takes a quicker way to the same."""
    model = small()
    source, state = model.read(ids(2, 7)), torch.randn(2, 12)
    with watch() as watcher:
        context = model.look(state, source)
    scores = torch.tanh(model.to_query(state)[:, None] + model.to_key(source.annotations)) @ model.direction
    weights = torch.exp(scores) / torch.exp(scores).sum(-1, keepdim=True)
    assert torch.allclose(watcher.heard[0].weights[:, 0, 0], weights, atol=1e-6) and watcher.heard[0].name == ("cross", 0)
    assert torch.allclose(context, (weights[..., None] * source.annotations).sum(1), atol=1e-6)
    model.train()
    assert torch.allclose(model.look(state, source), context, atol=1e-5)
    model.eval()


@pytest.mark.parametrize("attention", [True, False])
def test_padding_changes_nothing_and_is_never_looked_at(attention):
    model = small(attention)
    sources, targets = ids(1, 5), ids(1, 4, high=12)
    padded = torch.cat([sources, torch.full((1, 3), END)], 1)
    mask = torch.arange(8)[None] < 5
    assert torch.allclose(model(padded, targets, mask), model(sources, targets), atol=1e-6)
    if attention:
        with watch() as watcher:
            model.look(torch.randn(1, 12), model.read(padded, mask))
        assert (watcher.heard[0].weights[..., 5:] == 0).all()


@pytest.mark.parametrize("attention", [True, False])
def test_word_by_word_gives_the_same_logits_as_all_at_once(attention):
    model = small(attention)
    source, targets = model.read(ids(3, 6)), ids(3, 5, high=12)
    whole, state = model(ids(3, 6), targets), source.start
    for step in range(5):
        logits, state = model.step(targets[:, step], state, source)
        assert torch.allclose(logits, whole[:, step], atol=1e-5)


@pytest.mark.parametrize("recipe", ["sound_en", "eng_fra", "couplets_zh"])
def test_the_twin_has_as_many_parameters(recipe):
    sizes = train_module.RECIPES[recipe]
    shared = recipe != "sound_en"
    counts = []
    for attention in (True, False):
        model = EncoderDecoder(
            sizes.vocabulary, sizes.vocabulary, sizes.embedding_dim, sizes.units, sizes.score_dim, attention=attention, shared=shared
        )
        counts.append(sum(weight.numel() for weight in model.parameters()))
    assert abs(counts[1] / counts[0] - 1) < 0.01 and counts[0] < 2.1e6


def test_the_twin_sees_one_vector_only():
    model = small(False)
    assert model.read(ids(2, 9)).annotations.shape[:2] == (2, 1)
    with watch() as watcher:
        model(ids(2, 9), ids(2, 3, high=12))
    assert not watcher.heard


# The search


def never(count, *forbidden):
    table = torch.zeros(2, count)
    table[:, [*range(1, FIRST), *forbidden]] = -torch.inf
    table[0, END] = -torch.inf
    return table


def every_target(model, source, table, longest):
    """Target → log p / length^power, of all that are complete or as long as may be."""
    symbols = [token for token in range(12) if table[1, token] == 0]
    found = {}
    for length in range(1, longest + 1):
        for tokens in itertools.product(symbols, repeat=length):
            if END in tokens[:-1] or tokens[0] == END or (length < longest and tokens[-1] != END):
                continue
            state, token, score = source.start, START, 0.0
            for step, chosen in enumerate(tokens):
                logits, state = model.step(torch.tensor([token]), state, source)
                score += float((logits[0] + table[min(step, 1)]).log_softmax(-1)[chosen])
                token = chosen
            found[tokens] = score / length**LENGTH_POWER
    return found


def test_a_wide_beam_finds_what_trying_everything_finds():
    model = small(seed=4)
    source = model.read(ids(1, 5))
    table = never(12, 10, 11)
    best, history = beam_search(model, source, start=START, beams=64, longest=4, never=table)
    everything = every_target(model, source, table, 4)
    winner = max(everything, key=everything.__getitem__)
    assert best[0].tokens == winner
    assert best[0].score / len(winner) ** LENGTH_POWER == pytest.approx(everything[winner], abs=1e-4)
    assert all(len(found) <= 64 for found in history) and len(set(history[-1])) == len(history[-1])


def test_one_beam_is_greedy_and_a_batch_is_like_each_alone():
    model, table = small(seed=5), never(12)
    source = model.read(ids(4, 6))
    together = beam_search(model, source, start=START, beams=3, longest=6, never=table)[0]
    greedy = beam_search(model, source, start=START, beams=1, longest=6, never=table)[0]
    for row in range(4):
        alone = source.repeat(torch.tensor([row]))
        found = beam_search(model, alone, start=START, beams=3, longest=6, never=table)[0][0]
        assert found.tokens == together[row].tokens and found.score == pytest.approx(together[row].score, abs=1e-4)
        token, state, path = START, alone.start, []
        while len(path) < 6 and token != END:
            logits, state = model.step(torch.tensor([token]), state, alone)
            token = int((logits[0] + table[min(len(path), 1)]).argmax())
            path.append(token)
        assert greedy[row].tokens == tuple(path)


def test_the_search_keeps_to_forced_tokens_and_refuses_others():
    model, table = small(seed=6), never(12)
    source = model.read(ids(1, 5))
    forced = (FIRST + 3, FIRST + 1)
    assert beam_search(model, source, start=START, beams=4, longest=5, never=table, forced=forced)[0][0].tokens[:2] == forced
    free = beam_search(model, source, start=START, beams=4, longest=5, never=table)[0][0].tokens
    other = beam_search(model, source, start=START, beams=4, longest=5, never=table, refused=lambda written, token: token == free[0])[0][
        0
    ].tokens
    assert free[0] not in other


# The run


def test_beams_are_shown_and_the_chosen_one_is_drawn(tiny):
    trace = ask(tiny, text="cabbage", settings={"beams": 4, "length": 6})
    for step in trace.steps:
        assert 1 <= len(step.beams) <= 4 and sum(beam.chosen for beam in step.beams) >= (step is trace.steps[-1])
        assert [beam.score for beam in step.beams] or step.stop
    assert trace.steps[-1].beams[0].text.startswith(trace.text) and trace.steps[-1].beams[0].chosen
    assert trace.map("cross", 0).shape == (1, len(trace.steps), len("cabbage") + 1)
    assert ask(tiny, text="cabbage", settings={"beams": 4, "length": 6}, forced=list(trace.forced)).text == trace.text


def test_edits_reach_the_search(tiny):
    plain = ask(tiny, text="cabbage", settings={"beams": 3, "length": 5})
    off = tiny.trace(Request.check(tiny.card, text="cabbage", settings={"beams": 3, "length": 5}, edits=[{"action": "off"}]))
    assert [beam.score for beam in plain.steps[0].beams] != [beam.score for beam in off.steps[0].beams]


def test_a_hidden_letter_is_not_looked_at(tiny):
    trace = tiny.trace(replace(Request.check(tiny.card, text="cab", settings={"length": 4}), edits=(Edit("hide", keys=(0,)),)))
    assert trace.map("cross", 0)[..., 0].max() == 0


def test_a_branch_goes_on_from_what_was_forced(tiny):
    trace = ask(tiny, text="cab")
    other = next(each.id for each in trace.steps[1].candidates if each.id != trace.steps[1].chosen.id)
    for beams in (1, 4):
        branch = ask(tiny, text="cab", forced=[trace.forced[0], other], settings={"beams": beams, "length": 12})
        assert branch.forced[:2] == (trace.forced[0], other)


@pytest.mark.parametrize("token", [END, UNKNOWN, START, 10**6])
def test_no_target_begins_with_its_end_or_a_mark(tiny, token):
    with pytest.raises(BadInput):
        ask(tiny, text="cab", forced=[token])


def test_the_length_is_capped(tiny):
    trace = ask(tiny, text="cab", settings={"length": LONGEST})
    assert len(trace.steps) <= LONGEST and trace.done


def test_slurs_are_not_written(tiny, monkeypatch):
    monkeypatch.setattr(generators.seq2seq, "completes", lambda before, added: "B" in (before + added))
    for beams in (1, 4):
        assert "B" not in ask(tiny, text="cabbage", settings={"beams": beams, "length": 8}).text
    with pytest.raises(BadInput):
        ask(tiny, text="cab", forced=[tiny.languages.target.encode(" B")[0]])


# What may be typed


def test_an_empty_source_takes_a_sample_by_the_seed(tiny):
    first, second = (ask(tiny, text=" ", seed=seed) for seed in (0, 1))
    assert first.steps[0].prompt != second.steps[0].prompt and "empty" in notes(tiny, text="")
    assert "".join(first.steps[0].prompt[:-1]) == prompt.SAMPLES["sound"][0]


def test_spellings_are_letters(tiny):
    assert "left out: 4 !" in notes(tiny, text="fo4x!")
    assert ask(tiny, text="fo4x!").steps[0].prompt == ("f", "o", "x", "⟨end⟩")
    assert ask(tiny, text="Été’s").steps[0].prompt == (*"ete's", "⟨end⟩")
    assert "nothing in it" in notes(tiny, text="1234 你好")
    assert "“red” is read, not what follows it (2 more)" in notes(tiny, text="red green blue")
    assert "first 30 of its 500 tokens" in notes(tiny, text="a" * 500)
    assert len(ask(tiny, text="a" * 500).steps[0].prompt) == 31


@pytest.fixture(scope="module")
def readers(languages):
    return {variant: lambda text, own=own: prompt.read_source(text, own, 0) for variant, own in languages.items()}


def said(found):
    return " ".join(each["en"] for each in found.notes)


def test_a_long_sentence_is_cut_and_says_where(readers):
    found = readers["eng_fra"]("the cat sleeps and a dog eats " * 72)
    assert len(found.ids) == 81 and "first 80 of its" in said(found) and "up to “…" in said(found)
    assert found.labels[-1] == "⟨end⟩" and found.length < 504


def test_french_and_strangers_are_noticed(readers):
    assert "looks like French" in said(readers["eng_fra"]("Où est le chat ? Il est dans la maison."))
    assert not readers["eng_fra"]("The cat sleeps.").notes
    assert "reads them as bytes: 猫" in said(readers["eng_fra"]("The 猫 sleeps."))
    assert "in pieces: zyxwv" in said(readers["eng_fra"]("The zyxwv sleeps."))


@pytest.mark.parametrize(("line", "length"), [("春风", 2), ("海内知", 3), ("两个黄鹂鸣翠柳一", 8), ("月" * 30, 20)])
def test_lines_of_other_lengths_are_answered_with_a_note(readers, line, length):
    found = readers["couplets_zh"](line)
    assert found.length == length and f"this one has {length}" in said(found)


def test_couplets_take_one_line_without_its_punctuation(readers):
    found = readers["couplets_zh"]("明月松间照，清泉石上流。")
    assert found.text == "明月松间照" and "first of 2" in said(found)
    assert not readers["couplets_zh"](" 明月松间照。 ").notes
    english = readers["couplets_zh"]("moon")
    assert "never learned" in said(english) and english.ids == (UNKNOWN,) * 4 + (END,) and english.labels[:4] == tuple("moon")


# Vocabularies


@pytest.mark.parametrize(("variant", "pair"), [("sound_en", WORDS[2]), ("eng_fra", SENTENCES[1]), ("couplets_zh", COUPLETS[1])])
def test_vocabularies_give_the_text_back(languages, variant, pair, tmp_path):
    own = languages[variant]
    target = own.encode_target(pair[1])
    assert target[-1] == END and UNKNOWN not in target and decode(own.target, target) == pair[1]
    assert "".join(own.source_labels(pair[0], own.encode_source(pair[0]))).removesuffix("⟨end⟩") == pair[0]
    own.save(tmp_path)
    again = Languages.load(tmp_path)
    assert again.kind == own.kind and again.encode_source(pair[0]) == own.encode_source(pair[0])
    assert again.encode_target(pair[1]) == target


def test_symbols_are_cut_at_the_longest():
    assert Symbols([" A", " AA", " B"]).encode(" AA B A!") == [FIRST + 1, FIRST + 2, FIRST, UNKNOWN]


def test_only_the_first_word_loses_its_space(languages):
    reader = Reader(languages["sound_en"].target)
    sound = languages["sound_en"].target.encode(" K")[0]
    assert [reader.peek(sound), reader.read(sound), reader.peek(sound), reader.read(sound)] == ["K", "K", " K", " K"]


# Batches


def test_every_pair_comes_once_in_a_round_and_a_step_is_always_the_same(languages):
    pairs = [Pair("cat" * (1 + index % 4), ("K AE T " * (1 + index % 3),)) for index in range(40)]
    rows = [row for pair in pairs for row in rows_of(pair, languages["sound_en"])]
    corpus, again = Corpus(rows, [], seed=1), Corpus(rows, [], seed=1)
    batches = [corpus.batch(step, 60) for step in range(30)]
    count = next(count for count in range(1, 30) if sum(map(len, batches[:count])) == 40)
    assert {id(row) for batch in batches[:count] for row in batch} == set(map(id, rows))
    assert [id(row) for row in again.batch(17, 60)] == [id(row) for row in batches[17]]
    assert all(sum(len(row.source) + len(row.target) for row in batch) <= 60 or len(batch) == 1 for batch in batches)


def test_targets_are_one_step_ahead_and_unknown_ones_are_not_predicted(languages):
    rows = [*rows_of(Pair("明月", ("清泉",)), languages["couplets_zh"]), *rows_of(Pair("明", ("鑫",)), languages["couplets_zh"])]
    batch = collate(rows, torch.device("cpu"))
    assert batch.inputs[0, 0] == START and batch.inputs[0, 1:].tolist() == batch.targets[0, :-1].tolist()
    assert batch.targets[1].tolist() == [IGNORED, END, IGNORED] and batch.mask.tolist() == [[True] * 3, [True, True, False]]
    assert np.array_equal(batch.sources[1, :2], rows[1].source)


# Training and figures


@pytest.fixture
def data(tmp_path):
    """A data folder with a few rows of each kind."""
    for name, rows in {
        "cmudict/cmudict.tsv": [("word", "phones", "phones_nostress"), *((word, "x", phones) for word, phones in WORDS)],
        "nmt_tatoeba/eng-fra.tsv": SENTENCES * 4,
        "poems_zh/couplets_tang.tsv": [("shanglian", "xialian", "title", "author"), *((*pair, "t", "a") for pair in COUPLETS)],
        "poems_zh/couplets_song.tsv": [("shanglian", "xialian", "title", "author")],
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return tmp_path


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Small recipes, no assets of ours: everything goes below a folder of the test's."""
    monkeypatch.setenv("LAB_MODELS_DIR", str(tmp_path / "models"))
    small_recipe = train_module.Recipe(vocabulary=280, embedding_dim=8, units=12, score_dim=6, rates=(1e-2,), batch=64)
    monkeypatch.setattr(train_module, "RECIPES", dict.fromkeys(train_module.RECIPES, small_recipe))
    monkeypatch.setattr(train_module, "OWN_TEXT", small_recipe)
    return tmp_path / "models" / "seq2seq"


def test_two_steps_and_two_more(data, house):
    out = house / "mine"
    train_module.train("sound_en", data=data, out=out, steps=2)
    after_two = read_weights(out / "weights.safetensors")
    train_module.train("sound_en", data=data, out=out, steps=4, resume=True)
    after_four = read_weights(out / "weights.safetensors")
    assert any(not torch.equal(after_two[name], after_four[name]) for name in after_two)
    assert read_json(out / "card.json")["training"]["steps"] == 4
    train_module.train("sound_en", data=data, out=out, attention=False)
    card = read_json(out / "card.json")
    assert card["training_without"]["steps"] == 4
    assert card["training_without"]["parameters"] == pytest.approx(card["training"]["parameters"], rel=0.05)
    trace = ask(Run.load(out), text="cat")
    assert trace.done and trace.maps() == [("cross", 0)]


@pytest.mark.parametrize("variant", ["sound_en", "eng_fra", "couplets_zh"])
def test_every_figure_is_there_with_and_without(data, house, variant, monkeypatch):
    out = house / variant
    for attention in (True, False):
        train_module.train(variant, data=data, out=out, steps=2, attention=attention)
    monkeypatch.setattr(generators, "folders", lambda name: {variant: out})
    monkeypatch.setattr(generators, "_loaded", {})
    found = train_module.evaluate(variant, data=data)
    names = {"sound_en": {"word_error", "phoneme_error"}, "eng_fra": {"bleu"}, "couplets_zh": {"same_length", "bits_per_char", "copied"}}
    assert {name for name in found if "_len_" not in name} == names[variant]
    assert any("_len_" in name for name in found)
    for row in found.values():
        assert row["with"] >= 0 and row["without"] >= 0 and row["better"] in ("higher", "lower") and row["n"] >= 1
    assert train_module.evaluate(variant, data=data, limit=1).popitem()[1]["n"] == 1
    report = train_module.test(variant)
    assert report["loss"] > 0 and report["predictions"][0]["references"]


def test_a_file_of_pairs_makes_a_model_of_ones_own(house, tmp_path):
    text = tmp_path / "pairs.tsv"
    text.write_text("".join(f"{a}\t{b}\n" for a, b in SENTENCES * 5), encoding="utf-8")
    train_module.train(None, text=text, steps=2)
    assert ask(Run.load(house / "pairs"), text="The cat sleeps.").done
    text.write_text("no tab here\n", encoding="utf-8")
    with pytest.raises(BadInput):
        train_module.train(None, text=text, steps=2)


def test_corpus_sets_sources_aside_by_their_content(languages):
    pairs = [Pair("cat" * index, ("K AE T",)) for index in range(1, 300)]
    one, two = corpus_of(pairs, languages["sound_en"]), corpus_of(pairs[::-1], languages["sound_en"])
    assert {len(row.source) for row in one.validation} == {len(row.source) for row in two.validation} and 0 < len(one.validation) < 20
    assert isinstance(languages["eng_fra"].source, Pieces)
