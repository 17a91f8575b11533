"""The article's text model: causal, cached, fair to its twin; its training starts, stops and goes on."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import generators
from generators import tokens
from generators.attention import watch
from generators.base import BadInput, Request
from generators.corpus import Prose, Row, Verse, collate, prose_rows, verse_row
from generators.data import Document
from generators.edits import Edit
from generators.lstm import Run, study
from generators.lstm import train as train_module
from generators.lstm.model import AttentionModel, CausalAttention
from generators.lstm.train import Plan, Recipe, test_attention_model, train, train_attention_model
from generators.scoring import QUATRAINS
from generators.training import IGNORED, Clock, DenseLoss, read_json, read_weights, write_json, write_metrics

TALE = "Once upon a time there was a cat, who ate a mouse.\nThe mouse said: “Thank you.”\n"


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return AttentionModel(50, 16, 24, 4).eval()


@pytest.fixture(scope="module")
def pieces():
    return tokens.Pieces.learn([TALE] * 20, 320)


CHARACTERS = tokens.Characters("，。日月山水")


def ids(*shape):
    return torch.randint(0, 50, shape, generator=torch.Generator().manual_seed(2))


# The network


def test_no_logit_knows_a_later_token(model):
    one = ids(2, 12)
    two = one.clone()
    two[:, 7:] = (two[:, 7:] + 1) % 50
    with torch.inference_mode():
        a, b = model(one)[0], model(two)[0]
    assert torch.equal(a[:, :7], b[:, :7]) and not torch.allclose(a[:, 7:], b[:, 7:])


@pytest.mark.parametrize("attention", [True, False])
def test_reading_token_by_token_gives_the_same_logits(attention):
    model = AttentionModel(50, 16, 24, 4, attention=attention).eval()
    inputs, states, pieces_ = ids(2, 12), None, []
    with torch.inference_mode():
        whole, _ = model(inputs)
        for part in (inputs[:, :5], *inputs[:, 5:].split(1, dim=1)):
            logits, states = model(part, states)
            pieces_.append(logits)
        last, _ = model.last(inputs)
    assert torch.allclose(torch.cat(pieces_, 1), whole, atol=1e-5)
    assert torch.allclose(last, whole[:, -1], atol=1e-5)


def test_a_later_token_computes_one_row_only(model):
    with torch.inference_mode(), watch() as watcher:
        _, states = model(ids(1, 9))
        model(ids(1, 1), states)
    assert [each.weights.shape for each in watcher.heard] == [(1, 4, 9, 9), (1, 4, 1, 10)]


@pytest.mark.parametrize("shape", ["keys", "rows"])
def test_what_is_masked_is_not_looked_at(model, shape):
    mask = torch.ones(2, 8, dtype=torch.bool)
    mask[0, 2:4] = False
    allowed = mask if shape == "keys" else mask[:, None].expand(2, 8, 8) | torch.eye(8, dtype=torch.bool)
    if shape == "keys":
        allowed = allowed.clone()
    with torch.inference_mode(), watch() as watcher:
        model(ids(2, 8), None, allowed if shape == "rows" else mask)
    weights = watcher.heard[0].weights
    assert (weights[0, :, 4:, 2:4] == 0).all() and (weights[1, :, 7, 2:4] > 0).all()
    assert torch.allclose(weights.sum(-1), torch.ones(()), atol=1e-5)
    assert (weights.triu(1) == 0).all()


def test_every_head_counts(model):
    inputs = ids(1, 10)
    with torch.inference_mode():
        plain, _ = model(inputs)
        for head in range(4):
            with watch((Edit("off", heads=(head,)),)):
                without, _ = model(inputs)
            assert not torch.allclose(plain, without, atol=1e-4), f"head {head} changes nothing"
    heads = [AttentionModel(50, 16, 24, heads).attention for heads in (1, 4)]
    assert [each.heads for each in heads] == [1, 4]


@pytest.mark.parametrize("sizes", [(2560, 256, 352, 4), (3763, 192, 320, 4), (300, 16, 24, 2)])
def test_the_twin_is_as_large(sizes):
    count = [sum(weight.numel() for weight in AttentionModel(*sizes, attention=each).parameters()) for each in (True, False)]
    assert abs(count[0] - count[1]) <= 0.02 * count[0]
    assert CausalAttention.size(24, 2, 32, 64) == sum(weight.numel() for weight in CausalAttention(24, 2, 32, 64).parameters())


def test_the_loss_in_parts_is_the_loss(monkeypatch):
    monkeypatch.setattr(DenseLoss, "PART", 3)
    dice = torch.Generator().manual_seed(0)
    features, weight, bias = (torch.randn(size, generator=dice).requires_grad_() for size in ((10, 6), (20, 6), (20,)))
    targets = torch.randint(0, 20, (10,), generator=dice)
    targets[4] = IGNORED
    ours = DenseLoss.apply(features, weight, bias, targets)
    theirs = F.cross_entropy(F.linear(features, weight, bias), targets, ignore_index=IGNORED)
    assert torch.allclose(ours, theirs, atol=2e-2)
    for mine, exact in zip(
        torch.autograd.grad(ours, (features, weight, bias)), torch.autograd.grad(theirs, (features, weight, bias)), strict=True
    ):
        assert (mine - exact).norm() < 0.01 * exact.norm(), "to the precision of bfloat16"


# What it learns from


def test_verse_is_read_poem_by_poem():
    poem = Document("日月，山水。", "水", "五绝")
    row = verse_row(poem, CHARACTERS)
    form, text = tokens.form_token(5, 4), CHARACTERS.encode(poem.text)
    assert row.ids.tolist() == [form, tokens.TEXT, *text, tokens.END] and row.first == 2
    corpus = Verse([poem], [], [poem], CHARACTERS)
    batches = [corpus.batch(0.0, np.random.default_rng(seed), 100) for seed in range(8)]
    starts = {tuple(row.ids[:3].tolist()) for batch in batches for row in batch}
    assert starts == {(form, tokens.TEXT, text[0]), (form, tokens.TITLE, CHARACTERS.encode("水")[0])}, "with a title and without"


def test_early_poems_first_late_ones_last():
    early, late = Document("日月，", "", "五绝"), Document("山水。", "", "七绝")
    corpus = Verse([early], [late], [], CHARACTERS)

    def forms(progress):
        rows = (corpus.batch(progress, np.random.default_rng(seed), 50)[0] for seed in range(60))
        return [int(row.ids[0]) for row in rows]

    assert set(forms(0.1)) == {tokens.form_token(5, 4)}
    assert 30 < forms(0.9).count(tokens.form_token(7, 4)) < 60


def test_prose_windows_do_not_overlap(pieces):
    document = Document(TALE * 40)
    rows = prose_rows(document, pieces)
    predicted = [token for row in rows for token in row.ids[row.first :].tolist()]
    assert predicted == [*pieces.encode(document.text), tokens.END]
    assert Prose([document], [document], pieces).batch(0.0, np.random.default_rng(0), 512)


def test_padding_and_what_is_given_are_not_predicted():
    inputs, targets = collate([Row(np.array([5, 6, 7, 8]), first=2), Row(np.array([5, 6]))], torch.device("cpu"))
    assert inputs.tolist() == [[5, 6, 7], [5, tokens.END, tokens.END]]
    assert targets.tolist() == [[IGNORED, 7, 8], [6, IGNORED, IGNORED]]


def test_padding_does_not_change_the_loss(model):
    rows = [Row(ids(1, length)[0].numpy()) for length in (4, 9, 6)]
    together = test_attention_model(model, rows)
    alone = [test_attention_model(model, [row]) for row in rows]
    assert together[1] == sum(count for _, count in alone) == 16
    assert together[0] == pytest.approx(sum(nats for nats, _ in alone), rel=1e-5)


# Training


def test_it_learns(pieces, tmp_path):
    corpus = Prose([Document(TALE * 20)], [Document(TALE)], pieces)
    plan = Plan(Recipe(len(pieces.pieces), 16, 24, 2, batch=512), corpus, pieces, tmp_path)
    losses: list[float] = []
    train_attention_model(plan, plan.new_model(), clock=Clock(steps=40), rate=2e-2, report=lambda step, loss: losses.append(loss))
    assert len(losses) == 40 and losses[-1] < 0.8 * losses[0]


@pytest.fixture
def own(tmp_path):
    """A text file of the visitor's, and the folder for the model that learns it."""
    text = tmp_path / "own.txt"
    text.write_text(TALE * 40, encoding="utf-8")
    return text, tmp_path / "models" / "lstm" / "own"


