"""The two vocabularies of a variant: what its sources and its targets are cut into.

Spellings are letters and sounds are phonemes; couplets are characters, both sides alike; sentences are byte-level pieces, both
languages in one vocabulary. The first ids are those of `generators.tokens`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from generators import tokens
from generators.tokens import END, SPECIALS, Pieces, Vocabulary

START = tokens.TEXT
"""What the writer reads before it has written anything."""
UNKNOWN = tokens.TITLE
"""A sign that is not in the vocabulary: sources may hold it, targets never do."""


class Symbols:
    """One token for each sign of a fixed set: letters, phonemes or characters."""

    bytewise = False

    def __init__(self, symbols: Sequence[str], file: str = "symbols.json") -> None:
        self.symbols, self.file = list(symbols), file
        self.spaced = any(symbol.startswith(" ") for symbol in self.symbols)
        self._ids = {symbol: len(SPECIALS) + index for index, symbol in enumerate(self.symbols)}
        longer = sorted((symbol for symbol in self.symbols if len(symbol) > 1), key=len, reverse=True)
        self._pattern = re.compile("|".join([*map(re.escape, longer), "."]), re.DOTALL)
        self.pieces = [*(b"" for _ in SPECIALS), *(symbol.encode() for symbol in self.symbols)]

    @classmethod
    def learn(cls, texts: Iterable[str], count: int) -> Symbols:
        """The most frequent characters."""
        counts = Counter(character for text in texts for character in text)
        return cls(sorted(character for character, _ in counts.most_common(count)))

    @classmethod
    def load(cls, path: Path) -> Symbols:
        """Raises NotReady if the file is missing or cut short."""
        from generators.training import read_json  # torch comes with it

        return cls(read_json(path)["symbols"], path.name)

    def save(self, folder: Path) -> None:
        from generators.training import write_json

        write_json(folder / self.file, {"symbols": self.symbols})

    def encode(self, text: str) -> list[int]:
        return [self._ids.get(sign, UNKNOWN) for sign in self.signs(text)]

    def signs(self, text: str) -> list[str]:
        """The text cut into its signs."""
        return self._pattern.findall(text)


@dataclass(frozen=True)
class Languages:
    """Both vocabularies; one of pieces, whose words begin with their space, is shared by both sides."""

    source: Symbols | Pieces
    target: Symbols | Pieces

    @property
    def shared(self) -> bool:
        return self.source is self.target

    @property
    def pieces(self) -> Sequence[bytes]:
        """Of the targets."""
        return self.target.pieces

    @property
    def kind(self) -> str:
        """What is read: the "sound" of a spelling is wanted, or the "couplet" that a line opens, or it is a "sentence"."""
        if isinstance(self.source, Pieces):
            return "sentence"
        return "couplet" if self.shared else "sound"

    def encode_source(self, text: str) -> list[int]:
        """Ids of what is read, the end mark last."""
        return [*self.source.encode(spaced(self.source, text)), END]

    def encode_target(self, text: str) -> list[int]:
        """Ids of what is to be written, the end mark last."""
        return [*self.target.encode(spaced(self.target, text)), END]

    def source_labels(self, text: str, ids: Sequence[int]) -> tuple[str, ...]:
        """What stands for each of the ids of `encode_source`: the text that the token holds, known to the model or not."""
        if isinstance(self.source, Symbols):
            return (*self.source.signs(text), SPECIALS[END])
        reader = Reader(self.source)
        return tuple(reader.label(token, reader.read(token)) for token in ids)

    def save(self, folder: Path) -> None:
        for vocabulary in {id(each): each for each in (self.source, self.target)}.values():
            vocabulary.save(folder)

    @classmethod
    def of(cls, both: Symbols | Pieces) -> Languages:
        """One vocabulary for both sides."""
        return cls(both, both)

    @classmethod
    def load(cls, folder: Path) -> Languages:
        """Raises NotReady if a file is missing or cut short."""
        if (folder / "source.json").is_file():
            return cls(Symbols.load(folder / "source.json"), Symbols.load(folder / "target.json"))
        if (folder / "symbols.json").is_file():
            return cls.of(Symbols.load(folder / "symbols.json"))
        pieces = tokens.load(folder)
        assert isinstance(pieces, Pieces)
        return cls.of(pieces)


def spaced(vocabulary: Symbols | Pieces, text: str) -> str:
    """The text as its vocabulary cuts it: with a space before the first word too, where tokens carry the space before them."""
    return f" {text}" if text and (isinstance(vocabulary, Pieces) or vocabulary.spaced) else text


class Reader(tokens.Reader):
    """Turns tokens into the text they add; the space before the first word is left out."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._whole = tokens.Reader(vocabulary)
        self._begun = False

    def read(self, token: int) -> str:
        added = self._added(self._whole.read(token))
        self._begun = self._begun or bool(added)
        return added

    def peek(self, token: int) -> str:
        return self._added(self._whole.peek(token))

    def _added(self, added: str) -> str:
        return added if self._begun else added.lstrip(" ")


def decode(vocabulary: Vocabulary, ids: Iterable[int]) -> str:
    """The text of target tokens."""
    return tokens.decode(vocabulary, ids).removeprefix(" ")
