"""Learn, test, evaluate.

Letters: B rows of a batch, K source tokens, T target tokens, E embedding, N target vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import generators
from generators import chance, learning, training
from generators.chance import Figure, mean_of, quotient
from generators.data import Pair, read_pairs_file
from generators.metrics import bleu_counts, bleu_of, item_edits
from generators.recording import record
from generators.searching import beam_search
from generators.seq2seq import LONGEST, Run
from generators.seq2seq.card import EXAMPLES
from generators.seq2seq.corpus import Corpus, Row, collate, corpus_of, learn_languages, read_pairs, rows_of
from generators.seq2seq.model import EncoderDecoder
from generators.seq2seq.tokens import START, Languages, decode
from generators.training import IGNORED, DenseLoss, adamw, write_json

ASSETS = learning.ROOT / "assets" / "seq2seq"
BEAMS = 4
"""Hypotheses of the beam search that `evaluate` judges."""


@dataclass(frozen=True)
class Recipe:
    """How a variant is made; see learning.Recipe. batch: tokens of one step, both sides. smoothing: of the targets."""

    vocabulary: int
    embedding_dim: int
    units: int
    score_dim: int = 128
    dropout: float = 0.1
    smoothing: float = 0.05
    rates: tuple[float, ...] = (2e-3, 4e-3)
    batch: int = 4096
    minutes: float = 20.0
    probe: float = 0.5


RECIPES = {
    "sound_en": Recipe(vocabulary=39, embedding_dim=96, units=320, dropout=0.15, minutes=36.5),
    "eng_fra": Recipe(vocabulary=3500, embedding_dim=160, units=256, rates=(4e-3,), batch=5120, minutes=15.0),
    "couplets_zh": Recipe(vocabulary=4500, embedding_dim=160, units=256, rates=(4e-3,), minutes=6.0),
}
OWN_TEXT = Recipe(vocabulary=2500, embedding_dim=128, units=192, dropout=0.2, rates=(3e-3,), minutes=10.0)


@dataclass(frozen=True)
class Plan(learning.Plan):
    """One training of a translator, or of its twin."""

    generator = "seq2seq"
    lowest = 0.01
    checked = 400

    vocabulary: Languages

    @property
    def config(self) -> dict[str, Any]:
        """The model's arguments, but for `attention`."""
        return {
            "sources": len(self.vocabulary.source.pieces),
            "targets": len(self.vocabulary.target.pieces),
            "embedding_dim": self.recipe.embedding_dim,
            "units": self.recipe.units,
            "score_dim": self.recipe.score_dim,
            "shared": self.vocabulary.shared,
        }

    @property
    def about(self) -> Mapping[str, Any]:
        return ABOUT[self.out.name]

    def build(self) -> EncoderDecoder:
        return EncoderDecoder(**self.config, dropout=self.recipe.dropout, attention=self.attention)

    def new_optimizers(self, model: EncoderDecoder) -> dict[str, torch.optim.Optimizer]:
        return {"adamw": adamw(model)}

    def rows(self, step: int, expected: int) -> list[Row]:
        """The rows depend on the step only: every pair once in each round."""
        corpus: Corpus = self.corpus
        return corpus.batch(step, self.recipe.batch)

    def loss(self, model: EncoderDecoder, rows: list[Row]) -> Tensor:
        where = next(model.parameters()).device
        sources, mask, inputs, targets = collate(rows, where)
        with training.autocast(where):
            features = model.features(inputs, model.read(sources, mask))  # (B, T, E)
        smoothing = self.recipe.smoothing
        loss: Tensor = DenseLoss.apply(features.flatten(0, 1), model.words.weight, model.bias, targets.flatten(), smoothing)
        return loss

    def nats(self, model: EncoderDecoder, rows: Sequence[Row]) -> tuple[float, int]:
        return nats(model, rows)

    def write_files(self) -> None:
        self.vocabulary.save(self.out)
        write_json(self.out / "config.json", {"model": self.config})


def nats(model: EncoderDecoder, rows: Sequence[Row]) -> tuple[float, int]:
    """(−Σ ln p over all target tokens, the end marks in; their number). Padding and unknown characters do not count."""
    each, counts = nats_each(model, rows)
    return float(each.sum()), int(counts.sum())


@torch.inference_mode()
def nats_each(model: EncoderDecoder, rows: Sequence[Row], batch: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """`nats` of each row, (rows,) float64 and int64."""
    where = next(model.parameters()).device
    before = model.training
    model.eval()
    order = np.argsort([len(row.source) for row in rows], kind="stable")
    found, counts = np.empty(len(rows)), np.empty(len(rows), np.int64)
    for start in range(0, len(rows), batch):
        now = order[start : start + batch]
        sources, mask, inputs, targets = collate([rows[index] for index in now], where)
        logits = model(sources, inputs, mask).float().flatten(0, 1)
        lost = F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORED, reduction="none").view_as(targets)  # (B, T)
        found[now], counts[now] = lost.double().sum(1).cpu().numpy(), (targets != IGNORED).sum(1).cpu().numpy()
    model.train(before)
    return found, counts


