"""How pictures are judged: figures on cases that can be worked out by hand, and the space in which faces are compared."""

import json

import numpy as np
import pytest

from generators import features, judging
from generators.data import Avatars, split_pictures
from generators.metrics import frechet, kid, nearest, precision, psnr, recall, remembering, ssim


def test_frechet_of_two_normal_distributions_is_the_formula():
    """One number each: (m₁ − m₂)² + (s₁ − s₂)²."""
    dice = np.random.default_rng(0)
    one, other = dice.normal(0, 1, (200_000, 1)), dice.normal(3, 2, (200_000, 1))
    assert frechet(one, other) == pytest.approx(9 + 1, rel=0.02)
    assert frechet(one, one) == pytest.approx(0, abs=1e-9)


def test_frechet_knows_covariances_that_do_not_commute():
    """Tr(C₁ + C₂ − 2(C₁C₂)^½), by eigenvalues of the product."""
    dice = np.random.default_rng(1)
    one = dice.normal(size=(500, 3)) @ dice.normal(size=(3, 3))
    other = dice.normal(size=(400, 3)) @ dice.normal(size=(3, 3)) + 1
    a, b = (np.cov(each, rowvar=False) for each in (one, other))
    root = np.sqrt(np.linalg.eigvals(a @ b).real.clip(0)).sum()
    expected = ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * root
    assert frechet(one, other) == pytest.approx(expected) == frechet(other, one)


def test_kid_by_hand():
    """Two points each, one number: k(x, y) = (xy + 1)³."""
    one, other = np.array([[0.0], [1.0]]), np.array([[2.0], [0.0]])
    within_one, within_other = 1.0, 1.0  # k(0, 1), k(2, 0)
    between = (1 + 1 + 27 + 1) / 4  # k(0, 2), k(0, 0), k(1, 2), k(1, 0)
    assert kid(one, other) == pytest.approx(within_one + within_other - 2 * between)


def test_kid_of_one_kind_is_about_nothing():
    dice = np.random.default_rng(2)
    one, other = dice.normal(size=(2, 1500, 8))
    assert abs(kid(one, other)) < 0.05 < kid(one, other + 1)


def test_precision_and_recall_by_hand():
    """On a line, k = 1: a real point reaches as far as the next real one."""
    real = np.array([[0.0], [1.0], [10.0], [11.0]])
    made = np.array([[0.5], [1.9], [5.0]])
    assert precision(made, real, k=1) == pytest.approx(2 / 3)  # 5 lies between the heaps
    reach = {0.5: 1.4, 1.9: 1.4, 5.0: 3.1}
    among = [any(abs(x - y) <= r for y, r in reach.items()) for x in (0, 1, 10, 11)]
    assert recall(made, real, k=1) == pytest.approx(sum(among) / 4) == 0.5


def test_one_heap_left_out_lowers_recall_only():
    dice = np.random.default_rng(3)
    heaps = np.array([[0.0, 0.0], [50.0, 0.0]])
    real = np.concatenate([heap + dice.normal(size=(300, 2)) for heap in heaps])
    made = heaps[0] + dice.normal(size=(600, 2))
    assert precision(made, real) > 0.9 and recall(made, real) == pytest.approx(0.5, abs=0.05)


def test_psnr_is_in_decibels():
    black = np.zeros((2, 4, 4, 3), np.uint8)
    other = black.copy()
    other[1] = 255
    assert psnr(black, other).tolist() == [100.0, 0.0]
    other[1] = 51  # a fifth of the range: 20·log₁₀ 5
    assert psnr(black, other)[1] == pytest.approx(13.979, abs=1e-3)


def test_psnr_inside_a_hole_knows_nothing_of_the_rest():
    black, other = np.zeros((1, 4, 4, 3), np.uint8), np.full((1, 4, 4, 3), 255, np.uint8)
    hole = np.zeros((1, 4, 4), bool)
    hole[:, :2, :2] = True
    other[:, :2, :2] = 51
    assert psnr(black, other, hole)[0] == pytest.approx(13.979, abs=1e-3)


def test_ssim_of_flat_pictures_is_the_formula():
    """Without structure only the means count: (2ab + c₁)/(a² + b² + c₁)."""
    a, b, c = 100.0, 150.0, (0.01 * 255) ** 2
    flat = np.stack([np.full((16, 16, 3), each, np.uint8) for each in (a, a)])
    other = np.stack([np.full((16, 16, 3), each, np.uint8) for each in (a, b)])
    assert ssim(flat, other) == pytest.approx([1, (2 * a * b + c) / (a * a + b * b + c)])


def test_ssim_falls_with_noise_and_turns_with_the_contrast():
    dice = np.random.default_rng(4)
    picture = dice.integers(0, 256, (1, 32, 32, 3), np.uint8)
    noisy = (picture + dice.normal(0, 30, picture.shape)).clip(0, 255).astype(np.uint8)
    same, near, turned = (ssim(each, picture)[0] for each in (picture, noisy, 255 - picture))
    assert same == pytest.approx(1) and 1 > near > 0 > turned


