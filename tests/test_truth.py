"""How maps and painted scenes are judged, on cases that can be worked out by hand."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from generators.lexicon import Meaning
from generators.truth import Choice, Truth, Verdict, enlarged, iou, pointing, shares, verdict
from tests.sight import found


def test_maps_are_enlarged_as_torch_does():
    maps = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
    for side in (8, 32, 64):
        expected = F.interpolate(torch.from_numpy(maps), size=(side, side), mode="bilinear").numpy()
        assert enlarged(maps, side) == pytest.approx(expected, abs=1e-6)


def peak(row, column, cells=4):
    """(cells, cells), all of it in one cell."""
    weights = np.zeros((cells, cells), np.float32)
    weights[row, column] = 1
    return weights


def quarter(row, column, side=8):
    """(side, side) bool, a quarter of the picture."""
    mask = np.zeros((side, side), bool)
    mask[row * side // 2 :, column * side // 2 :][: side // 2, : side // 2] = True
    return mask


def test_pointing_asks_for_the_most_looked_at_pixel():
    maps = np.stack([peak(0, 0), peak(1, 1), peak(2, 1), peak(3, 3)])
    assert pointing(maps, quarter(0, 0)).tolist() == [True, True, False, False]
    assert pointing(maps, np.stack([quarter(0, 0), quarter(0, 0), quarter(1, 0), quarter(0, 1)])).tolist() == [True, True, True, False]


def test_iou_by_hand():
    """At the map's own size: 1 in 4 cells looked at, of which 2 lie in the mask of 4."""
    weights = np.zeros((4, 4), np.float32)
    weights[0, :] = 3
    mask = quarter(0, 0, side=4)
    assert iou(weights, mask, 0.5) == pytest.approx(2 / 6)
    assert iou(weights - 5, mask, 0.5) == pytest.approx(2 / 6)  # the span counts, not the height
    assert iou(np.ones((4, 4), np.float32), mask, 0.5) == 0
    assert iou(mask.astype(np.float32), mask, 0.5) == 1


def test_truth_finds_the_map_that_looks_and_knows_it_again():
    """Two layers, two heads, three steps; the second head of the second layer looks at its thing at the middle step."""
    dice = np.random.default_rng(0)
    masks = np.stack([quarter(row, column) for row in (0, 1) for column in (0, 1)])
    maps = [dice.random((4, 2, 3, 4, 4), np.float32), 0.1 * dice.random((4, 2, 3, 8, 8), np.float32)]
    maps[1][:, 1, 1] = masks
    tried = Truth()
    tried.add(maps, masks, pictures=2)
    choice = tried.choice()
    assert (choice.layer, choice.head, choice.step) == (1, 1, 1)
    fixed = Truth(choice)
    for word in range(4):
        fixed.add([layer[word : word + 1] for layer in maps], masks[word : word + 1])
    assert fixed.choice() == choice and fixed.figures() == pytest.approx(tried.figures())
    assert fixed.figures()["pointing"] == fixed.figures()["iou"] == 1
    card = json.loads(json.dumps(fixed.card()))
    assert card["uniform"] == 0.25 and card["steps"] == 3 and card["n"] == card["words"] == 4
    assert [np.array(layer).shape for layer in card["pointing"]] == [(3, 4), (3, 4)] == [np.array(layer).shape for layer in card["iou"]]
    assert card["pointing"][1][1][1] == card["iou"][1][1][1] == 1
    assert card["best"] == {"layer": 1, "head": 1, "step": 1, "threshold": choice.threshold}


def test_means_stand_last():
    """One head looks to the left, the other to the right: only one hits; their mean, of two steps too, is judged as a map of its own."""
    left, right = peak(1, 0), peak(1, 3)
    maps = np.stack([np.stack([left, left]), np.stack([0.5 * right, right])])[None]  # (1, 2, 2, 4, 4)
    truth = Truth(Choice(0, None, None, 0.5, 0.5))
    truth.add([maps], np.concatenate([np.ones((1, 8, 4), bool), np.zeros((1, 8, 4), bool)], -1))
    assert truth.card()["pointing"] == [[[1, 1, 1], [0, 0, 0], [1, 1, 1]]]
    assert truth.card()["best"]["head"] is None and truth.card()["best"]["step"] is None
    assert truth.figures()["pointing"] == truth.figures()["pointing_mean"] == 1


BESIDE = Meaning(("fox", "cat"), "to the left of", "blue")


def test_a_scene_as_it_was_said():
    seen = found({"fox": (8, 4), "cat": (20, 24)}, "blue")
    assert verdict(BESIDE, seen) == Verdict(True, True, True) and verdict(BESIDE, seen).all


@pytest.mark.parametrize(
    ("things", "ground", "expected"),
    [
        ({"fox": (8, 24), "cat": (8, 4)}, "blue", Verdict(True, False, True)),
        ({"fox": (8, 14), "cat": (24, 17)}, "blue", Verdict(True, False, True)),  # too near to be beside
        ({"fox": (8, 4)}, "blue", Verdict(False, None, True)),
        ({"fox": (8, 4), "cat": (20, 24), "bus": (20, 4)}, "pink", Verdict(True, True, False, alone=False)),
        ({}, "blue", Verdict(False, None, True)),
    ],
)
def test_what_is_not_as_it_was_said(things, ground, expected):
    assert verdict(BESIDE, found(things, ground)) == expected and not expected.all


def test_above_is_judged_by_rows():
    above = Meaning(("fox", "cat"), "above", None)
    assert verdict(above, found({"fox": (4, 20), "cat": (20, 4)}, "blue")) == Verdict(True, True, None)
    assert verdict(above, found({"fox": (20, 4), "cat": (4, 20)}, "blue")) == Verdict(True, False, None)


def test_a_large_smear_besides_is_not_as_it_was_said():
    alone = Meaning(("fox",), None, "blue")
    assert verdict(alone, found({"fox": (8, 8)}, "blue", unclear=0.01)).all
    smeared = verdict(alone, found({"fox": (8, 8)}, "blue", unclear=0.1))
    assert smeared.object and not smeared.alone and not smeared.all


def test_shares_leave_out_what_was_not_said():
    verdicts = [Verdict(True, True, True), Verdict(True, None, True), Verdict(False, None, False), Verdict(True, False, None)]
    assert shares(verdicts) == {"object": 0.75, "place": 0.5, "background": pytest.approx(2 / 3), "all": 0.5}
