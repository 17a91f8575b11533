"""The words of emoji scenes, in English and Chinese: what a prompt or a caption says.

lexicon = Lexicon.of(folder)                          from the vocabulary of a data folder; afterwards `save` and `load`
lexicon.read("a fox on a blue background")            pieces: "a ", "fox ", "on a ", "blue ", "background"
lexicon.meaning("蓝色背景上，狐狸在猫的左边")         objects ("fox", "cat"), relation "to the left of", ground "blue"
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from generators.base import BadInput, NotReady
from generators.scenes import GROUNDS, GROUNDS_ZH, RELATIONS_ZH, Relation, Scene

Kind = Literal["object", "ground", "relation", "function", "unknown"]
NEAR = 0.6  # similarity from which on a known word is offered for an unknown one
PUNCTUATION = r"[,.;:!?，。、；：！？…\"“”'‘’()（）-]+"
GROUNDS_SAID = {"white": "白", "gray": "grey|灰", "yellow": "黄", "pink": "粉|粉红|粉红色", "green": "绿", "blue": "蓝|浅蓝色|天蓝色"}
SAID: Mapping[Relation, str] = {
    "to the left of": "left of|on the left of|to the left side of|on the left side of|左侧|左面|左方",
    "to the right of": "right of|on the right of|to the right side of|on the right side of|右侧|右面|右方",
    "above": "over|on top of|上方|上边|之上",
    "below": "under|beneath|underneath|下方|下边|底下|之下",
}
FUNCTIONS: Mapping[str, str] = {
    "a": "an|the|some|one",
    "on a": "on|on an|on the|against a|against the|with a|in front of a",
    "background": "backdrop|ground",
    "有一个": "有|一个|一只|一辆|一朵|一棵|有一只|有一辆|有一朵|有一棵|有个",
    "背景上": "背景|的背景上|的背景|背景里|背景中|背景上面|背景下",
    "，": "",
    "在": "是|位于",
    "的": "",
}
ALSO: Mapping[str, str] = {
    "cat": "kitten|kitty|猫|猫咪|小猫",
    "dog": "puppy|狗|小狗|狗狗",
    "mouse": "mice|老鼠|鼠",
    "rabbit": "bunny|兔子|兔|小兔子",
    "bear": "狗熊|小熊",
    "tiger": "老虎|虎",
    "cow": "奶牛|牛",
    "pig": "猪|小猪",
    "monkey": "猴子|猴|小猴子",
    "chicken": "hen|母鸡",
    "turtle": "tortoise|乌龟|海龟",
    "snake": "serpent",
    "crab": "螃蟹",
    "whale": "鲸|鲸鱼",
    "fish": "鱼",
    "bee": "bumblebee",
    "ladybug": "ladybird",
    "elephant": "象",
    "duck": "鸭",
    "grapes": "grape",
    "pineapple": "凤梨",
    "cherries": "cherry",
    "carrot": "红萝卜",
    "mushroom": "toadstool",
    "pizza": "比萨|比萨饼",
    "hamburger": "burger|汉堡包",
    "hot dog": "hotdog",
    "cake": "蛋糕",
    "ice cream": "icecream|冰激凌|雪糕",
    "cookie": "biscuit|曲奇",
    "cheese": "奶酪",
    "car": "轿车|小汽车",
    "taxi": "cab|的士|计程车",
    "bus": "公共汽车|巴士",
    "fire truck": "救火车",
    "bicycle": "bike|单车|脚踏车",
    "airplane": "plane|aeroplane",
    "helicopter": "直升飞机",
    "boat": "sailing boat|船|小船",
    "train": "steam train|火车",
    "house": "home|房屋|屋子",
    "castle": "城堡",
    "pine tree": "pine",
    "palm tree": "palm|棕榈",
    "sunflower": "太阳花",
    "rose": "玫瑰花",
    "moon": "月亮",
    "star": "五角星",
    "cloud": "云朵|云彩",
    "snowman": "雪人",
    "fire": "flame|火",
    "soccer ball": "soccer|football",
    "trumpet": "喇叭",
    "violin": "提琴",
    "camera": "照相机",
    "clock": "钟|时钟",
    "umbrella": "雨伞",
    "crown": "王冠",
    "hat": "帽子",
    "glasses": "eyeglasses|spectacles",
    "backpack": "rucksack|背包",
    "gift": "present|礼品",
    "teddy bear": "teddy|玩具熊",
    "books": "book|书本|书籍",
    "light bulb": "lightbulb|bulb|电灯泡",
    "ghost": "幽灵|鬼魂",
    "heart": "爱心|心",
}
"""Everyday words for an object beside those of the vocabulary."""


@dataclass(frozen=True)
class Word:
    """A thing that can be said. id: the same for both languages. also: other ways to say it. near: words that bring it to mind."""

    id: str
    kind: Kind
    en: str = ""
    zh: str = ""
    glyph: str = ""
    also: tuple[str, ...] = ()
    near: tuple[str, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A stretch of a text with the spaces behind it. id: of its Word, None if it is unknown."""

    text: str
    id: str | None
    kind: Kind