def train(variant: str | None, **options: Unpack[learning.Options]) -> None:
    """Train a variant, or a model of one's own on a file of "source, tab, target" lines, into the folder `out`. Ctrl-C saves.

    resume goes on from the training's own state, else from the weights in the variant's folder. The twin (attention False) takes
    as many steps as the model with attention did. Raises BadInput.
    """
    command = learning.Command.read("seq2seq", RECIPES, OWN_TEXT, _as_built, variant, **options)
    pairs = read_pairs_file(command.text) if command.text is not None else read_pairs(command.variant, command.data or Path())
    if command.dry_run:
        command.announce(f"{len(pairs):,} sources")
        return
    kind = "" if command.text is not None else command.variant
    languages = Languages.load(command.start) if command.start else learn_languages(kind, pairs, command.recipe.vocabulary)
    command.carry_out(Plan, corpus_of(pairs, languages, command.seed), languages)
    if command.ships:
        finish(command.variant)


def finish(variant: str) -> None:
    """What ships beside trained weights: stored examples, and one example while it learned."""
    folder = ASSETS / variant
    record(Run.load(folder), variant, EXAMPLES[variant], folder, learning.ROOT / "runs" / "seq2seq" / variant / "weights" / "snapshots")


def _as_built(recipe: Recipe, config: Mapping[str, Any]) -> Recipe:
    """The recipe with the sizes of a model that is there."""
    return replace(recipe, **{name: config["model"][name] for name in ("embedding_dim", "units", "score_dim")})


ABOUT: dict[str, dict[str, Any]] = {
    "sound_en": {
        "data": "118,256 words of the CMU Pronouncing Dictionary, phonemes without stress",
        "data_licence": "BSD-2-Clause, Carnegie Mellon University",
        "licence": "Apache-2.0",
        "length_unit": {"en": "letters of the word", "zh": "单词字母数"},
    },
    "eng_fra": {
        "data": "159,439 English–French sentence pairs of all lengths from Tatoeba, via manythings.org/anki",
        "data_licence": "CC BY 2.0 FR, Tatoeba and manythings.org",
        "licence": "Apache-2.0",
        "length_unit": {"en": "words of the source", "zh": "原文词数"},
    },
    "couplets_zh": {
        "data": "246,994 couplets of Tang and Song regular verse (chinese-poetry, simplified with OpenCC)",
        "data_licence": "poems public domain; collection MIT; OpenCC Apache-2.0",
        "licence": "Apache-2.0",
        "length_unit": {"en": "characters of the first line", "zh": "上联字数"},
    },
}
"""What the cards of the variants that ship say of their data."""

SAMPLES = {
    "sound": Pair("attention", ("AH T EH N SH AH N",)),
    "sentence": Pair("Where is the station?", ("Où est la gare ?", "Où se trouve la gare ?")),
    "couplet": Pair("明月松间照", ("清泉石上流",)),
}


def test(variant: str | None, *, text: Path | None = None) -> dict[str, Any]:
    """Predict the targets of a file of "source, tab, target" lines, or of a short sample: the loss, and what the model writes."""
    run, variant = _run(variant)
    pairs = read_pairs_file(text) if text else [SAMPLES[run.languages.kind]]
    model = run.model(True)
    loss, count = nats(model, [row for pair in pairs for row in rows_of(pair, run.languages)])
    written = translate(run, model, [pair.source for pair in pairs[:20]])
    return {
        "variant": variant,
        "loss": round(loss / count, 4),
        "perplexity": round(math.exp(loss / count), 2),
        "tokens": count,
        "predictions": [
            {"source": pair.source, "written": found, "references": list(pair.targets)} for pair, found in zip(pairs, written, strict=False)
        ],
    }


test.__test__ = False  # type: ignore[attr-defined]  # pytest is not meant


def translate(run: Run, model: EncoderDecoder, sources: Sequence[str], beams: int = BEAMS, batch: int = 64) -> list[str]:
    """What a model writes for each source: beam search, in batches of sources as long as one another."""
    ids = [np.array(run.languages.encode_source(source), np.int32) for source in sources]
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    never = torch.from_numpy(np.stack([run.never_first, run.never]))
    written = [""] * len(ids)
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        tokens, mask, _, _ = collate([Row(ids[index], ids[index][:1]) for index in part], torch.device("cpu"))
        with torch.inference_mode():
            source = model.read(tokens, mask)
        longest = min(LONGEST, 2 * tokens.shape[1] + 10)
        for index, found in zip(part, beam_search(model, source, start=START, beams=beams, longest=longest, never=never)[0], strict=True):
            written[index] = decode(run.languages.target, found.tokens)
    return written


