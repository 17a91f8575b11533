"""Turns what a visitor typed into the words that the painter reads, and says what was done to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from generators.lexicon import Lexicon, Piece, Word
from generators.prompts import clean
from generators.scenes import GROUNDS, STYLES, Relation, is_unseen, with_article
from generators.trace import Unknown, Words

LONGEST = 32  # words that are read; the longest caption has 9
LONGEST_TEXT = 1_000  # characters that are looked at
MOST_UNKNOWN = 8  # words that are marked
NAMED_TEXT = 40  # characters of a word that are repeated
THINGS = 2  # in a picture that the painter learned from
NO_WORD = "∅"


@dataclass(frozen=True)
class Prompt:
    """ids: of the words, as the network numbers them. labels: of its keys: the style, the words, no word.

    things: each object that is named → the positions of its keys.
    """

    ids: tuple[int, ...]
    labels: tuple[str, ...]
    things: Mapping[str, tuple[int, ...]]
    unknown: tuple[Unknown, ...]
    notes: tuple[Words, ...]


def read_prompt(text: str, style: str, lexicon: Lexicon) -> Prompt:
    """The words of a text that are known, in its order. style: one of STYLES."""
    number = {name: 1 + index for index, name in enumerate(lexicon.ids)}
    count, (text, notes) = len(text), clean(text[:LONGEST_TEXT])
    pieces = lexicon.read(text.replace("\n", " "))
    known = [piece for piece in pieces if piece.id is not None]
    strangers = {piece.text.strip().lower(): piece.text.strip() for piece in pieces if piece.id is None}
    if count > LONGEST_TEXT or len(known) > LONGEST:
        notes = [_too_long(count, known)]
        known = known[:LONGEST]
    else:
        notes += _notes(known, bool(text.strip()))
    things: dict[str, tuple[int, ...]] = {}
    for position, piece in enumerate(known, 1):
        if piece.kind == "object" and piece.id:
            things[piece.id] = (*things.get(piece.id, ()), position)
    return Prompt(
        ids=tuple(number[piece.id] for piece in known if piece.id),
        labels=(f"{style} ", *(piece.text for piece in known), NO_WORD),
        things=things,
        unknown=tuple(Unknown(each[:NAMED_TEXT], lexicon.nearest(each[:NAMED_TEXT])) for each in [*strangers.values()][:MOST_UNKNOWN]),
        notes=tuple(notes),
    )


def _too_long(count: int, known: list[Piece]) -> Words:
    if len(known) <= LONGEST:
        return {
            "en": f"The prompt is too long: the painter looks at the first {LONGEST_TEXT:,} of its {count:,} characters.",
            "zh": f"提示太长：共 {count:,} 个字符，只看前 {LONGEST_TEXT:,} 个。",
        }
    end = known[LONGEST - 1].text.strip()[:NAMED_TEXT]
    return {
        "en": f"The prompt is too long: the painter reads its first {LONGEST} words, up to “{end}”.",
        "zh": f"提示太长：只读前 {LONGEST} 个词，到“{end}”为止。",
    }


def _notes(known: list[Piece], typed: bool) -> list[Words]:
    """What the visitor should know of the words that are read."""
    objects = [piece for piece in known if piece.kind == "object"]
    if not any(piece.kind in ("object", "ground") for piece in known):
        if not typed:
            return [{"en": "The prompt is empty, so the painter paints what it likes.", "zh": "提示为空，画什么由模型自己决定。"}]
        return [
            {
                "en": "No thing and no colour in it is known, so the painter paints what it likes.",
                "zh": "其中没有认识的东西或颜色，画什么由模型自己决定。",
            }
        ]
    if len(objects) > THINGS:
        return [
            {
                "en": f"The painter learned from pictures of one or two things; here are {len(objects)}.",
                "zh": f"模型只学过有一两样东西的图；这里有 {len(objects)} 样。",
            }
        ]
    relations = [piece.id for piece in known if piece.kind == "relation"]
    if len(objects) == THINGS and len(relations) == 1 and _was_kept_away(objects[0], relations[0], objects[1]):
        return [
            {
                "en": "These two were kept apart in training: it never saw them stand like this.",
                "zh": "训练中特意没有这样的组合：模型从未见过它们这样摆放。",
            }
        ]
    return []


def _was_kept_away(first: Piece, relation: str | None, second: Piece) -> bool:
    if first.id is None or second.id is None:
        return False
    return any(each == relation and is_unseen(first.id, each, second.id) for each in get_args(Relation))


# What a prompt can be put together from

TITLES: Mapping[str, Words] = {
    "object": {"en": "Things", "zh": "东西"},
    "relation": {"en": "Where", "zh": "位置"},
    "ground": {"en": "Background", "zh": "背景"},
    "style": {"en": "Style", "zh": "画风"},
}
ARROWS = {"to the left of": "←", "to the right of": "→", "above": "↑", "below": "↓"}
TEMPLATES = {
    "en": ["{object} on a {ground} background", "{object} {relation} {object} on a {ground} background"],
    "zh": ["{ground}背景上有一个{object}", "{ground}背景上，{object}在{object}的{relation}"],
}


def phrases(lexicon: Lexicon) -> dict[str, Any]:
    """As `Generator.phrases` describes them."""

    def phrase(word: Word) -> dict[str, Any]:
        if word.kind == "ground":
            return {"id": word.id, "glyph": "#{:02x}{:02x}{:02x}".format(*GROUNDS[word.id]), "en": word.en, "zh": word.zh}
        shown: dict[str, Any] = {"id": word.id, "glyph": ARROWS.get(word.id, word.glyph), "en": word.en, "zh": word.zh}
        return shown if word.kind == "relation" else {**shown, "write": {"en": with_article(word.en), "zh": word.zh}}

    groups = [
        {"name": kind, "title": TITLES[kind], "phrases": [phrase(word) for word in lexicon.of_kind(kind)]}
        for kind in ("object", "relation", "ground")
    ]
    return {"groups": [*groups, {"name": "style", "title": TITLES["style"], "setting": "style"}], "templates": TEMPLATES}


def style_number(style: str) -> int:
    return STYLES.index(style)
