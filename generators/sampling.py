"""Draws the next token: what may follow, with the probabilities that the settings leave.

Letters: N tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def ranked(
    logits: np.ndarray, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, at_least: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens that may follow, most likely first, with their probabilities under the settings.

    logits: (N,), −inf for tokens that are never chosen. temperature divides them; at 0 all goes to the most likely. top_k keeps the k
    most likely (0: all), top_p of these the fewest whose probabilities reach it together (Holtzman et al. 2020, section 3.1).
    Returns ids and probabilities; the first `at_least` are there even where the settings leave them nothing.
    """
    kept = len(logits) if temperature and not top_k else min(len(logits), max(top_k, at_least))
    ids = np.argpartition(-logits, kept - 1)[:kept] if kept < len(logits) else np.arange(len(logits))
    ids = ids[np.argsort(-logits[ids], kind="stable")]
    if temperature == 0:
        return ids, np.eye(1, len(ids))[0]
    scores = (logits[ids].astype(np.float64) - float(logits[ids[0]])) / temperature
    probabilities = np.exp(scores)
    if top_k:
        probabilities[top_k:] = 0
    probabilities /= probabilities.sum()
    if top_p < 1:
        enough = int(np.searchsorted(probabilities.cumsum(), top_p)) + 1
        probabilities[enough:] = 0
        probabilities /= probabilities.sum()
    keep = max(at_least, int(np.count_nonzero(probabilities)))
    return ids[:keep], probabilities[:keep]


def draw(ids: np.ndarray, probabilities: np.ndarray, dice: float, refused: Callable[[int], bool], shown: int = 8) -> tuple[int, np.ndarray]:
    """(place of the chosen token among `ids`, the probabilities without those of refused tokens).

    dice: a number from 0 to 1, spent on the cumulated probabilities. refused: whether a token must not be chosen; asked for the first
    `shown` and for what the dice say. If nothing is left, the most likely token that is not refused gets everything.
    """
    left = probabilities.copy()
    blocked = [place for place, token in enumerate(ids[:shown].tolist()) if refused(token)]
    while True:
        if blocked:
            left[blocked] = 0
        total = left.sum()
        if total <= 0:
            place = next((each for each in range(len(ids)) if each not in blocked and not refused(int(ids[each]))), 0)
            return place, np.eye(1, len(ids), place)[0]
        left /= total
        place = int(left.cumsum().searchsorted(dice * left.sum(), side="right"))
        if place == len(left):  # the dice said 1, or rounding did
            place = int(np.flatnonzero(left)[-1])
        if place < shown or not refused(int(ids[place])):
            return place, left
        blocked.append(place)
