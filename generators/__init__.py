"""The generators: every folder here is one, every file here is shared by all.

names()               those that are there, in the order of the page
find("lstm")          its class: load, tiny (no torch imported); card("lstm") what is known of it
load("lstm", "…")     a model ready to run; read once, under a lock
ready("lstm", "…")    "" or the sentence that says what is wrong with its files
"""

from __future__ import annotations

import importlib
import os
import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from generators.base import BadInput, Card, Generator, NotReady

HERE = Path(__file__).parent
ASSETS = HERE.parent / "assets"


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """Folders with an `__init__.py`: those that write from a text, then the others, each group by the alphabet."""
    folders = [each.parent.name for each in HERE.glob("*/__init__.py")]
    return tuple(sorted(folders, key=lambda name: (not find(name).card.writes, name)))


def find(name: str) -> type[Generator]:
    """The generator of that name. Raises BadInput if there is none."""
    if not name.isidentifier() or not (HERE / name / "__init__.py").is_file():
        known = ", ".join(sorted(each.parent.name for each in HERE.glob("*/__init__.py")))
        raise BadInput(f"The generators are {known}.", f"现有的生成器：{known}。")
    run: type[Generator] = importlib.import_module(f"generators.{name}").Run
    return run


def card(name: str) -> Card:
    """What is known of a generator, with the visitor's own models as variants. Raises BadInput if there is none."""
    known = find(name).card
    first = known.variants[0]
    own = [
        replace(first, name=each, title={"en": f"{each} (yours)", "zh": f"{each}（你的）"}, icon="✎", tries=(), like=first.name)
        for each in folders(name)
        if each not in {variant.name for variant in known.variants}
    ]
    return replace(known, variants=(*known.variants, *own))


def cards() -> tuple[Card, ...]:
    """The cards of all generators."""
    return tuple(card(name) for name in names())


def folders(name: str) -> dict[str, Path]:
    """Variant → folder: those of the card, and the visitor's own under LAB_MODELS_DIR/NAME/."""
    found = {variant.name: ASSETS / name / variant.name for variant in find(name).card.variants}
    own = os.environ.get("LAB_MODELS_DIR")
    if own and (Path(own) / name).is_dir():
        found |= {each.name: each for each in sorted((Path(own) / name).iterdir()) if (each / "config.json").is_file()}
    return found


def load(name: str, variant: str | None = None) -> Generator:
    """The model, loaded at the first call and shared after it. Raises BadInput (no such name), NotReady (files)."""
    run = find(name)
    found = folders(name)
    variant = variant or run.card.default
    if variant not in found:
        card(name).variant(variant)  # raises the sentence that names the variants
    with _lock:
        key = (name, str(found[variant]))
        if key not in _loaded:
            _loaded[key] = run.load(found[variant])
        return _loaded[key]


def ready(name: str, variant: str) -> str:
    """Empty if the variant loads, else the sentence that says what is wrong."""
    try:
        load(name, variant)
    except (NotReady, BadInput) as error:
        return str(error)
    return ""


_lock = threading.RLock()
_loaded: dict[tuple[str, str], Generator] = {}
