"""Slurs that no text generator writes. Old books taught them; the list holds only their hashes, so that nobody has to read it."""

from __future__ import annotations

import hashlib
import re

_HASHES = frozenset(
    ["0058beda64c0", "044eb98b1876", "08728a39b5c6", "08a841e99678", "0a95f81d25f0", "0be9b885f4a3", "0ce875d62007", "0dcc4d336443", "11cf8376a157", "11ee63a73ffe", "120f6e5b4ea3", "1290d04b901d", "158869a97379", "16ea09fc78ca", "171ee4d3a3e3", "17a110e53328", "1c4bfd100aa9", "1e02eec4f109", "22fc75e65a0e", "268651b3ece9", "27a62b68179c", "31506a8448a7", "3175bf063867", "333f76180929", "341d56384afc", "35ef747b9c42", "3af112eacdb7", "3b1e0d7c5dd4", "402f7ebd9886", "448b303c89be", "45cd3e1bb472", "46505206c396", "469c0fdb6020", "4bfae123d170", "4c00407b0497", "4c58f5d5fe92", "500c8132beed", "517ae3f73216", "522788b65f01", "52817bb3ca64", "54540f7a017d", "565ed74643e0", "566f532d486c", "59cc3cb8a429", "5b3ae48be122", "608be5908739", "6122fdf4ae14", "619bc82e0d20", "63333e4b5d1c", "6437ea714448", "6939937b0ac6", "6ac3c336e409", "6bbc2ac44027", "701033ae2641", "7122c9a14ba2", "7e176c4f2315", "82159dd02870", "85fc17f7069a", "867d78976655", "86de2a016709", "8f5083e3e5c7", "937d56e49744", "98b52c4b6b7d", "9ae315a94e42", "9c7c0314c4e7", "9d57436661e1", "9ee4d2748732", "a6a0dc7b4d09", "a720ce185133", "a76d588d0047", "a7bf072c97a0", "a9ffceafa135", "ad6cacf3af98", "b3cec2f6ece2", "b690cdbe59f1", "bb61ef40814c", "bb87adf8aa78", "bd331fb1d242", "be00f1af522e", "c1b4ed05397d", "c1cabb6f6e43", "c2c3b68b4883", "c3de533e9b7f", "c709d1a28781", "cc02032349c8", "d0e3cb91d249", "d1b2dec28ad0", "d873147a3546", "da0a6b1b9213", "da8843926277", "daec0c235d31", "db3dfd08e2b6", "e7b98c6aa5b9", "eda887476f1d", "eea2991640d1", "eef3bd091670", "f0b59bcaa856", "f228a66c29e7", "f6805441bcef", "f6d6732bd092", "f9d0d9b18ae9", "fa4f70c112fe"]
)
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
