"""What a detector would find, said by hand."""

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np


def found(things: Mapping[str, tuple[int, int]], ground: str, unclear: float = 0.0) -> SimpleNamespace:
    """things: word → row and column of the centre of its square of 8×8 pixels, of 32×32."""
    made = []
    for word, (row, column) in things.items():
        mask = np.zeros((32, 32), bool)
        mask[row - 4 : row + 4, column - 4 : column + 4] = True
        made.append(SimpleNamespace(word=word, mask=mask, share=float(mask.mean())))
    return SimpleNamespace(objects=tuple(made), ground=ground, unclear=unclear)
