"""The VAE: its likelihood and prior by hand, sliders that move one part, runs, and a training of a few steps."""

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
from generators.trace import Trace, load_series
from generators.training import load_state, read_json
from generators.vae import Run, read_network
from generators.vae import train as lesson
from generators.vae.card import CHOICES, GOALS, OTHER, REACH, SLIDERS, goals_of
from generators.vae.goals import Goal
from generators.vae.model import LEVEL, SUREST, Config, Decoder, Encoder, Nearby, Network, SelfAttention, divergence, log_likelihood
from generators.vae.prior import Prior
from generators.vae.sliders import Sliders, labels_of, parts_of

TINY = Config(latent=8, read_widths=(16, 16), paint_widths=(16, 16), grid=8, heads=2, hidden=32, components=2)


def ask(text: str = "", **given) -> Request:
    return Request.check(Run.card, text=text, **given)


@pytest.fixture(scope="module")
def run() -> Run:
    return Run.tiny()


# The network


def test_a_level_has_what_lies_between_its_borders():
    """Each of the 256 levels by σ(b) − σ(a) in float64; together they have everything."""
    levels = torch.arange(256) * LEVEL - 1
    for middle, scale in ((0.1, -2.0), (-1.2, 0.5), (0.999, -5.0)):
        found = log_likelihood(levels, torch.full((256,), middle), torch.full((256,), scale))
        borders = torch.sigmoid((torch.arange(1, 256).double() * LEVEL - 1 - LEVEL / 2 - middle) / math.exp(scale))
        whole = torch.cat([torch.zeros(1), borders, torch.ones(1)]).double()
        expected = whole.diff()
        seen = expected > 1e-9
        assert torch.allclose(found[seen].exp().double(), expected[seen], rtol=1e-3, atol=1e-7)
        assert found.exp().sum().item() == pytest.approx(1, abs=1e-4)


def test_a_scale_has_a_floor_and_gradients_stay_finite():
    level = torch.tensor([-1.0, 0.0, 1.0]).div(LEVEL).round().mul(LEVEL)
    sure, surer = (log_likelihood(level, level, torch.full((3,), scale)) for scale in (SUREST, SUREST - 9))
    assert torch.equal(sure, surer)
    middle = torch.tensor([5.0, -5.0, 0.0], requires_grad=True)
    scale = torch.tensor([-20.0, 20.0, 0.0], requires_grad=True)
    log_likelihood(level, middle, scale).sum().backward()
    assert torch.isfinite(middle.grad).all() and torch.isfinite(scale.grad).all()


def test_divergence_is_torchs_own():
    mean, doubt = torch.randn(5, 3), torch.randn(5, 3)
    posterior = torch.distributions.Normal(mean, doubt.exp())
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))
    assert torch.allclose(divergence(mean, doubt), expected, atol=1e-5)


def test_attention_is_torchs_own():
    torch.manual_seed(0)
    block, x = SelfAttention(16, grid=4, heads=2, kind="self"), torch.randn(2, 16, 4, 4)
    cells = block.norm(x.flatten(2).mT)
    heads = (layer(each).unflatten(2, (2, 8)).transpose(1, 2) for layer, each in _asked(block, cells))
    context = torch.nn.functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
    assert torch.allclose(block(x), x + block.out(context).mT.unflatten(2, (4, 4)), atol=1e-5)


def _asked(block, cells):
    return ((block.query, cells + block.place), (block.key, cells + block.place), (block.value, cells))


def test_each_side_reports_its_map():
    network = Network(TINY)
    with watch() as watcher:
        mean, doubt = network.encoder(torch.rand(1, 3, 16, 16) * 2 - 1)
        middle, scale = network.decoder(mean)
    assert [each.name for each in watcher.heard] == [("encoder", 0), ("self", 0)]
    assert mean.shape == doubt.shape == (1, 8) and middle.shape == scale.shape == (1, 3, 16, 16)
    assert watcher.heard[1].weights.shape == (1, 2, 64, 64)


def test_the_twin_is_of_equal_size():
    for part in (Encoder, Decoder):
        sizes = [sum(w.numel() for w in part(replace(Config(), attention=attention)).parameters()) for attention in (True, False)]
        assert abs(sizes[0] - sizes[1]) < 0.02 * sizes[0]
    assert isinstance(Decoder(replace(TINY, attention=False)).attention, Nearby)


def test_measures_survive_the_file():
    config = replace(TINY, parts={"hair": ("bun", "mohawk")})
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


# The prior


@pytest.fixture(scope="module")
def prior() -> Prior:
    torch.manual_seed(1)
    made = Prior(4, 40, 3).eval()
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return made.requires_grad_(False)


