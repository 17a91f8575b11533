"""The page with the painters of tests/painters.py and nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import app
import generators
from generators.base import BadInput
from tests.painters import Copier, Painter

KNOWN = {"painter": Painter, "copier": Copier}
MODELS = {name: known() for name, known in KNOWN.items()}


def find(name: str) -> Any:
    if name not in KNOWN:
        raise BadInput("There is no such generator.", "没有这个生成器。")
    return KNOWN[name]


if __name__ == "__main__":
    nothing = Path(tempfile.mkdtemp())
    generators.find = find
    generators.names = lambda: tuple(KNOWN)  # type: ignore[assignment]
    generators.load = lambda name, variant=None: MODELS[name]
    generators.folders = lambda name: {"plain": nothing / name}
    app.main()
