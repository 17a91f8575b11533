"""Reads what a visitor typed: takes out what no text holds, and says what the model will do with the rest."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from generators.trace import Words

LONGEST_TEXT = 20_000  # characters of a prompt that are looked at, before the model's own cap
MOST_NAMED = 8  # characters that a note lists


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
