"""The painter's training: what it learns from, what it leaves behind, how it goes on."""

import json

import numpy as np
import pytest
import torch

from generators.base import BadInput
from generators.diffusion import read_network, train
from generators.diffusion.model import EMPTY, Config
from generators.lexicon import Lexicon
from generators.scenes import Composer, is_unseen
from tests import emoji


@pytest.fixture
def data(tmp_path):
    return emoji.write(tmp_path / "data")


@pytest.fixture
def few(monkeypatch, tmp_path):
    """Small batches, no examples, and states that are kept in a folder of the test's."""
    for name, value in {"BATCH": 4, "CHECKED": 4, "SHEET": 2, "ROOT": tmp_path}.items():
        monkeypatch.setattr(train, name, value)
    recorded = []
    monkeypatch.setattr(train, "record", lambda *given: recorded.append(given))
    return recorded


def learned(data, out, **given):
    words = len(Lexicon.of(data).ids)
    config = Config(words=words, fine=16, coarse=16, text=16, condition=16, heads=2)
    train.train("scenes", data=data, out=out, config=config, **given)
    return json.loads((out / "card.json").read_text("utf-8"))


def test_a_training_leaves_what_a_run_reads(data, few, tmp_path):
    card = learned(data, tmp_path / "scenes", steps=2)
    assert card["training"]["steps"] == 2 and "Noto" in card["data"]["pictures"] and len(few) == 1
    network = read_network(tmp_path / "scenes")
    assert card["parameters"] == sum(weight.numel() for weight in network.parameters())
    assert Lexicon.load(tmp_path / "scenes" / "vocabulary.json").ids == Lexicon.of(data).ids
    card = learned(data, tmp_path / "scenes", attention=False)
    assert card["training_without"]["steps"] == 2, "the twin takes as many steps"
    assert not any("query" in name and "ask" in name for name in read_network(tmp_path / "scenes", attention=False).state_dict())


def test_a_training_goes_on_and_its_rates_rise_again(data, few, tmp_path):
    learned(data, tmp_path / "scenes", steps=2)
    card = learned(data, tmp_path / "scenes", steps=4, resume=True)
    assert card["training"]["steps"] == 4 and card["training"]["rates_rose_again_at"] == 2
    state = train.load_state(tmp_path / "runs" / "diffusion" / "scenes" / "weights" / "state.pt")
    assert state["step"] == state["began"] == 4


def test_the_rates_rise_hold_and_fall_to_nothing():
    rates = [train.factor(step, 1000) for step in range(1001)]
    assert rates[0] == 1 / train.WARMUP and rates[train.WARMUP : 601] == [1.0] * (601 - train.WARMUP)
    assert rates[800] == pytest.approx(0.5) and rates[1000] == 0


def test_captions_are_numbers_and_some_are_shortened(data):
    scenes, dice = train.Scenes(Composer.read(data), Lexicon.of(data)), np.random.default_rng(0)
    whole = scenes.batch(dice, 40, whole=True)
    assert whole.pictures.shape == (40, 3, 32, 32) and whole.pictures.abs().max() <= 1
    names = [*scenes.lexicon.ids]
    for row in whole.ids:
        words = [names[number - 1] for number in row.tolist() if number != EMPTY]
        things = [word for word in words if word in emoji.THINGS]
        assert 1 <= len(things) <= 2 and any(word in ("white", "gray", "yellow", "pink", "green", "blue") for word in words)
        relation = next((word for word in words if word in ("to the left of", "to the right of", "above", "below")), None)
        assert relation is None or not is_unseen(things[0], relation, things[1])
    lengths = (scenes.batch(dice, 200).ids != EMPTY).sum(1)
    assert 0.02 < (lengths == 0).float().mean() < 0.25, "some say nothing"


def test_the_loss_is_that_of_the_velocity():
    """With one time for all, (x̂ − picture)² / (1 − t)² is (v̂ − v)²."""
    learner = train.Learner(Config(words=4, fine=16, coarse=16, text=16, condition=16, heads=2), torch.device("cpu"))
    pictures, noise, time = torch.rand(2, 3, 32, 32), torch.randn(2, 3, 32, 32), torch.full((2,), 0.4)
    batch = train.Batch(pictures, torch.tensor([[1, 2], [3, 0]]), torch.tensor([0, 1]))
    x = 0.6 * noise + 0.4 * pictures
    with torch.no_grad():
        believed = learner.network(x, time, learner.network.read(batch.ids, batch.style))
        loss = learner._loss(batch, noise, time)
    assert loss.item() == pytest.approx(((believed - x) / 0.6 - (pictures - noise)).square().mean().item(), rel=1e-4)


def test_what_it_cannot_learn_from_is_refused(tmp_path):
    for given in ({"text": tmp_path / "a.txt"}, {}, {"data": tmp_path}):
        with pytest.raises(BadInput):
            train.train("scenes", **given)
