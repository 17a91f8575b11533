"""The page with the painters of tests/painters.py and nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import app
import generators
from generators.base import BadInput
from tests.painters import Copier, Painter


def serve(known: dict[str, Any]) -> None:
    """The page with these generators, which have no files."""
    models = {name: each() for name, each in known.items()}
    nothing = Path(tempfile.mkdtemp())

    def find(name: str) -> Any:
        if name not in known:
            raise BadInput("There is no such generator.", "没有这个生成器。")
        return known[name]

    generators.find = find
    generators.names = lambda: tuple(known)  # type: ignore[assignment]
    generators.load = lambda name, variant=None: models[name]
    generators.folders = lambda name: {"plain": nothing / name}
    app.main()


if __name__ == "__main__":
    serve({"painter": Painter, "copier": Copier})
