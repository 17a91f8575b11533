"""What the page holds in memory once a model of each generator has run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psutil

import generators
from tests.benchmarks import Row
from tests.benchmarks.crowd import visits
from tests.benchmarks.serving import serving

BAR = 1.0  # GB


def measure() -> Iterator[Row]:
    """Resident memory of the server and its children after one run each."""
    with serving() as server:
        for name in generators.names():
            failed = [visit.error for visit in asyncio.run(visits(server.url, 1, name)) if visit.error]
            if failed:
                raise RuntimeError(failed[0])
        process = psutil.Process(server.pid)
        held = sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 1e9
    yield Row(f"resident memory, {' and '.join(generators.names())} loaded", f"{held:.2f} GB", f"≤ {BAR:g} GB", held <= BAR)
