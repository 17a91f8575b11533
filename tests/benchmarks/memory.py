"""What the page holds in memory once every bundled model has run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psutil

import generators
from generators.base import Request
from tests.benchmarks import Row
from tests.benchmarks.crowd import visits, wish
from tests.benchmarks.serving import serving

BAR = 1.0  # GB


def measure() -> Iterator[Row]:
    """Resident memory of the server and its children after a run of each."""
    with serving() as server:
        wishes = [wish(card.name, Request.check(card, variant=each.name)) for card in generators.cards() for each in card.variants]
        failed = [visit.error for visit in asyncio.run(visits(server.url, wishes)) if visit.error]
        if failed:
            raise RuntimeError(failed[0])
        process = psutil.Process(server.pid)
        held = sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 1e9
    yield Row(f"resident memory, {' and '.join(generators.names())} loaded", f"{held:.2f} GB", f"≤ {BAR:g} GB", held <= BAR)
