"""The self-attention GAN: its equations, its folded weights, names that give faces, and a training of two steps."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import generators
from generators.attention import watch
from generators.base import BadInput, Request
from generators.data import Avatars
from generators.gan import Run, asked_for, codes_of, parts_of, read_network
from generators.gan import study as seeds
from generators.gan import train as lesson
from generators.gan.model import Config, Discriminator, Generator, Nearby, SelfAttention, plain_weights, with_deviation
from generators.pictures import compact
from generators.trace import Trace, load_series
from generators.training import load_state, read_json, read_weights

HAT = {"hat": {"none": 0.75, "red": 0.25}}
TINY = Config(noise=8, widths=(16, 16, 16), judge_widths=(16, 16), grid=8, heads=2, parts=HAT)


def codes(count: int) -> torch.Tensor:
    return torch.from_numpy(codes_of(range(count), TINY))


def ask(text: str = "", **given) -> Request:
    return Request.check(Run.card, text=text, **given)


@pytest.fixture(scope="module")
def run() -> Run:
    return Run.tiny()


# The network


def test_attention_is_the_papers_equations():
    """Equations 1 to 3 of Zhang et al. 2019, cell by cell, with 1/√d."""
    torch.manual_seed(0)
    block = SelfAttention(16, heads=2)
    block.gamma.data.fill_(0.7)
    x = torch.randn(1, 16, 3, 2)
    cells = x[0].flatten(1).T  # (N, C)
    f, g, h, v = (getattr(block, part).weight[:, :, 0, 0] for part in ("key", "query", "value", "out"))
    expected = torch.empty(6, 16)
    for j in range(6):
        context = []
        for head in (slice(0, 2), slice(2, 4)):
            scores = [(f[head] @ cells[i]) @ (g[head] @ cells[j]) / math.sqrt(2) for i in range(6)]
            beta = torch.stack(scores).softmax(0)
            context.append(sum(beta[i] * (h[head] @ cells[i]) for i in range(6)))
        expected[j] = 0.7 * v @ torch.cat(context) + cells[j]
    assert torch.allclose(block(x)[0].flatten(1).T, expected, atol=1e-5)


def test_pooled_keys_name_their_coarser_grid():
    with watch() as watcher:
        SelfAttention(16, heads=2, pooled=True)(torch.randn(1, 16, 8, 8))
    assert watcher.heard[0].weights.shape == (1, 2, 64, 16)


def test_gamma_starts_at_nothing():
    network = Generator(TINY).eval()
    z = codes(2)
    before = network(z)
    assert network.attention.gamma.item() == 0
    network.attention.gamma.data.fill_(0.5)
    assert not torch.equal(before, network(z))


def test_folded_spectral_norm_paints_the_same():
    network = Generator(TINY)
    network.attention.gamma.data.fill_(1.0)
    with torch.no_grad():
        network(codes(16))  # statistics and power iterations move on
    network.eval()
    plain = Generator(TINY, plain=True).eval()
    plain.load_state_dict(plain_weights(network))
    z = codes(4)
    assert torch.allclose(network(z), plain(z), atol=1e-5)
    weight = plain.blocks[0].second.weight.flatten(1)
    assert torch.linalg.matrix_norm(weight, 2) < 1.3


def test_folding_leaves_the_training_as_it_was():
    network = Generator(TINY)
    state = {name: each.clone() for name, each in network.state_dict().items()}
    plain_weights(network)
    assert all(torch.equal(each, state[name]) for name, each in network.state_dict().items())


def test_the_twin_is_of_equal_size():
    sizes = [
        sum(each.numel() for each in network(replace(Config(), attention=attention)).parameters())
        for network in (Generator, Discriminator)
        for attention in (True, False)
    ]
    assert abs(sizes[0] - sizes[1]) < 0.02 * sizes[0] and abs(sizes[2] - sizes[3]) < 0.02 * sizes[2]
    assert isinstance(Generator(replace(TINY, attention=False)).attention, Nearby)


def test_a_batch_of_one_face_has_no_deviation():
    same = torch.randn(1, 4, 4, 4).expand(3, 4, 4, 4)
    assert with_deviation(same).shape == (3, 5, 4, 4)
    assert with_deviation(same)[:, 4].max() < 1e-3 < with_deviation(torch.randn(3, 4, 4, 4))[:, 4].min()


# A run


def test_the_same_word_is_the_same_face(run):
    one, two, other = (run.trace(ask(word)) for word in ("Ada", " ada ", "Alan"))
    assert np.array_equal(one.picture, two.picture) and not np.array_equal(one.picture, other.picture)
    step = one.steps[0]
    assert step.notes[0]["en"] == f"“Ada” is seed {step.facts['seed']}."
    numbered = run.trace(ask(str(step.facts["seed"])))
    assert np.array_equal(numbered.picture, one.picture) and not numbered.steps[0].notes


def test_no_word_takes_the_seed(run):
    assert np.array_equal(run.trace(ask(seed=7)).picture, run.trace(ask("7", seed=3)).picture)


@pytest.mark.parametrize("seed", ["-1", "1e30", "0.5"])
def test_a_broken_number_is_no_seed(run, seed):
    with pytest.raises(BadInput):
        next(run.generate(ask(seed)))


def test_a_long_name_is_not_repeated_whole(run):
    note = run.trace(ask("x" * 100_000 + "\u202e\x07")).steps[0].notes[0]
    assert all(len(sentence) < 80 for sentence in note.values())


def test_truncation_brings_faces_together(run):
    spread = [run.sheet(ask(settings={"truncation": value}), range(32)).astype(float).var(0).mean() for value in (0.1, 0.8, 1.5)]
    assert spread[0] < spread[1] < spread[2]
    with pytest.raises(BadInput):
        ask(settings={"truncation": 9})


@pytest.mark.parametrize("attention", [True, False], ids=["with", "without"])
def test_a_sheet_shows_the_faces_of_its_seeds(run, attention):
    request = replace(ask(settings={"truncation": 0.5}), attention=attention)
    sheet = run.sheet(request, [3, 4, 5])
    assert sheet.shape == (3, 16, 16, 3) and sheet.dtype == np.uint8
    for seed, face in zip((3, 4, 5), sheet, strict=True):
        assert np.abs(face.astype(int) - run.trace(replace(request, seed=seed)).picture).max() <= 1
    assert run.sheet(request, []).shape == (0, 16, 16, 3)


def test_a_sheet_is_painted_under_the_edits(run):
    plain, edited = ask("Ada"), ask("Ada", edits=[{"action": "off"}])
    seeds = [run.trace(plain).seed, 5]
    assert not np.array_equal(run.sheet(plain, seeds), run.sheet(edited, seeds))
    assert np.abs(run.sheet(edited, seeds)[0].astype(int) - run.picture(edited)).max() <= 1


def test_a_pin_outside_the_picture_is_refused(run):
    assert len(run.replay(ask("Ada"), 63)) == 1
    with pytest.raises(BadInput):
        run.replay(ask("Ada"), 64)


def test_a_code_depends_on_its_seed_only():
    assert np.array_equal(codes_of([1, 2, 3], TINY)[1:2], codes_of([2], TINY))
    halves = codes_of([2], TINY, 0.5)
    assert np.allclose(halves, codes_of([2], TINY) / 2)
    drawn = codes_of(range(2000), TINY)[:, 8:]
    assert (drawn.sum(1) == 1).all() and abs(drawn[:, 1].mean() - 0.25) < 0.03


def test_both_networks_are_told_the_parts():
    network, judge = Generator(TINY).eval(), Discriminator(TINY).eval()
    bare, hatted = codes(1), codes(1)
    bare[0, 8:], hatted[0, 8:] = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert not torch.allclose(network(bare), network(hatted))
    pictures = network(bare)
    assert not torch.allclose(judge(pictures, bare[:, 8:]), judge(pictures, hatted[:, 8:]))


# Learning


def test_augmentation_spares_what_is_not_chosen(monkeypatch):
    pictures = torch.rand(4, 3, 16, 16) * 2 - 1
    monkeypatch.setattr(lesson, "AUGMENTED", 0.0)
    assert torch.allclose(lesson.augment(pictures), pictures)
    monkeypatch.setattr(lesson, "AUGMENTED", 1.0)
    changed = lesson.augment(pictures.requires_grad_())
    assert changed.shape == pictures.shape and not torch.allclose(changed, pictures)
    assert torch.autograd.grad(changed.sum(), pictures)[0].abs().sum() > 0


def test_shifting_repeats_the_border():
    picture = torch.arange(9.0).reshape(1, 1, 3, 3).expand(1, 3, 3, 3)
    moved = lesson.shift(picture, right=torch.full((1, 1, 1, 1), 1.0), down=torch.full((1, 1, 1, 1), -1.0))
    assert moved[0, 0].tolist() == [[3, 3, 4], [6, 6, 7], [6, 6, 7]]


def test_variety_is_measured_over_all_pairs():
    dice = np.random.default_rng(0)
    drawn = dice.integers(0, 256, (20, 4, 4, 3), np.uint8)
    assert lesson.variety(drawn, drawn) == pytest.approx(1)
    assert lesson.variety(np.zeros_like(drawn), drawn) == 0
    pairs = [np.mean((a.astype(float) - b) ** 2) for i, a in enumerate(drawn) for b in drawn[:i]]
    assert np.mean(pairs) == pytest.approx(2 * np.var(drawn, axis=0, ddof=1).mean())


def test_halving_takes_means_and_enlarging_repeats():
    pictures = np.zeros((1, 4, 4, 3), np.uint8)
    pictures[0, :2, :2, 0] = [[255, 255], [255, 254]]
    half = seeds.halved(pictures)
    assert half.shape == (1, 2, 2, 3) and half[0, :, :, 0].tolist() == [[255, 0], [0, 0]]
    assert np.array_equal(seeds.halved(seeds.enlarged(pictures)), pictures) and seeds.enlarged(half)[0, :, :, 0].sum() == 4 * 255


def test_parts_are_counted_in_the_data():
    faces = ({"hair": "braids", "accessories": "glasses"}, {"hair": "braids"}, {"hair": "mohawk"}, {"hair": "braids"})
    drawn = Avatars(np.zeros((4, 8, 8, 3), np.uint8), faces)
    parts = lesson.shares_of(drawn)
    assert parts == {"hair": {"braids": 0.75, "mohawk": 0.25}, "accessories": {"glasses": 0.25, "none": 0.75}}
    assert lesson.values_of(drawn, replace(TINY, parts=parts)).tolist() == [[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1], [1, 0, 0, 1]]
    bare = Avatars(drawn.images, ())
    assert lesson.shares_of(bare) == {} and lesson.values_of(bare, replace(TINY, parts={})).shape == (4, 0)


def test_what_was_asked_for_is_said():
    config = replace(TINY, parts={"hair": {"braids": 1.0}, "eyes": {"sad": 1.0}, "accessories": {"glasses": 1.0, "none": 0.0}})
    assert parts_of(5, config) == {"hair": "braids", "eyes": "sad", "accessories": "glasses"}
    assert asked_for(5, config) == ({"en": "Asked for: braids, glasses.", "zh": "要画：辫子、眼镜。"},)
    assert asked_for(5, TINY) == ()


def draw(folder: Path, size: int, count: int = 12, seed: int = 0) -> None:
    """A data folder of random faces."""
    (folder / "avatars").mkdir(parents=True)
    pictures = np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)
    np.savez(folder / "avatars" / "bigSmile64.npz", images=pictures)
    faces = [{"hair": ("braids", "mohawk")[row % 2]} for row in range(count)]
    (folder / "avatars" / "bigSmile64.jsonl").write_text("\n".join(map(json.dumps, faces)), encoding="utf-8")


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A data folder of twelve pictures, a folder of models, and nothing written elsewhere."""
    draw(tmp_path / "data", 16)
    monkeypatch.setattr(lesson, "ROOT", tmp_path)
    monkeypatch.setattr(lesson, "BATCH", 4)
    monkeypatch.setenv("LAB_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path


def test_two_steps_write_a_model_that_loads_and_goes_on(place):
    out = place / "models" / "gan" / "mine"
    given = {"data": place / "data", "out": out, "config": TINY}
    lesson.train(None, steps=2, **given)
    card = read_json(out / "card.json")
    assert card["training"]["steps"] == 2 and card["parameters"] > 0 and card["data"]["count"] == 12
    assert "mine" in {variant.name for variant in generators.card("gan").variants}
    assert Run.load(out).trace(ask("Ada")).done
    assert list(load_series(out / "learning.npz")) == [0, 2]
    stored = Trace.load(next((out / "examples").glob("*.npz")))
    assert stored.steps[0].details and stored.maps() == [("self", 0)]

    lesson.train(None, steps=3, resume=True, **given)
    assert load_state(place / "runs" / "gan" / "mine" / "weights" / "state.pt")["step"] == 3
    assert read_json(out / "card.json")["training"]["steps"] == 3

    lesson.train(None, attention=False, **given)
    assert read_json(out / "card.json")["training_without"]["steps"] == 3
    without = read_network(out, attention=False)
    assert isinstance(without.attention, Nearby) and without.attention.near.weight.shape[0] > 0
    assert Run.load(out).trace(replace(ask("Ada"), attention=False)).maps() == []

    tested = lesson.test("mine")
    assert (place / tested["sheet"]).is_file() and tested["faces"] == lesson.SHEET
    with pytest.raises(BadInput):
        lesson.evaluate("mine", data=place / "data")


def test_both_networks_are_judged_beside_every_drawn_face(place, monkeypatch):
    for seed, name in enumerate(("train", "held_out")):
        draw(place / name, 64, seed=seed)
    folder = place / "models" / "gan" / "mine"
    config = Config(noise=8, widths=(8,) * 5, judge_widths=(8,) * 4, heads=2)
    for file, attention in (("weights", True), ("without", False)):
        painter = lesson.Learner(replace(config, attention=attention), torch.device("cpu")).painter()
        lesson.write_weights(folder / f"{file}.safetensors", painter.state_dict())
    lesson.write_json(folder / "config.json", config.to_dict())
    monkeypatch.setattr(lesson, "sampled", lambda sample: sample(range(20)))
    found = lesson.evaluate("mine", data=place / "held_out")
    assert {"variety", "frechet", "kid", "precision", "recall", "nearest_train", "nearest_held_out"} == set(found)
    assert all(row["n"] == 12 and row["with"] is not None and row["without"] is not None for row in found.values())
    assert lesson.evaluate("mine", data=place / "held_out", limit=5)["variety"]["n"] == 5

    studied = {"with": 2.0, "study": "python -m generators.gan.study --data DIR"}
    lesson.write_card(folder, metrics={"frechet_32": studied, "kid": {"with": 0.0}})
    lesson.write_metrics("mine", place / "held_out")
    card = read_json(folder / "card.json")
    assert card["metrics"] == {**found, "frechet_32": studied}
    assert (
        card["command"] == "python -m generators evaluate gan --variant mine --data DIR"
        and card["memory"]["n"] == sum(card["memory"]["made"]) == 20
    )


def test_the_study_trains_and_judges_small_pairs(place, monkeypatch):
    for seed, name in enumerate(("train", "held_out")):
        draw(place / name, 64, seed=seed)
    lesson.write_json(place / "card.json", {"metrics": {"variety": {"with": 1.0}}})
    monkeypatch.setattr(seeds, "RUNS", place / "runs")
    monkeypatch.setattr(seeds, "SEEDS", (0, 1))
    monkeypatch.setattr(seeds, "folders", lambda name: {"big_smile": place})
    monkeypatch.setattr(seeds, "sampled", lambda sample: sample(range(20)))
    config = Config(noise=8, widths=(8,) * 4, judge_widths=(8,) * 3, grid=8, heads=2)
    for _ in range(2):  # the second time nothing is left to train
        seeds.study(place, steps=2, config=config)
    card = read_json(place / "card.json")
    row = card["metrics"]["frechet_32"]
    assert len(row["with_seeds"]) == len(row["without_seeds"]) == 2 and row["floor"] >= 0 and row["n"] == 12
    assert row["with"] == pytest.approx(np.mean(row["with_seeds"])) and card["metrics"]["variety"] == {"with": 1.0}
    assert card["study"]["size"] == 32 and card["study"]["steps"] == 2 and len(card["study"]["without"]) == 2


def test_stored_rows_stay_distributions(run):
    exact = run.trace(ask("Ada"))
    stored = compact(exact)
    difference = np.abs(stored.map("self", 0) - exact.map("self", 0))
    assert 0 < difference.max() <= 1e-3
    assert np.abs(stored.map("self", 0).sum(-1) - 1).max() < 5e-3


def test_training_goes_on_from_plain_weights(place):
    painter = lesson.Learner(TINY, torch.device("cpu")).painter()
    lesson.write_weights(place / "weights.safetensors", painter.state_dict())
    learner = lesson.Learner(TINY, torch.device("cpu"))
    assert learner.resume(place / "none.pt", place / "weights.safetensors") == (0, 0.0)
    z = codes(2)
    assert torch.allclose(learner.painter()(z), painter(z), atol=0.02)
    assert set(read_weights(place / "weights.safetensors")) == set(painter.state_dict())


def test_a_dry_run_writes_nothing(place, capsys):
    lesson.train(None, data=place / "data", out=place / "models" / "gan" / "mine", dry_run=True)
    assert not (place / "models").exists() and "would train" in capsys.readouterr().err


def test_what_cannot_be_learnt_from_is_refused(place):
    np.savez(place / "odd.npz", images=np.zeros((2, 20, 20, 3), np.uint8))
    for given in ({"data": place / "nowhere"}, {"data": None}, {"data": place}, {"data": place / "data", "text": place / "tale.txt"}):
        with pytest.raises(BadInput):
            lesson.train(None, **given)
    with pytest.raises(BadInput):
        lesson.test(None, text=place / "tale.txt")
