"""Turns the visitor's words and settings into the tokens that the model reads first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from generators.prompts import clean, strangers
from generators.tokens import TEXT, TITLE, Characters, Pieces, form_token
from generators.trace import Words

LONGEST = 160  # tokens of a prompt
LINES = 4  # of a poem
_STOPS = "，。！？；、："
_CHINESE = "[\u3400-\u9fff]"


@dataclass(frozen=True)
class Prompt:
    """ids: what the model reads. room: how many tokens may follow. notes: for the visitor."""

    ids: tuple[int, ...]
    room: int
    notes: tuple[Words, ...]


def read_prompt(text: str, settings: Mapping[str, Any], vocabulary: Characters | Pieces, verse: bool) -> Prompt:
    """What the model is given to read: for verse its form, then a title or an opening."""
    text, notes = clean(text)
    text = _punctuated(text) if verse else re.sub(r"\s+\Z", "", text)
    if not text.strip():
        notes.append({"en": "The prompt is empty, so the model begins by itself.", "zh": "提示为空，模型自行开头。"})
        text = ""
    notes += strangers(text, lambda character: character.isspace() or len(vocabulary.encode(character)) == 1)
    ids = vocabulary.encode(text)
    if len(ids) > LONGEST:
        notes.append(
            {
                "en": f"The prompt is too long: the model reads the last {LONGEST} of its {len(ids):,} tokens.",
                "zh": f"提示太长：共 {len(ids):,} 个词元，模型只读取最后 {LONGEST} 个。",
            }
        )
        ids = ids[-LONGEST:]
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


def _punctuated(text: str) -> str:
    """Verse as the model knows it: full-width marks, and where only a line break parts two lines, a comma or full stop."""
    text = re.sub(rf"(?<={_CHINESE})\s*[,，]\s*", "，", text.strip(" "))
    text = re.sub(rf"(?<={_CHINESE})\s*[.。]\s*", "。", text)
    parts = re.split(rf"(?<={_CHINESE})\n\s*", text)
    return "".join(part + "，。"[index % 2] for index, part in enumerate(parts[:-1])) + parts[-1].replace("\n", "")
