"""What a run costs: counted exactly where it is known, and written on every card that ships."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

import generators
from generators.base import Request
from generators.costing import measured, one_thread
from generators.trace import Step
from page import shelf


class Multiplier:
    """A step is a product of (2, 3) and (3, 5): 30 multiply-adds."""

    def generate(self, request: Request) -> Iterator[Step]:
        for index in range(4):
            torch.ones(2, 3) @ torch.ones(3, 5)
            yield Step(index, ())


def test_multiply_adds_are_those_of_a_step() -> None:
    run: Any = Multiplier()
    assert measured(run, Request("x"), 3)["multiply_adds"] == 30
    assert measured(run, Request("x"), None)["multiply_adds"] == 120


def test_the_number_of_threads_is_as_before() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("name", generators.names())
def test_every_card_tells_size_and_cost_of_both_sides(name: str) -> None:
    card = generators.card(name)
    for variant in (each for each in card.variants if shelf.figures(name, each.name)):
        figures = shelf.figures(name, variant.name)
        assert figures["cost"]["per"] == ("token" if card.produces == "text" else "picture")
        for side in ("with", "without") if card.twin else ("with",):
            assert figures["cost"][side]["multiply_adds"] > 1e5 and figures["cost"][side]["milliseconds"] > 0
        if card.twin:
            size, twin = figures["parameters" if "parameters" in figures else "training"], figures["training_without"]["parameters"]
            size = size["parameters"] if isinstance(size, dict) else size
            assert twin == pytest.approx(size, rel=0.03), "twins are of equal size"