LENGTHS = {
    "sound": ((1, 4), (5, 6), (7, 8), (9, 10), (11, None)),
    "sentence": ((1, 4), (5, 8), (9, 12), (13, None)),
    "couplet": ((5, 5), (7, 7)),
}
"""Kind → (from, to) of the lengths of sources that are judged together: letters, words, characters."""

LONG = 9
"""Words of a source from which on it counts as long."""


def evaluate(variant: str | None, *, data: Path, limit: int | None = None) -> dict[str, dict[str, Any]]:
    """Every source of the variant's held-out file, with and without attention; `limit`: the first sources only.

    All figures are of what beam search with 4 beams writes, but for bits_per_char, which is −Σ log₂ p of the references. Every
    reference of a source counts as right. word_error: share of words with any wrong phoneme. phoneme_error: edits to the nearest
    reference, by its phonemes. bleu: sacreBLEU; bleu_long: of sources of 9 words and more. same_length: share of lines as long as
    the first; copied: share of their characters that stand in the first. NAME_len_FROM_TO: of the sources of these lengths.
    """
    run, variant = _run(variant)
    kind = run.languages.kind
    pairs = read_pairs(variant, data)[:limit]
    written = {each: translate(run, run.model(each), [pair.source for pair in pairs]) for each in (True, False) if run.has(each)}
    found = {}
    for name, (unit, better, by_length) in _measures(run).items():
        for label, span in _spans(name, kind, by_length).items():
            chosen = [index for index, pair in enumerate(pairs) if _within(length_of(pair.source, kind), span)]
            if not chosen:
                continue
            sides = {
                each: _measure(name, run.model(each), run, [pairs[index] for index in chosen], [texts[index] for index in chosen])
                for each, texts in written.items()
            }
            found[label] = chance.row(sides.get(True), sides.get(False), unit, better, [len(chosen)])
    return found


def _spans(name: str, kind: str, by_length: bool) -> dict[str, tuple[int, int | None]]:
    """Name of a figure → (from, to) of the lengths that it judges."""
    spans: dict[str, tuple[int, int | None]] = {name: (0, None)}
    if by_length:
        spans |= {f"{name}_len_{start}_{end or 'up'}": (start, end) for start, end in LENGTHS[kind]}
    return spans | ({f"{name}_long": (LONG, None)} if kind == "sentence" else {})


def _measures(run: Run) -> dict[str, tuple[str, str, bool]]:
    """Name → unit, which way is better, whether also by length."""
    return {
        "sound": {"word_error": ("share", "lower", True), "phoneme_error": ("share", "lower", True)},
        "sentence": {"bleu": ("BLEU", "higher", True)},
        "couplet": {
            "same_length": ("share", "higher", False),
            "bits_per_char": ("bits", "lower", True),
            "copied": ("share", "lower", False),
        },
    }[run.languages.kind]


def _measure(name: str, model: EncoderDecoder, run: Run, pairs: Sequence[Pair], written: Sequence[str]) -> Figure:
    references = [pair.targets for pair in pairs]
    if name == "word_error":
        return mean_of(np.array([text not in known for text, known in zip(written, references, strict=True)]))
    if name == "phoneme_error":
        return quotient(*item_edits([text.split() for text in written], [[each.split() for each in known] for known in references]).T)
    if name == "bleu":
        counts = bleu_counts(written, references)
        return lambda drawn: bleu_of(drawn @ counts)
    if name == "same_length":
        return mean_of(np.array([len(text) == len(pair.source) for pair, text in zip(pairs, written, strict=True)]))
    if name == "copied":
        copied = [sum(sign in pair.source for sign in text) for pair, text in zip(pairs, written, strict=True)]
        return quotient(np.array(copied), np.array([len(text) for text in written]))
    rows = [(at, row) for at, pair in enumerate(pairs) for row in rows_of(pair, run.languages)]
    lost = np.bincount([at for at, _ in rows], nats_each(model, [row for _, row in rows])[0] / math.log(2), len(pairs))
    return quotient(lost, np.array([sum(map(len, pair.targets)) for pair in pairs]))


def length_of(source: str, kind: str) -> int:
    """Words of a sentence, signs of anything else."""
    return len(source.split()) if kind == "sentence" else len(source)


def _within(length: int, span: tuple[int, int | None]) -> bool:
    return span[0] <= length and (span[1] is None or length <= span[1])


def write_metrics(variant: str, data: Path) -> None:
    """Write what `evaluate` finds on held-out data into the variant's card."""
    training.write_metrics(ASSETS / variant, evaluate(variant, data=data), decoding=f"beam search, {BEAMS} beams")


def _run(variant: str | None) -> tuple[Run, str]:
    variant = generators.card("seq2seq").variant(variant).name
    run = generators.load("seq2seq", variant)
    assert isinstance(run, Run)
    return run, variant
