"""What a cell depends on: exact fields of known convolutions, every twin's, and that measuring leaves nothing behind."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import generators
from generators.attention import watch
from generators.base import BadInput, Generator, Request
from generators.reach import Reach, measure, shares, through
from generators.trace import Grid

SIDE = 8
GRID = Grid(SIDE, SIDE)
TWINS = ("gan", "vae", "autoencoder")


def convolutions(*layers: nn.Module) -> nn.Sequential:
    """With every weight positive, so that nothing cancels."""
    made = nn.Sequential(*layers).requires_grad_(False)
    for number, weight in enumerate(made.parameters()):
        weight.copy_(torch.rand(weight.shape, generator=torch.Generator().manual_seed(number)) + 0.1)
    return made


def field(layer: Callable[..., Tensor], row: int, column: int) -> Reach:
    def paint() -> Tensor:
        return through(layer, torch.ones(1, 4, SIDE, SIDE), part="self")[:, :3]

    return measure(paint, "self", row * SIDE + column, GRID)


def rectangle(rows: range, columns: range) -> set[int]:
    return {row * SIDE + column for row in rows for column in columns}


def seen(found: Reach) -> set[int]:
    return set(np.flatnonzero(found.shares).tolist())


# Fields that are known


def test_a_convolution_sees_its_kernel():
    found = field(convolutions(nn.Conv2d(4, 4, 3, padding=1)), 3, 4)
    assert (found.cells, found.box) == (9, (3, 3))
    assert seen(found) == rectangle(range(2, 5), range(3, 6))


def test_edges_cut_a_field():
    near = convolutions(nn.Conv2d(4, 4, 3, padding=1))
    assert seen(field(near, 0, 0)) == rectangle(range(2), range(2))
    assert field(near, 0, 5).box == (2, 3)
    assert field(near, 7, 7).cells == 4


def test_two_convolutions_see_five_by_five():
    two = convolutions(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))
    assert seen(field(two, 3, 4)) == rectangle(range(1, 6), range(2, 7))


def test_a_dilated_convolution_leaves_gaps():
    wide = convolutions(nn.Conv2d(4, 4, 3, padding=2, dilation=2))
    found = field(wide, 3, 4)
    assert seen(found) == {row * SIDE + column for row in (1, 3, 5) for column in (2, 4, 6)}
    assert (found.cells, found.box) == (9, (5, 5))


def test_shares_are_norms_of_the_kernel():
    """Of one convolution the derivative by a cell is the kernel's matrix at that offset: its Frobenius norm."""
    near = convolutions(nn.Conv2d(4, 5, 3, padding=1))
    norms = near[0].weight.double().square().sum((0, 1)).sqrt()  # (3, 3)
    found = field(near, 4, 4).shares.reshape(SIDE, SIDE)[3:6, 3:6]
    assert np.allclose(found, (norms / norms.sum()).numpy(), atol=1e-7)


def test_what_counts_for_nothing_has_no_share():
    given = torch.ones(1, 2, 2, 2, requires_grad=True)
    assert not shares((given * 0).sum((0, 2, 3)), given).any()
    assert Reach("self", 0, Grid(2, 2), np.zeros(4, np.float32)).box == (0, 0)


def test_a_layer_that_nobody_measures_is_just_called():
    one = nn.Conv2d(4, 4, 1)
    x = torch.rand(1, 4, 2, 2)
    assert torch.equal(through(one, x, part="self"), one(x))


# Every twin


@pytest.fixture(scope="module", params=TWINS)
def model(request: pytest.FixtureRequest) -> Generator:
    return generators.find(request.param).tiny()


def ask(model: Generator, **given: Any) -> Request:
    return Request.check(model.card, attention=False, **given)


