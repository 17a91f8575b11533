"""What the text model learns from: prose in windows, verse poem by poem, as rows of tokens.

Letters: B rows of a batch, T tokens of a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from generators.data import FORMS, Document, read_books, read_poems, read_tales, read_text, split_off, without_lines_of
from generators.tokens import END, TEXT, TITLE, Characters, Pieces, Vocabulary, form_token
from generators.training import IGNORED

VALIDATION = 0.01  # share of the texts; for choosing learning rates and for progress
WINDOW = 256  # tokens of a window of prose
POEMS = ("tang_regular", "song_regular")
"""Names of the files of verse."""


@dataclass(frozen=True)
class Row:
    """Token ids, of which those from position `first` on are predicted, each from all before it."""

    ids: np.ndarray
    first: int = 1


class Corpus(Protocol):
    """What the loop learns from. progress: 0 at the first step, 1 at the last."""

    validation: list[Row]

    def batch(self, progress: float, dice: np.random.Generator, size: int) -> list[Row]: ...


class Prose:
    """Texts one after the other, read at random places in windows of one of the lengths `windows`, each as often as it stands there."""

    def __init__(
        self,
        texts: Sequence[Document],
        validation: Sequence[Document],
        vocabulary: Vocabulary,
        windows: Sequence[int] = (WINDOW, WINDOW // 2),  # shorter ones make more rows, which a processor likes
    ) -> None:
        self._windows = windows
        self._stream = np.concatenate([_prose_ids(text, vocabulary, titled=True) for text in texts])
        self.validation = [row for text in validation for row in prose_rows(text, vocabulary)]

    def batch(self, progress: float, dice: np.random.Generator, size: int) -> list[Row]:
        window = self._windows[int(dice.random() * len(self._windows))]
        length = min(window + 1, len(self._stream))
        starts = dice.integers(0, len(self._stream) - length + 1, max(1, size // window))
        return [Row(self._stream[start : start + length]) for start in starts]

    def __str__(self) -> str:
        return f"{len(self._stream):,} tokens of prose"


class Verse:
    """Poems, one a row, of one form in each batch; half of the batches with their titles.

    The first 70 % of the training read `early` poems, the rest `late` ones with a quarter of early ones between them.
    """

    def __init__(self, early: Sequence[Document], late: Sequence[Document], validation: Sequence[Document], vocabulary: Vocabulary) -> None:
        self._early = _by_form(early, vocabulary)
        self._late = _by_form(late, vocabulary)
        self.validation = [verse_row(poem, vocabulary) for poem in validation]

    def batch(self, progress: float, dice: np.random.Generator, size: int) -> list[Row]:
        early = self._early and (not self._late or progress < 0.7 or dice.random() < 0.25)
        groups = self._early if early else self._late
        forms = list(groups)
        characters = np.array([len(groups[form]) * math.prod(FORMS[form]) for form in forms], float)
        form = forms[dice.choice(len(forms), p=characters / characters.sum())]
        width, lines = FORMS[form]
        titled = dice.random() < 0.5
        chosen = dice.integers(0, len(groups[form]), max(1, size // ((width + 1) * lines + (12 if titled else 3))))
        poems = (groups[form][index] for index in chosen)
        return [Row(np.concatenate([titled_ids if titled else plain_ids, text_ids])) for titled_ids, plain_ids, text_ids in poems]

    def __str__(self) -> str:
        count = sum(len(poems) for groups in (self._early, self._late) for poems in groups.values())
        return f"{count:,} poems"


def _by_form(poems: Sequence[Document], vocabulary: Vocabulary) -> dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Form → (ids before the text with title, ids before the text without, ids of the text)."""
    groups: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
    for poem in poems:
        form = form_token(*FORMS[poem.form])
        titled = [form, TITLE, *vocabulary.encode(poem.title[:20]), TEXT]
        text = [*vocabulary.encode(poem.text), END]
        groups.setdefault(poem.form, []).append((np.array(titled, np.int32), np.array([form, TEXT], np.int32), np.array(text, np.int32)))
    return groups


def verse_row(poem: Document, vocabulary: Vocabulary) -> Row:
    """A poem without its title; form and text mark are given, every character and the end are predicted."""
    return Row(np.array([form_token(*FORMS[poem.form]), TEXT, *vocabulary.encode(poem.text), END], np.int32), first=2)


