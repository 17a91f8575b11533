"""Reads what a visitor typed: takes out what no text holds, turns the rest into tokens, and says what was done to it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from generators.tokens import TEXT, TITLE, Vocabulary, decode, form_token
from generators.trace import Words

LONGEST_TEXT = 20_000  # characters of a prompt that are looked at, before the model's own cap
MOST_NAMED = 8  # characters that a note lists
NAMED_TEXT = 24  # characters that a note quotes
LINES = 4  # of a poem
_STOPS = "，。！？；、："
_CHINESE = "[\u3400-\u9fff]"


def clean(text: str) -> tuple[str, list[Words]]:
    """The text without control characters, its line breaks as "\\n", at most LONGEST_TEXT characters from its end; and the notes."""
    notes: list[Words] = []
    if len(text) > LONGEST_TEXT:
        notes.append(
            {
                "en": f"The prompt has {len(text):,} characters; the last {LONGEST_TEXT:,} were read.",
                "zh": f"提示有 {len(text):,} 个字符；只读取了最后 {LONGEST_TEXT:,} 个。",
            }
        )
        text = text[-LONGEST_TEXT:]
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    removed = [character for character in dict.fromkeys(text) if _is_control(character)]
    if removed:
        names = ", ".join(f"U+{ord(character):04X}" for character in removed[:MOST_NAMED]) + (" …" if len(removed) > MOST_NAMED else "")
        notes.append({"en": f"Control characters were left out: {names}.", "zh": f"已去掉控制字符：{names}。"})
        text = "".join(character for character in text if not _is_control(character))
    return text, notes


def strangers(text: str, known: Callable[[str], bool]) -> list[Words]:
    """A note on the characters that the model hardly knows; none if it knows all."""
    unknown = [character for character in dict.fromkeys(text) if not known(character)]
    if not unknown:
        return []
    names = " ".join(unknown[:MOST_NAMED]) + (" …" if len(unknown) > MOST_NAMED else "")
    leftward = any(unicodedata.bidirectional(character) in ("R", "AL") for character in unknown)
    order = {"en": ", in the order of typing", "zh": "（以输入的先后为序）"} if leftward else {"en": "", "zh": ""}
    return [
        {
            "en": f"The model never learned these characters and reads them as bytes{order['en']}: {names}",
            "zh": f"模型没有学过这些字符，按字节{order['zh']}读取：{names}",
        }
    ]


def _is_control(character: str) -> bool:
    """Control characters, marks that turn the writing direction, halves of surrogate pairs; not the line break."""
    kind = unicodedata.category(character)
    turns = character in "\u200e\u200f\u061c\ufeff" or "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069"
    return character != "\n" and (kind in ("Cc", "Cs") or turns)


@dataclass(frozen=True)
class Prompt:
    """ids: what the model reads. room: how many tokens may follow. notes: for the visitor."""

    ids: tuple[int, ...]
    room: int
    notes: tuple[Words, ...]


def read_prompt(text: str, settings: Mapping[str, Any], vocabulary: Vocabulary, *, verse: bool, longest: int) -> Prompt:
    """What a text model is given to read: for verse its form, then a title or an opening of at most `longest` tokens."""
    text, notes = clean(text)
    text = _punctuated(text) if verse else re.sub(r"\s+\Z", "", text)
    if not text.strip():
        notes.append({"en": "The prompt is empty, so the model begins by itself.", "zh": "提示为空，模型自行开头。"})
        text = ""
    notes += strangers(text, lambda character: character.isspace() or len(vocabulary.encode(character)) == 1)
    ids = vocabulary.encode(text)
    if len(ids) > longest:
        notes.append(_shortened(len(ids), longest, decode(vocabulary, ids[-longest:])))
        ids = ids[-longest:]
    titled = bool(ids) and settings.get("start") == "title"
    before = [TITLE, *ids, TEXT] if titled else [TEXT, *ids]
    if not verse:
        return Prompt(tuple(before), int(settings.get("length", 128)), tuple(notes))
    width = line_width(settings.get("form", "auto"), "" if titled else text)
    room = LINES * (width + 1) + 2 * width - (0 if titled else len(ids))  # a little more than a poem, should a line run over
    return Prompt((form_token(width, LINES), *before), max(width + 1, room), tuple(notes))


def line_width(form: Any, opening: str) -> int:
    """Characters in a line: as set, else as many as the opening's first line has, else 7."""
    if form in ("5", "7"):
        return int(form)
    first = re.split(f"[{_STOPS}\\n]", opening.strip())[0]
    return 5 if len(first) == 5 else 7


def _shortened(count: int, longest: int, kept: str) -> Words:
    """A note on an over-long prompt: how many of its tokens are read, and from where on."""
    begins = kept.strip("\ufffd \n")[:NAMED_TEXT].strip()
    return {
        "en": f"The prompt is too long: the model reads the last {longest} of its {count:,} tokens, from “{begins} …” on.",
        "zh": f"提示太长：共 {count:,} 个词元，模型只读取最后 {longest} 个，从“{begins}……”开始。",
    }


def _punctuated(text: str) -> str:
    """Verse as the model knows it: full-width marks, and where only a line break parts two lines, a comma or full stop."""
    text = re.sub(rf"(?<={_CHINESE})\s*[,，]\s*", "，", text.strip(" "))
    text = re.sub(rf"(?<={_CHINESE})\s*[.。]\s*", "。", text)
    parts = re.split(rf"(?<={_CHINESE})\n\s*", text)
    return "".join(part + "，。"[index % 2] for index, part in enumerate(parts[:-1])) + parts[-1].replace("\n", "")
