"""Inside one step: every number of one head for one query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generators.base import BadInput
from page.answers import sentence

if TYPE_CHECKING:
    from page.desk import Desk


async def inside(desk: Desk, given: Any) -> dict[str, Any]:
    with sentence() as answer:
        raise BadInput("This cannot be shown yet.", "暂时不能显示。")
    return answer
