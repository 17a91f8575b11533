"""Figures on cases small enough to work out by hand."""

import math

import pytest

from generators.metrics import (
    bits_per_char,
    bleu,
    edit_distance,
    is_well_formed,
    item_error,
    mean_and_spread,
    share_wrong,
    verse_lines,
    well_formed,
)


def test_a_fair_coin_a_character_is_one_bit():
    assert bits_per_char(10 * math.log(2), 10) == pytest.approx(1.0)
    assert bits_per_char(math.log(8), 2) == pytest.approx(1.5)


def test_no_characters_no_figure():
    with pytest.raises(ValueError, match="no characters"):
        bits_per_char(1.0, 0)


def test_mean_and_spread_are_the_sample_ones():
    assert mean_and_spread([1.0, 2.0, 3.0]) == (2.0, 1.0)
    assert mean_and_spread([4.0]) == (4.0, 0.0)


FIVE = "白日依山尽，\n黄河入海流。\n欲穷千里目，\n更上一层楼。\n"


def test_lines_are_read_with_and_without_breaks():
    assert verse_lines(FIVE) == verse_lines(FIVE.replace("\n", "")) == ["白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼"]


@pytest.mark.parametrize(
    ("poem", "characters", "good"),
    [
        (FIVE, 5, True),
        (FIVE, 7, False),
        (FIVE + "床前明月光，", 5, False),
        ("白日依山尽，黄河入海流。欲穷千里目，更上一楼。", 5, False),
        ("白日依山尽，黄河入海流。欲穷千里目，更上a层楼。", 5, False),
        ("", 5, False),
    ],
)
def test_a_poem_has_four_lines_of_its_length(poem, characters, good):
    assert is_well_formed(poem, characters) is good


def test_well_formed_is_a_share():
    assert well_formed([(FIVE, 5), (FIVE, 7), ("", 5), (FIVE, 5)]) == 0.5


@pytest.mark.parametrize(
    ("one", "other", "edits"), [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("ab", "ba", 2)]
)
def test_edit_distance(one, other, edits):
    assert edit_distance(one, other) == edit_distance(other, one) == edits


def test_the_nearest_reference_counts():
    assert item_error(["ab", "xyz"], [["abcd", "abc"], ["xyz"]]) == 1 / 6
    assert share_wrong(["ab", "xyz"], [["abcd", "ab"], ["xy"]]) == 0.5


def test_bleu_knows_every_reference():
    written = ["the cat sat on the mat", "a dog barks at the moon tonight"]
    assert bleu(written, [["no no no no", written[0]], [written[1]]]) == pytest.approx(100)
    assert bleu(["the cat sat on a mat", written[1]], [[written[0]], [written[1]]]) < 100
