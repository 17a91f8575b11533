"""Learn, test, evaluate: the article's train_attention_model and test_attention_model, and what feeds them.

Letters: B rows of a batch, T tokens of a row.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from generators.base import BadInput
from generators.data import FORMS, Document, read_books, read_poems, read_tales, read_text, split_off, without_lines_of
from generators.lstm import tokens
from generators.lstm.model import AttentionModel
from generators.lstm.tokens import END, TEXT, TITLE, Characters, Pieces, Vocabulary
from generators.training import (
    Clock,
    autocast,
    device,
    load_state,
    read_json,
    read_weights,
    save_state,
    schedule,
    snapshot_steps,
    write_card,
    write_json,
    write_weights,
)
from generators.training import (
    seed as set_seed,
)

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "assets" / "lstm"
VALIDATION = 0.01  # share of the texts; for choosing learning rates and for progress
WINDOW = 256  # tokens of a window of prose
IGNORED = -100


@dataclass(frozen=True)
class Recipe:
    """How a variant is made. batch: tokens of one step. rates: the better of these learning rates is taken."""

    vocabulary: int
    embedding_dim: int
    lstm_units: int
    attention_heads: int = 4
    dropout: float = 0.05
    rates: tuple[float, ...] = (2e-3, 5e-3)
    batch: int = 5120
    minutes: float = 18.0
    probe: float = 1.0  # minutes for each learning rate


RECIPES = {
    "tales_en": Recipe(vocabulary=2560, embedding_dim=256, lstm_units=352, minutes=22.0),
    "poems_zh": Recipe(vocabulary=4096, embedding_dim=192, lstm_units=320),
}
OWN_TEXT = Recipe(vocabulary=2048, embedding_dim=128, lstm_units=256, dropout=0.2, rates=(3e-3,), minutes=10.0)
SEED_STUDY = Recipe(vocabulary=4096, embedding_dim=96, lstm_units=160, dropout=0.2, rates=(3e-3, 6e-3), minutes=2.0, probe=0.5)


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
    """Texts one after the other, read in windows at random places."""

    def __init__(self, texts: Sequence[Document], validation: Sequence[Document], vocabulary: Vocabulary) -> None:
        self._stream = np.concatenate([_prose_ids(text, vocabulary, titled=True) for text in texts])
        self.validation = [row for text in validation for row in prose_rows(text, vocabulary)]

    def batch(self, progress: float, dice: np.random.Generator, size: int) -> list[Row]:
        length = min(WINDOW + 1, len(self._stream))
        starts = dice.integers(0, len(self._stream) - length + 1, max(1, size // WINDOW))
        return [Row(self._stream[start : start + length]) for start in starts]

    def __str__(self) -> str:
        return f"{len(self._stream):,} tokens of prose"


class Verse:
    """Poems, one a row, of one form in each batch; half of the batches with their titles.

    The first 70 % of the training read `early` poems, the rest `late` ones with a quarter of early ones between them.
    """

    def __init__(
        self, early: Sequence[Document], late: Sequence[Document], validation: Sequence[Document], vocabulary: Vocabulary
    ) -> None:
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
        form = tokens.form_token(*FORMS[poem.form])
        titled = [form, TITLE, *vocabulary.encode(poem.title[:20]), TEXT]
        text = [*vocabulary.encode(poem.text), END]
        groups.setdefault(poem.form, []).append((np.array(titled, np.int32), np.array([form, TEXT], np.int32), np.array(text, np.int32)))
    return groups


def verse_row(poem: Document, vocabulary: Vocabulary) -> Row:
    """A poem without its title; form and text mark are given, every character and the end are predicted."""
    return Row(np.array([tokens.form_token(*FORMS[poem.form]), TEXT, *vocabulary.encode(poem.text), END], np.int32), first=2)


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


class DenseLoss(torch.autograd.Function):
    """Mean cross-entropy of the Dense layer's softmax, a few hundred positions at a time.

    The logits of a whole batch would not fit a cache; here each part is turned into its gradients while it is there, which more than
    halves the time of a step on a CPU. Products in bfloat16, softmax and sums in float32.
    """

    PART = 512

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        """features: (B·T, E). weight: (N, E). bias: (N,). targets: (B·T,), IGNORED where nothing is predicted."""
        keep = targets != IGNORED
        narrow, narrow_weight = features.detach()[keep].bfloat16(), weight.detach().bfloat16()
        targets = targets[keep]
        to_features = torch.empty_like(narrow)
        to_weight, to_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        total = weight.new_zeros(())
        for start in range(0, len(targets), DenseLoss.PART):
            part, wanted = narrow[start : start + DenseLoss.PART], targets[start : start + DenseLoss.PART, None]
            probabilities = torch.log_softmax((part @ narrow_weight.T).float().add_(bias), -1)
            total -= probabilities.gather(1, wanted).sum()
            error = probabilities.exp_().scatter_add_(1, wanted, torch.full_like(wanted, -1, dtype=torch.float32))  # p − onehot
            to_bias += error.sum(0)
            error = error.bfloat16()
            to_features[start : start + DenseLoss.PART] = error @ narrow_weight
            to_weight += error.T @ part
        whole = torch.zeros_like(features)
        whole[keep] = to_features.to(features.dtype)
        ctx.save_for_backward(whole, to_weight, to_bias)
        ctx.count = max(1, len(targets))
        return total / ctx.count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        factor = gradients[0] / ctx.count
        to_features, to_weight, to_bias = ctx.saved_tensors
        return to_features * factor.to(to_features.dtype), to_weight * factor, to_bias * factor, None


def train_attention_model(
    model: AttentionModel,
    corpus: Corpus,
    optimizer: torch.optim.Optimizer,
    *,
    clock: Clock,
    rate: float,
    batch: int,
    seed: int = 0,
    first_step: int = 0,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> int:
    """Learn until the clock says stop. rate: highest learning rate. batch: tokens of a step. report(steps done, loss).

    Returns the number of steps done. The dice depend on seed and step only, so a training that goes on sees what it would have seen.
    """
    where = next(model.parameters()).device
    model.train()
    step = first_step
    while not clock.over(step):
        expected = clock.expected(step)
        for group in optimizer.param_groups:
            group["lr"] = rate * schedule(step, expected)
        rows = corpus.batch(min(1.0, step / expected), np.random.default_rng([seed, step]), batch)
        inputs, targets = collate(rows, where)
        with autocast(where):
            features, _ = model.features(inputs)  # (B, T, E)
        loss = DenseLoss.apply(features.flatten(0, 1), model.embedding.weight, model.bias, targets.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        report(step, loss.item())
    return step


@torch.inference_mode()
def test_attention_model(model: AttentionModel, rows: Iterable[Row], batch: int = 16384) -> tuple[float, int]:
    """(−Σ ln p over all predicted tokens in nats, their number). Padding does not count."""
    where = next(model.parameters()).device
    model.eval()
    nats, count = 0.0, 0
    for part in _batches(sorted(rows, key=lambda row: len(row.ids)), batch):
        inputs, targets = collate(part, where)
        logits, _ = model(inputs)
        loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")
        nats, count = nats + loss.item(), count + int((targets != IGNORED).sum())
    return nats, count


test_attention_model.__test__ = False  # type: ignore[attr-defined]  # the article's name, not a test of ours


def _batches(rows: Sequence[Row], batch: int) -> Iterable[list[Row]]:
    part: list[Row] = []
    for row in rows:
        if part and (len(part) + 1) * len(row.ids) > batch:
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def new_optimizer(model: AttentionModel) -> torch.optim.AdamW:
    """AdamW; matrices decay, biases and norms do not."""
    matrices = [weight for weight in model.parameters() if weight.dim() > 1]
    vectors = [weight for weight in model.parameters() if weight.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98), fused=True)


def new_model(recipe: Recipe, vocabulary: Vocabulary, attention: bool) -> AttentionModel:
    return AttentionModel(
        len(vocabulary.pieces),
        recipe.embedding_dim,
        recipe.lstm_units,
        recipe.attention_heads,
        dropout=recipe.dropout,
        attention=attention,
    )


def choose_rate(recipe: Recipe, corpus: Corpus, vocabulary: Vocabulary, attention: bool, seed: int) -> float:
    """The learning rate of the recipe with the lower validation loss after a short training."""
    if len(recipe.rates) == 1:
        return recipe.rates[0]
    losses = {}
    for rate in recipe.rates:
        set_seed(seed)
        model = new_model(recipe, vocabulary, attention).to(device())
        clock = Clock(minutes=recipe.probe)
        train_attention_model(model, corpus, new_optimizer(model), clock=clock, rate=rate, batch=recipe.batch, seed=seed)
        nats, count = test_attention_model(model, _sample(corpus.validation))
        losses[rate] = nats / count
        say(f"learning rate {rate:g}: validation loss {losses[rate]:.4f}")
    return min(losses, key=losses.__getitem__)


def _sample(rows: Sequence[Row], most: int = 400) -> Sequence[Row]:
    return rows[:: max(1, len(rows) // most)][:most]


def say(line: str) -> None:
    """A line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def corpus_of(variant: str, data: Path | None, text: Path | None, vocabulary: Vocabulary) -> Corpus:
    """What a variant learns from: a data folder, or one text file."""
    if text is not None:
        whole = read_text(text)[0].text
        cut = whole.rfind("\n", 0, int(len(whole) * 0.95)) + 1 or int(len(whole) * 0.95)
        return Prose([Document(whole[:cut])], [Document(whole[cut:] or whole)], vocabulary)
    assert data is not None
    if variant == "poems_zh":
        song, song_validation = split_off(read_poems(data, "song_regular"), VALIDATION)
        tang, tang_validation = split_off(read_poems(data, "tang_regular"), VALIDATION)
        return Verse(song, tang, [*song_validation, *tang_validation], vocabulary)
    tales, validation = split_off(read_tales(data), 2 * VALIDATION)
    return Prose([*without_lines_of(read_books(data), validation), *tales], validation, vocabulary)


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


