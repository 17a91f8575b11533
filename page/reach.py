"""The receptive field of a cell where convolution is in attention's place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generators.base import BadInput
from page.answers import sentence

if TYPE_CHECKING:
    from page.desk import Desk


async def reach(desk: Desk, given: Any) -> dict[str, Any]:
    with sentence() as answer:
        raise BadInput("This cannot be shown yet.", "暂时不能显示。")
    return answer
