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
from generators import learning, tokens, training
from generators.corpus import WINDOW, Row, Verse, collate, corpus_of, nats
from generators.data import Document
from generators.lstm import Run
from generators.lstm.card import EXAMPLES
from generators.lstm.model import AttentionModel
from generators.recording import record
from generators.scoring import QUATRAINS, Scorer, quatrains
from generators.training import Clock, DenseLoss, adamw, read_json, read_weights, say, write_card, write_json, write_weights

ASSETS = learning.ROOT / "assets" / "lstm"
STUDIED = learning.ROOT / "runs" / "lstm" / "seeds"


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
STUDY = Recipe(vocabulary=3500, embedding_dim=96, lstm_units=160, dropout=0.1, rates=(2e-3, 4e-3), batch=640, probe=0.2)
STUDY_STEPS = 900


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
    return nats(_logits_of(model), rows, next(model.parameters()).device)


test_attention_model.__test__ = False  # type: ignore[attr-defined]  # the article's name; pytest is not meant


def _logits_of(model: AttentionModel) -> Callable[[Tensor], Tensor]:
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
        return nats(_logits_of(model), rows, next(model.parameters()).device)

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


SEEDS = (0, 1, 2)


def study_seeds(data: Path, out: Path = ASSETS / "poems_zh") -> None:
    """Three small models with and three without attention on the Tang poems, for the spread that chance makes; into STUDIED.

    They do not ship: their figures, which `write_metrics` takes then, stay in the card of `out`.
    """
    vocabulary = tokens.load(out)
    corpus = corpus_of("tang", data, None, vocabulary)
    plans = {each: Plan(STUDY, corpus, vocabulary, STUDIED, each, steps=STUDY_STEPS) for each in (True, False)}
    rates = {each: plan.choose_rate() for each, plan in plans.items()}
    for seed in SEEDS:
        for attention in (True, False):
            plan = replace(plans[attention], seed=seed)
            model = plan.new_model()
            train_attention_model(plan, model, clock=Clock(steps=STUDY_STEPS), rate=rates[attention])
            write_weights(STUDIED / f"{plan.files[attention]}-{seed}.safetensors", model.state_dict(), bits=plan.bits)
            say(f"seed {seed}, {plan.files[attention]}: validation {plan.validate(model, 1000):.4f}")
    write_json(STUDIED / "config.json", {"model": plans[True].config})
    write_card(out, seed_study={"steps": STUDY_STEPS, "rates": [rates[True], rates[False]], "seeds": list(SEEDS), "data": "Tang poems"})


def test(variant: str | None, *, text: Path | None = None) -> dict[str, Any]:
    """Predict a text, the file's or a short sample: the loss, and what the model expected after each of the first tokens."""
    return _scorer(variant).test(text)


test.__test__ = False  # type: ignore[attr-defined]


def evaluate(variant: str | None, *, data: Path, limit: int | None = None) -> dict[str, dict[str, Any]]:
    """The figures of `generators.scoring` on held-out data, with and without; for poems also over the models of `study_seeds`, if there."""
    scorer = _scorer(variant)
    found = scorer.evaluate(data, limit)
    if QUATRAINS in found:
        found[QUATRAINS] |= _seeds(scorer, quatrains(data, limit))
    return found


def write_metrics(variant: str, data: Path) -> None:
    """Write what `evaluate` finds on held-out data into the variant's card; figures of the seed study stay where it is not there."""
    known = read_json(ASSETS / variant / "card.json").get("metrics", {})
    write_card(ASSETS / variant, metrics={name: known.get(name, {}) | row for name, row in evaluate(variant, data=data).items()})


def _scorer(variant: str | None) -> Scorer:
    variant = generators.card("lstm").variant(variant).name
    run = generators.load("lstm", variant)
    assert isinstance(run, Run)
    return Scorer(run, variant, lambda attention: _logits_of(run.model(attention)))


def _seeds(scorer: Scorer, poems: Sequence[Document]) -> dict[str, list[float]]:
    """The same figure of the small models of the seed study, where they are."""
    if not (STUDIED / "config.json").is_file():
        return {}
    config = read_json(STUDIED / "config.json")["model"]
    figures: dict[str, list[float]] = {}
    for name, attention in (("with", True), ("without", False)):
        model = AttentionModel(**config, attention=attention)
        figures[f"{name}_seeds"] = []
        for path in sorted(STUDIED.glob(f"{Plan.files[attention]}-*.safetensors")):
            model.load_state_dict(read_weights(path))
            figures[f"{name}_seeds"].append(scorer.verse_bits(_logits_of(model.eval()), poems))
    return figures
