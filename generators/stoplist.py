"""Slurs that no text generator writes. Old books taught them; `stoplist.txt` holds only their hashes,
so that nobody has to read them."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from string import ascii_lowercase

_HASHES = frozenset(Path(__file__).with_suffix(".txt").read_text("utf-8").split())
_TAIL = 32  # characters before the new ones that can belong to their word
_LONGEST_WIDE = 4  # characters of a Chinese word
_WORD = re.compile(r"[a-z]+")
_WIDE = re.compile(r"[\u3400-\u9fff]+")


@lru_cache(maxsize=2**16)  # a run asks for the same words again and again
def is_listed(word: str) -> bool:
    """Whether a word, in whatever case, is on the list."""
    return hashlib.sha256(word.casefold().encode("utf-8", "replace")).hexdigest()[:12] in _HASHES


def completes(before: str, added: str) -> bool:
    """Whether the text `before` + `added` has a listed word that reaches into `added`. Chinese is searched without word borders."""
    if not added:
        return False
    before, added = before[-_TAIL:].casefold(), added.casefold()
    begun = before[len(before.rstrip(ascii_lowercase)) :] if added[0] in ascii_lowercase else ""
    if any(is_listed(word) for word in _WORD.findall(begun + added)):
        return True
    if added.isascii():
        return False
    text = before[-_LONGEST_WIDE + 1 :] + added
    border = len(text) - len(added)
    return any(
        is_listed(text[start:end])
        for run in _WIDE.finditer(text)
        for end in range(max(border, run.start()) + 1, run.end() + 1)
        for start in range(max(run.start(), end - _LONGEST_WIDE), end - 1)
    )