def train(
    variant: str,
    *,
    data: Path | None = None,
    text: Path | None = None,
    out: Path | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    attention: bool = True,
    seed: int = 0,
    resume: bool = False,
    dry_run: bool = False,
) -> None:
    """Train a variant, or a model of one's own on a text file, into the folder `out`. Progress goes to stderr; Ctrl-C saves.

    resume goes on from the training's own state, or from the weights in the variant's folder. The twin (attention False) takes
    as many steps as the model with attention did. Raises BadInput.
    """
    if variant not in RECIPES:
        raise BadInput(f"The variants of lstm are {', '.join(RECIPES)}.", f"lstm 的变体有 {'、'.join(RECIPES)}。")
    if (data is None) == (text is None):
        raise BadInput("Training needs either a data folder or a text file.", "训练需要数据文件夹或文本文件，二者取一。")
    shipped = ASSETS / variant
    if out is None:
        out = shipped if text is None else Path(os.environ.get("LAB_MODELS_DIR", "models")) / "lstm" / text.stem
    recipe = RECIPES[variant] if text is None or (resume and not (out / "config.json").is_file()) else OWN_TEXT
    start = out if (out / "config.json").is_file() else shipped if resume and (shipped / "config.json").is_file() else None
    vocabulary = tokens.load(start) if start and (resume or not attention) else learn_vocabulary(variant, data, text, recipe.vocabulary)
    corpus = corpus_of(variant, data, text, vocabulary)
    set_seed(seed)
    model = new_model(recipe, vocabulary, attention).to(device())
    parameters = sum(weight.numel() for weight in model.parameters())
    say(f"{variant}: {corpus}, {len(vocabulary.pieces):,} tokens, {parameters:,} parameters, on {device()}")
    if not attention and minutes is None and steps is None and (out / "card.json").is_file():
        steps = read_json(out / "card.json").get("training", {}).get("steps")
    if minutes is None and steps is None:
        minutes = recipe.minutes
    if dry_run:
        say(f"would train for {minutes or '∞'} minutes or {steps or '∞'} steps into {out}")
        return
    out.mkdir(parents=True, exist_ok=True)
    if start != out or (not resume and attention):
        vocabulary.save(out)
    name = "weights" if attention else "without"
    work = ROOT / "runs" / "lstm" / out.name / name
    optimizer = new_optimizer(model)
    first_step, before, rate = 0, 0.0, 0.0
    if resume and (work / "state.pt").is_file():
        state = load_state(work / "state.pt")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first_step, before, rate = state["step"], state["seconds"], state["rate"]
        set_seed(seed + first_step)
    elif resume and start is not None and (start / f"{name}.safetensors").is_file():
        model.load_state_dict(read_weights(start / f"{name}.safetensors"))
    rate = rate or choose_rate(recipe, corpus, vocabulary, attention, seed)
    set_seed(seed)
    config = {
        "vocab_size": len(vocabulary.pieces),
        "embedding_dim": recipe.embedding_dim,
        "lstm_units": recipe.lstm_units,
        "attention_heads": recipe.attention_heads,
    }
    write_json(out / "config.json", {"model": config, "verse": variant == "poems_zh" and text is None})
    keeper = Keeper(model, optimizer, corpus, work, rate, Clock(minutes, steps, before))
    try:
        done = train_attention_model(
            model, corpus, optimizer, clock=keeper.clock, rate=rate, batch=recipe.batch, seed=seed, first_step=first_step, report=keeper
        )
    except KeyboardInterrupt:
        done = keeper.step
        say("stopped; --resume goes on from here")
    keeper.save()
    write_weights(out / f"{name}.safetensors", model.state_dict())
    facts = {
        "steps": done,
        "tokens_per_step": recipe.batch,
        "minutes": round(keeper.clock.seconds / 60, 1),
        "threads": torch.get_num_threads(),
        "device": device().type,
        "learning_rate": rate,
        "seed": seed,
        "validation_nats_per_token": round(keeper.validate(), 4),
    }
    write_card(out, parameters=parameters) if attention else None
    write_card(out, **{"training" if attention else "training_without": facts})
    say(f"wrote {out / name}.safetensors after {done} steps")


