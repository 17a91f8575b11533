"""The drawing of how far back models remember a name."""

from __future__ import annotations

import json
import re

import pytest

import generators
from page.about import RECALL, lesson
from page.recall import Memory, chart, memories, told

ONE = Memory({"en": "A <b>", "zh": "甲"}, ((16, 0.5, 0.1), (256, 0.25, None)), 0.0625)


def test_the_numbers_are_those_of_the_cards() -> None:
    shown = {memory.name["en"]: memory for memory in memories()}
    for name in ("lstm", "gpt"):
        metrics = json.loads((generators.folders(name)["tales_en"] / "card.json").read_text(encoding="utf-8"))["metrics"]
        rows = {distance: metrics[f"copied_name_{distance}"] for distance in (16, 64, 256)}
        network = generators.card(name).network or generators.card(name).title
        assert shown[network["en"]].points == tuple((distance, row["with"], row["without"]) for distance, row in rows.items())


def test_the_lesson_says_what_the_cards_say() -> None:
    """The twins hardly better than guessing, distance makes it harder, the transformer's share below the LSTM's after 256 words."""
    shown = {memory.name["en"]: memory for memory in memories()}
    for memory in shown.values():
        (_, near, _), *_, (_, far, _) = memory.points
        assert near is not None and far is not None and near > far
        assert all(one is not None and other is not None and one > 3 * other for _, one, other in memory.points)
        assert all(other is not None and other < 0.15 for _, _, other in memory.points)
    assert (shown["Transformer"].points[-1][1] or 0) < (shown["LSTM"].points[-1][1] or 0)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_number_is_drawn_and_told(language: str) -> None:
    drawn = chart(language, [ONE])
    assert drawn.count("<circle") == 3 and "50\u202f%" in drawn and "25\u202f%" in drawn
    assert "<b>" not in drawn
    assert re.findall(r"\d+: \d+", told(language, [ONE]))[:3] == ["16: 50", "256: 25", "16: 10"]
    assert chart(language, []) == ""
    assert lesson(language).count(RECALL) == 1


def test_labels_keep_apart() -> None:
    many = [Memory({"en": f"Net {number}", "zh": "网"}, ((16, 0.06, 0.06), (64, 0.06, 0.06)), 0.0625) for number in range(2)]
    heights = sorted(float(down) for down in re.findall(r'x="400.0" y="([\d.]+)"', chart("en", many)))
    assert len(heights) == 5 and min(b - a for a, b in zip(heights, heights[1:], strict=False)) >= 17.9
