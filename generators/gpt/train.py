"""Learn, test, evaluate a small transformer and its twin.

Matrices of the stack learn by Muon, all else by AdamW. Letters: B rows of a batch, T tokens of a row, E width, N vocabulary.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

import generators
from generators import tokens, training
from generators.base import BadInput
from generators.corpus import POEMS, Corpus, Verse, collate, corpus_of, learn_vocabulary, nats
from generators.data import read_poems, read_tales, read_text
from generators.gpt import Run
from generators.gpt.model import new_config, new_model, new_twin
from generators.scoring import Scorer
from generators.tokens import Shared
from generators.training import Clock, DenseLoss, Keeper, read_json, read_weights, say, write_card, write_json, write_weights

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "assets" / "gpt"
FILES = {True: "model.safetensors", False: "without.safetensors"}
"""Attention → the file of weights."""


@dataclass(frozen=True)
class Recipe:
    """How a variant is made. rates: of Muon; the better is taken. batch: tokens of one step. windows: lengths of rows of prose."""

    vocabulary: int
    width: int = 256
    layers: int = 4
    heads: int = 4
    mlp: int = 352
    rates: tuple[float, ...] = (0.015, 0.03)
    batch: int = 2048
    windows: tuple[int, ...] = (256, 256, 256, 512, 1024)
    minutes: float = 36.0
    probe: float = 1.2  # minutes for each learning rate


RECIPES = {
    "tales_en": Recipe(vocabulary=3072),
    "poems_zh": Recipe(vocabulary=3500, mlp=304, minutes=20.0),
}
OWN_TEXT = Recipe(vocabulary=2048, width=192, mlp=288, rates=(0.02,), minutes=10.0)
ADAM = 0.15  # AdamW's learning rate as a share of Muon's
WARMUP = 60  # steps


def train_transformer(
    model: Qwen3ForCausalLM,
    corpus: Corpus,
    optimizers: Mapping[str, torch.optim.Optimizer],
    *,
    clock: Clock,
    rate: float,
    batch: int,
    seed: int = 0,
    first_step: int = 0,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> int:
    """Learn until the clock says stop; the learning rate falls to nothing at the end. report(steps done, loss).

    Returns the number of steps done. The dice depend on seed and step only, so a training that goes on sees what it would have seen.
    """
    where = next(model.parameters()).device
    model.train()
    step = first_step
    while not clock.over(step):
        expected = clock.expected(step)
        now = rate * training.schedule(step, expected, WARMUP, lowest=0.01)
        for name, optimizer in optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = now if name == "muon" else now * ADAM
        rows = corpus.batch(min(1.0, step / expected), np.random.default_rng([seed, step]), batch)
        inputs, targets = collate(rows, where)
        with training.autocast(where):
            features = model.model(input_ids=inputs, use_cache=False).last_hidden_state  # (B, T, E)
        loss = DenseLoss.apply(features.flatten(0, 1), model.lm_head.weight, None, targets.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        step += 1
        report(step, loss.item())
    return step


def new_optimizers(model: Qwen3ForCausalLM) -> dict[str, torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices of the layers, AdamW for embedding and norms."""
    matrices = [weight for weight in model.model.layers.parameters() if weight.dim() == 2]
    known = {id(weight) for weight in matrices}
    others = [weight for weight in model.parameters() if id(weight) not in known]
    return {
        "muon": torch.optim.Muon(matrices, lr=0.02, weight_decay=0.0),
        "adamw": torch.optim.AdamW(others, lr=3e-3, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    }


@dataclass(frozen=True)
class Plan:
    """One training: what learns from what, for how long, and where it goes."""

    recipe: Recipe
    corpus: Corpus
    vocabulary: Shared
    out: Path
    attention: bool = True
    seed: int = 0
    minutes: float | None = None
    steps: int | None = None

    @property
    def work(self) -> Path:
        """Where the state to resume from lies: beside one's own model, but not among the assets."""
        name = "with" if self.attention else "without"
        return (ROOT / "runs" / "gpt" / self.out.name if self.out.parent == ASSETS else self.out / "training") / name

    @property
    def config(self) -> Qwen3Config:
        """Of the model with attention; the twin's follows from it."""
        sizes = {name: getattr(self.recipe, name) for name in ("width", "layers", "heads", "mlp")}
        return new_config(len(self.vocabulary.pieces), end=tokens.END, **sizes)

    def new_model(self) -> Qwen3ForCausalLM:
        training.seed(self.seed)
        return (new_model if self.attention else new_twin)(self.config).to(training.device())

    def learn(self, model: Qwen3ForCausalLM, optimizers: Mapping[str, torch.optim.Optimizer], **given: Any) -> int:
        """train_transformer on this plan's corpus; returns the steps done."""
        training.seed(self.seed)
        return train_transformer(model, self.corpus, optimizers, batch=self.recipe.batch, seed=self.seed, **given)

    def choose_rate(self) -> float:
        """The learning rate of the recipe with the lower validation loss after a short training."""
        losses = {}
        for rate in self.recipe.rates if len(self.recipe.rates) > 1 else ():
            model = self.new_model()
            self.learn(model, new_optimizers(model), clock=Clock(self.recipe.probe), rate=rate)
            losses[rate] = self.validate(model, 200)
            say(f"learning rate {rate:g}: validation loss {losses[rate]:.4f}")
        return min(losses, key=losses.__getitem__) if losses else self.recipe.rates[0]

    def validate(self, model: Qwen3ForCausalLM, most: int = 60) -> float:
        """Nats per token on at most that many of the validation rows."""
        rows = self.corpus.validation
        before = model.training
        model.eval()
        total, count = nats(logits_of(model), rows[:: max(1, len(rows) // most)][:most], training.device())
        model.train(before)
        return total / max(1, count)


def logits_of(model: Qwen3ForCausalLM) -> Callable[[Tensor], Tensor]:
    """ids (B, T) → logits (B, T, N)."""
    return lambda inputs: model(input_ids=inputs, use_cache=False).logits


def carry_out(plan: Plan, resume: bool = False, start: Path | None = None) -> None:
    """Learn as planned and write the model's files."""
    model = plan.new_model()
    optimizers = new_optimizers(model)
    parameters = sum(weight.numel() for weight in model.parameters())
    say(f"{plan.corpus}, {len(plan.vocabulary.pieces):,} tokens, {parameters:,} parameters, on {training.device()}")
    state = Keeper.state(plan.work) if resume else None
    before, rate = (state["seconds"], state["facts"]["rate"]) if state else (0.0, 0.0)
    if plan.steps is None and plan.minutes is not None and before >= plan.minutes * 60:
        before = 0.0  # that training was finished: this is another one, as long as asked for
    if resume and state is None and start is not None and (start / FILES[plan.attention]).is_file():
        read_into(model, start / FILES[plan.attention])
    rate = rate or plan.choose_rate()
    plan.out.mkdir(parents=True, exist_ok=True)
    write_files(plan.out, plan.config, plan.vocabulary, verse=isinstance(plan.corpus, Verse))
    keeper = Keeper(plan.work, model, optimizers, Clock(plan.minutes, plan.steps, before), lambda: plan.validate(model), rate=rate)
    if state:
        keeper.go_on(state)
    else:
        keeper.snapshot()
    try:
        plan.learn(model, optimizers, clock=keeper.clock, rate=rate, first_step=keeper.step, report=keeper)
    except KeyboardInterrupt:
        say("stopped; --resume goes on from here")
    keeper.save()
    keeper.snapshot()
    write_weights(plan.out / FILES[plan.attention], own_weights(model), metadata={"format": "pt"})
    facts = {
        "parameters": parameters,
        "steps": keeper.step,
        "tokens_per_step": plan.recipe.batch,
        "minutes": round(keeper.clock.seconds / 60, 1),
        "device": f"{training.device().type}, {torch.get_num_threads()} threads",
        "learning_rate": rate,
        "seed": plan.seed,
        "validation_nats_per_token": round(plan.validate(model, 1000), 4),
    }
    if plan.out.parent == ASSETS:
        write_card(plan.out, **ABOUT[plan.out.name])
    write_card(plan.out, **{"training" if plan.attention else "training_without": facts})
    say(f"wrote {FILES[plan.attention]} into {plan.out} after {keeper.step} steps")


def own_weights(model: nn.Module) -> dict[str, Tensor]:
    """All weights but the output layer's, which are the embedding's."""
    return {name: weight for name, weight in model.state_dict().items() if name != "lm_head.weight"}


def read_into(model: Qwen3ForCausalLM, path: Path) -> None:
    """The weights of a file, in float32. Raises NotReady, or RuntimeError if they do not fit."""
    weights = read_weights(path)
    model.load_state_dict({**weights, "lm_head.weight": weights["model.embed_tokens.weight"]})


def write_files(folder: Path, config: Qwen3Config, vocabulary: Shared, *, verse: bool) -> None:
    """What transformers' from_pretrained reads besides the weights. verse: whether the model writes poems of a form."""
    vocabulary.save(folder)
    write_json(folder / "config.json", {**config.to_diff_dict(), "dtype": "float16", "verse": verse})
    settings = GenerationConfig(eos_token_id=tokens.END, pad_token_id=tokens.END, do_sample=True, temperature=0.6, top_k=40, top_p=0.95)
    write_json(folder / "generation_config.json", settings.to_diff_dict())


def train(
    variant: str | None,
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

    resume goes on from the training's own state, else from the weights in the variant's folder. The twin (attention False) takes
    as many steps as the model with attention did. Raises BadInput.
    """
    if (data is None) == (text is None):
        raise BadInput("Training needs either a data folder or a text file.", "训练需要数据文件夹或文本文件，二者取一。")
    found = generators.folders("gpt")
    variant = variant or generators.find("gpt").card.default
    if variant not in found:
        generators.card("gpt").variant(variant)  # raises the sentence that names the variants
    if out is None:
        own = Path(os.environ.get("LAB_MODELS_DIR", "models")) / "gpt"
        out = found[variant] if text is None or variant not in RECIPES else own / text.stem
    start = next((each for each in (out, found[variant]) if (each / "config.json").is_file()), None) if resume or not attention else None
    recipe = RECIPES.get(variant, OWN_TEXT) if text is None or start == found[variant] else OWN_TEXT
    if start is not None:
        recipe = _as_built(recipe, read_json(start / "config.json"))
    if dry_run:
        say(f"{variant}: {_amount(variant, data, text)}; would learn for {_length(recipe, minutes, steps)} into {out}")
        return
    vocabulary = tokens.load(start) if start else learn_vocabulary(variant, data, text, recipe.vocabulary)
    shared = vocabulary if isinstance(vocabulary, Shared) else Shared.of(vocabulary)
    corpus = corpus_of(variant, data, text, shared, recipe.windows)
    if not attention and minutes is None and steps is None and (out / "card.json").is_file():
        steps = read_json(out / "card.json").get("training", {}).get("steps")
    if minutes is None and steps is None:
        minutes = recipe.minutes
    carry_out(Plan(recipe, corpus, shared, out, attention, seed, minutes, steps), resume, start)


def _as_built(recipe: Recipe, config: Mapping[str, Any]) -> Recipe:
    """The recipe with the sizes of a model that is there."""
    return replace(
        recipe,
        width=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        mlp=config["intermediate_size"],
    )


def _amount(variant: str, data: Path | None, text: Path | None) -> str:
    if text is not None:
        return f"{len(read_text(text)[0].text):,} characters"
    assert data is not None
    if variant == "poems_zh":
        return f"{sum(len(read_poems(data, name)) for name in POEMS):,} poems"
    return f"{len(read_tales(data)):,} tales"


def _length(recipe: Recipe, minutes: float | None, steps: int | None) -> str:
    return f"{steps:,} steps" if steps else f"{minutes or recipe.minutes:g} minutes"


ABOUT = {
    "tales_en": {
        "data": "78 children's books and 724 fairy tales from Project Gutenberg, in English",
        "data_licence": "public domain; period attitudes remain, a stop list works when it writes",
        "licence": "Apache-2.0",
    },
    "poems_zh": {
        "data": "186,625 Song and 34,328 Tang poems in regular verse (chinese-poetry, simplified with OpenCC): Song first, Tang last",
        "data_licence": "poems public domain; collection MIT; OpenCC Apache-2.0",
        "licence": "Apache-2.0",
    },
}
"""What the cards of the variants that ship say of their data."""


def test(variant: str | None, *, text: Path | None = None) -> dict[str, Any]:
    """Predict a text, the file's or a short sample: the loss, and what the model expected after each of the first tokens."""
    return _scorer(variant).test(text)


test.__test__ = False  # type: ignore[attr-defined]  # the article's name; pytest is not meant


def evaluate(variant: str | None, *, data: Path, limit: int | None = None) -> dict[str, dict[str, Any]]:
    """The figures of `generators.scoring` on held-out data, with and without attention."""
    return _scorer(variant).evaluate(data, limit)


def write_metrics(variant: str, data: Path) -> None:
    """Write what `evaluate` finds on held-out data into the variant's card."""
    write_card(ASSETS / variant, metrics=evaluate(variant, data=data))


def _scorer(variant: str | None) -> Scorer:
    variant = generators.card("gpt").variant(variant).name
    run = generators.load("gpt", variant)
    assert isinstance(run, Run)
    return Scorer(run, variant, lambda attention: logits_of(run.model(attention)))