def middle(model: Generator, part: str = "self", **given: Any) -> Reach:
    side = model.reach(ask(model), 0).grid.width
    return model.reach(ask(model, **given), (side // 2) * side + side // 2, part)  # type: ignore[arg-type]


def test_a_twin_sees_three_by_three(model: Generator):
    found = middle(model)
    row, column = divmod(found.query, found.grid.width)
    near = {r * found.grid.width + c for r in (row - 1, row, row + 1) for c in (column - 1, column, column + 1)}
    assert seen(found) == near
    assert found.shares.sum() == pytest.approx(1)
    assert model.reach(ask(model), 0).cells == 4


def test_a_picture_sees_more_than_one_layer(model: Generator):
    """What was near to the layer's field is painted from it, too; still not all."""
    near, far = middle(model), middle(model, "picture")
    assert seen(near) < seen(far)
    assert model.reach(ask(model), 0, "picture").cells < len(far.grid)


def test_attention_sees_every_cell(model: Generator):
    found = model.reach(Request.check(model.card), 5)
    assert found.cells == len(found.grid)


def test_an_edit_takes_cells_away(model: Generator):
    hidden = [{"action": "hide", "keys": [1, 2, 3]}]
    found = model.reach(Request.check(model.card, edits=hidden), 5)
    assert seen(found) == set(range(len(found.grid))) - {1, 2, 3}


def test_a_field_is_the_same_again(model: Generator):
    assert np.array_equal(middle(model).shares, middle(model).shares)


def test_a_field_is_that_of_what_was_painted(model: Generator):
    """Moving what goes into the layer outside of the field leaves the cell as it was; inside, it does not."""
    network = model._without  # type: ignore[attr-defined]
    layer = (network if model.card.name == "gan" else network.decoder).attention
    found = middle(model)
    row, column = divmod(found.query, found.grid.width)
    kept: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, given: kept.append(given[0].detach().clone()))
    list(model.generate(ask(model)))
    hook.remove()
    with torch.no_grad():
        before = layer(kept[0])[0, :, row, column]
        for cell, share in enumerate(found.shares):
            moved = kept[0].clone()
            moved[0, :, cell // found.grid.width, cell % found.grid.width] += 0.5
            assert torch.equal(layer(moved)[0, :, row, column], before) == (share == 0)


def test_what_is_read_has_its_own_layer():
    redrawer = generators.find("autoencoder").tiny()
    assert middle(redrawer, "encoder").box == (3, 3)
    hole = [119, 120, 135, 136]  # the middle's, of 16×16
    found = middle(redrawer, "cross", hidden=hole)
    assert not seen(found) & set(hole)
    assert found.cells == 5
    painter = generators.find("vae").tiny()
    assert middle(painter, "encoder", picture=np.zeros((64, 64, 3), np.uint8)).box == (3, 3)


def test_there_is_nothing_to_ask_of(model: Generator):
    with pytest.raises(BadInput, match="cells 0 to"):
        model.reach(ask(model), 10_000)
    with pytest.raises(BadInput, match="no such layer"):
        model.reach(ask(model), 0, "cross")
    writer = generators.find("lstm").tiny()
    with pytest.raises(BadInput, match="no cells"):
        writer.reach(Request.check(writer.card, attention=False), 0)


# Nothing is left behind


def modes() -> tuple[bool, bool]:
    return torch.is_inference_mode_enabled(), torch.is_grad_enabled()


def test_no_mode_is_left(model: Generator):
    before = modes()
    middle(model)
    with pytest.raises(BadInput):
        model.reach(ask(model), 0, "cross")
    assert modes() == before
    with torch.inference_mode():
        middle(model)
        assert modes() == (True, False)
    assert all(not weight.requires_grad and weight.grad is None for weight in model._without.parameters())  # type: ignore[attr-defined]


def test_runs_and_measures_do_not_meet(model: Generator):
    """A run that is watched in another thread while a field is measured is as alone, and so is the field."""
    alone, field_alone = list(model.generate(Request.check(model.card, seed=3))), middle(model)
    inside, go_on = threading.Event(), threading.Event()
    fields: list[Reach] = []

    def paint() -> Tensor:
        inside.set()
        assert go_on.wait(20)
        return through(nn.Identity(), torch.ones(1, 3, SIDE, SIDE), part="self")

    def measuring() -> None:
        fields.append(measure(paint, "self", 0, GRID))

    other = threading.Thread(target=contextvars.copy_context().run, args=(measuring,))
    other.start()
    assert inside.wait(20)
    (step,), between = model.generate(Request.check(model.card, seed=3)), middle(model)
    go_on.set()
    other.join()
    assert np.array_equal(step.picture, alone[0].picture)
    assert np.array_equal(step.attentions[0].weights, alone[0].attentions[0].weights)
    assert np.array_equal(between.shares, field_alone.shares)
    assert seen(fields[0]) == {0}
    with watch() as watcher:
        middle(model)
    assert not watcher.heard
