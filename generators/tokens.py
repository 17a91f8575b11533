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
from typing import Any, Protocol

from generators.base import NotReady

END, TITLE, TEXT = 0, 1, 2
SPECIALS = ("⟨end⟩", "⟨title⟩", "⟨text⟩", "⟨5×4⟩", "⟨5×8⟩", "⟨7×4⟩", "⟨7×8⟩")
"""End of a text; before a title; between title and text, or before a text alone; the forms of verse: characters × lines."""


class Vocabulary(Protocol):
    """What both kinds share. Bytes of a special token are b""."""

    @property
    def pieces(self) -> Sequence[bytes]:
        """id → the bytes that it writes."""

    @property
    def bytewise(self) -> bool:
        """Whether a rare character stands as its bytes, one token each, right behind the special tokens."""

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
        self._alone: dict[int, str] = {}  # what a token adds where no character is begun: asked for at every step

    def read(self, token: int) -> str:
        """What this token adds to the text; "" for a special token and for a character that is not complete yet."""
        added = self._decoder.decode(self._pieces[token], final=token < len(SPECIALS))
        return f"{added}\n" if self._verse and added in ("，", "。") else added

    def peek(self, token: int) -> str:
        """What it would add."""
        state = self._decoder.getstate()
        if not state[0] and token in self._alone:
            return self._alone[token]
        added = self.read(token)
        self._decoder.setstate(state)
        if not state[0]:
            self._alone[token] = added
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
    bytewise = True

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
    bytewise = False

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

    @property
    def content(self) -> dict[str, Any]:
        """The tokenizer as `tokenizers` serializes it, parsed."""
        content: dict[str, Any] = json.loads(self._tokenizer.to_str())
        return content

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


class Shared:
    """Either kind as a tokenizer of `transformers`: the same ids, special tokens among them, in the files that AutoTokenizer reads."""

    file = "tokenizer.json"
    settings_file = "tokenizer_config.json"

    def __init__(self, serialized: str) -> None:
        from tokenizers import Tokenizer

        self._serialized = serialized
        content = json.loads(serialized)
        signs = sorted(content["model"]["vocab"], key=content["model"]["vocab"].__getitem__)
        self.bytewise = bool(content["model"]["byte_fallback"])
        byte_of = None if self.bytewise else _byte_of_sign()
        self.pieces = [*(b"" for _ in SPECIALS), *(_bytes_of(sign, byte_of) for sign in signs[len(SPECIALS) :])]
        content["added_tokens"] = []  # a text that spells one is not one
        self._tokenizer = Tokenizer.from_str(json.dumps(content))
        self._lock = threading.Lock()

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> Shared:
        """The same tokens under the same ids; itself if it is one already."""
        if isinstance(vocabulary, Shared):
            return vocabulary
        added = [
            {"id": index, "content": name, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
            for index, name in enumerate(SPECIALS)
        ]
        specials = {name: index for index, name in enumerate(SPECIALS)}
        if isinstance(vocabulary, Pieces):
            content = vocabulary.content
            shifted = {sign: len(SPECIALS) + index for sign, index in content["model"]["vocab"].items()}
            content["model"]["vocab"] = specials | shifted
        else:
            assert isinstance(vocabulary, Characters)
            from tokenizers import Tokenizer, decoders, models

            signs = [*(f"<0x{byte:02X}>" for byte in range(256)), *vocabulary.characters]
            tokenizer = Tokenizer(
                models.BPE(specials | {sign: len(SPECIALS) + index for index, sign in enumerate(signs)}, [], byte_fallback=True)
            )
            tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
            content = json.loads(tokenizer.to_str())
        return cls(json.dumps(content | {"added_tokens": added}, ensure_ascii=False))

    def encode(self, text: str) -> list[int]:
        with self._lock:
            return list(self._tokenizer.encode(text.encode("utf-8", "replace").decode(), add_special_tokens=False).ids)

    def save(self, folder: Path) -> None:
        (folder / self.file).write_text(self._serialized, encoding="utf-8")
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": SPECIALS[END], "clean_up_tokenization_spaces": False}
        (folder / self.settings_file).write_text(json.dumps(settings, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Shared:
        return cls((folder / cls.file).read_text("utf-8"))


def _bytes_of(sign: str, byte_of: dict[str, int] | None) -> bytes:
    """What a token of a serialized tokenizer writes. byte_of: GPT-2's signs; None where bytes are written <0x00> to <0xFF>."""
    if byte_of is not None:
        return bytes(byte_of[each] for each in sign)
    return bytes([int(sign[3:5], 16)]) if len(sign) == 6 and sign.startswith("<0x") else sign.encode()


def load(folder: Path) -> Characters | Pieces | Shared:
    """The vocabulary of a model's folder. Raises NotReady if the file is missing or cut short."""
    kind: type[Characters | Pieces | Shared] = Characters if (folder / Characters.file).is_file() else Pieces
    if (folder / Shared.settings_file).is_file():
        kind = Shared
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
