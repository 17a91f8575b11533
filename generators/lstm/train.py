"""Learn, test, evaluate: the article's `train_attention_model` and `test_attention_model`, and what calls them.

Letters: B rows of a batch, T tokens of a row, E embedding, N vocabulary.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import generators
from generators import tokens, training
from generators.base import BadInput, Request
from generators.corpus import Corpus, Row, Verse, collate, corpus_of, learn_vocabulary, prose_rows, verse_row
from generators.data import Document, read_poems, read_tales, read_text
from generators.lstm import Run
from generators.lstm.card import CARD, EXAMPLES
from generators.lstm.model import AttentionModel
from generators.metrics import bits_per_char, well_formed
from generators.prompts import line_width
from generators.recording import record
from generators.training import IGNORED, Clock, read_json, read_weights, say, write_card, write_json, write_weights

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "assets" / "lstm"


@dataclass(frozen=True)
class Recipe:
    """How a variant is made. batch: tokens of one step. rates: the better of these learning rates is taken."""

    vocabulary: int
    embedding_dim: int
    lstm_units: int
    attention_heads: int = 4
    dropout: float = 0.0  # a short training sees hardly any text twice
    rates: tuple[float, ...] = (1.5e-3, 3e-3)
    batch: int = 1280
    minutes: float = 20.0
    probe: float = 0.6  # minutes for each learning rate


RECIPES = {
    "tales_en": Recipe(vocabulary=2560, embedding_dim=256, lstm_units=352, batch=2048, minutes=22.0),
    "poems_zh": Recipe(vocabulary=3500, embedding_dim=192, lstm_units=320),
}
OWN_TEXT = Recipe(vocabulary=2048, embedding_dim=128, lstm_units=256, dropout=0.2, rates=(3e-3,), minutes=10.0)
STUDY = Recipe(vocabulary=3500, embedding_dim=96, lstm_units=160, dropout=0.1, rates=(2e-3, 4e-3), batch=640, probe=0.2)
STUDY_STEPS = 900


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
            group["lr"] = rate * training.schedule(step, expected)
        rows = corpus.batch(min(1.0, step / expected), np.random.default_rng([seed, step]), batch)
        inputs, targets = collate(rows, where)
        with training.autocast(where):
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
def test_attention_model(model: AttentionModel, rows: Iterable[Row], batch: int = 8192) -> tuple[float, int]:
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


test_attention_model.__test__ = False  # type: ignore[attr-defined]  # the article's name; pytest is not meant


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


@dataclass(frozen=True)
class Plan:
    """One training: what learns from what, for how long, and where it goes."""

    recipe: Recipe
    corpus: Corpus
    vocabulary: tokens.Vocabulary
    out: Path
    attention: bool = True
    seed: int = 0
    minutes: float | None = None
    steps: int | None = None

    @property
    def name(self) -> str:
        """Of the file of weights."""
        return "weights" if self.attention else "without"

    @property
    def work(self) -> Path:
        """Where the state to resume from lies: beside one's own model, but not among the assets."""
        return (ROOT / "runs" / "lstm" / self.out.name if self.out.parent == ASSETS else self.out / "training") / self.name

    @property
    def config(self) -> dict[str, Any]:
        """The model's arguments, but for `attention`."""
        return {
            "vocab_size": len(self.vocabulary.pieces),
            "embedding_dim": self.recipe.embedding_dim,
            "lstm_units": self.recipe.lstm_units,
            "attention_heads": self.recipe.attention_heads,
        }

    def new_model(self) -> AttentionModel:
        training.seed(self.seed)
        return AttentionModel(**self.config, dropout=self.recipe.dropout, attention=self.attention).to(training.device())

    def learn(self, model: AttentionModel, optimizer: torch.optim.Optimizer, **given: Any) -> int:
        """train_attention_model on this plan's corpus; returns the steps done."""
        training.seed(self.seed)
        return train_attention_model(model, self.corpus, optimizer, batch=self.recipe.batch, seed=self.seed, **given)

    def choose_rate(self) -> float:
        """The learning rate of the recipe with the lower validation loss after a short training."""
        losses = {}
        for rate in self.recipe.rates if len(self.recipe.rates) > 1 else ():
            model = self.new_model()
            self.learn(model, new_optimizer(model), clock=Clock(self.recipe.probe), rate=rate)
            losses[rate] = validate(model, self.corpus, 400)
            say(f"learning rate {rate:g}: validation loss {losses[rate]:.4f}")
        return min(losses, key=losses.__getitem__) if losses else self.recipe.rates[0]