def test_nearest_is_in_grey_levels():
    known = np.stack([np.full((4, 4, 3), level, np.uint8) for level in (0, 100)])
    asked = np.stack([np.full((4, 4, 3), level, np.uint8) for level in (10, 93, 100)])
    assert nearest(asked, known) == pytest.approx([10, 7, 0], abs=1e-3)


def test_a_copier_is_found_out():
    held_out = np.linspace(10, 20, 101)
    assert remembering(held_out, held_out)["closer"] == pytest.approx(1 / 101)
    found = remembering(np.full(50, 2.0), held_out, bins=4)
    assert found["closer"] == 1 and found["n"] == 50 and sum(found["made"]) == 50 and sum(found["held_out"]) == 101
    assert found["made"][0] == 50 and found["held_out"][0] == 0 and len(found["edges"]) == 5
    json.dumps(found)


def some_faces(count: int) -> Avatars:
    """Flat faces whose ground is their only part that differs."""
    grounds = {"blue": (170, 210, 240), "pink": (245, 180, 195)}
    names = [("blue", "pink")[i % 2] for i in range(count)]
    images = np.stack([np.full((64, 64, 3), grounds[name], np.uint8) for name in names])
    images[:, :4, :4] = np.arange(count, dtype=np.uint8)[:, None, None, None]  # no two are the same
    parts = dict.fromkeys(features.PARTS, "same")
    return Avatars(images, tuple(parts | {"background_name": name} for name in names))


def write(folder, faces: Avatars):
    (folder / "avatars").mkdir(parents=True)
    np.savez(folder / "avatars" / f"{features.STYLE}.npz", images=faces.images)
    lines = "".join(json.dumps(each) + "\n" for each in faces.attributes)
    (folder / "avatars" / f"{features.STYLE}.jsonl").write_text(lines, encoding="utf-8")
    return folder


def test_features_learn_to_name_a_ground(tmp_path):
    features.train(write(tmp_path / "data", some_faces(60)), tmp_path / "features", steps=30)
    facts = json.loads((tmp_path / "features" / "config.json").read_text(encoding="utf-8"))
    assert facts["names"]["background_name"] == ["blue", "pink"] and facts["names"]["hair"] == ["same"]
    assert facts["right"]["background_name"] == 1.0


def test_the_shipped_features_tell_flat_pictures_apart():
    model = features.load()
    faces = some_faces(4).images
    found = model.of(faces)
    assert found.shape == (4, features.NUMBERS) and found.dtype == np.float32 and (found >= 0).all()
    assert np.array_equal(found, model.of(faces)) and not np.allclose(found[0], found[1])
    shares = model.shares(faces)
    assert set(shares) == set(features.PARTS) and all(each.sum(-1) == pytest.approx(1) for each in shares.values())
    assert model.of(faces[:0]).shape == (0, features.NUMBERS)


def test_pictures_are_split_by_content():
    images = some_faces(200).images
    aside = split_pictures(images, 0.25)
    assert 0.15 < aside.mean() < 0.35 and np.array_equal(split_pictures(images[::-1], 0.25), aside[::-1])


def test_both_sides_are_judged_and_the_copier_found_out(tmp_path):
    learned, unseen = some_faces(80), some_faces(30)
    unseen.images[:] = 255 - unseen.images
    write(tmp_path / "train", learned)
    found, memory = judging.figures({"with": learned.images, "without": unseen.images}, write(tmp_path / "held_out", unseen))
    assert set(found) == set(judging.UNITS) and all(each["n"] == 30 for each in found.values())
    assert found["frechet"]["with"] == pytest.approx(found["frechet"]["floor"]) and found["frechet"]["without"] < 1e-6
    assert found["precision"]["without"] == 1 and found["recall"]["without"] == 1
    assert found["nearest_train"]["with"] == 0 and memory is not None and memory["closer"] == 1
    assert found["nearest_held_out"]["with"] == found["nearest_train"]["without"] > 50


def test_without_the_training_faces_nothing_is_said_of_memory(tmp_path):
    faces = some_faces(20)
    found, memory = judging.figures({"with": faces.images}, write(tmp_path / "alone", faces))
    assert memory is None and found["nearest_train"]["with"] is None and "floor" not in found["frechet"]
    assert found["frechet"]["without"] is None


def test_samples_come_in_parts_in_the_order_of_their_seeds():
    asked = []

    def sample(seeds):
        asked.append(len(seeds))
        return np.stack([np.full((2, 2, 3), seed, np.uint8) for seed in seeds])

    made = judging.sampled(sample, 250)
    assert asked == [100, 100, 50] and made[:, 0, 0, 0].tolist() == list(range(250))
