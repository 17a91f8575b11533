"""Learn, test, evaluate: the article's `train_attention_model` and `test_attention_model`, and what calls them.

Letters: B rows of a batch, T tokens of a row, E embedding, N vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import torch
from torch import Tensor

import generators
from generators import learning, training
from generators.corpus import WINDOW, Row, Verse, collate, nats
from generators.lstm import Run
from generators.lstm.card import EXAMPLES
from generators.lstm.model import AttentionModel
from generators.recording import record
from generators.scoring import Scorer
from generators.training import Clock, DenseLoss, adamw, write_json

ASSETS = learning.ROOT / "assets" / "lstm"


@dataclass(frozen=True)
class Recipe:
    """How a variant is made; see learning.Recipe."""

    vocabulary: int
    embedding_dim: int
    lstm_units: int
    attention_heads: int = 4
    dropout: float = 0.0  # a short training sees hardly any text twice
    rates: tuple[float, ...] = (1.5e-3, 3e-3)
    batch: int = 1280
    minutes: float = 20.0
    probe: float = 0.6  # minutes for each learning rate
    windows: tuple[int, ...] = (WINDOW, WINDOW // 2)  # shorter ones make more rows, which a processor likes


RECIPES = {
    "tales_en": Recipe(vocabulary=2560, embedding_dim=256, lstm_units=352, batch=2048, minutes=22.0),
    "poems_zh": Recipe(vocabulary=3500, embedding_dim=192, lstm_units=320),
}
OWN_TEXT = Recipe(vocabulary=2048, embedding_dim=128, lstm_units=256, dropout=0.2, rates=(3e-3,), minutes=10.0)


def train_attention_model(
    plan: Plan,
    model: AttentionModel,
    *,
    clock: Clock,
    rate: float,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> int:
    """The article's `train_attention_model`: learn until the clock says stop. report(steps done, loss). Returns the steps done."""
    return plan.learn(model, plan.new_optimizers(model), clock=clock, rate=rate, report=report)


def test_attention_model(model: AttentionModel, rows: Iterable[Row]) -> tuple[float, int]:
    """The article's `test_attention_model`: (−Σ ln p over all predicted tokens in nats, their number). Padding does not count."""
    model.eval()
    return nats(logits_of(model), rows, next(model.parameters()).device)


test_attention_model.__test__ = False  # type: ignore[attr-defined]  # the article's name; pytest is not meant


def logits_of(model: AttentionModel) -> Callable[[Tensor], Tensor]:
    """Token ids (B, T) → logits (B, T, N)."""
    return lambda inputs: model(inputs)[0]


@dataclass(frozen=True)
class Plan(learning.Plan):
    """One training of the article's text model, or of its twin."""

    generator = "lstm"

    @property
    def config(self) -> dict[str, Any]:
        """The model's arguments, but for `attention`."""
        return {
            "vocab_size": len(self.vocabulary.pieces),
            "embedding_dim": self.recipe.embedding_dim,
            "lstm_units": self.recipe.lstm_units,
            "attention_heads": self.recipe.attention_heads,
        }

    def build(self) -> AttentionModel:
        return AttentionModel(**self.config, dropout=self.recipe.dropout, attention=self.attention)

    def new_optimizers(self, model: AttentionModel) -> dict[str, torch.optim.Optimizer]:
        return {"adamw": adamw(model)}

    def loss(self, model: AttentionModel, rows: list[Row]) -> Tensor:
        inputs, targets = collate(rows, next(model.parameters()).device)
        with training.autocast(inputs.device):
            features, _ = model.features(inputs)  # (B, T, E)
        loss: Tensor = DenseLoss.apply(features.flatten(0, 1), model.embedding.weight, model.bias, targets.flatten())
        return loss

    def nats(self, model: AttentionModel, rows: Sequence[Row]) -> tuple[float, int]:
        return nats(logits_of(model), rows, next(model.parameters()).device)

    def write_files(self) -> None:
        self.vocabulary.save(self.out)
        write_json(self.out / "config.json", {"model": self.config, "verse": isinstance(self.corpus, Verse)})


def train(variant: str | None, **options: Unpack[learning.Options]) -> None:
    """Train a variant, or a model of one's own on a text file, into the folder `out`. Progress goes to stderr; Ctrl-C saves.

    resume goes on from the training's own state, else from the weights in the variant's folder. The twin (attention False) takes
    as many steps as the model with attention did. Raises BadInput.
    """
    command = learning.Command.read("lstm", RECIPES, OWN_TEXT, _as_built, variant, **options)
    if command.dry_run:
        command.announce(command.amount())
        return
    vocabulary, corpus = command.material()
    plan = command.carry_out(Plan, corpus, vocabulary)
    if command.ships:
        record(Run.load(command.out), command.variant, EXAMPLES[command.variant], command.out, plan.work / "snapshots")


def _as_built(recipe: Recipe, config: Mapping[str, Any]) -> Recipe:
    """The recipe with the sizes of a model that is there."""
    return replace(recipe, **{name: config["model"][name] for name in ("embedding_dim", "lstm_units", "attention_heads")})


def test(variant: str | None, *, text: Path | None = None) -> dict[str, Any]:
    """Predict a text, the file's or a short sample: the loss, and what the model expected after each of the first tokens."""
    return scorer_of(variant).test(text)


test.__test__ = False  # type: ignore[attr-defined]


def evaluate(variant: str | None, *, data: Path, limit: int | None = None) -> dict[str, dict[str, Any]]:
    """The figures of `generators.scoring` on held-out data, with and without attention."""
    return scorer_of(variant).evaluate(data, limit)


def write_metrics(variant: str, data: Path) -> None:
    """Write what `evaluate` finds on held-out data into the variant's card."""
    training.write_metrics(ASSETS / variant, evaluate(variant, data=data))


def scorer_of(variant: str | None) -> Scorer:
    """What judges a variant that is there. Raises NotReady."""
    variant = generators.card("lstm").variant(variant).name
    run = generators.load("lstm", variant)
    assert isinstance(run, Run)
    return Scorer(run, variant, lambda attention: logits_of(run.model(attention)))
