"""Learn, test, evaluate a small transformer and its twin.

Matrices of the stack learn by Muon, all else by AdamW. Letters: B rows of a batch, T tokens of a row, E width, N vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

import generators
from generators import learning, tokens, training
from generators.corpus import Row, Verse, collate, nats
from generators.gpt import Run
from generators.gpt.card import EXAMPLES
from generators.gpt.model import fill, new_config, new_model, new_twin
from generators.recording import record
from generators.roles import write_roles
from generators.scoring import Scorer
from generators.tokens import Shared
from generators.training import DenseLoss, write_json

ASSETS = learning.ROOT / "assets" / "gpt"


@dataclass(frozen=True)
class Recipe:
    """How a variant is made; see learning.Recipe. rates: of Muon. mlp: hidden features of a feed-forward block."""

    vocabulary: int
    width: int = 256
    layers: int = 4
    heads: int = 4
    mlp: int = 352
    rates: tuple[float, ...] = (0.015, 0.03)
    batch: int = 2048
    windows: tuple[int, ...] = (256, 256, 256, 512, 1024)
    minutes: float = 36.0
    probe: float = 1.2


RECIPES = {
    "tales_en": Recipe(vocabulary=3072),
    "poems_zh": Recipe(vocabulary=3500, mlp=304, minutes=20.0),
}
OWN_TEXT = Recipe(vocabulary=2048, width=192, mlp=288, rates=(0.02,), minutes=10.0)


@dataclass(frozen=True)
class Plan(learning.Plan):
    """One training of the transformer, or of its twin."""

    generator = "gpt"
    files = {True: "model", False: "without"}
    warmup = 60
    lowest = 0.01

    @property
    def bits(self) -> int:
        """The model as transformers itself reads it."""
        return 16 if self.attention else 8

    @property
    def config(self) -> Qwen3Config:
        """Of the model with attention; the twin's follows from it."""
        sizes = {name: getattr(self.recipe, name) for name in ("width", "layers", "heads", "mlp")}
        return new_config(len(self.vocabulary.pieces), end=tokens.END, **sizes)

    def build(self) -> Qwen3ForCausalLM:
        return (new_model if self.attention else new_twin)(self.config)

    def new_optimizers(self, model: Qwen3ForCausalLM) -> dict[str, torch.optim.Optimizer]:
        """Muon (Jordan et al. 2024) for the matrices of the layers, AdamW for embedding and norms."""
        matrices = [weight for weight in model.model.layers.parameters() if weight.dim() == 2]
        known = {id(weight) for weight in matrices}
        others = [weight for weight in model.parameters() if id(weight) not in known]
        return {
            "muon": torch.optim.Muon(matrices, weight_decay=0.0),
            "adamw": torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
        }

    def rate_of(self, optimizer: str) -> float:
        return {"muon": 1.0, "adamw": 0.15}[optimizer]

    def loss(self, model: Qwen3ForCausalLM, rows: list[Row]) -> Tensor:
        inputs, targets = collate(rows, next(model.parameters()).device)
        with training.autocast(inputs.device):
            features = model.model(input_ids=inputs, use_cache=False).last_hidden_state  # (B, T, E)
        loss: Tensor = DenseLoss.apply(features.flatten(0, 1), model.lm_head.weight, None, targets.flatten())
        return loss

    def nats(self, model: Qwen3ForCausalLM, rows: Sequence[Row]) -> tuple[float, int]:
        return nats(_logits_of(model), rows, next(model.parameters()).device)

    def state_of(self, model: nn.Module) -> Mapping[str, Tensor]:
        """All but the output layer's, which are the embedding's."""
        return {name: weight for name, weight in model.state_dict().items() if name != "lm_head.weight"}

    def fill(self, model: Qwen3ForCausalLM, weights: dict[str, Tensor]) -> None:
        fill(model, weights)

    def write_files(self) -> None:
        """What transformers' from_pretrained reads besides the weights, and whether the model writes poems of a form."""
        self.vocabulary.save(self.out)
        content = {**self.config.to_diff_dict(), "dtype": "float16", "verse": isinstance(self.corpus, Verse)}
        write_json(self.out / "config.json", content)
        drawn = GenerationConfig(eos_token_id=tokens.END, pad_token_id=tokens.END, do_sample=True, temperature=0.6, top_k=40, top_p=0.95)
        write_json(self.out / "generation_config.json", drawn.to_diff_dict())


def _logits_of(model: Qwen3ForCausalLM) -> Callable[[Tensor], Tensor]:
    return lambda inputs: model(input_ids=inputs, use_cache=False).logits


def train(variant: str | None, **options: Unpack[learning.Options]) -> None:
    """Train a variant, or a model of one's own on a text file, into the folder `out`. Progress goes to stderr; Ctrl-C saves.

    resume goes on from the training's own state, else from the weights in the variant's folder. The twin (attention False) takes
    as many steps as the model with attention did. Raises BadInput.
    """
    command = learning.Command.read("gpt", RECIPES, OWN_TEXT, _as_built, variant, **options)
    if command.dry_run:
        command.announce(command.amount())
        return
    vocabulary, corpus = command.material()
    command.carry_out(Plan, corpus, Shared.of(vocabulary))
    if command.ships:
        finish(command.variant)


def finish(variant: str) -> None:
    """What ships beside trained weights: stored examples, one example while it learned, what the heads do."""
    folder = ASSETS / variant
    run = Run.load(folder)
    record(run, variant, EXAMPLES[variant], folder, learning.ROOT / "runs" / "gpt" / variant / "model" / "snapshots")
    write_roles(run, variant, folder)


def _as_built(recipe: Recipe, config: Mapping[str, Any]) -> Recipe:
    """The recipe with the sizes of a model that is there."""
    return replace(
        recipe,
        width=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        mlp=config["intermediate_size"],
    )


def test(variant: str | None, *, text: Path | None = None) -> dict[str, Any]:
    """Predict a text, the file's or a short sample: the loss, and what the model expected after each of the first tokens."""
    return _scorer(variant).test(text)


test.__test__ = False  # type: ignore[attr-defined]  # the article's name; pytest is not meant


def evaluate(variant: str | None, *, data: Path, limit: int | None = None) -> dict[str, dict[str, Any]]:
    """The figures of `generators.scoring` on held-out data, with and without attention."""
    return _scorer(variant).evaluate(data, limit)


def write_metrics(variant: str, data: Path) -> None:
    """Write what `evaluate` finds on held-out data into the variant's card."""
    training.write_metrics(ASSETS / variant, evaluate(variant, data=data))


def _scorer(variant: str | None) -> Scorer:
    variant = generators.card("gpt").variant(variant).name
    run = generators.load("gpt", variant)
    assert isinstance(run, Run)
    return Scorer(run, variant, lambda attention: _logits_of(run.model(attention)))