@dataclass(frozen=True)
class Meaning:
    """What a text says, whichever order it names things in: the relation is "to the left of", "above" or None.

    objects: two that stand in a relation in its order, others sorted. ground: None if it names none.
    """

    objects: tuple[str, ...]
    relation: Relation | None
    ground: str | None


class Lexicon:
    """All words, in one fixed order: of two lexicons from one vocabulary the n-th word is the same."""

    def __init__(self, words: Iterable[Word], kin: Mapping[str, Sequence[str]] | None = None) -> None:
        """kin: the name of a thing that is no word here → ids of those most like it."""
        self.words = {word.id: word for word in words}
        self.kin = {name: tuple(ids) for name, ids in (kin or {}).items()}
        self._ids = {phrase: word.id for word in self.words.values() for phrase in _phrases(word)}
        known = "|".join(_bounded(phrase) for phrase in sorted(self._ids, key=lambda phrase: (-len(phrase), phrase)))
        self._piece = re.compile(rf"(?:(?P<known>{known})|(?P<mark>{PUNCTUATION})|(?P<latin>[^\W_㐀-鿿]+)|(?P<other>\S))\s*", re.IGNORECASE)

    @classmethod
    def of(cls, folder: Path) -> Self:
        """From `emoji_scenes/vocabulary.tsv` and, for the words that are near, `emoji/emoji64_index.tsv`. Raises BadInput."""
        rows = _table(folder / "emoji_scenes" / "vocabulary.tsv")
        index = {row["codepoints"]: row for row in _table(folder / "emoji" / "emoji64_index.tsv")}
        near = {code: [*row["keywords_en"].split("|"), *row["keywords_zh"].split("|")] for code, row in index.items()}
        words = [*(_object(row, near.get(row["codepoints"], ())) for row in rows), *_others()]
        return cls(words, _kin({row["codepoints"]: row["word"] for row in rows}, index))

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote. Raises NotReady if the file is missing or damaged."""
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
            words = [Word(**{**row, "also": tuple(row.get("also", ())), "near": tuple(row.get("near", ()))}) for row in given["words"]]
            return cls(words, given.get("kin"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            name = f"{path.parent.name}/{path.name}"
            raise NotReady(f"The file {name} is missing or damaged.", f"文件 {name} 缺失或已损坏。") from None

    def save(self, path: Path) -> None:
        """As JSON in UTF-8, a line for each word and each name of its kin."""
        rows = [
            json.dumps({key: value for key, value in asdict(word).items() if value}, ensure_ascii=False) for word in self.words.values()
        ]
        kin = [f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(ids)}" for name, ids in self.kin.items()]
        path.write_text('{"words": [\n' + ",\n".join(rows) + '\n],\n"kin": {\n' + ",\n".join(kin) + "\n}}\n", encoding="utf-8")

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Objects, grounds, relations, function words."""
        return tuple(self.words)

    def of_kind(self, kind: Kind) -> tuple[Word, ...]:
        return tuple(word for word in self.words.values() if word.kind == kind)

    def read(self, text: str) -> list[Piece]:
        """The pieces of a text, which join to the text; the longest known phrase wins. Case and plurals do not matter.

        Spaces before the first piece belong to it. A run of unknown Chinese characters is one piece.
        """
        pieces: list[Piece] = []
        start = len(text) - len(text.lstrip())
        for found in self._piece.finditer(text, start):
            said = text[:start] + found[0] if found.start() == start else found[0]
            if found["known"]:
                word = self.words[self._ids[_plain(found["known"])]]
                pieces.append(Piece(said, word.id, word.kind))
            elif found["mark"]:
                pieces.append(Piece(said, "，", "function"))
            elif found["other"] and pieces and pieces[-1].id is None and not pieces[-1].text[-1].isspace():
                pieces[-1] = Piece(pieces[-1].text + said, None, "unknown")
            else:
                pieces.append(Piece(said, None, "unknown"))
        return pieces

    def nearest(self, text: str, n: int = 3) -> tuple[str, ...]:
        """n known words to offer for an unknown one, in its language: its kin, those it brings to mind, then those spelt most alike."""
        plain, chinese = _plain(text), _is_chinese(text)
        singular = plain if plain in self.kin else plain.removesuffix("s")
        brought = {word.id for word in self.words.values() if {plain, singular} & set(word.near)}
        spelt: dict[str, float] = {}  # how much alike
        for phrase, name in self._ids.items():
            if self.words[name].kind in ("object", "ground") and _is_chinese(phrase) == chinese:
                spelt[name] = max(spelt.get(name, 0.0), SequenceMatcher(None, plain, phrase).ratio())
        alike = sorted(spelt, key=lambda name: -spelt[name])
        close = [name for name in alike if spelt[name] >= NEAR]
        known = [name for name in self.words if name in brought]
        best = list(dict.fromkeys([*close[:1], *self.kin.get(singular, ()), *known, *close] or alike))[:n]
        return tuple(self.words[name].zh if chinese else self.words[name].en for name in best)

    def meaning(self, text: str) -> Meaning:
        """What the text says; see Meaning. The relation stands between its objects in English, behind them in Chinese, or the other way."""
        pieces = self.read(text)
        objects = [piece.id for piece in pieces if piece.id and piece.kind == "object"]
        ground = next((piece.id for piece in pieces if piece.kind == "ground"), None)
        where = next((at for at, piece in enumerate(pieces) if piece.kind == "relation"), None)
        if where is None or len(objects) != 2:
            return Meaning(tuple(sorted(objects)), None, ground)
        between = sum(piece.kind == "object" for piece in pieces[:where]) == 1
        if between == _is_chinese(pieces[where].text):  # 猫的左边是狐狸; to the left of a cat is a fox
            objects.reverse()
        return normal(objects[0], pieces[where].id, objects[1], ground)  # type: ignore[arg-type]


