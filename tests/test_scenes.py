"""Emoji scenes: what is composed, how it is said, and that what training never shows is never composed."""

import os
from pathlib import Path

import numpy as np
import pytest

from generators.base import BadInput
from generators.scenes import GROUNDS, RELATIONS, SEEN, SIZE, STYLES, Composer, Place, Scene, halved, is_unseen, read_scenes, with_article
from tests import emoji

DATA = os.environ.get("LAB_DATA_DIR")
"""A folder with `train` and `held_out`; without it nothing is compared with the reference."""


def fox_and_octopus(relation):
    return Scene("blue", "noto", (Place("fox", 0, 9, 31), Place("octopus", 32, 21, 30)), relation)


def test_captions_follow_the_grammar():
    names = {"fox": "狐狸", "octopus": "章鱼", "ice cream": "冰淇淋"}
    beside, alone = fox_and_octopus("to the left of"), Scene("gray", "noto", (Place("ice cream", 5, 5, 40),))
    assert beside.caption() == "a fox to the left of octopus on a blue background"
    assert beside.caption_zh(names) == "蓝色背景上，狐狸在章鱼的左边"
    assert alone.caption() == "an ice cream on a gray background"
    assert alone.caption_zh(names) == "灰色背景上有一个冰淇淋"


def test_articles():
    assert [with_article(word) for word in ("fox", "owl", "books", "bus", "umbrella")] == ["a fox", "an owl", "books", "bus", "an umbrella"]


def test_unseen_is_the_checksum_of_the_combination():
    """crc32 of "hot dog|above|bus" is 1922880520, of "bus|above|hot dog" 1295538892."""
    assert is_unseen("hot dog", "above", "bus") and not is_unseen("bus", "above", "hot dog")
    found = sum(is_unseen(one, relation, other) for one in emoji.THINGS for relation in RELATIONS for other in emoji.THINGS if one != other)
    assert 10 <= found <= 35  # a tenth of 224


def test_unseen_is_never_composed_and_asked_for_always():
    composer, dice = emoji.composer(), np.random.default_rng(0)
    seen = [composer.compose(dice) for _ in range(600)]
    assert not any(is_unseen(scene.objects[0].word, scene.relation, scene.objects[1].word) for scene in seen if scene.relation)
    assert {scene.relation for scene in seen} == {None, *RELATIONS} and {scene.background for scene in seen} == set(GROUNDS)
    assert {scene.style for scene in seen} == set(STYLES)
    assert 0.2 < np.mean([scene.relation is None for scene in seen]) < 0.3
    asked = [composer.compose(dice, unseen=True) for _ in range(50)]
    assert all(is_unseen(scene.objects[0].word, scene.relation, scene.objects[1].word) for scene in asked)


def test_places_are_as_said_and_inside():
    composer, dice = emoji.composer(), np.random.default_rng(1)
    for _ in range(300):
        scene = composer.compose(dice)
        assert all(0 <= edge <= SIZE - place.size for place in scene.objects for edge in (place.x, place.y))
        if scene.relation is None:
            continue
        one, other = scene.objects
        if scene.relation in ("to the right of", "below"):
            one, other = other, one
        before, after = (one.x, other.x) if "the" in scene.relation else (one.y, other.y)
        assert before + one.size <= SIZE / 2 <= after or before + one.size <= after
        assert one.word != other.word


def test_a_picture_and_its_silhouettes():
    scene = fox_and_octopus("to the left of")
    picture, silhouettes = emoji.composer().paint(scene)
    assert picture.shape == (SIZE, SIZE, 3) and silhouettes.shape == (SIZE, SIZE) and picture.dtype == silhouettes.dtype == np.uint8
    away = np.abs(picture.astype(int) - GROUNDS["blue"]).max(-1)
    assert (away[silhouettes == 0] <= SEEN).all() and (away[silhouettes > 0] > SEEN).all()
    rows, columns = np.nonzero(silhouettes == 1)
    assert columns.max() < 31 and rows.min() >= 9 and rows.max() < 40
    assert set(np.unique(silhouettes)) == {0, 1, 2}
    assert (silhouettes == 1).sum() == pytest.approx(np.pi * 15.5**2, rel=0.1)  # a disc: see emoji.sprite
    assert (silhouettes == 2).sum() == pytest.approx(30**2, rel=0.1)


def test_the_same_dice_the_same_scene():
    composer = emoji.composer()
    assert composer.compose(np.random.default_rng(7)) == composer.compose(np.random.default_rng(7))


def test_halved_is_the_mean_of_four_pixels():
    picture = np.zeros((1, 2, 4, 3), np.uint8)
    picture[0, :, :2] = 255, 254, 10
    picture[0, 0, 2] = 1, 2, 3
    assert halved(np.concatenate([picture, picture]))[1].tolist() == [[[255, 254, 10], [0, 1, 1]]]


def test_a_data_folder_is_read(tmp_path):
    composer = Composer.read(emoji.write(tmp_path / "data"))
    assert composer.words == sorted(emoji.THINGS) and set(composer.sprites) == set(STYLES)
    assert (composer.sprites["twemoji"]["bus"] == emoji.sprite("bus", "twemoji")).all()


def test_reference_scenes_are_read_in_the_order_of_their_captions(tmp_path):
    reference = read_scenes(emoji.write(tmp_path / "data", scenes=40))
    composer, dice = emoji.composer(), np.random.default_rng(0)
    for scene, picture, silhouettes in zip(*reference, strict=True):
        assert scene == composer.compose(dice)
        painted = composer.paint(scene)
        assert (painted[0] == picture).all() and (painted[1] == silhouettes).all()
    assert {scene.relation for scene in reference.scenes} == {None, *RELATIONS}


def test_what_is_missing_is_said_in_a_sentence(tmp_path):
    with pytest.raises(BadInput, match=r"emoji/emoji64_index\.tsv"):
        Composer.read(tmp_path)
    with pytest.raises(BadInput, match="emoji_scenes"):
        read_scenes(tmp_path)
    folder = emoji.write(tmp_path / "data")
    (folder / "emoji_scenes" / "scenes64.jsonl").write_text('{"caption": 3}', encoding="utf-8")
    with pytest.raises(BadInput, match="emoji_scenes"):
        read_scenes(folder)


@pytest.mark.skipif(DATA is None, reason="LAB_DATA_DIR is not given")
@pytest.mark.parametrize("part", ["train", "held_out"])
def test_the_reference_is_reproduced_bit_for_bit(part):
    assert DATA is not None
    composer = Composer.read(Path(DATA) / "train")
    reference = read_scenes(Path(DATA) / part)
    for scene, picture, silhouettes in list(zip(*reference, strict=True))[::10]:
        painted = composer.paint(scene)
        assert (painted[0] == picture).all() and (painted[1] == silhouettes).all()
