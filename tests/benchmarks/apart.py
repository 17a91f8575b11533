"""Other tools, installed beside and not with the rest: of what they import, only what is used here is needed."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import types
import warnings

from tests.benchmarks import HOME

OTHERS = HOME / ".venv" / "others"
LENS = HOME / ".venv" / "lens"


def other(name: str) -> types.ModuleType:
    """A module of one of them. Raises ImportError if it is not there."""
    for folder in (OTHERS, LENS):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    for each, module in stand_ins().items():
        sys.modules.setdefault(each, module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def stand_ins() -> dict[str, types.ModuleType]:
    """A notebook that only holds the text it is to show, and the standard library under the name of its backport."""

    class Shown:
        def __init__(self, data: str) -> None:
            self.data = data

    display = types.ModuleType("IPython.display")
    display.HTML = display.Javascript = display.display = Shown  # type: ignore[attr-defined]
    return {"IPython": types.ModuleType("IPython"), "IPython.display": display, "importlib_metadata": importlib.metadata}
