"""What a visitor may change in an attention, as data.

An edit names an action and a scope. Actions work at the three points of an attention:

    scores    sharpness (times a factor), hide (keys that may not be looked at)
    weights   uniform, shuffle, paint (rows given by hand), among the allowed keys only
    context   off (the weighted sum becomes zero; the row stays shown, marked unused)

The scope is the product of its parts: map (self, cross, encoder), layers, heads, queries, steps; a part left out means all.
Applied by `generators.attention.watch`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np

Action = Literal["sharpness", "hide", "uniform", "shuffle", "paint", "off"]
Kind = Literal["self", "cross", "encoder"]

MOST_EDITS = 64
MOST_NUMBERS = 1_000_000  # numbers in all lists of all edits of one request
HIGHEST_INDEX = 1_000_000
SHARPEST = 100.0


class EditError(ValueError):
    """An edit that cannot be carried out; the message is one sentence."""


@dataclass(frozen=True)
class Edit:
    """One change.

    value: factor on the scores (sharpness), 0 ≤ value ≤ 100; 0 makes every allowed key equal.
    keys: key positions that are hidden (hide).
    rows: (heads, queries, keys) nested lists, non-negative (paint); an axis of length 1 is used for the whole scope,
        keys beyond a row's end get 0, and each row is normalised among the allowed keys.
    seed: of the permutation (shuffle).
    layers, heads, queries, steps: scope, absolute positions; None is all.
    map: "self", "cross", "encoder" or None for all.
    """

    action: Action
    value: float = 1.0
    keys: tuple[int, ...] = ()
    rows: Any = None
    seed: int = 0
    layers: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None
    queries: tuple[int, ...] | None = None
    steps: tuple[int, ...] | None = None
    map: Kind | None = None

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise EditError(f"An edit's action is one of {', '.join(get_args(Action))}.")
        if self.map is not None and self.map not in get_args(Kind):
            raise EditError(f"An edit's map is one of {', '.join(get_args(Kind))}.")
        if not _is_number(self.value) or not 0 <= self.value <= SHARPEST:
            raise EditError(f"A sharpness lies between 0 and {SHARPEST:g}.")
        if not _is_index(self.seed):
            raise EditError("An edit's seed is a whole number that is not negative.")
        for part in ("keys", "layers", "heads", "queries", "steps"):
            positions = getattr(self, part)
            if positions is not None:
                object.__setattr__(self, part, _positions(part, positions))
        if self.action == "hide" and not self.keys:
            raise EditError("Hiding needs the keys that are to be hidden.")
        if self.action == "paint":
            object.__setattr__(self, "rows", _rows(self.rows))

    def reaches(self, kind: str, layer: int, step: int) -> bool:
        """Whether a call of attention at this place and step lies in the scope."""
        return self.map in (None, kind) and (self.layers is None or layer in self.layers) and (self.steps is None or step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """The parts that differ from their defaults, as JSON types."""
        given: dict[str, Any] = {"action": self.action}
        for field in fields(self)[1:]:
            part = getattr(self, field.name)
            if field.name == "rows":
                if part is not None:
                    given["rows"] = part.tolist()
            elif part != field.default:
                given[field.name] = list(part) if isinstance(part, tuple) else part
        return given


def read_edits(given: str | Iterable[Mapping[str, Any] | Edit] | None) -> tuple[Edit, ...]:
    """Edits from JSON text or from dictionaries.

    Raises EditError, in one sentence, for anything that is not a list of well-formed edits.
    """
    if given is None or given == "":
        return ()
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise EditError("The edits are not valid JSON.") from None
    if isinstance(given, Mapping):
        given = [given]
    if not isinstance(given, (list, tuple)):
        raise EditError("Edits are a list of objects, each with an action.")
    if len(given) > MOST_EDITS:
        raise EditError(f"At most {MOST_EDITS} edits at a time.")
    edits = tuple(each if isinstance(each, Edit) else _read_edit(each) for each in given)
    if sum(_size(edit) for edit in edits) > MOST_NUMBERS:
        raise EditError(f"At most {MOST_NUMBERS:,} numbers in all edits together.")
    return edits


def _read_edit(given: Any) -> Edit:
    if not isinstance(given, Mapping) or "action" not in given:
        raise EditError("Edits are a list of objects, each with an action.")
    known = {field.name for field in fields(Edit)}
    unknown = [str(part)[:40] for part in given if part not in known]
    if unknown:
        raise EditError(f"An edit has no part called {unknown[0]!r}.")
    return Edit(**dict(given))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= HIGHEST_INDEX


def _positions(part: str, given: Any) -> tuple[int, ...]:
    if not isinstance(given, (list, tuple, range)) or not all(_is_index(each) for each in given):
        raise EditError(f"An edit's {part} are a list of whole numbers that are not negative.")
    return tuple(int(each) for each in given)


def _rows(given: Any) -> np.ndarray:
    try:
        rows = np.array(given, dtype=np.float32)
    except (TypeError, ValueError):
        rows = np.zeros(0, np.float32)
    if rows.ndim == 1:
        rows = rows[None, None]
    if rows.ndim != 3 or rows.size == 0 or not np.isfinite(rows).all() or (rows < 0).any():
        raise EditError("Painted rows are lists of numbers that are not negative, by head, query and key.")
    rows.flags.writeable = False
    return rows


def _size(edit: Edit) -> int:
    lists = (edit.keys, edit.layers, edit.heads, edit.queries, edit.steps)
    return sum(len(each) for each in lists if each) + (edit.rows.size if edit.rows is not None else 0)
