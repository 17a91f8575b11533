"""What the page holds in memory once every bundled model has run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psutil

import generators
from generators.base import Card
from tests.benchmarks import Row
from tests.benchmarks.crowd import visits
from tests.benchmarks.serving import serving

BAR = 1.5  # GB


def measure() -> Iterator[Row]:
    """Resident memory of the server and its children after a run of each."""
    with serving() as server:
        wishes = [wish(card, variant.name) for card in generators.cards() for variant in card.variants]
        failed = [visit.error for visit in asyncio.run(visits(server.url, wishes)) if visit.error]
        if failed:
            raise RuntimeError(failed[0])
        process = psutil.Process(server.pid)
        held = sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 1e9
    yield Row(f"resident memory, {' and '.join(generators.names())} loaded", f"{held:.2f} GB", f"≤ {BAR:g} GB", held <= BAR)


def wish(card: Card, variant: str) -> dict[str, Any]:
    """What a press on Generate sends: nothing but a seed's face to those that start from a picture."""
    given: dict[str, Any] = {"generator": card.name, "variant": variant}
    if "text" not in card.accepts:
        given["source"] = {"generator": next(each.name for each in generators.cards() if each.gallery), "seed": "1"}
    return given
