"""Figures on cases small enough to work out by hand."""

import math

import pytest
from sacrebleu import corpus_bleu

from generators.metrics import (
    bits_per_char,
    bleu_counts,
    bleu_of,
    edit_distance,
    is_well_formed,
    item_edits,
    mean_and_spread,
    verse_lines,
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


@pytest.mark.parametrize(
    ("one", "other", "edits"), [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("ab", "ba", 2)]
)
def test_edit_distance(one, other, edits):
    assert edit_distance(one, other) == edit_distance(other, one) == edits


def test_the_nearest_reference_counts():
    assert item_edits(["ab", "xyz"], [["abcd", "abc"], ["xyz"]]).tolist() == [[1, 3], [0, 3]]


def test_bleu_knows_every_reference():
    written = ["the cat sat on the mat", "a dog barks at the moon tonight"]
    assert bleu_of(bleu_counts(written, [["no no no no", written[0]], [written[1]]]).sum(0)) == pytest.approx(100)
    written[0] = "the cat sat on a mat"
    references = [["the cat sat on the mat", "a cat sat"], ["a dog barks at the moon tonight"]]
    streams = [[references[0][0], references[1][0]], [references[0][1], None]]
    assert bleu_of(bleu_counts(written, references).sum(0)) == pytest.approx(corpus_bleu(written, streams).score)
