"""What a cell depends on where convolution is in attention's place.

    reach(desk, {run, query, part})  →  {part, query, grid, shares, cells, box}

Of a run with attention its twin is asked, for the same request. What is measured, and of which part: `generators.reach`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import generators
from generators.base import BadInput
from generators.reach import PARTS, Part, Reach
from page.answers import sentence
from page.asked import read_index, read_object

if TYPE_CHECKING:
    from page.desk import Desk

DIGITS = 5  # of a share: what is not 0 stays so


async def reach(desk: Desk, given: Any) -> dict[str, Any]:
    """part: "self" if none is named. shares: of each cell, exactly 0 where it does not count; box: [height, width] of those that do."""
    with sentence() as answer:
        given = read_object(given)
        run, query, part = desk.find(given), read_index(given.get("query")), read_part(given.get("part", "self"))
        request = replace(run.request, attention=False)
        found: Reach = await desk.look(lambda: generators.load(run.generator, request.variant).reach(request, query, part))
        answer |= {"part": part, "query": query, **found.grid.to_dict(), "cells": found.cells, "box": list(found.box)}
        answer["shares"] = [float(f"{share:.{DIGITS}g}") for share in found.shares.tolist()]
    return answer


def read_part(given: Any) -> Part:
    """Raises BadInput."""
    for part in PARTS:
        if given == part:
            return part
    raise BadInput(f"The parts are {', '.join(PARTS)}.", f"可选的部分有 {'、'.join(PARTS)}。")
