"""What is kept with a variant and there before any model has loaded: stored runs, its learning, its figures.

An example is known by "example:GENERATOR/VARIANT/NAME", which is also the id of its run.
"""

from __future__ import annotations

import json
import unicodedata
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import generators
from generators.base import BadInput, Request
from generators.trace import Trace, TraceError, load_series
from page.runs import Run

PREFIX = "example:"
WIDEST_LABEL = 22  # columns
HOLES = " ▨"  # behind the label of a picture with cells rubbed out
KEPT = 24  # examples and series that stay in memory


def files(name: str, variant: str) -> dict[str, Path]:
    """Example id → file, in the order of the names."""
    folder = generators.folders(name)[variant] / "examples"
    return {f"{PREFIX}{name}/{variant}/{each.stem}": each for each in sorted(folder.glob("*.npz"))}


def listing(name: str, variant: str) -> list[dict[str, Any]]:
    """What there is to show of a variant: [{id, label, request, pictured}], the request without its picture.

    A file that cannot be read is left out.
    """
    return [found for each, path in files(name, variant).items() if (found := _describe(each, path, path.stat().st_mtime_ns))]


def run(example: object) -> Run:
    """An example as a run that is done. Raises BadInput."""
    parts = example[len(PREFIX) :].split("/") if isinstance(example, str) and example.startswith(PREFIX) else []
    if len(parts) == 3:
        name, variant, _ = parts
        generators.card(name).variant(variant)
        path = files(name, variant).get(str(example))
        if path is not None:
            return _read(str(example), path, path.stat().st_mtime_ns)
    raise BadInput("There is no such example.", "没有这个例子。")


def learning(name: str, variant: str) -> Path:
    """Where one example by training step would be. Raises BadInput for an unknown name."""
    return generators.folders(name)[generators.card(name).variant(variant).name] / "learning.npz"


def figures(name: str, variant: str) -> dict[str, Any]:
    """What was measured of a variant, as its card.json has it; {} if there is none. Raises BadInput for an unknown name."""
    path = generators.folders(name)[generators.card(name).variant(variant).name] / "card.json"
    return _figures(path, path.stat().st_mtime_ns) if path.is_file() else {}


def phrases(name: str, variant: str) -> dict[str, Any]:
    """What a prompt of a variant can be put together from, by words; {} where it is free text. Raises BadInput for an unknown name."""
    return dict(generators.find(name).phrases(generators.folders(name)[generators.card(name).variant(variant).name]))


def learned(name: str, variant: str) -> dict[int, Trace]:
    """One example by training step; none if the variant has no such file. Raises BadInput for an unknown name."""
    path = learning(name, variant)
    return _series(path, path.stat().st_mtime_ns) if path.is_file() else {}


@lru_cache(maxsize=1024)
def _describe(example: str, path: Path, _: int) -> dict[str, Any] | None:
    """Only the JSON part of the file is read."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            packed = json.loads(archive["meta"].tobytes())["traces"][0][1]
        request = {name: each for name, each in packed["request"].items() if name != "picture"}
        prompt = str(request.get("text", "")).strip()
        made = "".join(step["text"] for step in packed["steps"]).strip()
        pictured = "picture" in packed["request"]
        label = _short(prompt or made or (path.stem if pictured else str(request.get("seed", ""))))
        label += HOLES if request.get("hidden") else ""
        return {"id": example, "label": label, "request": request, "pictured": pictured}
    except (OSError, KeyError, IndexError, TypeError, ValueError, AttributeError, zipfile.BadZipFile):
        return None


def _short(text: str) -> str:
    """The first line, cut where it grows wider than a chip may be; a Chinese character is two columns wide."""
    line = " ".join(text.strip().partition("\n")[0].split()).rstrip(",，.。")
    kept, width = "", 0
    for character in line:
        width += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if width > WIDEST_LABEL:
            return kept.rstrip(" ,，.。") + "…"
        kept += character
    return kept


@lru_cache(maxsize=KEPT)
def _figures(path: Path, _: int) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=KEPT)
def _read(example: str, path: Path, _: int) -> Run:
    try:
        trace = next(iter(load_series(path).values()))
        request = Request.from_dict(generators.card(trace.generator), trace.request)
    except (TraceError, BadInput, StopIteration) as error:
        raise BadInput("This example cannot be read.", "这个例子读不出来。") from error
    return Run(example, trace.generator, request, "", trace, driven=True, done=True)


@lru_cache(maxsize=KEPT)
def _series(path: Path, _: int) -> dict[int, Trace]:
    try:
        return load_series(path)
    except TraceError:
        return {}
