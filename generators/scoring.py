"""How well a text model predicts and writes: what `test` and `evaluate` of every generator that writes have in common.

Letters: B rows of a batch, T tokens of a row, N vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from generators import chance, recalling, tokens
from generators.base import Request
from generators.chance import mean_of, quotient
from generators.corpus import POEMS, Row, nats, nats_each, prose_rows, verse_row
from generators.data import Document, read_poems, read_tales, read_text
from generators.metrics import bits_per_char, is_well_formed
from generators.prompts import line_width
from generators.writing import Writer

FORM_BITS = 2.0  # the form of a poem is one of four, and given to the model: charged as any of four
WRITTEN = 200  # poems that are judged
QUATRAINS = "bits_per_char_tang_quatrains"
SAMPLES = {
    False: "Once upon a time there lived a poor woodcutter, who had two children. The boy was called Hansel, and the girl Grettel.",
    True: "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。",
}
"""Verse → what `test` reads where no file is given."""

Predict = Callable[[Tensor], Tensor]
"""Token ids (B, T) → logits (B, T, N) for the token after each."""


@dataclass(frozen=True)
class Scorer:
    """A writer's model and its twin as readers of texts. predict: attention → the model's Predict."""

    run: Writer[Any, Any]
    variant: str
    predict: Callable[[bool], Predict]

    def test(self, text: Path | None = None) -> dict[str, Any]:
        """Predict a text, the file's or a short sample: the loss, and what the model expected after each of the first tokens."""
        vocabulary = self.run.vocabulary
        document = read_text(text)[0] if text else Document(SAMPLES[self.run.verse])
        rows = self._poems_of(document) if self.run.verse else prose_rows(document, vocabulary)
        loss, count = nats(self.predict(True), rows, _HERE)
        ids = torch.from_numpy(rows[0].ids[:25].astype("int64"))[None]  # (1, T)
        with torch.inference_mode():
            chances = self.predict(True)(ids)[0].softmax(-1)  # (T, N)
        label = [tokens.Reader.label(each, tokens.decode(vocabulary, [each])) for each in range(len(vocabulary.pieces))]
        predictions = [
            {"after": label[now], "expected": label[int(row.argmax())], "probability": round(float(row.max()), 4), "came": label[next_]}
            for now, next_, row in zip(ids[0, :-1].tolist(), ids[0, 1:].tolist(), chances, strict=False)
        ]
        return {
            "variant": self.variant,
            "loss": round(loss / count, 4),
            "perplexity": round(math.exp(loss / count), 2),
            "bits_per_char": round(bits_per_char(loss, len(document.text)), 4),
            "tokens": count,
            "predictions": predictions,
        }

    def evaluate(self, data: Path, limit: int | None = None) -> dict[str, dict[str, Any]]:
        """Every row of the variant's held-out files, with and without; `limit`: the first rows of each file only.

        bits_per_char: −Σ log₂ p over the tokens of the raw texts and their ends, by their Unicode characters, line breaks in. Tales
        are read in windows of 256 tokens that do not overlap, poems one by one, without titles, their form charged with 2 bits.
        well_formed: of 200 poems written from nothing. copied_name_…: see generators.recalling.
        """
        if not self.run.verse:
            tales = read_tales(data)[:limit]
            sides = [side for side in (True, False) if self.run.has(side)]
            rounds = min(recalling.ROUNDS, limit or recalling.ROUNDS)
            found = {"bits_per_char": self.compared(lambda predict: self.prose_bits(predict, tales), tales)}
            return found | recalling.evaluate(self.predict, sides, self.run.vocabulary, tales, rounds)
        poems = [poem for name in POEMS for poem in read_poems(data, name)[:limit]]
        found = {"bits_per_char": self.compared(lambda predict: self.verse_bits(predict, poems), poems)}
        if some := quatrains(data, limit):
            found[QUATRAINS] = self.compared(lambda predict: self.verse_bits(predict, some), some)
        count = min(WRITTEN, limit or WRITTEN)
        right, other = (mean_of(self._well_formed(count, each)) if self.run.has(each) else None for each in (True, False))
        return found | {"well_formed": chance.row(right, other, "share", "higher", [count])}

    def compared(self, measure: Callable[[Predict], np.ndarray], texts: Sequence[Document]) -> dict[str, Any]:
        """Bits for a character of the texts, with and without attention. measure: → the bits of each text, (N,)."""
        characters = np.array([len(text.text) for text in texts])
        one, other = (quotient(measure(self.predict(each)), characters) if self.run.has(each) else None for each in (True, False))
        return chance.row(one, other, "bits", "lower", [len(texts)])

    def prose_bits(self, predict: Predict, texts: Sequence[Document]) -> np.ndarray:
        """Bits of each text, (N,)."""
        rows = [(at, row) for at, text in enumerate(texts) for row in prose_rows(text, self.run.vocabulary)]
        lost = nats_each(predict, [row for _, row in rows], _HERE) / math.log(2)
        return np.bincount([at for at, _ in rows], lost, len(texts))

    def verse_bits(self, predict: Predict, poems: Sequence[Document]) -> np.ndarray:
        """Bits of each poem, its form included, (N,)."""
        return nats_each(predict, [verse_row(poem, self.run.vocabulary) for poem in poems], _HERE) / math.log(2) + FORM_BITS

    def _poems_of(self, document: Document) -> list[Row]:
        """One poem a line, its form taken from its length."""
        rows = []
        for poem in filter(None, map(str.strip, document.text.split("\n"))):
            width = line_width("auto", poem)
            form = {(5, False): "五绝", (5, True): "五律", (7, False): "七绝", (7, True): "七律"}[width, len(poem) > 6 * (width + 1)]
            rows.append(verse_row(replace(document, text=poem, form=form), self.run.vocabulary))
        return rows

    def _well_formed(self, count: int, attention: bool) -> np.ndarray:
        """Of poems written from nothing at the default settings, half of them of five characters a line, half of seven. (count,) bool."""
        right = []
        for seed in range(count):
            form = ("5", "7")[seed % 2]
            request = Request.check(self.run.card, variant=self.variant, seed=seed, settings={"form": form}, attention=attention)
            poem = "".join(step.text for step in self.run.generate(replace(request, watched=False)))
            right.append(is_well_formed(poem, int(form)))
        return np.array(right)


def quatrains(data: Path, limit: int | None = None) -> list[Document]:
    """The Tang poems of four lines."""
    return [poem for poem in read_poems(data, POEMS[0])[:limit] if poem.form in ("五绝", "七绝")]


_HERE = torch.device("cpu")  # where loaded models are
