"""Slurs that no text generator writes. Old books taught them; `stoplist.txt` holds only their hashes,
so that nobody has to read them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

_HASHES = frozenset(Path(__file__).with_suffix(".txt").read_text("utf-8").split())
_TAIL = 32  # characters before the new ones that can belong to their word
_WORD = re.compile(r"[a-z]+")
_WIDE = re.compile(r"[\u3400-\u9fff]+")


def is_listed(word: str) -> bool:
    """Whether a word, in whatever case, is on the list."""
    return hashlib.sha256(word.casefold().encode("utf-8", "replace")).hexdigest()[:12] in _HASHES


def completes(before: str, added: str) -> bool:
    """Whether the text `before` + `added` has a listed word that reaches into `added`. Chinese is searched without word borders."""
    if not added:
        return False
    before = before[-_TAIL:]
    text, border = (before + added).casefold(), len(before)
    if any(match.end() > border and is_listed(match[0]) for match in _WORD.finditer(text)):
        return True
    return any(
        is_listed(text[start:end])
        for run in _WIDE.finditer(text)
        for end in range(max(border, run.start()) + 1, run.end() + 1)
        for start in range(max(run.start(), end - 4), end - 1)
    )
