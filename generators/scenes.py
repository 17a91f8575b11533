"""Emoji scenes: one or two objects on a coloured ground, with the words that say so and the silhouettes that show where.

    composer = Composer.read(folder)          emoji and vocabulary of a data folder
    scene = composer.compose(dice)            what is where, and how it is said in English and Chinese
    composer.paint(scene)                     the picture, and which object stands at each pixel

Captions follow the grammar of the reference scenes (`read_scenes`). Pairs of objects whose checksum says so are never composed:
what a model paints of them it cannot have learned by heart.

Letters: S pixels a side.
"""

from __future__ import annotations

import csv
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self
from zipfile import BadZipFile

import numpy as np
from PIL import Image

from generators.base import BadInput

SIZE = 64
GROUNDS: Mapping[str, tuple[int, int, int]] = {
    "white": (250, 250, 250),
    "gray": (205, 208, 212),
    "yellow": (250, 238, 180),
    "pink": (248, 205, 215),
    "green": (195, 235, 200),
    "blue": (190, 220, 245),
}
GROUNDS_ZH = {"white": "白色", "gray": "灰色", "yellow": "黄色", "pink": "粉色", "green": "绿色", "blue": "蓝色"}
STYLES = ("noto", "fluent_3d", "fluent_flat", "twemoji")
Relation = Literal["to the left of", "to the right of", "above", "below"]
RELATIONS: tuple[Relation, ...] = ("to the left of", "to the right of", "above", "below")
RELATIONS_ZH: Mapping[Relation, str] = {"to the left of": "左边", "to the right of": "右边", "above": "上面", "below": "下面"}
PLURAL = frozenset({"books", "cherries", "glasses", "grapes"})
BARE = PLURAL | {"bus", "cactus", "octopus"}
"""Objects that the reference captions name without an article."""
CREDITS = {
    "pictures": "Noto Emoji (Google, Apache-2.0); Fluent Emoji (Microsoft, MIT); Twemoji (Twitter and contributors, CC BY 4.0)",
    "words": "names and keywords of Unicode CLDR (Unicode-3.0)",
    "source": "https://github.com/googlefonts/noto-emoji, https://github.com/shuding/fluentui-emoji-unicode, "
    "https://github.com/svgmoji/svgmoji, https://github.com/unicode-org/cldr-json",
}
SEEN = 12  # levels of any colour by which a pixel must differ from the ground to belong to its object


def is_unseen(first: str, relation: Relation, second: str) -> bool:
    """Whether the combination is kept from training."""
    return zlib.crc32(f"{first}|{relation}|{second}".encode()) % 10 == 0


@dataclass(frozen=True)
class Place:
    """An object's square in a picture of SIZE pixels: left, top, side."""

    word: str
    x: int
    y: int
    size: int


@dataclass(frozen=True)
class Scene:
    """objects: one, or two of which the first stands in `relation` to the second."""

    background: str
    style: str
    objects: tuple[Place, ...]
    relation: Relation | None = None

    def caption(self) -> str:
        """In English, as "a fox to the left of a red apple on a blue background"."""
        words = [with_article(each.word) for each in self.objects]
        what = words[0] if self.relation is None else f"{words[0]} {self.relation} {words[1]}"
        return f"{what} on a {self.background} background"

    def caption_zh(self, names: Mapping[str, str]) -> str:
        """In Chinese, as "蓝色背景上，狐狸在红苹果的左边"; of one object "蓝色背景上有一个红苹果". names: word → Chinese name."""
        ground = f"{GROUNDS_ZH[self.background]}背景上"
        words = [names[each.word] for each in self.objects]
        return f"{ground}有一个{words[0]}" if self.relation is None else f"{ground}，{words[0]}在{words[1]}的{RELATIONS_ZH[self.relation]}"


def with_article(word: str) -> str:
    if word in BARE:
        return word
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