def prose_rows(text: Document, vocabulary: Vocabulary) -> list[Row]:
    """A text in windows of WINDOW predictions that do not overlap, each read without what came before it."""
    ids = _prose_ids(text, vocabulary, titled=False)
    return [Row(ids[start : start + WINDOW + 1]) for start in range(0, len(ids) - 1, WINDOW)]


def _prose_ids(text: Document, vocabulary: Vocabulary, titled: bool) -> np.ndarray:
    title = [TITLE, *vocabulary.encode(text.title)] if titled and text.title else []
    return np.array([*title, TEXT, *vocabulary.encode(text.text), END], np.int32)


def collate(rows: Sequence[Row], where: torch.device) -> tuple[Tensor, Tensor]:
    """Inputs and targets, both (B, T), targets one step ahead; what is not predicted is IGNORED."""
    length = max(len(row.ids) for row in rows) - 1
    inputs = np.full((len(rows), length), END, np.int64)
    targets = np.full((len(rows), length), IGNORED, np.int64)
    for index, row in enumerate(rows):
        inputs[index, : len(row.ids) - 1] = row.ids[:-1]
        targets[index, row.first - 1 : len(row.ids) - 1] = row.ids[row.first :]
    return torch.from_numpy(inputs).to(where), torch.from_numpy(targets).to(where)


def nats(logits_of: Callable[[Tensor], Tensor], rows: Iterable[Row], where: torch.device, batch: int = 8192) -> tuple[float, int]:
    """(−Σ ln p over all predicted tokens, their number). logits_of: ids (B, T) → (B, T, N). batch: tokens. Padding does not count."""
    rows = [*rows]
    return float(nats_each(logits_of, rows, where, batch).sum()), sum(len(row.ids) - row.first for row in rows)


@torch.inference_mode()
def nats_each(logits_of: Callable[[Tensor], Tensor], rows: Sequence[Row], where: torch.device, batch: int = 8192) -> np.ndarray:
    """−Σ ln p of each row's predicted tokens, (rows,) float64."""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].ids))
    found = np.empty(len(rows))
    for part in _batches([rows[index] for index in order], batch):
        inputs, targets = collate(part, where)
        logits = logits_of(inputs).float()
        lost = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none").view_as(targets)  # (B, T)
        now, order = order[: len(part)], order[len(part) :]
        found[now] = lost.double().sum(1).cpu().numpy()
    return found


def _batches(rows: Sequence[Row], batch: int) -> Iterable[list[Row]]:
    part: list[Row] = []
    for row in rows:
        if part and (len(part) + 1) * len(row.ids) > batch:
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def corpus_of(
    variant: str, data: Path | None, text: Path | None, vocabulary: Vocabulary, windows: Sequence[int] = (WINDOW, WINDOW // 2)
) -> Corpus:
    """What a variant learns from: a data folder, or one text file. windows: see Prose."""
    if text is not None:
        whole = read_text(text)[0].text
        cut = whole.rfind("\n", 0, int(len(whole) * 0.95)) + 1 or int(len(whole) * 0.95)
        return Prose([Document(whole[:cut])], [Document(whole[cut:] or whole)], vocabulary, windows)
    assert data is not None
    if variant == "tang":  # for the seed study
        tang, tang_validation = split_off(read_poems(data, "tang_regular"), VALIDATION)
        return Verse([], tang, tang_validation, vocabulary)
    if variant == "poems_zh":
        song, song_validation = split_off(read_poems(data, "song_regular"), VALIDATION)
        tang, tang_validation = split_off(read_poems(data, "tang_regular"), VALIDATION)
        return Verse(song, tang, [*song_validation, *tang_validation], vocabulary)
    tales, validation = split_off(read_tales(data), 2 * VALIDATION)
    return Prose([*without_lines_of(read_books(data), validation), *tales], validation, vocabulary, windows)


def learn_vocabulary(variant: str, data: Path | None, text: Path | None, count: int) -> Characters | Pieces:
    """Characters for Chinese verse and for texts that are mostly Chinese or Japanese, else pieces."""
    if text is not None:
        whole = read_text(text)[0].text
        wide = sum("\u3040" <= character <= "\u9fff" for character in whole)
        return Characters.learn([whole], count) if wide > 0.3 * len(whole) else Pieces.learn(whole.split("\n"), count)
    assert data is not None
    if variant == "poems_zh":
        poems = [*read_poems(data, "song_regular"), *read_poems(data, "tang_regular")]
        return Characters.learn((part for poem in poems for part in (poem.text, poem.title)), count)
    return Pieces.learn((line for book in read_books(data) for line in book.text.split("\n")), count)
