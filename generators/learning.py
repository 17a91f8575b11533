"""What the trainings of all text models share: the plan, the choice of a learning rate, resuming, the files, the train command.

A generator says what its model is, how it learns from a batch, and which files it writes (`Plan`).
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypedDict, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

import generators
from generators import tokens, training
from generators.base import BadInput
from generators.corpus import POEMS, Corpus, corpus_of, learn_vocabulary
from generators.data import read_poems, read_tales, read_text
from generators.training import Clock, Keeper, read_json, read_weights, say, write_card, write_weights

ROOT = Path(__file__).parents[1]


class Timed(Protocol):
    """Something with a usual length, in minutes."""

    @property
    def minutes(self) -> float: ...


class Recipe(Protocol):
    """How a variant is made. rates: learning rates of which the better is taken, after `probe` minutes of each.

    vocabulary: tokens or characters to learn. batch: tokens of one step. windows: lengths of rows of prose.
    """

    @property
    def vocabulary(self) -> int: ...
    @property
    def rates(self) -> tuple[float, ...]: ...
    @property
    def probe(self) -> float: ...
    @property
    def minutes(self) -> float: ...
    @property
    def batch(self) -> int: ...
    @property
    def windows(self) -> tuple[int, ...]: ...


R = TypeVar("R", bound=Timed)


@dataclass(frozen=True)
class Plan(ABC):
    """One training: what learns from what, for how long, and where it goes."""

    recipe: Any
    corpus: Any  # a Corpus, unless `rows` is the generator's own
    vocabulary: Any
    out: Path
    attention: bool = True
    seed: int = 0
    minutes: float | None = None
    steps: int | None = None

    generator: ClassVar[str]
    files: ClassVar[Mapping[bool, str]] = {True: "weights", False: "without"}  # attention → the file of weights
    warmup: ClassVar[int] = 100  # steps
    lowest: ClassVar[float] = 0.05  # share of the learning rate that is left at the end
    checked: ClassVar[int] = 100  # validation rows that a line of progress tells of

    @abstractmethod
    def build(self) -> nn.Module:
        """The model, or its twin, with random weights."""

    @abstractmethod
    def new_optimizers(self, model: Any) -> dict[str, torch.optim.Optimizer]:
        """By name."""

    @abstractmethod
    def loss(self, model: Any, rows: list[Any]) -> Tensor:
        """Mean loss of a batch, ready for backward()."""

    @abstractmethod
    def nats(self, model: Any, rows: Sequence[Any]) -> tuple[float, int]:
        """(−Σ ln p over all predicted tokens of the rows, their number), by a model in evaluation mode."""

    @abstractmethod
    def write_files(self) -> None:
        """What the folder needs besides the weights."""

    def rate_of(self, optimizer: str) -> float:
        """An optimizer's learning rate as a share of the plan's."""
        return 1.0

    def state_of(self, model: nn.Module) -> Mapping[str, Tensor]:
        """The weights that are written."""
        return model.state_dict()

    def fill(self, model: Any, weights: dict[str, Tensor]) -> None:
        """Take over weights that were written."""
        model.load_state_dict(weights)

    @property
    def bits(self) -> int:
        """Of a number of a large matrix on disk."""
        return 8

    @property
    def about(self) -> Mapping[str, str]:
        """What the card of a model that ships says of its data."""
        return ABOUT[self.out.name]

    @property
    def assets(self) -> Path:
        """Where the models that ship are."""
        return ROOT / "assets" / self.generator

    @property
    def work(self) -> Path:
        """Where the state to resume from lies: beside one's own model, but not among the assets."""
        shipped = self.out.parent == self.assets
        return (ROOT / "runs" / self.generator / self.out.name if shipped else self.out / "training") / self.files[self.attention]

    def new_model(self) -> Any:
        training.seed(self.seed)
        return self.build().to(training.device())

    def learn(
        self,
        model: Any,
        optimizers: Mapping[str, torch.optim.Optimizer],
        *,
        clock: Clock,
        rate: float,
        first_step: int = 0,
        report: Callable[[int, float], None] = lambda step, loss: None,
    ) -> int:
        """Learn until the clock says stop. rate: highest learning rate. report(steps done, loss). Returns the number of steps done.

        The dice depend on seed and step only, so a training that goes on sees what it would have seen.
        """
        training.seed(self.seed)
        model.train()
        step = first_step
        while not clock.over(step):
            expected = clock.expected(step)
            now = rate * training.schedule(step, expected, self.warmup, self.lowest)
            for name, optimizer in optimizers.items():
                for group in optimizer.param_groups:
                    group["lr"] = now * self.rate_of(name)
            loss = self.loss(model, self.rows(step, expected))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers.values():
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            step += 1
            report(step, loss.item())
        return step

    def rows(self, step: int, expected: int) -> list[Any]:
        """The batch of a step. expected: steps of the whole training."""
        return self.corpus.batch(min(1.0, step / expected), np.random.default_rng([self.seed, step]), self.recipe.batch)

    def choose_rate(self) -> float:
        """The learning rate of the recipe with the lower validation loss after a short training."""
        rates: tuple[float, ...] = self.recipe.rates
        losses = {}
        for rate in rates if len(rates) > 1 else ():
            model = self.new_model()
            self.learn(model, self.new_optimizers(model), clock=Clock(self.recipe.probe), rate=rate)
            losses[rate] = self.validate(model, 200)
            say(f"learning rate {rate:g}: validation loss {losses[rate]:.4f}")
        return min(losses, key=losses.__getitem__) if losses else rates[0]

    def validate(self, model: Any, most: int | None = None) -> float:
        """Nats per token on at most that many of the validation rows, `checked` of them unless told."""
        rows, most = self.corpus.validation, most or self.checked
        before = model.training
        model.eval()
        total, count = self.nats(model, rows[:: max(1, len(rows) // most)][:most])
        model.train(before)
        return total / max(1, count)

    def carry_out(self, resume: bool = False, start: Path | None = None) -> None:
        """Learn as planned and write the model's files. start: a folder whose weights `resume` goes on from where no state is left."""
        model = self.new_model()
        optimizers = self.new_optimizers(model)
        parameters = sum(weight.numel() for weight in model.parameters())
        say(f"{self.corpus}, {len(self.vocabulary.pieces):,} tokens, {parameters:,} parameters, on {training.device()}")
        file = f"{self.files[self.attention]}.safetensors"
        state = Keeper.state(self.work) if resume else None
        before, rate = (state["seconds"], state["facts"]["rate"]) if state else (0.0, 0.0)
        if self.steps is None and self.minutes is not None and before >= self.minutes * 60:
            before = 0.0  # that training was finished: this is another one, as long as asked for
        if resume and state is None and start is not None and (start / file).is_file():
            self.fill(model, read_weights(start / file))
        rate = rate or self.choose_rate()
        self.out.mkdir(parents=True, exist_ok=True)
        self.write_files()
        keeper = Keeper(self.work, model, optimizers, Clock(self.minutes, self.steps, before), lambda: self.validate(model), rate=rate)
        if state:
            keeper.go_on(state)
        else:
            keeper.snapshot()
        try:
            self.learn(model, optimizers, clock=keeper.clock, rate=rate, first_step=keeper.step, report=keeper)
        except KeyboardInterrupt:
            say("stopped; --resume goes on from here")
        keeper.save()
        keeper.snapshot()
        write_weights(self.out / file, self.state_of(model), bits=self.bits, metadata={"format": "pt"})
        facts = {
            "parameters": parameters,
            "steps": keeper.step,
            "tokens_per_step": self.recipe.batch,
            "minutes": round(keeper.clock.seconds / 60, 1),
            "device": f"{training.device().type}, {torch.get_num_threads()} threads",
            "learning_rate": rate,
            "seed": self.seed,
            "validation_nats_per_token": round(self.validate(model, 1000), 4),
        }
        if self.out.parent == self.assets:
            write_card(self.out, **self.about)
        write_card(self.out, **{"training" if self.attention else "training_without": facts})
        say(f"wrote {file} into {self.out} after {keeper.step} steps")


class Options(TypedDict, total=False):
    """What `train` of a text model can be told: see `Command`, which holds the defaults."""

    data: Path | None
    text: Path | None
    out: Path | None
    minutes: float | None
    steps: int | None
    attention: bool
    seed: int
    resume: bool
    dry_run: bool


@dataclass(frozen=True)
class Command(Generic[R]):
    """`train` as it was asked for.

    recipe: with the sizes of the model to start from, where there is one. start: the folder of a model to go on from, or whose twin is
    trained. ships: whether it makes what ships, with its examples. minutes, steps: how long it learns; dry_run: only say so.
    """

    variant: str
    recipe: R
    out: Path
    start: Path | None
    ships: bool
    data: Path | None
    text: Path | None
    minutes: float | None
    steps: int | None
    attention: bool
    seed: int
    resume: bool
    dry_run: bool

    @classmethod
    def read(
        cls,
        generator: str,
        recipes: Mapping[str, R],
        own: R,
        built: Callable[[R, dict[str, Any]], R],
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
    ) -> Command[R]:
        """recipes: by variant; own: that for a text of one's own. built(recipe, config.json): the recipe with the sizes of that model.

        Raises BadInput for what cannot be.
        """
        if (data is None) == (text is None):
            raise BadInput("Training needs either a data folder or a text file.", "训练需要数据文件夹或文本文件，二者取一。")
        found = generators.folders(generator)
        variant = variant or generators.find(generator).card.default
        if variant not in found:
            generators.card(generator).variant(variant)  # raises the sentence that names the variants
        if out is None:
            models = Path(os.environ.get("LAB_MODELS_DIR", "models")) / generator
            out = found[variant] if text is None or variant not in recipes else models / text.stem
        start = None
        if resume or not attention:
            start = next((each for each in (out, found[variant]) if (each / "config.json").is_file()), None)
        recipe = recipes[variant] if variant in recipes and (text is None or start == found[variant]) else own
        if start is not None:
            recipe = built(recipe, read_json(start / "config.json"))
        minutes, steps = training.length(out, minutes, steps, attention=attention, usual=recipe.minutes)
        ships = attention and text is None and out == found[variant] and variant in recipes
        return cls(variant, recipe, out, start, ships, data, text, minutes, steps, attention, seed, resume, dry_run)

    def amount(self) -> str:
        """How much there is to learn from."""
        if self.text is not None:
            return f"{len(read_text(self.text)[0].text):,} characters"
        assert self.data is not None
        if self.variant == "poems_zh":
            return f"{sum(len(read_poems(self.data, name)) for name in POEMS):,} poems"
        return f"{len(read_tales(self.data)):,} tales"

    def announce(self, amount: str) -> None:
        """Say what would be done. amount: how much there is to learn from."""
        length = f"{self.steps:,} steps" if self.steps else f"{self.minutes:g} minutes"
        say(f"{self.variant}: {amount}; would learn for {length} into {self.out}")

    def material(self) -> tuple[tokens.Vocabulary, Corpus]:
        """Vocabulary, of the model to start from or learned, and what is read with it."""
        recipe: Any = self.recipe
        vocabulary = tokens.load(self.start) if self.start else learn_vocabulary(self.variant, self.data, self.text, recipe.vocabulary)
        return vocabulary, corpus_of(self.variant, self.data, self.text, vocabulary, recipe.windows)

    def carry_out(self, kind: type[Plan], corpus: Any, vocabulary: Any) -> Plan:
        """Train as asked for; returns what was planned."""
        plan = kind(self.recipe, corpus, vocabulary, self.out, self.attention, self.seed, self.minutes, self.steps)
        plan.carry_out(self.resume, self.start)
        return plan


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