def test_an_axis_knows_only_those_before_it(prior):
    z = torch.randn(1, 4)

    def mixtures(x):
        return torch.nn.functional.linear(prior._inner(x), prior.last.weight * prior.last_mask, prior.last.bias).view(4, -1)

    for axis in range(4):
        other = z.clone()
        other[:, axis] += 1
        changed = (mixtures(z) != mixtures(other)).any(1)
        assert not changed[: axis + 1].any() and changed[axis + 1 :].all()


def test_what_is_drawn_is_as_dense_as_the_prior_says():
    """On a fine grid of two axes the density sums to 1, and has the draws' means and deviations."""
    torch.manual_seed(0)
    prior = Prior(2, 20, 3).eval().requires_grad_(False)
    for weight in (prior.second.weight, prior.last.weight):
        torch.nn.init.normal_(weight, std=0.3)
    prior.map.copy_(torch.tensor([[0.3, 1.0], [1.2, -0.2]]))
    prior.centre.copy_(torch.tensor([0.5, -1.0]))
    line = torch.arange(-10, 10, 0.04)
    grid = torch.cartesian_prod(line, line)
    mass = prior.log_density(grid).exp().double() * 0.04**2
    assert mass.sum().item() == pytest.approx(1, abs=1e-3)
    z = prior.draw(torch.randn(50_000, 4)).double()
    for power in (1, 2):
        assert torch.allclose((z**power).mean(0), (grid.double() ** power * mass[:, None]).sum(0), atol=0.05)
    assert z.prod(1).mean().item() == pytest.approx((grid.prod(1) * mass).sum().item(), abs=0.05)


def test_truncation_keeps_the_heaps_and_gathers_each(prior):
    noise = torch.randn(2000, 8)
    spreads = [prior.draw(noise, truncation).std(0)[0].item() for truncation in (0.0, 1.0)]
    assert 0 < spreads[0] < spreads[1]
    assert len(prior.draw(noise, 0.0)[:, 0].unique()) == 3, "the first axis then has one place for each component"


def test_a_draw_depends_on_its_noise_only(prior):
    noise = torch.randn(5, 8)
    assert torch.allclose(prior.draw(noise)[2:3], prior.draw(noise[2:3]), atol=1e-5)


def test_axes_are_uncorrelated_and_the_first_is_the_most_telling():
    torch.manual_seed(0)
    codes = torch.randn(5000, 3) @ torch.randn(3, 3) + torch.tensor([1.0, 2.0, 3.0])
    telling = torch.randn(3, 2)
    prior = Prior(3, 8, 2)
    prior.settle(codes, telling)
    x = (codes - prior.centre) @ prior.map.T
    assert torch.allclose(x.mean(0), torch.zeros(3), atol=1e-4) and torch.allclose(torch.cov(x.T), torch.eye(3), atol=1e-3)
    told = codes @ telling[:, 0]
    assert torch.corrcoef(torch.stack([told, x[:, 0]]))[0, 1].abs() > 0.999
    moved = prior.shifted(codes, {0: 2.0, 2: -1.0})
    assert torch.allclose((moved - codes) @ prior.map.T, torch.tensor([2.0, 0.0, -1.0]).expand(5000, 3), atol=1e-3)


# The sliders


@pytest.fixture(scope="module")
def labelled():
    """Codes that are sums of a hair's and a hat's place, and noise; of two hats, one mostly on one hair."""
    dice = np.random.default_rng(0)
    hair = dice.integers(0, 3, 3000)
    hat = np.where(dice.random(3000) < 0.8, hair % 2, 1 - hair % 2)
    places = {"hair": dice.normal(size=(3, 6)), "hat": dice.normal(size=(2, 6))}
    codes = places["hair"][hair] + places["hat"][hat] + 0.1 * dice.normal(size=(3000, 6)) + 2
    parts = {"hair": ("a", "b", "c"), "hat": ("off", "on")}
    sliders = Sliders(parts, 6)
    telling = sliders.fit(torch.from_numpy(codes), {"hair": torch.from_numpy(hair), "hat": torch.from_numpy(hat)})
    assert telling.shape == (6, 3), "two axes tell three hairs apart, one axis two hats"
    return sliders, torch.from_numpy(codes).float(), {"hair": hair, "hat": hat}, places


def test_a_move_changes_one_part_and_not_what_goes_with_it(labelled):
    sliders, codes, found, places = labelled
    moved = sliders.move(codes, Goal("hat", "on"), 1.0)
    off = found["hat"] == 0
    expected = codes[off] + torch.from_numpy(places["hat"][1] - places["hat"][0]).float()
    assert (moved[off] - expected).abs().max() < 0.2
    assert (moved[~off] - codes[~off]).abs().max() < 0.2, "who wears it already stays"
    assert (sliders.own(moved, "hair").argmax(1).numpy() == found["hair"]).mean() > 0.99
    halfway = sliders.move(codes, Goal("hat", "on"), 0.5)
    assert torch.allclose(halfway, codes.lerp(moved, 0.5), atol=1e-5)


