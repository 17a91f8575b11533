"""The attention autoencoder: its equations, its masked keys, pictures in and out, and a training of two steps."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import generators
from generators.attention import watch
from generators.autoencoder import GREY, Run, enlarged, read_faces, read_network, redraw
from generators.autoencoder import train as lesson
from generators.autoencoder.model import Autoencoder, Config, Convolution, Look, Nearby, as_cells, as_grid, rub_out
from generators.base import BadInput, NotReady, Request
from generators.edits import Edit
from generators.metrics import psnr
from generators.trace import Trace, load_series
from generators.training import load_state, read_json

TINY = Config(widths=(16, 16), code=8, grid=8, heads=2, features=8)
SMALL = Config(widths=(8, 16, 16, 16), code=8, heads=2, features=8)  # 64×64 pixels
EVERY_OTHER = [*range(0, 256, 2)]  # cell of the grid


def ask(**given) -> Request:
    return Request.check(Run.card, **given)


def awake(network: torch.nn.Module) -> torch.nn.Module:
    """With weights in the layers that start at zero."""
    torch.manual_seed(0)
    for weight in network.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def run() -> Run:
    return Run.tiny()


# The network


def test_a_look_is_attention_over_the_visible_cells():
    """Vaswani et al. 2017, equation 1, cell by cell, on normalised cells with their places."""
    look = awake(Look("cross", replace(TINY, grid=4)))
    x, source = torch.randn(1, 16, 4, 4), torch.randn(1, 16, 4, 4)
    hidden = torch.arange(16)[None] % 3 == 1
    cells, keys = look.norm(as_cells(x))[0], look.source_norm(as_cells(source))[0]
    expected = torch.empty(16, 16)
    for i in range(16):
        context = []
        for head in (slice(0, 8), slice(8, 16)):
            query = (look.query.weight @ (cells[i] + look.query_place()[i]))[head]
            seen = [j for j in range(16) if not hidden[0, j]]
            scores = [query @ (look.key.weight @ (keys[j] + look.key_place()[j]))[head] / math.sqrt(8) for j in seen]
            weights = torch.stack(scores).softmax(0)
            context.append(sum(weight * (look.value.weight @ keys[j])[head] for weight, j in zip(weights, seen, strict=True)))
        expected[i] = as_cells(x)[0, i] + look.out.weight @ torch.cat(context)
    assert torch.allclose(as_cells(look(x, source, hidden))[0], expected, atol=1e-5)


def test_cells_and_grid_are_the_same_numbers():
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(as_grid(as_cells(x), x), x)
    assert torch.equal(as_cells(x)[1, 6], x[1, :, 1, 2])


def test_a_kernel_as_a_matrix_is_a_convolution():
    layer = Convolution(4, 6, 3)
    x = torch.randn(2, 4, 5, 5)
    plain = torch.nn.Conv2d(4, 6, 3, padding=1)
    plain.weight.data, plain.bias.data = layer.weight.data.view(6, 4, 3, 3), layer.bias.data
    assert torch.allclose(layer(x), plain(x), atol=1e-6)


@pytest.mark.parametrize("attention", [True, False])
def test_a_whole_picture_passes_through_the_code_alone(attention):
    network = awake(Autoencoder(replace(TINY, attention=attention)))
    pictures = torch.rand(2, 3, 16, 16)
    code, features = network.encoder(pictures)
    assert code.shape == (2, 8)
    assert torch.equal(network(pictures), network.decoder(code, torch.randn_like(features)))


@pytest.mark.parametrize("attention", [True, False])
def test_nothing_is_known_of_what_is_hidden(attention):
    network = awake(Autoencoder(replace(TINY, attention=attention)))
    hidden = torch.zeros(1, 64, dtype=torch.bool)
    hidden[0, ::2] = True
    one = torch.rand(1, 3, 16, 16)
    hole = torch.from_numpy(enlarged(hidden.view(1, 8, 8).numpy(), 16))[:, None]
    other = torch.where(hole, torch.rand(1, 3, 16, 16), one)
    assert torch.equal(network(one, hidden), network(other, hidden)) and not torch.equal(network(one), network(other))
    features = torch.randn(1, 16, 8, 8)
    changed = torch.where(hidden.view(1, 1, 8, 8), torch.randn(1, 16, 8, 8), features)
    code = torch.randn(1, 8)
    assert torch.equal(network.decoder(code, features, hidden), network.decoder(code, changed, hidden))


def test_hidden_cells_are_grey_and_marked():
    hidden = torch.zeros(1, 64, dtype=torch.bool)
    hidden[0, 9] = True
    given = rub_out(torch.ones(1, 3, 16, 16), hidden, 8)
    assert given[0, :, 2:4, 2:4].tolist() == [[[0, 0]] * 2] * 3 + [[[1, 1]] * 2] and given[0, 3].sum() == 4
    assert rub_out(torch.ones(1, 3, 16, 16), None, 8)[:, 3].sum() == 0


def test_the_twin_is_of_equal_size():
    for config in (Config(), TINY):
        size, twin = (sum(each.numel() for each in Autoencoder(replace(config, attention=on)).parameters()) for on in (True, False))
        assert abs(size - twin) < 0.02 * size
    network = Autoencoder(replace(TINY, attention=False))
    assert all(isinstance(each, Nearby) for each in (network.encoder.attention, network.decoder.attention, network.decoder.source))
    with watch() as watcher:
        network(torch.rand(1, 3, 16, 16), torch.arange(64)[None] < 9)
    assert not watcher.heard


def test_measures_come_back_from_their_dictionary():
    assert Config.from_dict(Config().to_dict()) == Config() and Config().size == 64 and Config().code <= 256
    assert (Config().size, Config().grid) == (Run.card.variants[0].size, Run.card.variants[0].grid)


# A run


def test_two_maps_and_a_third_where_cells_are_hidden(run):
    assert run.trace(ask()).maps() == [("encoder", 0), ("self", 0)]
    trace = run.trace(ask(hidden=EVERY_OTHER))
    assert trace.maps() == [("encoder", 0), ("self", 0), ("cross", 0)]
    for kind in ("encoder", "cross"):
        assert trace.map(kind, 0)[..., EVERY_OTHER].max() == 0, "hidden cells are masked keys"
    assert trace.map("self", 0)[..., EVERY_OTHER].max() > 0, "the decoder's own cells are all there"


def test_the_source_is_what_the_model_sees(run):
    face = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    step = run.trace(ask(picture=face, hidden=[0, 255])).steps[0]
    visible = np.ones((64, 64), bool)
    visible[:4, :4] = visible[60:, 60:] = False
    assert (step.source[~visible] == GREY).all() and np.array_equal(step.source[visible], face[visible])
    assert step.facts == {"psnr": pytest.approx(psnr(step.picture[None], face[None], visible[None])[0]), "hidden": 2}


def test_a_given_picture_is_drawn_as_the_stored_one(run):
    stored = run.trace(ask(seed=3)).steps[0]
    sent = run.trace(ask(picture=stored.source)).steps[0]
    assert np.array_equal(sent.picture, stored.picture) and stored.notes and not sent.notes


def test_a_word_picks_one_of_the_stored_faces(run):
    sources = {run.trace(ask(text=word)).steps[0].source.tobytes() for word in "abcdefghijklmnopqrstuvwxyz"}
    assert len(sources) == 8
    assert np.array_equal(run.picture(ask(text="Ada")), run.picture(ask(text=" ada")))


def test_a_pin_shows_every_attention_of_its_cell(run):
    details = run.replay(ask(hidden=[5]), 5)
    assert [detail.kind for detail in details] == ["encoder", "self", "cross"]
    assert np.isneginf(details[2].scores[:, 5]).all() and np.isfinite(details[1].scores).all()


@pytest.mark.parametrize("hidden", [(256,), tuple(range(256))])
def test_no_such_cell_and_no_cell_left_are_refused(run, hidden):
    with pytest.raises(BadInput):
        next(run.generate(replace(ask(), hidden=hidden)))


def test_hiding_a_key_is_not_rubbing_it_out(run):
    request = ask(hidden=[5])
    edited = run.trace(replace(request, edits=(Edit("hide", keys=(9,), map="cross"),)))
    assert edited.map("cross", 0)[..., 9].max() == 0 < edited.map("encoder", 0)[..., 9].max()


def test_what_is_drawn_badly_is_said_to_be_outside(run):
    strict = Run(run._network, run._without, run._faces, {True: 99.0})
    notes = strict.trace(ask(picture=run._faces[0])).steps[0].notes
    assert len(notes) == 1 and notes[0]["en"].startswith("Outside what it learned") and "99.0 dB" in notes[0]["zh"]
    assert not strict.trace(ask(picture=run._faces[0], attention=False)).steps[0].notes
    assert not run.trace(ask(picture=run._faces[0])).steps[0].notes


# What ships


def test_the_shipped_model_draws_faces_again_and_doubts_noise():
    run = generators.load("autoencoder")
    assert isinstance(run, Run)
    faces = read_faces(generators.folders("autoencoder")[run.card.default])
    assert psnr(redraw(run._network, faces), faces).mean() > 24
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert run.trace(ask(picture=noise)).steps[0].notes


# Learning


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.6])
def test_a_rectangle_covers_its_share(share):
    for seed in range(40):
        mask = lesson.rectangle(np.random.default_rng(seed), share, 16).reshape(16, 16)
        assert np.array_equal(mask, lesson.rectangle(np.random.default_rng(seed), share, 16).reshape(16, 16))
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert mask[np.ix_(rows, columns)].all() and np.ptp(rows) + 1 == len(rows) and np.ptp(columns) + 1 == len(columns)
        assert abs(mask.mean() - share) <= 0.032, "half a row of cells at most"


def test_the_difference_counts_pixels_steps_and_holes():
    wanted, made = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    assert lesson.difference(made, wanted).item() == pytest.approx(0.25 + lesson.EDGES * (0.5 + 0.5))
    hidden = torch.tensor([[True, False, False, False]])
    weights = torch.tensor([2.0, 1, 1, 1]) / 1.25
    steps = (weights[2] * 1 + weights[1] * 1) / 2  # a step counts as the pixel that it leads to
    assert lesson.difference(made, wanted, hidden).item() == pytest.approx((weights[0] / 4 + lesson.EDGES * steps).item())


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A data folder of forty pictures, a folder of models, and nothing written elsewhere."""
    data = tmp_path / "data" / "avatars"
    data.mkdir(parents=True)
    pictures = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), np.uint8)
    np.savez(data / "bigSmile64.npz", images=pictures)
    (data / "bigSmile64.jsonl").write_text('{"hair": "braids"}\n' * 40, encoding="utf-8")
    monkeypatch.setattr(lesson, "ROOT", tmp_path)
    monkeypatch.setattr(lesson, "BATCH", 8)
    monkeypatch.setattr(lesson, "WHOLE", 3)
    monkeypatch.setattr(lesson, "EXAMPLES", {"half": (0, lesson.HALF), "whole": (6, [])})
    monkeypatch.setattr(lesson.generators, "load", lambda *_: generators.find("gan").tiny())
    monkeypatch.setenv("LAB_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path


def test_two_steps_write_a_model_that_loads_and_goes_on(place):
    out = place / "models" / "autoencoder" / "mine"
    given = {"data": place / "data", "out": out, "config": SMALL}
    lesson.train(None, steps=2, **given)
    card = read_json(out / "card.json")
    assert card["training"]["steps"] == 2 and card["parameters"] > 0 and card["data"]["count"] == 40
    assert "mine" in {variant.name for variant in generators.card("autoencoder").variants}
    assert Run.load(out).trace(ask()).done
    assert list(load_series(out / "learning.npz"))[-1] == 2
    stored = [Trace.load(path) for path in sorted((out / "examples").glob("*.npz"))]
    assert len(stored) == 2 and all(trace.steps[0].details for trace in stored)

    lesson.train(None, steps=3, resume=True, **given)
    assert load_state(place / "runs" / "autoencoder" / "mine" / "weights" / "state.pt")["step"] == 3
    lesson.train(None, attention=False, **given)
    assert read_json(out / "card.json")["training_without"]["steps"] == 3
    assert isinstance(read_network(out, attention=False).decoder.source, Nearby)
    assert set(read_json(out / "config.json")["strangest"]) == {"with", "without"}

    tested = lesson.test("mine")
    assert (place / tested["sheet"]).is_file() and tested["faces"] == len(lesson.NAMES)
    measured = lesson.evaluate("mine", data=place / "data", limit=7)
    assert set(Run.card.headline) <= set(measured) and all(row["n"] == 7 and row["without"] is not None for row in measured.values())

    (out / "faces.npz").write_bytes(b"no faces")
    with pytest.raises(NotReady):
        Run.load(out)


def test_worn_pictures_are_read_and_clean_ones_wanted():
    pictures = torch.rand(64, 3, 16, 16) * 2 - 1
    given = lesson.worn(pictures, np.random.default_rng(0))
    changed = (given != pictures).flatten(1).any(1)
    assert 0.3 < changed.float().mean() < 0.7 and given.abs().max() <= 1
    again = lesson.worn(pictures, np.random.default_rng(0))
    assert torch.equal(given, again)


def test_the_middle_of_a_hole_is_one_of_its_cells():
    assert lesson.central([0, 1, 2, 16, 17, 18, 32, 33, 34]) == 17
    assert lesson.central([0, 255, 3]) in (0, 255, 3)


def test_stored_rows_stay_distributions(run):
    exact = run.trace(ask(hidden=EVERY_OTHER))
    stored = lesson.light(exact)
    for kind, layer in exact.maps():
        assert 0 < np.abs(stored.map(kind, layer) - exact.map(kind, layer)).max() <= lesson.UNIT
        assert np.allclose(stored.map(kind, layer).sum(-1), 1, atol=1e-5)


def test_a_dry_run_writes_nothing(place, capsys):
    lesson.train(None, data=place / "data", out=place / "models" / "autoencoder" / "mine", dry_run=True)
    assert not (place / "models").exists() and "would train" in capsys.readouterr().err


def test_what_cannot_be_learnt_from_is_refused(place):
    for given in ({"data": place / "nowhere"}, {"data": None}, {"data": place / "data", "text": place / "tale.txt"}):
        with pytest.raises(BadInput):
            lesson.train(None, **given)
    with pytest.raises(BadInput):
        lesson.train(None, data=place / "data", config=TINY)
    with pytest.raises(BadInput):
        lesson.test(None, text=place / "tale.txt")
