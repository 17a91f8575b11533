"""The page with random models: each step takes its time, its end stands in the log, and one variant has no weights."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import app
import generators
from generators.base import NotReady, Request
from generators.trace import Step

STEP = 0.12  # seconds
lock = threading.Lock()
models: dict[tuple[str, str | None], Any] = {}


def load(name: str, variant: str | None = None) -> Any:
    run = generators.find(name)
    if name == generators.names()[-1] and variant == generators.card(name).variants[-1].name:
        raise NotReady(f"The weights of {variant} are cut short.", f"{variant} 的权重不完整。")

    class Slow(run):  # type: ignore[valid-type, misc]
        def generate(self, request: Request) -> Iterator[Step]:
            return slowly(super().generate(request))

    with lock:  # random weights come from dice that all threads share
        if (name, variant) not in models:
            models[name, variant] = Slow.tiny()
        return models[name, variant]


def slowly(steps: Iterator[Step]) -> Iterator[Step]:
    try:
        for step in steps:
            time.sleep(STEP)
            yield step
    finally:
        print(f"closed {time.monotonic():.3f}")


if __name__ == "__main__":
    generators.load = load
    app.main()
