"""What the translators learn from: pairs of token rows, in batches of sources as long as one another.

Letters: B rows of a batch, K source tokens, T target tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from generators.data import Pair, read_couplets, read_pronunciations, read_translations, split_pairs
from generators.seq2seq.tokens import START, UNKNOWN, Languages, Symbols
from generators.tokens import END, Pieces
from generators.training import IGNORED

VALIDATION = 0.01  # share of the sources; for choosing learning rates and for progress


class Batch(NamedTuple):
    """sources: (B, K). mask: (B, K) False at padding; None: there is none. inputs, targets: (B, T), targets one step ahead."""

    sources: Tensor
    mask: Tensor | None
    inputs: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Row:
    """Ids of a source and of one of its targets, the end marks in."""

    source: np.ndarray
    target: np.ndarray


class Corpus:
    """Rows in batches of about `size` tokens, every row once in each round; rounds differ in which rows stand together."""

    def __init__(self, rows: Sequence[Row], validation: Sequence[Row], seed: int = 0) -> None:
        self.rows, self.validation, self._seed = rows, list(validation), seed
        self._round, self._first = -1, 0  # the round that is being read, and its first step
        self._batches: list[np.ndarray] = []

    def batch(self, step: int, size: int) -> list[Row]:
        """Rows of a training step; a step always has the same."""
        if step < self._first:
            self._round, self._first, self._batches = -1, 0, []
        while step >= self._first + len(self._batches):
            self._first += len(self._batches)
            self._round += 1
            self._batches = self._cut(np.random.default_rng([self._seed, self._round]), size)
        return [self.rows[index] for index in self._batches[step - self._first]]

    @cached_property
    def _lengths(self) -> np.ndarray:
        return np.array([(len(row.source), len(row.target)) for row in self.rows])  # (rows, 2)

    def _cut(self, dice: np.random.Generator, size: int) -> list[np.ndarray]:
        lengths = self._lengths
        order = np.lexsort((dice.random(len(lengths)), lengths[:, 1] + dice.integers(0, 2, len(lengths)), lengths[:, 0]))
        batches, start = [], 0
        ends = lengths[order].sum(1)
        while start < len(order):
            count = max(1, size // int(ends[start : start + max(1, size // int(ends[start]))].max()))
            batches.append(order[start : start + count])
            start += count
        return [batches[index] for index in dice.permutation(len(batches))]

    def __str__(self) -> str:
        return f"{len(self.rows):,} pairs"


def collate(rows: Sequence[Row], where: torch.device) -> Batch:
    """A batch of rows, padded on the right; what is not in the vocabulary is read but not predicted."""
    longest, length = max(len(row.source) for row in rows), max(len(row.target) for row in rows)
    sources = np.full((len(rows), longest), END, np.int64)
    inputs = np.full((len(rows), length), END, np.int64)
    targets = np.full((len(rows), length), IGNORED, np.int64)
    inputs[:, 0] = START
    for index, row in enumerate(rows):
        sources[index, : len(row.source)] = row.source
        inputs[index, 1 : len(row.target)] = row.target[:-1]
        targets[index, : len(row.target)] = row.target
    targets[targets == UNKNOWN] = IGNORED
    mask = None
    if any(len(row.source) < longest for row in rows):
        mask = torch.from_numpy(np.arange(longest) < np.array([[len(row.source)] for row in rows])).to(where)
    return Batch(*(None if each is None else torch.as_tensor(each, device=where) for each in (sources, mask, inputs, targets)))  # type: ignore[arg-type]


def read_pairs(variant: str, data: Path) -> list[Pair]:
    """The pairs of a variant, from a data folder."""
    if variant == "sound_en":
        return read_pronunciations(data)
    if variant == "eng_fra":
        return read_translations(data, "eng-fra")
    return [*read_couplets(data, "tang"), *read_couplets(data, "song")]


def learn_languages(variant: str, pairs: Iterable[Pair], count: int) -> Languages:
    """Letters and phonemes for sounds, characters for couplets, else pieces; `count` at most where there are many."""
    pairs = list(pairs)
    if variant == "sound_en":
        letters = {letter for pair in pairs for letter in pair.source}
        phonemes = {f" {phoneme}" for pair in pairs for target in pair.targets for phoneme in target.split()}
        return Languages(Symbols(sorted(letters), "source.json"), Symbols(sorted(phonemes), "target.json"))
    texts = [text for pair in pairs for text in (pair.source, *pair.targets)]
    return Languages.of(Symbols.learn(texts, count) if variant == "couplets_zh" else Pieces.learn((f" {text}" for text in texts), count))


def corpus_of(pairs: Sequence[Pair], languages: Languages, seed: int = 0) -> Corpus:
    """One row for each target of each source; a share of the sources is set aside."""
    rest, validation = split_pairs(pairs, VALIDATION)
    return Corpus([row for pair in rest for row in rows_of(pair, languages)], [rows_of(pair, languages)[0] for pair in validation], seed)


def rows_of(pair: Pair, languages: Languages) -> list[Row]:
    """One row for each target."""
    source = np.array(languages.encode_source(pair.source), np.int32)
    return [Row(source, np.array(languages.encode_target(target), np.int32)) for target in pair.targets]