class Composer:
    """Makes scenes without end. sprites: style → word → (64, 64, 4) uint8, cut to what is painted. names: word → Chinese name."""

    def __init__(self, sprites: Mapping[str, Mapping[str, np.ndarray]], names: Mapping[str, str]) -> None:
        self.sprites, self.names = sprites, names

    @classmethod
    def read(cls, folder: Path) -> Self:
        """From `emoji/` and `emoji_scenes/vocabulary.tsv` of a data folder. Raises BadInput if something is missing."""
        index, pictures, words = (
            folder / "emoji" / "emoji64_index.tsv",
            folder / "emoji" / "emoji64_rgba.npz",
            folder / "emoji_scenes" / "vocabulary.tsv",
        )
        for path in (index, pictures, words):
            if not path.is_file():
                name = "/".join(path.parts[-2:])
                raise BadInput(f"The data folder has no {name}.", f"数据文件夹里没有 {name}。")
        with words.open(encoding="utf-8", newline="") as file:
            known = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        word_of = {row["codepoints"]: row["word"] for row in known}
        with np.load(pictures, allow_pickle=False) as archive:
            images: np.ndarray = archive["images"]
        sprites: dict[str, dict[str, np.ndarray]] = {style: {} for style in STYLES}
        with index.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                if row["style"] in sprites and row["codepoints"] in word_of:
                    sprites[row["style"]][word_of[row["codepoints"]]] = images[int(row["row"])]
        return cls(sprites, {row["word"]: row["name_zh"] for row in known})

    @property
    def words(self) -> Sequence[str]:
        return sorted(self.names)

    def compose(self, dice: np.random.Generator, *, unseen: bool = False) -> Scene:
        """A scene: three in four have two objects. unseen: one of the combinations that training never shows (two objects)."""
        style, ground = str(dice.choice(STYLES)), str(dice.choice(list(GROUNDS)))
        words = sorted(self.sprites[style])
        while True:
            if not unseen and dice.random() < 0.25:
                size = int(dice.integers(40, 53))
                x, y = (int(each) for each in dice.integers(2, SIZE - size - 1, 2))
                return Scene(ground, style, (Place(str(dice.choice(words)), x, y, size),))
            first, second = (str(each) for each in dice.choice(words, 2, replace=False))
            relation: Relation = RELATIONS[dice.integers(4)]
            if is_unseen(first, relation, second) == unseen:
                return Scene(ground, style, self._placed(dice, first, second, relation), relation)

    @staticmethod
    def _placed(dice: np.random.Generator, first: str, second: str, relation: Relation) -> tuple[Place, Place]:
        """Each in its half; across it anywhere."""
        sizes = [int(each) for each in dice.integers(26, 32, 2)]
        near = int(dice.integers(0, 32 - sizes[0] + 1)), int(dice.integers(32, SIZE - sizes[1] + 1))
        across = [int(dice.integers(2, SIZE - size - 1)) for size in sizes]
        beside = relation in ("to the left of", "to the right of")
        places = [(near[i], across[i], sizes[i]) if beside else (across[i], near[i], sizes[i]) for i in (0, 1)]
        if relation in ("to the right of", "below"):
            places.reverse()
        return Place(first, *places[0]), Place(second, *places[1])

    def paint(self, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
        """The picture (SIZE, SIZE, 3) uint8, and where each object is: (SIZE, SIZE) uint8, 0 the ground, i the i-th object."""
        picture = Image.new("RGB", (SIZE, SIZE), GROUNDS[scene.background])
        silhouettes = np.zeros((SIZE, SIZE), np.uint8)
        for number, place in enumerate(scene.objects, 1):
            sprite = Image.fromarray(self.sprites[scene.style][place.word]).resize((place.size, place.size), Image.Resampling.LANCZOS)
            picture.paste(sprite, (place.x, place.y), sprite)
            box = np.s_[place.y : place.y + place.size, place.x : place.x + place.size]
            away = np.abs(np.asarray(picture, np.int16)[box] - GROUNDS[scene.background]) > SEEN
            silhouettes[box][away[..., 0] | away[..., 1] | away[..., 2]] = number
        return np.array(picture, np.uint8), silhouettes


class Reference(NamedTuple):
    """Scenes that were composed and kept. pictures: (N, SIZE, SIZE, 3) uint8. silhouettes: (N, SIZE, SIZE) uint8, as `paint` gives them."""

    scenes: tuple[Scene, ...]
    pictures: np.ndarray
    silhouettes: np.ndarray


def read_scenes(folder: Path) -> Reference:
    """`emoji_scenes/` of a data folder. Raises BadInput if it is missing or not what it should be."""
    try:
        rows = [json.loads(line) for line in (folder / "emoji_scenes" / "scenes64.jsonl").read_text(encoding="utf-8").splitlines()]
        with np.load(folder / "emoji_scenes" / "scenes64.npz", allow_pickle=False) as archive:
            pictures, silhouettes = archive["images"], archive["silhouettes"]
        scenes = tuple(map(_scene, rows))
        if pictures.shape != (len(rows), SIZE, SIZE, 3) or silhouettes.shape != pictures.shape[:3]:
            raise ValueError("pictures and rows differ")
        for scene, row, silhouette in zip(scenes, rows, silhouettes):
            if scene.objects[0].word != row["boxes"][0][0]:  # kept from left to right, or from above
                silhouette[silhouette > 0] = 3 - silhouette[silhouette > 0]
    except (OSError, BadZipFile, ValueError, KeyError, TypeError):
        raise BadInput("The data folder has no readable emoji_scenes.", "数据文件夹里没有可读的 emoji_scenes。") from None
    return Reference(scenes, pictures, silhouettes)


def _scene(row: Mapping[str, Any]) -> Scene:
    """A line of `scenes64.jsonl`; its objects in the order of the caption."""
    places = tuple(Place(*box) for box in row["boxes"])
    relation = next((each for each in RELATIONS if f" {each} " in row["caption"]), None)
    scene = Scene(row["background"], row["style"], places, relation)
    return scene if scene.caption() == row["caption"] else Scene(row["background"], row["style"], places[::-1], relation)


def halved(pictures: np.ndarray) -> np.ndarray:
    """(N, S, S, 3) uint8 → (N, S / 2, S / 2, 3) uint8: the mean of each 2×2 pixels, halves rounded up."""
    wide = pictures.astype(np.uint16)
    rows = wide[:, ::2] + wide[:, 1::2]
    return ((rows[:, :, ::2] + rows[:, :, 1::2] + 2) // 4).astype(np.uint8)
