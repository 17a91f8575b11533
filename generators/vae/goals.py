"""Where a slider leads; apart from `sliders.py`, so that the card needs no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """A value of a part that a move ends at: Goal("hairColor", "#220f00")."""

    part: str
    value: str