def test_the_code_tells_the_part(labelled):
    sliders, codes, found, _ = labelled
    for part in ("hair", "hat"):
        assert (sliders.own(codes, part).argmax(1).numpy() == found[part]).mean() > 0.97


def test_parts_and_labels_come_from_the_data():
    faces = [{"hair": "bun", "face": "base"}, {"hair": "bangs", "face": "base", "accessories": "glasses"}]
    assert parts_of(faces) == {"hair": ("bangs", "bun"), "accessories": ("glasses", "none")}
    assert {part: each.tolist() for part, each in labels_of(faces, parts_of(faces)).items()} == {"hair": [1, 0], "accessories": [1, 0]}


def test_every_goal_is_a_value_that_the_shipped_model_knows():
    known = Config.from_dict(read_json(generators.folders("vae")["big_smile"] / "config.json")).parts
    assert all(goal.value in known[goal.part] for goal in GOALS)
    assert {*CHOICES, *SLIDERS} <= {each.name for each in Run.card.settings if each.live}


def test_settings_say_how_far_to_go():
    plain = ask().settings
    assert list(goals_of(plain)) == []
    moved = {**plain, "ground": "pink", "skin": REACH / 2, "mood": -REACH}
    goals = [Goal("background_name", "pink"), Goal("skinColor", "#ffe4c0"), Goal("mouth", "openSad")]
    assert list(goals_of(moved)) == list(zip(goals, (1.0, 0.5, 1.0), strict=True))


# A run


def test_the_same_word_is_the_same_face(run):
    one, two, other = (run.trace(ask(word)) for word in ("Ada", " ada ", "Alan"))
    assert np.array_equal(one.picture, two.picture) and not np.array_equal(one.picture, other.picture)
    step = one.steps[0]
    assert step.notes[0]["en"] == f"“Ada” is seed {step.facts['seed']}." and step.source is None
    assert np.array_equal(run.trace(ask(str(step.facts["seed"]))).picture, one.picture)


@pytest.mark.parametrize(
    ("name", "ends"), [*((name, tuple(each)) for name, each in CHOICES.items()), *((s, (-REACH, REACH)) for s in SLIDERS)]
)
def test_every_slider_moves_the_face(run, name, ends):
    plain = run.picture(ask("Ada"))
    ends = [run.picture(ask("Ada", settings={name: end})) for end in ends]
    assert len({each.tobytes() for each in (plain, *ends)}) >= len(ends), "at most one end is where the face is already"


def test_sliding_goes_from_one_face_to_the_other(run):
    ada, alan = run.picture(ask("Ada")), run.picture(ask("Alan"))
    faces = [run.picture(ask("Ada", settings={"other": "Alan", "between": share})) for share in (0.0, 0.5, 1.0)]
    assert np.array_equal(faces[0], ada) and np.abs(faces[2].astype(int) - alan).max() <= 1
    assert not np.array_equal(faces[1], ada) and not np.array_equal(faces[1], alan)
    assert np.array_equal(run.picture(ask("7", settings={"between": 1.0})), run.picture(ask("8"))), "no other word: the next seed"


def test_a_picture_is_read_and_edited(run):
    drawn = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    trace = run.trace(ask("Ada", picture=drawn))
    assert trace.maps() == [("encoder", 0), ("self", 0)]
    assert trace.source.shape == trace.picture.shape == (64, 64, 3)
    assert not np.array_equal(trace.picture, run.picture(ask("Ada")))
    assert np.abs(run.picture(ask("Alan", picture=drawn)).astype(int) - trace.picture).max() <= 1, "the picture counts, not the word"
    moved = run.picture(ask(picture=drawn, settings={"skin": REACH}))
    assert not np.array_equal(moved, trace.picture)
    slid = run.picture(ask(picture=drawn, settings={"other": "Ada", "between": 1.0}))
    assert np.abs(slid.astype(int) - run.picture(ask("Ada"))).max() <= 1
    assert [each.kind for each in run.replay(ask(picture=drawn), 5)] == ["encoder", "self"]


def test_raw_axes_move_the_face(run):
    assert Run.card.variants[0].axes <= Run.tiny()._network.config.latent
    assert not np.array_equal(run.picture(ask("Ada", code={"0": 3.0})), run.picture(ask("Ada")))
    with pytest.raises(BadInput):
        ask("Ada", code={"99": 1.0})


