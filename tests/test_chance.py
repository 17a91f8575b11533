"""How far chance moves a difference: on rows whose answer is known beforehand."""

import math

import numpy as np
import pytest

from generators import chance


def test_ratios_of_figures_and_of_what_decibels_stand_for():
    assert chance.ratio(3.0, 2.0) == 1.5
    assert chance.ratio(30.0, 20.0, "dB") == pytest.approx(10)
    assert math.isnan(chance.ratio(1.0, 0.0))


def test_rows_that_are_all_alike_leave_nothing_to_chance():
    one, other = chance.mean_of(np.full(20, 3.0)), chance.quotient(np.full(20, 4.0), np.full(20, 2.0))
    found = chance.row(one, other, "bits", "lower", [20])
    assert found == {"with": 3.0, "without": 2.0, "unit": "bits", "better": "lower", "n": 20, "interval": [1.5, 1.5]}


def test_a_share_moves_as_the_binomial_distribution_says():
    """Of 400 rows half are right: a standard error of 2.5 points, 1.96 of them either side."""
    half = chance.mean_of(np.arange(400) % 2)
    low, high = chance.interval(half, lambda counts: 0.5, [400])
    assert low == pytest.approx(1 - 1.96 * 0.05, abs=0.01) and high == pytest.approx(1 + 1.96 * 0.05, abs=0.01)
    assert chance.interval(half, lambda counts: 0.5, [400]) == [low, high]


def test_both_sides_see_the_same_rows():
    """Rows are hard and easy alike for both: their ratio hardly moves."""
    hard = np.random.default_rng(1).uniform(1, 100, 300)
    low, high = chance.interval(chance.mean_of(1.1 * hard), chance.mean_of(hard), [300])
    assert low == high == 1.1


def test_one_side_alone_has_no_ratio_and_nothing_is_not_divided_by():
    assert "interval" not in chance.row(chance.mean_of(np.ones(3)), None, "share", "higher", [3])
    assert chance.interval(chance.mean_of(np.ones(3)), chance.mean_of(np.zeros(3)), [3]) is None
    assert chance.quotient(np.zeros(2), np.zeros(2))(np.ones(2)) == 0


def test_figures_of_two_sets_of_rows():
    both = chance.row(lambda one, other: one.sum() + other.sum(), lambda one, other: 5.0, "", "higher", [2, 3], n=7)
    assert both["with"] == 5 and both["n"] == 7 and both["interval"] == [1, 1]
