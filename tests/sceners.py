"""Two generators that no training made: `scener` paints words step by step, `teller` says what colour a picture has.

Both are plain arithmetic, so that tests can say exactly what comes out: the halves of a picture are its things, each in a colour of
its name.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from generators.base import BadInput, Card, Generator, Pin, Request, Setting, Variant
from generators.edits import Kind
from generators.trace import Attention, Choice, Detail, Grid, Region, Step, Tokens, Unknown, Words

SIZE, CELLS, STEPS = 32, 8, 6
THINGS = {"fox": "🦊", "owl": "🦉", "bee": "🐝", "red apple": "🍎", "dog": "🐶", "dolphin": "🐬", "grapes": "🍇", "car": "🚗", "sun": "☀️"}
ZH = dict(zip(THINGS, ("狐狸", "猫头鹰", "蜜蜂", "红苹果", "狗", "海豚", "葡萄", "汽车", "太阳"), strict=True))
RELATIONS = {"to the left of": ("←", "左边"), "to the right of": ("→", "右边"), "above": ("↑", "上面"), "below": ("↓", "下面")}
GROUNDS = {"white": ("#fafafa", "白色"), "pink": ("#f8cdd7", "粉色"), "blue": ("#bedcf5", "蓝色")}
KNOWN = {*" ".join(THINGS).split(), *" ".join(RELATIONS).split(), *GROUNDS, "a", "an", "on", "background"}


def words(name: str) -> Words:
    return {"en": name, "zh": f"{name}（中）"}


def choices(*names: str) -> Mapping[str, Words]:
    return {name: words(name) for name in names}


PHRASES: Mapping[str, Any] = {
    "groups": [
        {
            "name": "object",
            "title": words("Thing"),
            "phrases": [
                {
                    "id": name,
                    "glyph": glyph,
                    "en": name,
                    "zh": ZH[name],
                    "write": {"en": f"a{'n' * (name[0] in 'aeio')} {name}", "zh": ZH[name]},
                }
                for name, glyph in THINGS.items()
            ],
        },
        {
            "name": "relation",
            "title": words("Where"),
            "phrases": [{"id": name, "glyph": glyph, "en": name, "zh": zh} for name, (glyph, zh) in RELATIONS.items()],
        },
        {
            "name": "ground",
            "title": words("Ground"),
            "phrases": [{"id": name, "glyph": glyph, "en": name, "zh": zh} for name, (glyph, zh) in GROUNDS.items()],
        },
        {"name": "style", "title": words("Style"), "setting": "style"},
    ],
    "templates": {
        "en": ["{object} on a {ground} background", "{object} {relation} {object} on a {ground} background"],
        "zh": ["{ground}背景上有一个{object}", "{ground}背景上，{object}在{object}的{relation}"],
    },
}


class Scener(Generator):
    """`asked` are the requests it has seen, `seconds` what each step takes."""

    card = Card(
        "scener",
        words("Scener"),
        words("Paints what is said."),
        ("text",),
        "picture",
        (Variant("plain", words("Scene"), "🖼", words("a fox on a blue background"), Pin("cross", 0, None, 0), size=SIZE),),
        (
            Setting("style", "choice", "flat", words("Style"), words("How it looks."), choices=choices("flat", "round", "thin")),
            Setting("steps", "int", STEPS, words("Steps"), words("How many."), 2, 50, 1),
        ),
        ((words("Words"), False), (words("Attention"), True)),
        network=words("Diffusion"),
    )
    seconds = 0.0

    def __init__(self) -> None:
        self.asked: list[Request] = []

    @classmethod
    def load(cls, folder: Path) -> Scener:
        return cls()

    @classmethod
    def tiny(cls) -> Scener:
        return cls()

    @classmethod
    def phrases(cls, folder: Path) -> Mapping[str, Any]:
        return PHRASES

    def generate(self, request: Request) -> Iterator[Step]:
        self.asked.append(request)
        if request.text == "bad":
            raise BadInput("This is bad.", "这不行。")
        return self._steps(request)

    def _steps(self, request: Request) -> Iterator[Step]:
        steps = int(request.settings["steps"])
        state = self._noise(request.seed) if request.state is None else request.state
        for index in range(0 if request.state is None or request.only is None else request.only, steps):
            time.sleep(self.seconds)
            if request.only in (None, index):
                yield self._step(request, index, steps, state)
            state = state + (aim(request) - state) / (steps - index)

    def _step(self, request: Request, index: int, steps: int, state: np.ndarray) -> Step:
        keys = Tokens((f"{request.settings['style']} ", *labels(request.text), "∅"))
        believed = state + (aim(request) - state) * (index + 1) / steps
        last = index + 1 == steps
        step = Step(
            index,
            tuple(self._maps(request, keys, index)),
            prompt=keys.labels if index == 0 else (),
            picture=pixels(believed),
            source=pixels(state),
            state=state,
            unknown=unknown(request.text) if index == 0 else (),
            facts={"time": index / steps, **({"seed": request.seed} if last else {})},
            regions=regions(request.text) if last else (),
            stop="end" if last else "",
        )
        return step if request.pin is None else replace(step, details=tuple(self._details(step, request.pin)))

    def _maps(self, request: Request, keys: Tokens, index: int) -> Iterator[Attention]:
        if not request.watched:
            return
        cells = Grid(CELLS, CELLS)
        if request.attention:
            dice = np.random.default_rng([request.seed, index])
            for layer in range(2):
                weights = dice.dirichlet(np.ones(len(keys)), (4, len(cells))).astype(np.float32)
                yield Attention("cross", layer, weights, cells, keys)
        if request.only is not None:
            yield Attention("self", 0, np.full((4, len(cells), len(cells)), 1 / len(cells), np.float32), cells, cells)

    @staticmethod
    def _details(step: Step, query: int) -> Iterator[Detail]:
        for each in step.attentions:
            if query < len(each.query):
                weights = each.weights[:, query]
                ones = np.ones((each.heads, 3), np.float32)
                kind: Kind = each.kind
                yield Detail(kind, each.layer, query, ones, None, None, np.log(weights + 1e-9), weights, ones)

    @staticmethod
    def _noise(seed: int) -> np.ndarray:
        return np.random.default_rng(seed).uniform(0, 255, (3, SIZE, SIZE)).astype(np.float32)


class Teller(Generator):
    """Says one word for each half of its picture."""

    card = Card(
        "teller",
        words("Teller"),
        words("Says what it sees."),
        ("picture",),
        "text",
        (Variant("plain", words("Describe"), "👁", words("Choose a picture"), Pin("cross", 0, 0, 1), size=2 * SIZE),),
        (Setting("language", "choice", "en", words("Language"), words("Of what it says."), choices=choices("en", "zh")),),
        ((words("Picture"), False), (words("Attention"), True)),
        network=words("Captioner"),
    )

    @classmethod
    def load(cls, folder: Path) -> Teller:
        return cls()

    @classmethod
    def tiny(cls) -> Teller:
        return cls()

    def generate(self, request: Request) -> Iterator[Step]:
        if request.picture is None:
            raise BadInput("Give me a picture.", "请给一张图片。")
        return self._steps(request, request.picture)

    def _steps(self, request: Request, picture: np.ndarray) -> Iterator[Step]:
        zh = request.settings["language"] == "zh"
        said = [ZH[each] if zh else f"a {each} " for each in seen(picture)]
        for index, label in enumerate(said):
            weights = np.full((1, 1, CELLS**2), CELLS**-2, np.float32)
            watched = request.watched and request.attention
            yield Step(
                index,
                (Attention("cross", 0, weights, Tokens((label,)), Grid(CELLS, CELLS), index),) if watched else (),
                text=label,
                chosen=Choice(index, label, 1.0),
                candidates=(Choice(index, label, 1.0),),
                source=picture if index == 0 else None,
                facts={"gate": 0.5},
                stop="end" if index + 1 == len(said) else "",
            )


def labels(text: str) -> tuple[str, ...]:
    """The words of a prompt with the space behind them."""
    return tuple(f"{each} " for each in text.split())


def things(text: str) -> list[str]:
    """The one or two things that are named, in order."""
    places = sorted((text.find(way), name) for name in THINGS for way in (name, ZH[name]) if way in text)
    return [name for _, name in places][:2]


def unknown(text: str) -> tuple[Unknown, ...]:
    if not text.isascii():
        return ()
    return tuple(Unknown(f"{each} ", ("dog", "fox")) for each in text.split() if each not in KNOWN)


def colour(thing: str) -> np.ndarray:
    """(3,) uint8."""
    return np.frombuffer(zlib.crc32(thing.encode()).to_bytes(4, "big"), np.uint8)[:3]


def aim(request: Request) -> np.ndarray:
    """The finished picture: each half in its thing's colour; grey for nothing. (3, SIZE, SIZE) float32."""
    named = things(request.text) or [""]
    whole = np.empty((3, SIZE, SIZE), np.float32)
    for half, thing in enumerate((named * 2)[:2]):
        whole[:, :, half * SIZE // 2 : (half + 1) * SIZE // 2] = colour(thing)[:, None, None] if thing else 128
    return whole


def seen(picture: np.ndarray) -> list[str]:
    """The things whose colours lie nearest to those of the halves."""
    side = picture.shape[1]
    middles = [picture[side // 2, side // 4].astype(int), picture[side // 2, 3 * side // 4].astype(int)]
    return [min(THINGS, key=lambda thing: int(np.abs(colour(thing).astype(int) - middle).sum())) for middle in middles]


def regions(text: str) -> tuple[Region, ...]:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[:, : SIZE // 2] = True
    at = {each.strip(): number + 1 for number, each in enumerate(labels(text))}
    return tuple(Region(thing, (at[thing],), mask) for thing in things(text)[:1] if thing in at)


def pixels(state: np.ndarray) -> np.ndarray:
    """(3, S, S) float → (S, S, 3) uint8."""
    return np.clip(state.transpose(1, 2, 0).round(), 0, 255).astype(np.uint8)