def validate(model: AttentionModel, corpus: Corpus, most: int = 100) -> float:
    """Nats per token on at most that many of the validation rows."""
    rows = corpus.validation
    training_before = model.training
    nats, count = test_attention_model(model, rows[:: max(1, len(rows) // most)][:most])
    model.train(training_before)
    return nats / max(1, count)


class Keeper:
    """Hears of every step: prints progress, keeps the state to resume from, and weights on the way (`snapshots/STEP`)."""

    def __init__(self, plan: Plan, model: AttentionModel, optimizer: torch.optim.Optimizer, rate: float, clock: Clock, step: int) -> None:
        self.plan, self.model, self.optimizer, self.rate, self.clock, self.step = plan, model, optimizer, rate, clock, step
        self._first, self._loss = step, math.nan
        self._said = self._saved = time.monotonic()
        self._snapshots: list[int] = []
        if step == 0:
            self.snapshot()

    def __call__(self, step: int, loss: float) -> None:
        self.step = step
        self._loss = loss if math.isnan(self._loss) else 0.98 * self._loss + 0.02 * loss
        if step - self._first in (5, 50):  # by now the speed is known
            self._snapshots = training.snapshot_steps(self.clock.expected(step))
        if step in self._snapshots:
            self.snapshot()
        if time.monotonic() - self._said > 30:
            validation = validate(self.model, self.plan.corpus)
            say(f"step {step} of {self.clock.expected(step)}, loss {self._loss:.4f}, validation {validation:.4f}")
            self._said = time.monotonic()
        if time.monotonic() - self._saved > 120:
            self.save()
            self._saved = time.monotonic()

    def snapshot(self) -> None:
        write_weights(self.plan.work / "snapshots" / f"{self.step}.safetensors", self.model.state_dict())

    def save(self) -> None:
        training.save_state(
            self.plan.work / "state.pt",
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            step=self.step,
            seconds=self.clock.seconds,
            rate=self.rate,
        )


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
    found = generators.folders("lstm")
    variant = variant or CARD.default
    if variant not in found:
        generators.card("lstm").variant(variant)  # raises the sentence that names the variants
    if out is None:
        own = Path(os.environ.get("LAB_MODELS_DIR", "models")) / "lstm"
        out = found[variant] if text is None or variant not in RECIPES else own / text.stem
    start = next((each for each in (out, found[variant]) if (each / "config.json").is_file()), None) if resume or not attention else None
    recipe = RECIPES.get(variant, OWN_TEXT) if text is None or start == found[variant] else OWN_TEXT
    if start is not None:
        recipe = _as_built(recipe, read_json(start / "config.json")["model"])
    if dry_run:
        say(f"{variant}: {_amount(variant, data, text)}; would learn for {_length(recipe, minutes, steps)} into {out}")
        return
    vocabulary = tokens.load(start) if start else learn_vocabulary(variant, data, text, recipe.vocabulary)
    corpus = corpus_of(variant, data, text, vocabulary)
    if not attention and minutes is None and steps is None and (out / "card.json").is_file():
        steps = read_json(out / "card.json").get("training", {}).get("steps")
    if minutes is None and steps is None:
        minutes = recipe.minutes
    plan = Plan(recipe, corpus, vocabulary, out, attention, seed, minutes, steps)
    carry_out(plan, resume, start)
    if attention and text is None and out == found[variant] and variant in RECIPES:
        record(Run.load(out), variant, EXAMPLES[variant], out, plan.work / "snapshots")


def carry_out(plan: Plan, resume: bool = False, start: Path | None = None) -> None:
    """Learn as planned and write the model's files."""
    model = plan.new_model()
    optimizer = new_optimizer(model)
    parameters = sum(weight.numel() for weight in model.parameters())
    say(f"{plan.corpus}, {len(plan.vocabulary.pieces):,} tokens, {parameters:,} parameters, on {training.device()}")
    first_step, before, rate = 0, 0.0, 0.0
    if resume and (plan.work / "state.pt").is_file():
        state = training.load_state(plan.work / "state.pt")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first_step, before, rate = state["step"], state["seconds"], state["rate"]
        if plan.steps is None and plan.minutes is not None and before >= plan.minutes * 60:
            before = 0.0  # that training was finished: this is another one, as long as asked for
    elif resume and start is not None and (start / f"{plan.name}.safetensors").is_file():
        model.load_state_dict(read_weights(start / f"{plan.name}.safetensors"))
    rate = rate or plan.choose_rate()
    plan.out.mkdir(parents=True, exist_ok=True)
    plan.vocabulary.save(plan.out)
    write_json(plan.out / "config.json", {"model": plan.config, "verse": isinstance(plan.corpus, Verse)})
    keeper = Keeper(plan, model, optimizer, rate, Clock(plan.minutes, plan.steps, before), first_step)
    try:
        plan.learn(model, optimizer, clock=keeper.clock, rate=rate, first_step=first_step, report=keeper)
    except KeyboardInterrupt:
        say("stopped; --resume goes on from here")
    keeper.save()
    keeper.snapshot()
    write_weights(plan.out / f"{plan.name}.safetensors", model.state_dict())
    facts = {
        "parameters": parameters,
        "steps": keeper.step,
        "tokens_per_step": plan.recipe.batch,
        "minutes": round(keeper.clock.seconds / 60, 1),
        "device": f"{training.device().type}, {torch.get_num_threads()} threads",
        "learning_rate": rate,
        "seed": plan.seed,
        "validation_nats_per_token": round(validate(model, plan.corpus, 1000), 4),
    }
    if plan.out.parent == ASSETS:
        write_card(plan.out, **ABOUT[plan.out.name])
    write_card(plan.out, **{"training" if plan.attention else "training_without": facts})
    say(f"wrote {plan.name}.safetensors into {plan.out} after {keeper.step} steps")


def _as_built(recipe: Recipe, config: dict[str, Any]) -> Recipe:
    """The recipe with the sizes of a model that is there."""
    sizes = {name: config[name] for name in ("embedding_dim", "lstm_units", "attention_heads")}
    return replace(recipe, **sizes)


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

POEMS = ("tang_regular", "song_regular")
SEEDS = (0, 1, 2)
FORM_BITS = 2.0  # the form of a poem is one of four, and given to the model: charged as any of four
SAMPLES = {
    False: "Once upon a time there lived a poor woodcutter, who had two children. The boy was called Hansel, and the girl Grettel.",
    True: "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。",
}


def study_seeds(data: Path, out: Path = ASSETS / "poems_zh") -> None:
    """Three small models with and three without attention on the Tang poems, for the spread that chance makes; into `out`/seeds."""
    vocabulary = tokens.load(out)
    corpus = corpus_of("tang", data, None, vocabulary)
    plans = {each: Plan(STUDY, corpus, vocabulary, out / "seeds", each, steps=STUDY_STEPS) for each in (True, False)}
    rates = {each: plan.choose_rate() for each, plan in plans.items()}
    for seed in SEEDS:
        for attention in (True, False):
            plan = replace(plans[attention], seed=seed)
            model = plan.new_model()
            plan.learn(model, new_optimizer(model), clock=Clock(steps=STUDY_STEPS), rate=rates[attention])
            write_weights(out / "seeds" / f"{plan.name}-{seed}.safetensors", model.state_dict())
            say(f"seed {seed}, {plan.name}: validation {validate(model, corpus, 1000):.4f}")
    write_json(out / "seeds" / "config.json", {"model": plans[True].config})
    write_card(out, seed_study={"steps": STUDY_STEPS, "rates": [rates[True], rates[False]], "seeds": list(SEEDS), "data": "Tang poems"})


def test(variant: str | None, *, text: Path | None = None) -> dict[str, Any]:
    """Predict a text, the file's or a short sample: the loss, and what the model expected after each of the first tokens."""
    run, variant = _run(variant)
    document = read_text(text)[0] if text else Document(SAMPLES[run.verse])
    rows = _poem_rows(document, run) if run.verse else prose_rows(document, run.vocabulary)
    model = run.model(True)
    nats, count = test_attention_model(model, rows)
    ids = torch.from_numpy(rows[0].ids[:25].astype("int64"))[None]  # (1, T)
    with torch.inference_mode():
        chances = model(ids)[0][0].softmax(-1)  # (T, N)
    label = [tokens.Reader.label(each, tokens.decode(run.vocabulary, [each])) for each in range(len(run.vocabulary.pieces))]
    predictions = [
        {"after": label[now], "expected": label[int(row.argmax())], "probability": round(float(row.max()), 4), "came": label[next_]}
        for now, next_, row in zip(ids[0, :-1].tolist(), ids[0, 1:].tolist(), chances, strict=False)
    ]
    return {
        "variant": variant,
        "loss": round(nats / count, 4),
        "perplexity": round(math.exp(nats / count), 2),
        "bits_per_char": round(bits_per_char(nats, len(document.text)), 4),
        "tokens": count,
        "predictions": predictions,
    }


def _poem_rows(document: Document, run: Run) -> list[Row]:
    """One poem a line, its form taken from its length."""
    rows = []
    for poem in filter(None, map(str.strip, document.text.split("\n"))):
        width = line_width("auto", poem)
        form = {(5, False): "五绝", (5, True): "五律", (7, False): "七绝", (7, True): "七律"}[width, len(poem) > 6 * (width + 1)]
        rows.append(verse_row(replace(document, text=poem, form=form), run.vocabulary))
    return rows


test.__test__ = False  # type: ignore[attr-defined]


def evaluate(variant: str | None, *, data: Path, limit: int | None = None) -> dict[str, dict[str, Any]]:
    """Every row of the variant's held-out files, with and without attention; `limit`: the first rows of each file only.

    bits_per_char: −Σ log₂ p over the tokens of the raw texts and their ends, by their Unicode characters, line breaks in. Tales are
    read in windows of 256 tokens that do not overlap, poems one by one, without titles, their form charged with 2 bits. `small`: over
    the three seeds of the study. well_formed: of 200 poems written from nothing.
    """
    run, variant = _run(variant)
    if not run.verse:
        tales = read_tales(data)[:limit]
        rows = [row for tale in tales for row in prose_rows(tale, run.vocabulary)]
        return {"bits_per_char": _compared(run, lambda model: _bits(model, rows, tales), len(tales), "bits")}
    poems = [poem for name in POEMS for poem in read_poems(data, name)[:limit]]
    quatrains = [poem for poem in read_poems(data, POEMS[0])[:limit] if poem.form in ("五绝", "七绝")]
    found = {"bits_per_char": _compared(run, lambda model: _verse_bits(model, run, poems), len(poems), "bits")}
    if quatrains:
        row = _compared(run, lambda model: _verse_bits(model, run, quatrains), len(quatrains), "bits")
        found["bits_per_char_tang_quatrains"] = row | _seeds(run, generators.folders("lstm")[variant], quatrains)
    written = min(200, limit or 200)
    share = [_share_well_formed(run, variant, written, each) if run.has(each) else None for each in (True, False)]
    found["well_formed"] = {"with": share[0], "without": share[1], "unit": "share", "better": "higher", "n": written}
    return found


def write_metrics(variant: str, data: Path) -> None:
    """Write what `evaluate` finds on held-out data into the variant's card."""
    write_card(ASSETS / variant, metrics=evaluate(variant, data=data))


def _run(variant: str | None) -> tuple[Run, str]:
    variant = generators.card("lstm").variant(variant).name
    run = generators.load("lstm", variant)
    assert isinstance(run, Run)
    return run, variant


def _compared(run: Run, measure: Callable[[AttentionModel], float], n: int, unit: str) -> dict[str, Any]:
    values = [measure(run.model(each)) if run.has(each) else None for each in (True, False)]
    return {"with": values[0], "without": values[1], "unit": unit, "better": "lower", "n": n}


def _bits(model: AttentionModel, rows: Sequence[Row], texts: Sequence[Document]) -> float:
    return bits_per_char(test_attention_model(model, rows)[0], sum(len(text.text) for text in texts))


def _verse_bits(model: AttentionModel, run: Run, poems: Sequence[Document]) -> float:
    rows = [verse_row(poem, run.vocabulary) for poem in poems]
    return _bits(model, rows, poems) + FORM_BITS * len(poems) / sum(len(poem.text) for poem in poems)


def _seeds(run: Run, folder: Path, poems: Sequence[Document]) -> dict[str, list[float]]:
    """The same figure of the small models of the seed study, where they are."""
    if not (folder / "seeds" / "config.json").is_file():
        return {}
    config = read_json(folder / "seeds" / "config.json")["model"]
    figures: dict[str, list[float]] = {}
    for name, attention in (("with", True), ("without", False)):
        model = AttentionModel(**config, attention=attention)
        figures[f"{name}_seeds"] = []
        for path in sorted((folder / "seeds").glob(f"{'weights' if attention else 'without'}-*.safetensors")):
            model.load_state_dict(read_weights(path))
            figures[f"{name}_seeds"].append(_verse_bits(model, run, poems))
    return figures


def _share_well_formed(run: Run, variant: str, count: int, attention: bool) -> float:
    """Of poems written from nothing at the default settings, half of them of five characters a line, half of seven."""
    poems = []
    for seed in range(count):
        form = ("5", "7")[seed % 2]
        request = Request.check(CARD, variant=CARD.variants[1].name, seed=seed, settings={"form": form}, attention=attention)
        poems.append(("".join(step.text for step in run.generate(replace(request, watched=False))), int(form)))
    return well_formed(poems)
