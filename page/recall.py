"""How far back a model remembers: a name asked for after so many words, drawn from the figures of all model cards.

Every variant whose card has `copied_name_DISTANCE` (generators.recalling) is two lines: with attention and, dashed, without.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import generators
from generators.trace import Words
from page import shelf

METRIC = re.compile(r"copied_name_(\d+)")
SIDES = ("with", "without")
TITLE: Words = {"en": "A name, asked for again after so many words", "zh": "隔若干个词之后，再问开头出现的名字"}
AXIS: Words = {"en": "words in between", "zh": "中间相隔的词数"}
SHARE: Words = {"en": "prompts in which the right name is the likeliest", "zh": "正确的名字概率最高的提示所占比例"}
CHANCE: Words = {"en": "guessing", "zh": "瞎猜"}
WITHOUT: Words = {"en": "{}, without", "zh": "{}，无注意力"}

WIDE, TALL = 560, 312  # of the drawing's own units
LEFT, RIGHT, TOP, FOOT = 40, 392, 34, 264  # where the lines are drawn
BRINK = 18  # that two labels keep from each other
STEEP = 50  # that a line falls between two points


@dataclass(frozen=True)
class Memory:
    """What one variant remembers. points: (words in between, share with attention, share without), by distance; floor: by chance."""

    name: Words
    points: tuple[tuple[int, float | None, float | None], ...]
    floor: float


def memories() -> list[Memory]:
    """Of every variant whose card has such figures."""
    variants = [(card, each) for card in generators.cards() for each in card.variants]
    found = (_memory(card.network or card.title, shelf.figures(card.name, each.name)) for card, each in variants)
    return [memory for memory in found if memory]


def _memory(name: Words, figures: Mapping[str, Any]) -> Memory | None:
    rows = {int(parts[1]): row for metric, row in figures.get("metrics", {}).items() if (parts := METRIC.fullmatch(metric))}
    if not rows:
        return None
    points = tuple((distance, *(rows[distance].get(side) for side in SIDES)) for distance in sorted(rows))
    return Memory(name, points, next(iter(rows.values())).get("floor", 0.0))


def chart(language: str, shown: Sequence[Memory]) -> str:
    """The drawing as HTML, with all of its numbers in words for those who cannot see it; "" if there is nothing to draw."""
    if not shown:
        return ""
    distances = sorted({distance for memory in shown for distance, *_ in memory.points})
    shares = [share for memory in shown for _, *both in memory.points for share in both if share is not None]
    high = min(1.0, (int(max(shares) * 10) + 1) / 10)

    def x(distance: int) -> float:
        return LEFT + 20 + (RIGHT - LEFT - 40) * distances.index(distance) / max(1, len(distances) - 1)

    def y(share: float) -> float:
        return FOOT - (FOOT - TOP) * share / high

    parts = [_text(LEFT, 14, SHARE[language], "note")]
    for tenth in range(0, round(high * 10) + 1, 2):
        parts += [_line([(LEFT, y(tenth / 10)), (RIGHT, y(tenth / 10))], "grid")]
        parts += [_text(LEFT - 8, y(tenth / 10) + 4, f"{10 * tenth}\u202f%", "note end")]
    for distance in distances:
        parts.append(_text(x(distance), FOOT + 20, str(distance), "tick"))
    parts.append(_text((LEFT + RIGHT) / 2, FOOT + 40, AXIS[language], "note middle"))
    floor = shown[0].floor
    parts.append(_line([(LEFT, y(floor)), (RIGHT, y(floor))], "floor"))
    labels = [(y(floor), CHANCE[language], "note")]
    for number, memory in enumerate(shown):
        for side, kind in enumerate(SIDES):
            spots = [(x(point[0]), y(share), share) for point in memory.points if (share := point[1 + side]) is not None]
            if not spots:
                continue
            look = f"of-{number % 2} {kind}"
            parts.append(_line([spot[:2] for spot in spots], look))
            parts += [f'<circle class="{look}" cx="{across:.1f}" cy="{down:.1f}" r="4"/>' for across, down, _ in spots]
            if kind == "with":
                before = [spots[0], *spots]  # a number stands below its point where the line comes down steeply
                parts += [
                    _text(across, down + (20 if down - from_ > STEEP else -10), percent(share), f"value {look}")
                    for (across, down, share), (_, from_, _) in zip(spots, before, strict=False)
                ]
            name = memory.name[language]
            labels.append((spots[-1][1], name if kind == "with" else WITHOUT[language].format(name), look))
    parts += [_text(RIGHT + 8, down + 4, label, look) for down, label, look in _apart(labels)]
    drawing = f'<svg viewBox="0 0 {WIDE} {TALL}" role="img" aria-label="{escape(told(language, shown))}">{"".join(parts)}</svg>'
    return f'<figure class="recall"><figcaption>{TITLE[language]}</figcaption>{drawing}</figure>'


def told(language: str, shown: Sequence[Memory]) -> str:
    """The numbers of the drawing, one sentence a line."""
    sentences = [f"{TITLE[language]}."] if language == "en" else [f"{TITLE[language]}。"]
    for memory in shown:
        for side, kind in enumerate(SIDES):
            known = [f"{point[0]}: {percent(share)}" for point in memory.points if (share := point[1 + side]) is not None]
            name = memory.name[language]
            sentences.append(f"{name if kind == 'with' else WITHOUT[language].format(name)}: {', '.join(known)}.")
    return " ".join([*sentences, f"{CHANCE[language]}: {percent(shown[0].floor)}."])


def _apart(labels: Sequence[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """The labels from top to bottom, none nearer than BRINK to the one before; those that would leave the foot push the others up."""
    placed = sorted(labels)
    heights = [down for down, _, _ in placed]
    for at in range(1, len(heights)):
        heights[at] = max(heights[at], heights[at - 1] + BRINK)
    lowest = FOOT + 8.0
    for at in reversed(range(len(heights))):
        heights[at] = min(heights[at], lowest)
        lowest = heights[at] - BRINK
    return [(down, text, look) for down, (_, text, look) in zip(heights, placed, strict=True)]


def percent(share: float) -> str:
    """Without decimals, halves upwards."""
    return f"{int(100 * share + 0.5)}\u202f%"


def _line(spots: Sequence[tuple[float, float]], look: str) -> str:
    return f'<polyline class="{look}" points="{" ".join(f"{across:.1f},{down:.1f}" for across, down in spots)}"/>'


def _text(across: float, down: float, said: str, look: str) -> str:
    return f'<text class="{look}" x="{across:.1f}" y="{down:.1f}">{escape(said)}</text>'