def test_a_sheet_shows_the_faces_of_its_seeds(run):
    request = ask(settings={"mood": 1.0})
    sheet = run.sheet(request, [3, 4, 5])
    assert sheet.shape == (3, 64, 64, 3) and sheet.dtype == np.uint8
    for seed, face in zip((3, 4, 5), sheet, strict=True):
        assert np.abs(face.astype(int) - run.picture(replace(request, seed=seed))).max() <= 1
    assert run.sheet(request, []).shape == (0, 64, 64, 3)


@pytest.mark.parametrize("seed", ["-1", "1e30", "0.5"])
def test_a_broken_number_is_no_seed(run, seed):
    for request in (ask(seed), ask("Ada", settings={OTHER.name: seed, "between": 0.5})):
        with pytest.raises(BadInput):
            next(run.generate(request))


def test_a_pin_outside_the_picture_is_refused(run):
    assert len(run.replay(ask("Ada"), 63)) == 1
    with pytest.raises(BadInput):
        run.replay(ask("Ada"), 64)


# Learning


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A data folder of twelve labelled pictures, a folder of models, and nothing written elsewhere."""
    data = tmp_path / "data" / "avatars"
    data.mkdir(parents=True)
    dice = np.random.default_rng(0)
    np.savez(data / "bigSmile64.npz", images=dice.integers(0, 256, (12, 16, 16, 3), np.uint8))
    faces = [{"hair": dice.choice(["bun", "braids"]), "background_name": dice.choice(["pink", "blue"])} for _ in range(12)]
    (data / "bigSmile64.jsonl").write_text("\n".join(json.dumps(each) for each in faces), encoding="utf-8")
    monkeypatch.setattr(lesson, "ROOT", tmp_path)
    monkeypatch.setattr(lesson, "BATCH", 4)
    monkeypatch.setattr(lesson, "SHEET", 8)
    monkeypatch.setenv("LAB_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path


def test_few_steps_write_a_model_that_loads_and_goes_on(place):
    out = place / "models" / "vae" / "mine"
    given = {"data": place / "data", "out": out, "config": TINY}
    lesson.train(None, steps=2, **given)
    card = read_json(out / "card.json")
    assert card["training"]["steps"] == 2 and card["parameters"] > 0 and card["data"]["count"] == 12
    assert "mine" in {variant.name for variant in generators.card("vae").variants}
    assert Run.load(out).trace(replace(ask("Ada"), settings={"ground": "pink"})).done
    assert list(load_series(out / "learning.npz")) == [0, 2]
    stored = Trace.load(next((out / "examples").glob("*.npz")))
    assert stored.steps[0].details and ("self", 0) in stored.maps()

    lesson.train(None, steps=3, resume=True, **given)
    assert load_state(place / "runs" / "vae" / "mine" / "weights" / "state.pt")["step"] == 3

    lesson.train(None, attention=False, **given)
    assert read_json(out / "card.json")["training_without"]["steps"] == 3
    without = read_network(out, attention=False)
    assert isinstance(without.decoder.attention, Nearby) and set(without.sliders.parts) == {"hair", "background_name"}
    assert Run.load(out).trace(replace(ask("Ada"), attention=False)).maps() == []
    tested = lesson.test("mine")
    assert (place / tested["sheet"]).is_file() and tested["faces"] == 8


def test_bits_are_those_of_picture_and_code():
    torch.manual_seed(0)
    network = Network(TINY).eval().requires_grad_(False)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
    found = lesson.known_bits(network, pictures)
    assert found["bits_per_dim"] == pytest.approx(found["reconstruction_bits"] + found["kl_bits"]) and found["psnr"].shape == (3,)
    assert (found["reconstruction_bits"] > 6).all() and (found["reconstruction_bits"] < 12).all() and (found["psnr"] > 0).all()


def test_a_dry_run_writes_nothing(place, capsys):
    lesson.train(None, data=place / "data", out=place / "models" / "vae" / "mine", dry_run=True)
    assert not (place / "models").exists() and "would train" in capsys.readouterr().err


def test_measures_fit_the_pictures():
    assert lesson.fitting(64) == Config()
    for size in (16, 32):
        config = lesson.fitting(size)
        middle, _ = Network(config).decoder(torch.zeros(1, config.latent))
        assert middle.shape == (1, 3, size, size)
        assert Network(config).encoder(middle)[0].shape == (1, config.latent)


def test_what_cannot_be_learnt_from_is_refused(place):
    np.savez(place / "data" / "avatars" / "bigSmile64.npz", images=np.zeros((12, 20, 20, 3), np.uint8))
    for given in ({"data": place / "nowhere"}, {"data": None}, {"data": place / "data"}, {"data": place, "text": place / "tale.txt"}):
        with pytest.raises(BadInput):
            lesson.train(None, **given)
    with pytest.raises(BadInput):
        lesson.test(None, text=place / "tale.txt")
