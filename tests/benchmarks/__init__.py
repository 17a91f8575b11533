"""What the page must hold, measured: each file measures one thing and says its bar. Nothing here is asserted by the tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).parents[2]


@dataclass(frozen=True)
class Row:
    """One line of the table. what: the thing measured. measured, bar: with units. met: whether the bar holds; None: not measured."""

    what: str
    measured: str
    bar: str
    met: bool | None
