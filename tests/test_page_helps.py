"""Does attention help? The table over all model cards: exact on figures of our own, whole on those that ship."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest

import generators
from page import helps, shelf
from page.controls import LANGUAGES, strings
from page.figures import number
from page.wire import SIDES

LOWER = {"with": 2.0, "without": 3.0, "unit": "bits", "better": "lower", "n": 9}


def test_how_many_times_better_is_turned_round_where_less_is_better() -> None:
    gain = helps.gain_of("bits_per_char", LOWER | {"interval": [0.5, 0.8]})
    assert gain is not None
    assert (gain.times, gain.low, gain.high, gain.verdict) == (1.5, 1.25, 2.0, "better")
    gain = helps.gain_of("bleu", {"with": 30.0, "without": 20.0, "unit": "", "better": "higher", "interval": [1.4, 1.6]})
    assert gain is not None and (gain.times, gain.low, gain.high) == (1.5, 1.4, 1.6)
    gain = helps.gain_of("psnr", {"with": 20.0, "without": 30.0, "unit": "dB", "better": "higher"})
    assert gain is not None and (gain.times, gain.low, gain.verdict) == (pytest.approx(0.1), None, "worse")


def test_a_whisker_that_crosses_one_says_nothing() -> None:
    gain = helps.gain_of("bits_per_char", LOWER | {"interval": [0.5, 1.1]})
    assert gain is not None and gain.verdict == "undecided"


def test_seeds_count_before_rows() -> None:
    seeds = {"with_seeds": [2.0, 4.0], "without_seeds": [3.0, 3.0], "interval": [0.5, 0.6]}
    gain = helps.gain_of("bits_per_char", LOWER | seeds)
    assert gain is not None and (gain.times, gain.low, gain.high, gain.seeds) == (1.0, 0.75, 1.5, 2)
    assert helps.spread(gain, strings()["en"]) == "0.75–1.50 (2 seeds)"


def test_one_side_alone_and_nought_are_no_gain() -> None:
    assert helps.gain_of("pointing", {"with": 0.9, "without": None}) is None
    nothing = helps.gain_of("all", {"with": 0.5, "without": 0.0, "better": "higher"})
    assert nothing is not None and math.isnan(nothing.times) and helps.mark(nothing) == ""


def test_every_figure_of_both_sides_stands_in_the_table_as_it_is_printed() -> None:
    shown = helps.compared()
    told = {language: helps.table(language, shown) for language in LANGUAGES}
    rows = 0
    for each in shown:
        metrics = shelf.figures(each.card.name, each.variant.name)["metrics"]
        for gain in each.gains:
            rows += 1
            for side in SIDES:
                assert number(metrics[gain.metric][side], str(gain.row.get("unit", ""))) in told["en"]
    assert all(len(re.findall(r'<th scope="row">', text)) == rows for text in told.values()) and rows > 30
    words = strings()["en"]
    assert f"{rows} figures of {len(shown)} models" in helps.summary(shown, words)
    assert all(card.paper[language] in told[language] for card in generators.cards() if card.paper for language in LANGUAGES)


def test_every_model_says_what_measures_it_again() -> None:
    for each in helps.compared():
        assert each.command == f"python -m generators evaluate {each.card.name} --variant {each.variant.name} --data DIR"


def test_questions_link_to_comparisons_that_there_are() -> None:
    pairs = []
    for language in LANGUAGES:
        found = re.findall(r"\]\(\?([^)]*)\)", helps.questions(language))
        pairs.append([re.sub(r"prompt=[^&]*", "prompt", each) for each in found])
        for link in found:
            asked = dict(part.split("=", 1) for part in link.split("&"))
            generators.card(asked["generator"]).variant(asked.get("variant"))
            beside: dict[str, Any] = json.loads(re.sub(r"%(..)", lambda sign: chr(int(sign[1], 16)), asked["compare"]))
            if "generator" in beside:
                generators.card(beside["generator"]).variant(beside.get("variant"))
            else:
                assert beside == {"without": True} and generators.card(asked["generator"]).twin
    assert pairs[0] == pairs[1] and len(pairs[0]) >= 5


def test_what_is_measured_stays_within_the_drawing() -> None:
    assert helps.place(1e9) == helps.WIDE - helps.MARGIN and helps.place(1e-9) == helps.MARGIN
    assert helps.place(0.5) < helps.place(1) < helps.place(2)
    assert [helps.place(2) - helps.place(1)] == [pytest.approx(helps.place(8) - helps.place(4))]
