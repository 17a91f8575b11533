"""What every training shares: schedule, averages, budget, files that are never half written."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from generators.base import NotReady
from generators.training import (
    EMA,
    Clock,
    load_state,
    read_json,
    read_weights,
    save_state,
    schedule,
    seed,
    snapshot_steps,
    write_card,
    write_weights,
)


def test_the_rate_rises_then_falls():
    factors = [schedule(step, 1000, warmup=100, lowest=0.1) for step in range(1001)]
    assert factors[0] == pytest.approx(0.01) and factors[99] == factors[100] == pytest.approx(1.0)
    assert factors[550] == pytest.approx(0.55) and factors[1000] == pytest.approx(0.1)
    assert all(a >= b for a, b in zip(factors[100:], factors[101:], strict=False))
    assert schedule(2000, 1000, lowest=0.1) == pytest.approx(0.1), "a training that runs over stays at the lowest rate"


def test_the_same_seed_throws_the_same_dice():
    rolls = []
    for _ in range(2):
        seed(7)
        rolls.append(torch.rand(3))
    assert torch.equal(*rolls)


def test_the_average_follows_the_weights_and_takes_buffers_over():
    model = nn.BatchNorm1d(2)
    average = EMA(model, decay=0.5)
    with torch.no_grad():
        model.weight.fill_(3.0)
        model.running_mean.fill_(9.0)
    average.update(model)
    decay = 2 / 11  # (1 + n) / (10 + n) after the first update
    assert torch.allclose(average.copy.weight, torch.full((2,), 1 * decay + 3 * (1 - decay)))
    assert torch.equal(average.copy.running_mean, model.running_mean)
    for _ in range(100):
        average.update(model)
    assert torch.allclose(average.copy.weight, model.weight)


def test_learning_is_recorded_from_the_first_step_to_the_last():
    assert snapshot_steps(0) == [0]
    assert snapshot_steps(3) == [0, 1, 2, 3]
    steps = snapshot_steps(5000, 10)
    assert steps[0] == 0 and steps[-1] == 5000 and 8 <= len(steps) <= 10
    ratios = [b / a for a, b in zip(steps[1:], steps[2:], strict=False)]
    assert max(ratios) / min(ratios) < 1.4, "evenly spaced on a log scale"


def test_a_clock_ends_by_steps_or_by_time():
    assert not Clock(steps=3).over(2) and Clock(steps=3).over(3)
    assert Clock(minutes=1, before=61).over(0) and not Clock(minutes=1, before=0).over(10**6)
    assert Clock(steps=70).expected(5) == 70
    assert Clock(minutes=1, before=30).expected(100) == pytest.approx(200, abs=2)


def test_state_goes_to_disk_and_back(tmp_path):
    save_state(tmp_path / "deep" / "state.pt", model={"w": torch.arange(3)}, step=4, note="x")
    state = load_state(tmp_path / "deep" / "state.pt")
    assert state["step"] == 4 and torch.equal(state["model"]["w"], torch.arange(3))
    assert [each.name for each in (tmp_path / "deep").iterdir()] == ["state.pt"]
    with pytest.raises(FileNotFoundError):
        load_state(tmp_path / "nowhere.pt")


def test_weights_are_half_on_disk_and_single_in_memory(tmp_path):
    path = tmp_path / "weights.safetensors"
    tied = torch.full((4, 4), math.pi)
    write_weights(path, {"a": tied, "b": tied, "count": torch.tensor(3)})
    read = read_weights(path)
    assert read["a"].dtype == torch.float32 and torch.equal(read["a"], tied.half().float())
    assert read["count"].item() == 3 and read["count"].dtype == torch.int64
    write_weights(path, {"a": tied}, bits=32)
    assert torch.equal(read_weights(path)["a"], tied)


def test_large_matrices_take_eight_bits_and_are_off_by_half_a_step_at_most(tmp_path):
    seed(0)
    state = {
        "matrix": torch.randn(64, 100) * torch.logspace(-4, 2, 64)[:, None],
        "kernel": torch.randn(32, 16, 3, 3),
        "embedding": torch.randn(100, 64),
        "small": torch.randn(8, 8),
        "vector": torch.randn(9000),
        "norm.scale": torch.randn(8),
        "count": torch.tensor(3),
    }
    path = tmp_path / "weights.safetensors"
    write_weights(path, state, bits=8, whole=["embedding"])
    on_disk, read = load_file(path), read_weights(path)
    assert {name for name, weight in on_disk.items() if weight.dtype == torch.int8} == {"matrix", "kernel"}
    assert set(on_disk) - set(state) == {"matrix.scale", "kernel.scale"} and set(read) == set(state)
    for name in ("matrix", "kernel"):
        rows, found = state[name].flatten(1), read[name].flatten(1)
        assert read[name].dtype == torch.float32 and read[name].shape == state[name].shape
        largest = rows.abs().amax(1, keepdim=True)
        assert ((found - rows).abs() <= largest / 254 * (1 + 2**-9) + 2**-24).all(), "half a scale, which is rounded up to float16"
    for name in ("embedding", "small", "vector", "norm.scale"):
        assert torch.equal(read[name], state[name].half().float())


def test_rows_of_zeros_and_of_next_to_nothing_can_be_kept_in_eight_bits(tmp_path):
    weight = torch.zeros(3, 4096)
    weight[1], weight[2] = 1e-9, -1e-6
    write_weights(tmp_path / "weights.safetensors", {"a": weight}, bits=8)
    assert torch.allclose(read_weights(tmp_path / "weights.safetensors")["a"], weight, rtol=0, atol=2**-24)


@pytest.mark.parametrize("lost", ["scale", "shape"])
def test_eight_bits_without_their_scales_are_damaged_weights(tmp_path, lost):
    path = tmp_path / "model" / "weights.safetensors"
    write_weights(path, {"a": torch.ones(64, 64)}, bits=8)
    kept = load_file(path)
    scale = kept.pop("a.scale")
    save_file(kept if lost == "scale" else kept | {"a.scale": scale[1:]}, path)
    with pytest.raises(NotReady, match="damaged"):
        read_weights(path)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kept", [0, 5, 60, 2000])
def test_weights_missing_or_cut_short_are_one_sentence(tmp_path, kept, bits):
    path = tmp_path / "model" / "weights.safetensors"
    with pytest.raises(NotReady, match="missing"):
        read_weights(path)
    write_weights(path, {"a": torch.ones(64, 64)}, bits=bits)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(NotReady, match="damaged") as refusal:
        read_weights(path)
    assert refusal.value.words["zh"]


def test_a_card_keeps_what_it_knew(tmp_path):
    write_card(tmp_path, data="tales", steps=1)
    write_card(tmp_path, steps=2)
    assert read_json(tmp_path / "card.json") == {"data": "tales", "steps": 2}
    (tmp_path / "card.json").write_text("{", encoding="utf-8")
    with pytest.raises(NotReady):
        read_json(tmp_path / "card.json")


def test_all_that_ships_fits_into_eighty_megabytes():
    sizes = [each.stat().st_size for each in (Path(__file__).parents[1] / "assets").rglob("*") if each.is_file()]
    assert sum(sizes) <= 80e6
