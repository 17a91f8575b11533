"""Figures that judge a generator: pure functions, fixed before the models that they judge."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

import numpy as np


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


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """The fewest insertions, deletions and exchanges of items that turn one sequence into the other (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for i, item in enumerate(one, 1):
        above, row[0] = row[0], i
        for j, goal in enumerate(other, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (item != goal))
    return row[-1]


def item_edits(written: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> np.ndarray:
    """(N, 2): edits to the nearest reference of each sequence, and the items of that reference."""
    nearest = [min((edit_distance(one, each), len(each)) for each in known) for one, known in zip(written, references, strict=True)]
    return np.array(nearest, np.int64).reshape(-1, 2)


def bleu_counts(written: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """(N, 10): of each text its length, that of its nearest reference, the n-grams of 1 to 4 words that match, and all of them."""
    from sacrebleu.metrics.bleu import BLEU  # only who evaluates needs it

    judge = BLEU(effective_order=True)
    scores = [judge.sentence_score(one, [*known]) for one, known in zip(written, references, strict=True)]
    return np.array([[each.sys_len, each.ref_len, *each.counts, *each.totals] for each in scores], np.int64)


def bleu_of(counts: np.ndarray) -> float:
    """BLEU of a corpus, 0 to 100, of the sums of its `bleu_counts`, (10,): sacreBLEU with its defaults (Post 2018)."""
    from sacrebleu.metrics.bleu import BLEU

    length, nearest, *grams = map(int, counts)
    return float(BLEU.compute_bleu(grams[:4], grams[4:], length, nearest, smooth_method="exp").score)


# Pictures. Letters: N pictures (or M, of another set), S pixels a side, D features.

NEIGHBOURS = 3  # k of precision and recall: Kynkäänniemi et al. 2019, section 3


def frechet(one: np.ndarray, other: np.ndarray) -> float:
    """Fréchet distance of two sets of features (N, D), (M, D), each taken for a normal distribution. Heusel et al. 2017, equation 6.

    |m₁ − m₂|² + Tr(C₁ + C₂ − 2 (C₁C₂)^½); the trace of the root is that of (C₁^½ C₂ C₁^½)^½, which is symmetric.
    """
    one, other = one.astype(np.float64), other.astype(np.float64)
    away = one.mean(0) - other.mean(0)
    covariances = [np.atleast_2d(np.cov(each, rowvar=False)) for each in (one, other)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)).sum()
    return float(away @ away + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * shared)


def kid(one: np.ndarray, other: np.ndarray) -> float:
    """Kernel inception distance of two sets of features (N, D), (M, D): Bińkowski et al. 2018, section 4, kernel (x·y/D + 1)³.

    The unbiased estimate over all pairs: about 0 for two sets of one kind, and sometimes just below.
    """
    one, other = one.astype(np.float64), other.astype(np.float64)

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        whole: np.ndarray = (a @ b.T / a.shape[1] + 1) ** 3
        return whole

    def within(a: np.ndarray) -> float:
        k = kernel(a, a)
        return float((k.sum() - np.trace(k)) / (len(a) * (len(a) - 1)))

    return within(one) + within(other) - 2 * float(kernel(one, other).mean())


def precision(made: np.ndarray, real: np.ndarray, k: int = NEIGHBOURS) -> float:
    """Share of the made features (N, D) that lie among the real ones (M, D): nearer to one of them than its k-th real neighbour is.

    Kynkäänniemi et al. 2019, equations 1 and 2. Both sets should be of one size: the more there are, the nearer neighbours are.
    """
    return float(among(made, real, k).mean())


def among(made: np.ndarray, real: np.ndarray, k: int = NEIGHBOURS) -> np.ndarray:
    """Of each made one whether it lies among the real ones, (N,) bool."""
    reach = np.sqrt(np.partition(_squares(real, real), k, axis=1)[:, k])  # (M,); the nearest of all is itself
    inside: np.ndarray = (np.sqrt(_squares(made, real)) <= reach).any(1)
    return inside


def recall(made: np.ndarray, real: np.ndarray, k: int = NEIGHBOURS) -> float:
    """Share of the real features that lie among the made ones: `precision` the other way round."""
    return precision(real, made, k)


def psnr(made: np.ndarray, real: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Peak signal-to-noise ratio of each picture in decibels, 100 where nothing differs. made, real: (N, S, S, 3) uint8. Returns (N,).

    where: (N, S, S) bool, the pixels that count.
    """
    squares = (made.astype(np.float64) - real) ** 2
    weights = np.ones(squares.shape[:3]) if where is None else where.astype(np.float64)
    error = (squares.mean(-1) * weights).sum((1, 2)) / weights.sum((1, 2))
    level: np.ndarray = 10 * np.log10(255**2 / np.maximum(error, 255**2 * 1e-10))
    return level


def ssim(made: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Structural similarity of each picture, mean over colours and places: Wang et al. 2004, equation 13, windows of 11×11, σ 1.5.

    made, real: (N, S, S, 3) uint8, S ≥ 11. Returns (N,), 1 where nothing differs.
    """
    reach = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    reach /= reach.sum()

    def blurred(x: np.ndarray) -> np.ndarray:
        for axis in (1, 2):
            windows = np.lib.stride_tricks.sliding_window_view(x, len(reach), axis)
            x = windows @ reach
        return x

    scores = np.empty(len(made))
    for first in range(0, len(made), 64):  # in parts: the windows of all would be many
        x, y = (each[first : first + 64].astype(np.float64) for each in (made, real))
        mx, my = blurred(x), blurred(y)
        vx, vy, both = blurred(x * x) - mx * mx, blurred(y * y) - my * my, blurred(x * y) - mx * my
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        similar = (2 * mx * my + c1) * (2 * both + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
        scores[first : first + 64] = similar.mean((1, 2, 3))
    return scores


def nearest(pictures: np.ndarray, known: np.ndarray) -> np.ndarray:
    """How far each picture is from that one of the known which resembles it most, in grey levels.

    The root of the mean squared difference, of 2×2 pixels at a time, so that a shift by a hair counts little.
    pictures, known: (N, S, S, 3), (M, S, S, 3) uint8. Returns (N,).
    """
    one, other = (
        each.reshape(len(each), each.shape[1] // 2, 2, each.shape[2] // 2, 2, 3).mean((2, 4), dtype=np.float32).reshape(len(each), -1)
        for each in (pictures, known)
    )
    far: np.ndarray = np.sqrt(_squares(one, other).min(1) / one.shape[1])
    return far


def remembering(made: np.ndarray, held_out: np.ndarray, bins: int = 24) -> dict[str, Any]:
    """Whether a model repeats what it learned from, as a card has it: histograms of `nearest` distances to the training pictures.

    made: (N,) of made pictures. held_out: (M,) of drawn ones that the model never saw. closer: the share of the made ones that are
    nearer to a training picture than 99 % of the held-out ones are; 0.01 for a model that repeats nothing.
    """
    edges = np.linspace(0, max(1.0, float(np.quantile(np.concatenate([made, held_out]), 0.995))), bins + 1)
    counts = [np.histogram(each.clip(0, edges[-1]), edges)[0].tolist() for each in (made, held_out)]
    closer = float((made < np.quantile(held_out, 0.01)).mean())
    return {"edges": [round(float(each), 3) for each in edges], "made": counts[0], "held_out": counts[1], "closer": closer, "n": len(made)}


def _squares(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(N, M) squared Euclidean distances of the rows of (N, D) and (M, D)."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    whole: np.ndarray = ((one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T).clip(0)
    return whole
