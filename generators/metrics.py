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


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """The fewest insertions, deletions and exchanges of items that turn one sequence into the other (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for i, item in enumerate(one, 1):
        above, row[0] = row[0], i
        for j, goal in enumerate(other, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (item != goal))
    return row[-1]


def item_error(written: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> float:
    """Edits to the nearest reference of each sequence, by the items of those references."""
    edits, items = 0, 0
    for one, known in zip(written, references, strict=True):
        distance, length = min((edit_distance(one, each), len(each)) for each in known)
        edits, items = edits + distance, items + length
    return edits / items


def share_wrong(written: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Share of the texts that are none of their references."""
    return sum(one not in known for one, known in zip(written, references, strict=True)) / len(written)


def bleu(written: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """BLEU of a corpus, 0 to 100, against all references of each text: sacreBLEU with its defaults (Post 2018)."""
    from sacrebleu import corpus_bleu  # only who evaluates needs it

    most = max(map(len, references))
    streams = [[known[index] if index < len(known) else None for known in references] for index in range(most)]
    return float(corpus_bleu(list(written), streams).score)  # type: ignore[arg-type]
