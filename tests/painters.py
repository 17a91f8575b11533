"""Two generators of pictures that no training made: `painter` makes faces of seeds or changes a given picture, `copier` only takes one.

Both are plain arithmetic, so that tests can say exactly what comes out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from generators.base import BadInput, Card, Generator, Pin, Request, Setting, Variant
from generators.pictures import read_prompt
from generators.trace import Attention, Grid, Step, Words

SIZE, CELLS = 32, 4


def words(name: str) -> Words:
    return {"en": name, "zh": f"{name}（中）"}


WARMTH = Setting("warmth", "int", 0, words("Warmth"), words("More red."), -100, 100, 1, live=True)
BETWEEN = Setting("between", "float", 0.0, words("Between"), words("On the way to the other."), 0, 1, 0.05, live=True)
OTHER = Setting("other", "word", "", words("Other name"), words("Another face."), live=True)

TINT = Setting(
    "tint", "choice", "none", words("Tint"), words("Less light."), choices={"none": words("none"), "dusk": words("dusk")}, live=True
)


def variant(name: str, axes: int) -> Variant:
    return Variant("plain", words(name), "▣", words(f"A name for {name}"), Pin("self", 0, 0, 5), size=SIZE, grid=CELLS, axes=axes)


class Painter(Generator):
    """The mean of its picture moves with the settings; `asked` are the requests it has seen, `seconds` what each takes."""

    card = Card(
        "painter",
        words("Painter"),
        words("Paints."),
        ("text", "seed", "picture"),
        "picture",
        (variant("Paint", 3),),
        (WARMTH, BETWEEN, OTHER, TINT),
        ((words("Attention"), True),),
        gallery=True,
    )
    seconds = 0.0

    def __init__(self) -> None:
        self.asked: list[Request] = []

    @classmethod
    def load(cls, folder: Path) -> Painter:
        return cls()

    @classmethod
    def tiny(cls) -> Painter:
        return cls()

    def generate(self, request: Request) -> Iterator[Step]:
        seed, notes = read_prompt(request)
        return self._steps(request, seed, notes)

    def _steps(self, request: Request, seed: int, notes: tuple[Words, ...]) -> Iterator[Step]:
        grid = Grid(CELLS, CELLS)
        rows = np.full((2, CELLS**2, CELLS**2), CELLS**-2, np.float32)
        maps = (Attention("self", 0, rows, grid, grid),) if request.watched and request.attention else ()
        source = None if request.picture is None else rubbed(request.picture, request.hidden)
        yield Step(0, maps, picture=self.picture(request), source=source, facts={"seed": seed}, notes=notes, stop="end")

    def picture(self, request: Request) -> np.ndarray:
        self.asked.append(request)
        time.sleep(self.seconds)
        seed, _ = read_prompt(request)
        made = self.start(request, seed) + shift(request.settings, request.code)
        return np.clip(made if request.attention else 255 - made, 0, 255).astype(np.uint8)

    def sheet(self, request: Request, seeds: Sequence[int]) -> np.ndarray:
        if request.picture is not None:
            raise BadInput("A sheet is of seeds.", "一张表只来自种子。")
        return np.stack([self.picture(Request.check(self.card, seed=seed, attention=request.attention)) for seed in seeds])

    def start(self, request: Request, seed: int) -> np.ndarray:
        if request.picture is not None:
            return request.picture.astype(np.int64)
        return np.broadcast_to(np.random.default_rng(seed).integers(60, 200, 3), (SIZE, SIZE, 3))


class Copier(Painter):
    """Needs a picture."""

    card = Card(
        "copier",
        words("Copier"),
        words("Copies."),
        ("picture",),
        "picture",
        (variant("Copy", 0),),
        (),
        ((words("Attention"), True),),
        network=words("Copy"),
    )

    def generate(self, request: Request) -> Iterator[Step]:
        if request.picture is None:
            raise BadInput("Give me a picture.", "请给一张图片。")
        return self._steps(request, 0, ())

    def start(self, request: Request, seed: int) -> np.ndarray:
        if request.picture is None:
            raise BadInput("Give me a picture.", "请给一张图片。")
        return rubbed(request.picture, request.hidden).astype(np.int64)


def shift(settings: Mapping[str, Any], code: Mapping[int, float]) -> np.ndarray:
    """What settings and code add to red, green and blue."""
    moved = np.array([settings.get("warmth", 0), 100 * settings.get("between", 0), 10 * sum(code.values())], np.int64)
    return moved - 50 * (settings.get("tint") == "dusk")


def rubbed(picture: np.ndarray, hidden: Sequence[int]) -> np.ndarray:
    """With grey cells where it is hidden."""
    whole, side = picture.copy(), SIZE // CELLS
    for cell in hidden:
        row, column = divmod(cell, CELLS)
        whole[row * side : (row + 1) * side, column * side : (column + 1) * side] = 128
    return whole
