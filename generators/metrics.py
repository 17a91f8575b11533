"""Figures that judge a generator: pure functions, fixed before the models that they judge."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from statistics import mean, stdev


def bits_per_char(nats: float, characters: int) -> float:
    """Bits that a model needs for one Unicode character of the raw text. nats: −Σ ln p over all tokens of the text."""
    if characters < 1:
        raise ValueError("bits_per_char: there are no characters")
    return nats / math.log(2) / characters


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation; the spread of one value is 0."""
    return mean(values), stdev(values) if len(values) > 1 else 0.0


def verse_lines(poem: str) -> list[str]:
    """The lines of a poem without their punctuation: cut at ，。！？；、 and line breaks."""
    return [line for line in re.split(r"[，。！？；、：\s]+", poem.strip()) if line]


def is_well_formed(poem: str, characters: int, lines: int = 4) -> bool:
    """Whether the poem has exactly that many lines of exactly that many Chinese characters each."""
    found = verse_lines(poem)
    return len(found) == lines and all(re.fullmatch(rf"[㐀-鿿豈-﫿\U00020000-\U0003ffff]{{{characters}}}", line) for line in found)


def well_formed(poems: Iterable[tuple[str, int]], lines: int = 4) -> float:
    """Share of (poem, characters in a line) that are well formed."""
    judged = [is_well_formed(poem, characters, lines) for poem, characters in poems]
    return sum(judged) / len(judged)
