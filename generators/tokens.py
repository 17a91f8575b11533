"""Two ways to cut a text into tokens, both lossless: byte-level pieces, and characters with bytes for the rare ones.

The first ids are the special tokens of SPECIALS, which no text can contain; the 256 bytes are always among the others.
"""

from __future__ import annotations

import codecs
import json
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

from generators.base import NotReady

END, TITLE, TEXT = 0, 1, 2
SPECIALS = ("⟨end⟩", "⟨title⟩", "⟨text⟩", "⟨5×4⟩", "⟨5×8⟩", "⟨7×4⟩", "⟨7×8⟩")
"""End of a text; before a title; between title and text, or before a text alone; the forms of verse: characters × lines."""


class Vocabulary(Protocol):
    """What both kinds share. Bytes of a special token are b""."""

    @property
    def pieces(self) -> Sequence[bytes]:
        """id → the bytes that it writes."""

    def encode(self, text: str) -> list[int]: ...

    def save(self, folder: Path) -> None: ...


def form_token(characters: int, lines: int) -> int:
    """The token for a form of verse."""
    return SPECIALS.index(f"⟨{characters}×{lines}⟩")


class Reader:
    """Turns tokens into the text they add, one after the other: the token that completes a character carries it.

    verse: a line ends with its punctuation, so that a poem breaks into its lines.
    """

    def __init__(self, vocabulary: Vocabulary, verse: bool = False) -> None:
        self._pieces, self._verse = vocabulary.pieces, verse
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self, token: int) -> str:
        """What this token adds to the text; "" for a special token and for a character that is not complete yet."""
        added = self._decoder.decode(self._pieces[token], final=token < len(SPECIALS))
        return f"{added}\n" if self._verse and added in ("，", "。") else added

    def peek(self, token: int) -> str:
        """What it would add."""
        state = self._decoder.getstate()
        added = self.read(token)
        self._decoder.setstate(state)
        return added

    @staticmethod
    def label(token: int, added: str) -> str:
        """What stands for the token on an axis: what it adds, or the name of a special token."""
        return SPECIALS[token] if token < len(SPECIALS) else added


def decode(vocabulary: Vocabulary, tokens: Iterable[int]) -> str:
    """The text of the tokens."""
    return b"".join(vocabulary.pieces[token] for token in tokens).decode("utf-8", "replace")


class Characters:
    """One token a character for the frequent ones, one a byte (UTF-8) for the others."""

    file = "vocabulary.json"

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = list(characters)
        first = len(SPECIALS) + 256
        self._ids = {character: first + index for index, character in enumerate(self.characters)}
        self.pieces = [
            *(b"" for _ in SPECIALS),
            *(bytes([byte]) for byte in range(256)),
            *(character.encode() for character in self.characters),
        ]

    @classmethod
    def learn(cls, texts: Iterable[str], count: int) -> Characters:
        """The most frequent characters."""
        counts = Counter(character for text in texts for character in text)
        return cls([character for character, _ in counts.most_common(count)])

    def encode(self, text: str) -> list[int]:
        ids: list[int] = []
        for character in text:
            known = self._ids.get(character)
            if known is not None:
                ids.append(known)
            else:
                ids.extend(len(SPECIALS) + byte for byte in character.encode("utf-8", "replace"))
        return ids

    def save(self, folder: Path) -> None:
        (folder / self.file).write_text(json.dumps("".join(self.characters), ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Characters:
        return cls(json.loads((folder / cls.file).read_text("utf-8")))


class Pieces:
    """Byte-level byte-pair encoding (Sennrich, Haddow and Birch 2016), as in GPT-2."""

    file = "tokenizer.json"

    def __init__(self, serialized: str) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_str(serialized)
        self._lock = threading.Lock()

    @classmethod
    def learn(cls, texts: Iterable[str], count: int) -> Pieces:
        """A vocabulary of that many tokens, specials included."""
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=count - len(SPECIALS), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer.to_str())

    @cached_property
    def pieces(self) -> list[bytes]:
        byte_of = _byte_of_sign()
        count = self._tokenizer.get_vocab_size()
        signs = [self._tokenizer.id_to_token(index) or "" for index in range(count)]
        return [*(b"" for _ in SPECIALS), *(bytes(byte_of[sign] for sign in each) for each in signs)]

    def encode(self, text: str) -> list[int]:
        with self._lock:
            ids = self._tokenizer.encode(text.encode("utf-8", "replace").decode(), add_special_tokens=False).ids
        return [len(SPECIALS) + each for each in ids]

    def save(self, folder: Path) -> None:
        (folder / self.file).write_text(self._tokenizer.to_str(), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Pieces:
        return cls((folder / cls.file).read_text("utf-8"))


def load(folder: Path) -> Characters | Pieces:
    """The vocabulary of a model's folder. Raises NotReady if the file is missing or cut short."""
    kind = Characters if (folder / Characters.file).is_file() else Pieces
    try:
        return kind.load(folder)
    except Exception:  # tokenizers raises bare Exception for a file cut short
        name = f"{folder.name}/{kind.file}"
        raise NotReady(f"The vocabulary {name} is missing or damaged.", f"词表 {name} 缺失或已损坏。") from None


def _byte_of_sign() -> dict[str, int]:
    """GPT-2's printable sign for each byte, the other way round."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + index): byte for index, byte in enumerate(others)}