def normal(first: str, relation: Relation, second: str, ground: str | None) -> Meaning:
    """The meaning of "first relation second": "b to the right of a" is "a to the left of b"."""
    if relation in ("to the right of", "below"):
        return Meaning((second, first), "to the left of" if relation == "to the right of" else "above", ground)
    return Meaning((first, second), relation, ground)


def meant(scene: Scene) -> Meaning:
    """What a composed scene shows."""
    words = tuple(place.word for place in scene.objects)
    return (
        Meaning(words, None, scene.background) if scene.relation is None else normal(words[0], scene.relation, words[1], scene.background)
    )


def _object(row: Mapping[str, str], near: Sequence[str]) -> Word:
    also = [row["cldr_name"], *ALSO.get(row["word"], "").split("|")]
    said = {row["word"], row["name_zh"], *also}
    glyph = "".join(chr(int(point, 16)) for point in row["codepoints"].split("-"))
    return Word(
        row["word"], "object", row["word"], row["name_zh"], glyph,
        tuple(dict.fromkeys(each for each in also if each and each != row["word"])),
        tuple(dict.fromkeys(each.lower() for each in near if each and each not in said)),
    )  # fmt: skip


def _kin(words: Mapping[str, str], index: Mapping[str, Mapping[str, str]], most: int = 3) -> dict[str, tuple[str, ...]]:
    """Names of emoji that are no words → ids of the words most like them: by common keywords, then by nearness among the code points.

    words: code points → id. index: code points → row of the emoji index.
    """
    keywords = {code: {*row["keywords_en"].split("|"), *row["keywords_zh"].split("|")} for code, row in index.items()}
    kin: dict[str, tuple[str, ...]] = {}
    for code, row in index.items():
        name = row["name_en"].removesuffix(" face")
        if row["kind"] != "emoji" or code in words or "-" in code or len(name.split()) > 2:
            continue
        shared = {other: len(keywords[code] & keywords[other]) for other in words if other in keywords}
        best = sorted((other for other in shared if shared[other]), key=lambda other: (-shared[other], abs(_point(other) - _point(code))))
        if best:
            ids = tuple(words[other] for other in best[:most])
            kin |= {each.lower(): ids for each in (name, row["name_zh"])}
    return kin


def _point(code: str) -> int:
    return int(code.split("-")[0], 16)


def _others() -> list[Word]:
    """Grounds, relations and function words."""
    grounds = [Word(name, "ground", name, GROUNDS_ZH[name], "", tuple(GROUNDS_SAID[name].split("|"))) for name in GROUNDS]
    relations = [Word(name, "relation", name, RELATIONS_ZH[name], "", tuple(SAID[name].split("|"))) for name in RELATIONS_ZH]
    functions = [
        Word(
            name, "function", "" if _is_chinese(name) else name, name if _is_chinese(name) else "", "", tuple(filter(None, also.split("|")))
        )
        for name, also in FUNCTIONS.items()
    ]
    return [*grounds, *relations, *functions]


def _phrases(word: Word) -> list[str]:
    """All ways to say a word, in lower case, with the plurals of an object."""
    said = [each.lower() for each in (word.en, word.zh, word.glyph, *word.also) if each]
    return said + [_plural(each) for each in said if word.kind == "object" and each.isascii()]


def _plural(noun: str) -> str:
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(s|x|ch|sh)$", noun) else "s")


def _bounded(phrase: str) -> str:
    """A pattern of the phrase as whole words; a glyph may carry the mark that asks for its coloured picture."""
    if phrase.isascii():
        return r"(?<![a-z0-9])" + r"\s+".join(re.escape(part) for part in phrase.split()) + r"(?![a-z0-9])"
    return re.escape(phrase) + ("" if _is_chinese(phrase) else "\ufe0f?")


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("\ufe0f", "").split())


def _is_chinese(text: str) -> bool:
    return bool(re.search("[㐀-鿿，]", text))


def _table(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        name = "/".join(path.parts[-2:])
        raise BadInput(f"The data folder has no {name}.", f"数据文件夹里没有 {name}。")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