class Keeper:
    """Hears of every step: prints progress, keeps the state to resume from, and weights on the way (`snapshots/STEP`)."""

    def __init__(
        self, model: AttentionModel, optimizer: torch.optim.Optimizer, corpus: Corpus, work: Path, rate: float, clock: Clock
    ) -> None:
        self.model, self.optimizer, self.corpus, self.work, self.rate, self.clock = model, optimizer, corpus, work, rate, clock
        self.step, self._loss, self._said, self._saved = 0, 0.0, time.monotonic(), time.monotonic()
        self._snapshots: list[int] = []
        self.snapshot(0)

    def __call__(self, step: int, loss: float) -> None:
        self.step = step
        self._loss = loss if step == 1 else 0.98 * self._loss + 0.02 * loss
        if step in (5, 25):
            self._snapshots = snapshot_steps(self.clock.expected(step))
        if step in self._snapshots or step == 5:
            self.snapshot(step)
        if time.monotonic() - self._said > 30:
            self._said = time.monotonic()
            say(f"step {step} of {self.clock.expected(step)}, loss {self._loss:.4f}, validation {self.validate():.4f}")
        if time.monotonic() - self._saved > 120:
            self._saved = time.monotonic()
            self.save()

    def snapshot(self, step: int) -> None:
        write_weights(self.work / "snapshots" / f"{step}.safetensors", self.model.state_dict())

    def save(self) -> None:
        self.snapshot(self.step)
        save_state(
            self.work / "state.pt",
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            step=self.step,
            seconds=self.clock.seconds,
            rate=self.rate,
        )

    def validate(self) -> float:
        """Nats per token on a part of the validation texts."""
        nats, count = test_attention_model(self.model, _sample(self.corpus.validation, 100))
        self.model.train()
        return nats / max(1, count)