def test_two_steps_on_a_text_of_ones_own_make_a_model(own, monkeypatch):
    text, out = own
    monkeypatch.setenv("LAB_MODELS_DIR", str(out.parents[1]))
    train(None, text=text, steps=2)
    train(None, text=text, attention=False)
    card = read_json(out / "card.json")
    assert card["training"]["steps"] == card["training_without"]["steps"] == 2
    assert "own" in [variant.name for variant in generators.card("lstm").variants]
    run = generators.load("lstm", "own")
    for attention in (True, False):
        request = Request.check(generators.card("lstm"), variant="own", text="Once", settings={"length": 3}, attention=attention)
        assert run.trace(request).done
    assert read_weights(out / "weights.safetensors").keys() != read_weights(out / "without.safetensors").keys()


def test_resume_goes_on(own, capsys):
    text, out = own
    train(None, text=text, out=out, steps=2)
    first = read_weights(out / "weights.safetensors")
    train(None, text=text, out=out, steps=4, resume=True)
    assert read_json(out / "card.json")["training"]["steps"] == 4
    assert "step" in capsys.readouterr().err
    assert not torch.equal(first["bias"], read_weights(out / "weights.safetensors")["bias"])


def test_going_on_equals_not_stopping(own, tmp_path):
    text, out = own
    train(None, text=text, out=out, steps=4)
    for steps in (2, 4):
        train(None, text=text, out=tmp_path / "parts", steps=steps, resume=steps == 4)
    whole, parts = (read_json(each / "card.json")["training"] for each in (out, tmp_path / "parts"))
    assert whole["steps"] == parts["steps"] == 4
    assert whole["validation_nats_per_token"] == pytest.approx(parts["validation_nats_per_token"], rel=0.05)


