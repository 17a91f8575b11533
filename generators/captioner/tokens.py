"""What captions are cut into: phrases, each of them one thing that is said of the picture.

"a fox to the left of a red apple on a blue background" is a fox| to the left of| a red apple| on a| blue| background, so that every
object has one word and one map. The first ids are those of `generators.tokens`; four of them say how a caption begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from generators import tokens
from generators.lexicon import Lexicon
from generators.scenes import GROUNDS, GROUNDS_ZH, RELATIONS, RELATIONS_ZH, Relation, Scene, with_article
from generators.tokens import END, SPECIALS

LANGUAGES = ("en", "zh")
ENDS = ("near", "far")
"""Which of two things is named first: the left or upper one, or the right or lower one."""
FIRST = len(SPECIALS)  # id of the first phrase


def start(language: str, end: str) -> int:
    """The token that a caption begins with: it is read, never written."""
    return END + 1 + len(ENDS) * LANGUAGES.index(language) + ENDS.index(end)


def end_of(relation: Relation) -> str:
    """From which end a caption goes that says this relation first to last."""
    return "far" if relation in ("to the right of", "below") else "near"


class Phrases:
    """One token a phrase."""

    file = "vocabulary.json"
    bytewise = False

    def __init__(self, lexicon: Lexicon) -> None:
        """lexicon: of which the objects are named; its other words are those of the reference captions."""
        self.lexicon = lexicon
        self.names = {each.id: each.zh for each in lexicon.of_kind("object")}
        said = [f" {each}" for each in (*RELATIONS, "on a", *GROUNDS, "background")]
        self.phrases = {
            "en": [*(f" {with_article(word)}" for word in self.names), *said],
            "zh": [*self.names.values(), *RELATIONS_ZH.values(), *GROUNDS_ZH.values(), *"，在的", "有一个", "背景上"],
        }
        together = [*self.phrases["en"], *self.phrases["zh"]]
        self.pieces = [*(b"" for _ in SPECIALS), *(each.encode() for each in together)]
        self._ids = {phrase: FIRST + index for index, phrase in enumerate(together)}
        self._pattern = re.compile("|".join(map(re.escape, sorted(together, key=len, reverse=True))))
        self.word_of = {
            self._ids[phrase]: word for all_of in self.phrases.values() for phrase, word in zip(all_of, self.names, strict=False)
        }

    def caption(self, scene: Scene, language: str) -> str:
        return scene.caption() if language == "en" else scene.caption_zh(self.names)

    def encode(self, text: str) -> list[int]:
        """Ids of a caption, the end mark last. Raises ValueError for what is no caption of scenes."""
        spaced = f" {text}" if text.isascii() else text
        found = self._pattern.findall(spaced)
        if "".join(found) != spaced:
            raise ValueError(f"this caption has words of no scene: {text}")
        return [*(self._ids[each] for each in found), END]

    def decode(self, ids: Iterable[int]) -> str:
        """The caption that the tokens are."""
        return tokens.decode(self, ids).removeprefix(" ")

    def of_language(self, language: str) -> list[int]:
        """Ids of its phrases."""
        return [self._ids[each] for each in self.phrases[language]]

    def save(self, folder: Path) -> None:
        self.lexicon.save(folder / self.file)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises NotReady if the file is missing or cut short."""
        return cls(Lexicon.load(folder / cls.file))


class Reader(tokens.Reader):
    """Turns tokens into the text they add; the space before the first phrase is left out."""

    def __init__(self, phrases: Phrases) -> None:
        super().__init__(phrases)
        self._begun = False

    def read(self, token: int) -> str:
        added = self.peek(token)
        self._begun = self._begun or bool(added)
        return added

    def peek(self, token: int) -> str:
        added = self._pieces[token].decode()
        return added if self._begun else added.lstrip(" ")


def positions(phrases: Phrases, ids: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Thing → positions of the tokens that name it."""
    found: dict[str, tuple[int, ...]] = {}
    for position, token in enumerate(ids):
        if token in phrases.word_of:
            word = phrases.word_of[token]
            found[word] = (*found.get(word, ()), position)
    return found
