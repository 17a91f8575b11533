"""The eye that judges painted scenes: what it learns from, how it tells what it found, and that the one that ships is right."""

import json

import numpy as np
import pytest
import torch

from generators import detector as module
from generators.base import NotReady
from generators.detector import NUMBERS, SIDE, Detector, Network, batch, changed, loss_of, overlap, spoilt, train
from generators.lexicon import meant
from generators.scenes import GROUNDS, Composer, Place, Scene, halved
from generators.truth import verdict
from tests import emoji


@pytest.fixture(scope="module")
def composer():
    return emoji.composer()


def test_shapes(composer):
    thing, what, ground, features = Network(composer.words)(torch.zeros(2, 3, SIDE, SIDE))
    assert thing.shape == (2, SIDE, SIDE) and what.shape == (2, len(emoji.THINGS) + 1, 16, 16)
    assert ground.shape == (2, len(GROUNDS)) and features.shape == (2, NUMBERS) and (features >= 0).all()


def test_a_batch_says_what_is_where(composer):
    pictures, shares, classes, grounds = batch(composer, composer.words, np.random.default_rng(0), 60)
    assert (
        pictures.shape == (60, 3, SIDE, SIDE)
        and shares.shape == (60, 2, SIDE, SIDE)
        and classes.shape == (60, 2)
        and grounds.shape == (60,)
    )
    assert (shares.sum(1) <= 1).all() and (shares[:, 0].amax((1, 2)) == 1).all()
    assert (classes == len(emoji.THINGS)).any()  # spoilt ones
    bare = pictures.permute(0, 2, 3, 1)[shares.sum(1) == 0]  # nothing of an object in them
    colours = torch.tensor(list(GROUNDS.values())) / 127.5 - 1
    assert (bare[:, None] - colours).abs().amax(-1).amin(-1).max() < 12 / 127.5


def test_changes_move_pictures_and_shares_together(composer):
    torch.manual_seed(0)
    pictures, shares, _, _ = batch(composer, composer.words, np.random.default_rng(0), 30)
    bent, along = changed(pictures, shares)
    assert bent.shape == pictures.shape and bent.abs().max() <= 1 and not torch.equal(bent, pictures)
    assert (along - shares).abs().mean() < 0.05 and (along.sum((2, 3)) - shares.sum((2, 3))).abs().max() < 60


def test_spoilt_sprites_are_neither(composer):
    one, other = emoji.sprite("fox", "noto"), emoji.sprite("bus", "noto")
    for seed in range(20):
        made = spoilt(one, other, np.random.default_rng(seed))
        assert made.shape == one.shape and made.dtype == np.uint8
        assert not (made == one).all() and not (made == other).all()


def test_what_is_found_is_told_by_class_size_and_certainty(composer):
    """Two objects, a speck of a third, a doubtful fourth, and something that is none."""
    words = composer.words
    owner, sure = np.full((SIDE, SIDE), -1), np.full((SIDE, SIDE), 0.9)
    owner[:8, :8], owner[20:30, 20:30], owner[0, 31], owner[12:18, 0:6], owner[12:18, 20:26] = 0, 1, 2, 3, len(words)
    sure[12:18, 0:6] = 0.4
    found = Detector(Network(words))._told(owner, sure, "pink")
    assert [thing.word for thing in found.objects] == [words[1], words[0]] and found.words == {words[0], words[1]}
    assert found.objects[0].share == pytest.approx(100 / SIDE**2) and found.objects[0].mask.sum() == 100
    assert found.ground == "pink" and found.unclear == pytest.approx((1 + 36 + 36) / SIDE**2)


def test_a_step_lowers_the_loss(composer):
    torch.manual_seed(0)
    network = Network(composer.words)
    rows = batch(composer, composer.words, np.random.default_rng(0), 16)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(8):
        loss = loss_of(network, *rows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_training_goes_on_where_it_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 8)
    data = emoji.write(tmp_path / "train")
    train(data, tmp_path / "out", tmp_path / "work", steps=2)
    first = (tmp_path / "out" / "weights.safetensors").read_bytes()
    train(data, tmp_path / "out", tmp_path / "work", steps=2)
    assert (tmp_path / "out" / "weights.safetensors").read_bytes() == first
    train(data, tmp_path / "out", tmp_path / "work", steps=3)
    assert (tmp_path / "out" / "weights.safetensors").read_bytes() != first
    assert json.loads((tmp_path / "out" / "card.json").read_text(encoding="utf-8"))["training"]["steps"] == 3
    monkeypatch.setattr(module, "FOLDER", tmp_path / "out")
    module.load.cache_clear()
    monkeypatch.setattr(module, "TAKEN", 4)
    figures = module.test(module.load(), data)
    module.load.cache_clear()
    assert set(figures) == set(module.UNITS) and figures["iou"]["n"] > figures["all"]["n"] == 12
    assert all(0 <= figure["with"] <= 1 for figure in figures.values())


def test_missing_weights_are_said_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    module.load.cache_clear()
    with pytest.raises(NotReady, match=r"config\.json"):
        module.load()


def test_overlap_by_hand():
    one, other = np.zeros((2, 4, 4), bool)
    one[:2], other[1:] = True, True
    assert overlap(one, other) == pytest.approx(4 / 16)


def test_the_one_that_ships_takes_no_blot_for_an_object():
    look = module.load()
    blot = np.zeros((64, 64, 4), np.uint8)
    blot[8:56, 8:56] = (120, 110, 100, 255)
    composer = Composer({"noto": {"blot": blot}}, {})
    scenes = [Scene(ground, "noto", (Place("blot", 10, 12, 40),)) for ground in GROUNDS]
    for scene, found in zip(scenes, look(halved(np.stack([composer.paint(scene)[0] for scene in scenes])))):
        assert found.ground == scene.background
        assert not found.objects and found.unclear > 0.2 and not verdict(meant(scene), found).all
    assert look(np.zeros((0, SIDE, SIDE, 3), np.uint8)) == []
    assert look.features(np.zeros((2, SIDE, SIDE, 3), np.uint8)).shape == (2, NUMBERS)
    assert look.features(np.zeros((0, SIDE, SIDE, 3), np.uint8)).shape == (0, NUMBERS)