def test_a_dry_run_writes_nothing(own, capsys):
    text, out = own
    train(None, text=text, out=out, steps=2, dry_run=True)
    assert not out.exists() and "2 steps" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [{}, {"text": "t", "data": "d"}, {"variant": "nowhere", "text": "t"}])
def test_a_training_that_cannot_be_is_one_sentence(wrong):
    with pytest.raises(BadInput):
        train(wrong.pop("variant", None), **wrong)


# The models that ship


@pytest.fixture
def folder(tmp_path):
    """A data folder with one tale and three poems."""
    for name, files in {
        "story_books_en": {
            "fairy_tales.jsonl": '{"title": "The Mouse", "source": "-", "text": "Once there was a mouse.\\nIt was small."}\n'
        },
        "poems_zh": {
            "tang_regular.tsv": "dynasty\tform\ttitle\tauthor\ttext\n"
            "唐\t五绝\t登鹳雀楼\t王之涣\t白日依山尽，黄河入海流。欲穷千里目，更上一层楼。\n"
            "唐\t七绝\t早发白帝城\t李白\t朝辞白帝彩云间，千里江陵一日还。两岸猿声啼不住，轻舟已过万重山。\n",
            "song_regular.tsv": "dynasty\tform\ttitle\tauthor\ttext\n"
            "宋\t七绝\t题西林壁\t苏轼\t横看成岭侧成峰，远近高低各不同。不识庐山真面目，只缘身在此山中。\n",
        },
    }.items():
        (tmp_path / name).mkdir()
        for file, content in files.items():
            (tmp_path / name / file).write_text(content, encoding="utf-8")
    return tmp_path


