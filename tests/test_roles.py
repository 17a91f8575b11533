"""Shares of weight by role, exact on small maps; and over a model's fixed sample."""

import numpy as np
import pytest

import generators
from generators.base import Request
from generators.roles import ROLES, SAMPLE, heads_of, places, shares, write_roles
from generators.training import read_json
from generators.writing import Writer

WRITERS = [name for name in generators.names() if issubclass(generators.find(name), Writer)]
IDS = np.array([7, 1, 2, 3, 1, 2])
"""The first token once; 1 and 2 come back at 4 and 5."""


def looking_at(*keys):
    """(K, K): each query looks at one key only."""
    return np.eye(len(IDS))[list(keys)]


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("before", {(1, 0), (2, 1), (3, 2), (4, 3), (5, 4)}),
        ("first", {(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)}),
        ("same", {(4, 1), (5, 2)}),
        ("after_same", {(4, 2), (5, 3)}),
    ],
)
def test_places_of_each_role(role, expected):
    assert set(zip(*map(list, np.nonzero(places(IDS)[role])), strict=True)) == expected


def test_the_token_itself_is_not_the_one_after_its_copy():
    assert not places(np.array([5, 5, 5]))["after_same"].diagonal().any()
    assert places(np.array([5, 5, 5]))["after_same"][2].tolist() == [False, True, False]


def test_heads_of_one_kind_get_everything():
    before, first = looking_at(0, 0, 1, 2, 3, 4), looking_at(0, 0, 0, 0, 0, 0)
    same, induction = looking_at(0, 1, 2, 3, 1, 2), looking_at(0, 1, 2, 3, 2, 3)
    found = shares([(np.stack([before, first, same, induction]), IDS)])
    assert found[0] == {"before": 1, "first": 0, "same": 0, "after_same": 0}
    assert found[1] == {"before": 0, "first": 1, "same": 0, "after_same": 0}
    assert found[2] == {"before": 0, "first": 0, "same": 1, "after_same": 0}
    assert found[3] == {"before": 0, "first": 0, "same": 0, "after_same": 1}


def test_shares_are_means_over_the_queries_that_have_such_a_key():
    even = np.tri(len(IDS)) / np.tri(len(IDS)).sum(-1, keepdims=True)  # each query alike over all so far
    (found,) = shares([(even[None], IDS)])
    assert found["before"] == found["first"] == pytest.approx((1 / 3 + 1 / 4 + 1 / 5 + 1 / 6) / 4, abs=1e-3)
    assert found["same"] == found["after_same"] == pytest.approx((1 / 5 + 1 / 6) / 2, abs=1e-3)


def test_texts_count_by_their_queries():
    long, short = looking_at(0, 0, 1, 2, 3, 4), np.eye(3)
    (found,) = shares([(long[None], IDS), (short[None], np.array([1, 2, 3]))])
    assert found["before"] == pytest.approx(4 / 5) and found["same"] == 0


@pytest.mark.parametrize("name", WRITERS)
def test_a_writers_heads_are_described_in_its_card(name, tmp_path):
    run = generators.find(name).tiny()
    variant = run.card.default
    write_roles(run, variant, tmp_path)
    heads = read_json(tmp_path / "card.json")["heads"]["self"]
    trace = run.trace(Request.check(run.card, text="Ada", settings={"length": 2}))
    assert [len(layer) for layer in heads] == [trace.map(*each).shape[0] for each in trace.maps()]
    assert all(head.keys() == set(ROLES) and all(0 <= share <= 1 for share in head.values()) for layer in heads for head in layer)
    assert heads_of(run, variant) == {"self": heads}, "the same at every look"


def test_there_is_a_sample_for_every_language_that_is_written():
    assert SAMPLE.keys() >= {variant.language for name in WRITERS for variant in generators.find(name).card.variants}