def test_every_row_is_scored_with_and_without_attention(folder):
    tales = train_module.evaluate("tales_en", data=folder)
    assert tales.keys() == {"bits_per_char"} and tales["bits_per_char"]["n"] == 1
    poems = train_module.evaluate("poems_zh", data=folder)
    assert poems.keys() == {"bits_per_char", QUATRAINS, "well_formed"}
    assert poems["bits_per_char"]["n"] == 3 and poems[QUATRAINS]["n"] == 2
    assert poems["well_formed"]["with"] >= 0.95 and poems["well_formed"]["n"] == 200
    for row in (*tales.values(), *poems.values()):
        assert row.keys() >= {"with", "without", "unit", "better", "n"} and 0 < row["with"] < 12 and 0 < row["without"] < 12
    assert train_module.evaluate("poems_zh", data=folder, limit=1)["bits_per_char"]["n"] == 2


def test_the_study_judges_small_models_of_every_seed(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "RUNS", tmp_path / "runs")
    out = tmp_path / "out" / "poems_zh"
    shutil.copytree(train_module.ASSETS / "poems_zh", out, ignore=shutil.ignore_patterns("*.npz", "*.safetensors"))
    write_json(out / "card.json", {"metrics": {QUATRAINS: {"with": 7.0}, "well_formed": {"with": 1.0}}})
    for name in ("train", "held_out"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).symlink_to(folder)
    recipe = replace(study.SMALL, embedding_dim=8, lstm_units=8, attention_heads=2)
    for _ in range(2):  # the second time nothing is left to train
        study.study(tmp_path / "data", out, steps=2, recipe=recipe)
    metrics = read_json(out / "card.json")["metrics"]
    assert metrics["well_formed"] == {"with": 1.0} and metrics[QUATRAINS]["with"] == 7.0
    for side in ("with", "without"):
        found = metrics[QUATRAINS][f"{side}_seeds"]
        assert len(set(found)) == 3 and all(8 < each < 20 for each in found)
    write_metrics(out, {QUATRAINS: {"with": 6.0}, "well_formed": {"with": 0.5}})
    assert read_json(out / "card.json")["metrics"] == {QUATRAINS: metrics[QUATRAINS] | {"with": 6.0}, "well_formed": {"with": 0.5}}


def test_bits_are_all_nats_by_all_characters(folder):
    run = generators.load("lstm", "tales_en")
    text = "Once there was a mouse.\nIt was small."
    with torch.inference_mode():
        ids_ = torch.tensor([[tokens.TEXT, *run.vocabulary.encode(text), tokens.END]])
        logits = run.model(True)(ids_[:, :-1])[0][0]
        nats = F.cross_entropy(logits, ids_[0, 1:], reduction="sum").item()
    found = train_module.evaluate("tales_en", data=folder)["bits_per_char"]["with"]
    assert found == pytest.approx(nats / np.log(2) / len(text), rel=1e-5)


@pytest.mark.parametrize("variant", ["tales_en", "poems_zh"])
def test_a_text_is_predicted_and_its_loss_given(variant):
    found = train_module.test(variant)
    assert found["loss"] < 6 and found["bits_per_char"] > 0 and len(found["predictions"]) > 10


def test_a_tale_is_told_in_words():
    """Nearly all words of a sample are words of the corpus: whole ones, not debris."""
    run = generators.load("lstm", "tales_en")
    text = "".join(run.trace(Request.check(Run.card, text="Once upon a time", seed=seed)).text for seed in range(4))
    words = [word.strip(".,;:!?'\"-()").lower() for word in text.split()]
    common = {
        "the",
        "and",
        "he",
        "she",
        "to",
        "of",
        "a",
        "was",
        "in",
        "that",
        "it",
        "his",
        "her",
        "said",
        "they",
        "with",
        "him",
        "you",
        "i",
    }
    assert len(words) > 200 and sum(word in common for word in words) > 0.25 * len(words)
