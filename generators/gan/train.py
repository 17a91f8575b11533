"""Learn to paint faces, look at the result, and measure it.

    python -m generators train gan --data shared/data/train --minutes 66
    python -m generators test gan
    python -m generators evaluate gan --data shared/data/held_out

Hinge loss (Lim and Ye 2017), one step of each network at a time, two learning rates (Heusel et al. 2017), a running average of
the generator's weights, and differentiable augmentation (Zhao et al. 2020) of a part of the pictures only, so that it does not
leak into what is painted (Karras et al. 2020, section 2.2). Where the data name the parts of a face, both networks are told them, and
the generator's face is also held against the drawn one of the same parts (Isola et al. 2017, equation 4): by noise alone, an hour
taught it no glasses and no crowns, and by being told alone they came too slowly.

Letters: B pictures of a batch, M pictures of the data, S pixels a side, Z numbers of noise, V values of all parts of a face.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from generators import card, folders, training
from generators.base import BadInput, Request
from generators.data import CREDITS, FACE_PARTS, NONE, STYLES, Avatars, read_avatars
from generators.gan import Run, codes_of, read_network
from generators.gan.card import EXAMPLES
from generators.gan.model import Config, Discriminator, Generator, plain_weights
from generators.judging import figures, sampled
from generators.pictures import as_picture, compact, to_signed, write_sheet
from generators.trace import save_series
from generators.training import (
    EMA,
    Clock,
    autocast,
    device,
    length,
    load_state,
    read_json,
    read_weights,
    save_state,
    say,
    write_card,
    write_json,
    write_weights,
)
from generators.training import seed as set_seed

ROOT = Path(__file__).parents[2]
BATCH = 32
GENERATOR_RATE, DISCRIMINATOR_RATE = 4e-4, 6e-4
GAMMA_SPEED = 5.0  # so that an hour is enough for γ to leave 0
LIKENESS = 100.0  # weight of the distance from the drawn face of the same parts, as in the paper
AUGMENTED = 0.3  # share of the pictures that each augmentation changes
FINAL_PART = 0.15  # of the training, over which the learning rates fall
MINUTES = 66.0
SAVE_EVERY = 180.0  # seconds
REPORT_EVERY = 50  # steps
LEARNING_BITS = 7  # of a weight, where a face is seen coming into being
POWER_ITERATIONS = 15  # as torch takes for new weights
SHEET, SHEET_TRUNCATION = 64, 0.8  # faces of a sample sheet
VARIED = 1000  # faces among which variety is measured


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
    config: Config | None = None,
) -> None:
    """Train a variant on the pictures of `data` into the folder `out`. Progress goes to stderr; Ctrl-C saves.

    resume goes on from the training's own state, or from the weights that ship. The twin (attention False) takes as many steps
    as the model with attention did. config: other measures than those that fit the pictures. Raises BadInput.
    """
    if text is not None:
        raise BadInput("The gan learns from pictures, not from a text.", "gan 从图片学习，不用文本。")
    known = card("gan").variant(variant)
    variant = known.name
    drawn = read_pictures(known.like or variant, data)
    out = out or folders("gan")[variant]
    file = "weights" if attention else "without"
    work = ROOT / "runs" / "gan" / out.name / file
    minutes, steps = length(out, minutes, steps, attention=attention, usual=MINUTES)
    config = config or replace(fitting(drawn.images.shape[1]), parts=shares_of(drawn))
    set_seed(seed)
    learner = Learner(replace(config, attention=attention), device())
    parameters = sum(weight.numel() for weight in learner.generator.parameters())
    say(f"{variant}: {len(drawn.images):,} pictures, {parameters:,} parameters, on {device()}")
    if dry_run:
        say(f"would train for {minutes or '∞'} minutes or {steps or '∞'} steps into {out}")
        return
    first, before = learner.resume(work / "state.pt", folders("gan")[variant] / f"{file}.safetensors") if resume else (0, 0.0)
    clock = Clock(minutes, steps, before)
    done = learn(learner, drawn, clock, work, seed, first)
    learner.save(work / "state.pt", done, clock.seconds)
    painter = learner.painter()
    write_weights(out / f"{file}.safetensors", painter.state_dict(), bits=8)
    write_json(out / "config.json", replace(config, attention=True).to_dict())
    write_sheet(work / "sheet.png", faces(painter, range(SHEET), SHEET_TRUNCATION))
    facts = {
        "steps": done,
        "pictures_per_step": BATCH,
        "pictures_seen": done * BATCH,
        "minutes": round(clock.seconds / 60, 1),
        "threads": torch.get_num_threads(),
        "device": device().type,
        "learning_rates": {"generator": GENERATOR_RATE, "discriminator": DISCRIMINATOR_RATE},
        "seed": seed,
        "gamma": round(painter.attention.gamma.item(), 4),
    }
    write_card(out, **{"training" if attention else "training_without": facts})
    if attention:
        write_card(out, parameters=parameters, data={**CREDITS.get(variant, {}), "count": len(drawn.images), "parts": list(config.parts)})
        record(variant, out, work / "snapshots")
    say(f"wrote {out.name}/{file}.safetensors after {done} steps")


def learn(learner: Learner, drawn: Avatars, clock: Clock, work: Path, seed: int, first: int = 0) -> int:
    """The loop, until the clock says stop; keeps snapshots, sheets and the state in `work`. Returns the number of steps done.

    The dice for the pictures depend on seed and step only, so a training that goes on sees what it would have seen.
    """
    values = torch.from_numpy(values_of(drawn, learner.config))  # (M, V)
    step, saved = first, clock.seconds
    try:
        while not clock.over(step):
            if is_snapshot(step):
                write_weights(work / "snapshots" / f"{step:07d}.safetensors", learner.painter().state_dict())
            left = 1 - step / clock.expected(step)
            learner.set_rates(min(1.0, max(0.1, left / FINAL_PART)))
            chosen = np.random.default_rng([seed, step]).integers(0, len(drawn.images), BATCH)
            report = learner.step(to_signed(drawn.images[chosen]).to(learner.where), values[chosen].to(learner.where))
            step += 1
            if step % REPORT_EVERY == 0:
                say(f"step {step}: {report}")
            if clock.seconds - saved > SAVE_EVERY:
                learner.save(work / "state.pt", step, clock.seconds)
                write_sheet(work / "sheets" / f"{step:07d}.png", faces(learner.painter(), range(SHEET), SHEET_TRUNCATION))
                saved = clock.seconds
    except KeyboardInterrupt:
        say("stopped; --resume goes on from here")
    return step


def is_snapshot(step: int) -> bool:
    """Whether learning is recorded here: at 0, 50, 100, 200 …, whatever the budget."""
    return step == 0 or (step % 50 == 0 and math.log2(step / 50).is_integer())


LEARNERS = ("generator", "discriminator", "generator_steps", "discriminator_steps")


class Learner:
    """Both networks, their optimisers and the averaged generator."""

    def __init__(self, config: Config, where: torch.device) -> None:
        self.config, self.where = config, where
        self.generator, self.discriminator = Generator(config).to(where), Discriminator(config).to(where)
        self.average = EMA(self.generator, decay=0.999)
        self.generator_steps = new_optimiser(self.generator, GENERATOR_RATE)
        self.discriminator_steps = new_optimiser(self.discriminator, DISCRIMINATOR_RATE)

    def set_rates(self, factor: float) -> None:
        """Learning rates as parts of their highest."""
        for optimiser in (self.generator_steps, self.discriminator_steps):
            for group in optimiser.param_groups:
                group["lr"] = group["highest"] * factor

    def step(self, real: Tensor, values: Tensor) -> str:
        """One step of each network. real: (B, 3, S, S) in −1 … 1. values: (B, V), of its parts. Returns figures to print."""
        judged = self._judge(real, values)
        painted = self._paint(real, values)
        self.average.update(self.generator)
        return f"{judged}, {painted}, γ {self.generator.attention.gamma.item():.3f}"

    def _judge(self, real: Tensor, values: Tensor) -> str:
        """The discriminator's step: hinge loss, Zhang et al. 2019, equation 4."""
        with autocast(self.where):
            with torch.no_grad():
                made = self.generator(self._codes(values)).float()
            on_both = self.discriminator(augment(torch.cat([real, made])), values.repeat(2, 1)).float()
            on_real, on_made = on_both.chunk(2)  # (B,) each
        loss = F.relu(1 - on_real).mean() + F.relu(1 + on_made).mean()
        self.discriminator_steps.zero_grad(set_to_none=True)
        loss.backward()
        self.discriminator_steps.step()
        return f"discriminator {loss.item():.2f} (drawn {on_real.mean().item():.2f}, made {on_made.mean().item():.2f})"

    def _paint(self, real: Tensor, values: Tensor) -> str:
        """The generator's step."""
        self.discriminator.requires_grad_(False)
        with autocast(self.where):
            made = self.generator(self._codes(values)).float()
            loss = -self.discriminator(augment(made), values).float().mean()
        away = (made - real).abs().mean()
        if self.config.values:
            loss = loss + LIKENESS * away
        self.generator_steps.zero_grad(set_to_none=True)
        loss.backward()
        self.generator_steps.step()
        self.discriminator.requires_grad_(True)
        return f"generator {loss.item():.2f} (away {away.item():.3f})"

    def _codes(self, values: Tensor) -> Tensor:
        """(B, Z + V), with fresh noise."""
        return torch.cat([torch.randn(len(values), self.config.noise, device=self.where), values], 1)

    def painter(self) -> Generator:
        """The averaged generator with plain weights and statistics of its own, as it ships."""
        painter = Generator(self.config, plain=True).to(self.where)
        painter.load_state_dict(plain_weights(self.average.copy))
        return settle(painter)

    def save(self, path: Path, step: int, seconds: float) -> None:
        """All that `resume` needs."""
        state = {part: getattr(self, part).state_dict() for part in LEARNERS}
        average = {"weights": self.average.copy.state_dict(), "updates": self.average.updates}
        save_state(path, step=step, seconds=seconds, average=average, **state)

    def resume(self, path: Path, shipped: Path) -> tuple[int, float]:
        """Load the saved state, else the generator that ships. Returns the step and the seconds at which it stands."""
        if not path.is_file():
            take_plain(self.generator, read_weights(shipped))
            self.average = EMA(self.generator, decay=0.999)
            return 0, 0.0
        state = load_state(path)
        for part in LEARNERS:
            getattr(self, part).load_state_dict(state[part])
        self.average.copy.load_state_dict(state["average"]["weights"])
        self.average.updates = state["average"]["updates"]
        return state["step"], state["seconds"]


def new_optimiser(network: Generator | Discriminator, rate: float) -> torch.optim.Adam:
    """Adam without momentum, as in the paper; γ, one number that starts at 0, learns faster than the rest."""
    gamma = network.attention.gamma
    rest = [each for each in network.parameters() if each is not gamma]
    groups = [{"params": rest, "highest": rate}, {"params": [gamma], "highest": GAMMA_SPEED * rate}]
    return torch.optim.Adam(groups, rate, betas=(0.0, 0.99))


def take_plain(generator: Generator, plain: dict[str, Tensor]) -> None:
    """Put plain weights into a generator with spectral norm, under which each is divided by its largest gain."""
    own = generator.state_dict()
    for name, weight in plain.items():
        original = f"{name.removesuffix('.weight')}.parametrizations.weight.original"
        own[original if original in own else name].copy_(weight)
    with torch.no_grad():
        for _ in range(POWER_ITERATIONS):  # a forward pass in training mode is one iteration for every layer
            generator(torch.from_numpy(codes_of(range(2), generator.config)).to(generator.start.weight.device))


@torch.no_grad()
def settle(painter: Generator, batches: int = 8) -> Generator:
    """Measure the statistics of every batch norm anew: those of training belong to other weights than the averaged ones."""
    for layer in painter.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # the mean over all batches
    painter.train()
    for batch in range(batches):
        codes = codes_of(range(batch * BATCH, (batch + 1) * BATCH), painter.config)
        painter(torch.from_numpy(codes).to(painter.start.weight.device))
    return painter.eval()


def augment(pictures: Tensor) -> Tensor:
    """Brightness, colour, contrast, place and a hole, each changed in a random part of the pictures. Zhao et al. 2020.

    pictures: (B, 3, size, size) in −1 … 1. Returns the same shape; differentiable.
    """

    def some(reach: float) -> Tensor:
        """(B, 1, 1, 1) from −reach to reach; 0 where the picture stays as it is."""
        one_each = torch.rand(2, len(pictures), 1, 1, 1, device=pictures.device)
        return (2 * one_each[0] - 1) * reach * (one_each[1] < AUGMENTED)

    pictures = pictures + some(0.4)
    pictures = torch.lerp(pictures, pictures.mean(1, keepdim=True), some(0.8))
    pictures = torch.lerp(pictures, pictures.mean((1, 2, 3), keepdim=True), some(0.4))
    size = pictures.shape[-1]
    return cut(shift(pictures, some(size / 8), some(size / 8)), some(1.0) != 0)


def shift(pictures: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Moved by whole pixels, the border repeated. pictures: (B, 3, size, size). right, down: (B, 1, 1, 1)."""
    size = pictures.shape[-1]
    cells = torch.arange(size, device=pictures.device)
    rows, columns = ((cells - by.flatten(1).round().long()).clamp(0, size - 1) for by in (down, right))  # (B, size) each
    batch = torch.arange(len(pictures), device=pictures.device)[:, None, None]
    return pictures.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cut(pictures: Tensor, chosen: Tensor) -> Tensor:
    """A square of a third of the side set to grey, anywhere. chosen: (B, 1, 1, 1), True where it happens."""
    size = pictures.shape[-1]
    centre = torch.rand(2, len(pictures), 1, device=pictures.device) * size
    near = (torch.arange(size, device=pictures.device) - centre).abs() < size / 6  # (2, B, size)
    hole = (near[0, :, :, None] & near[1, :, None, :])[:, None] & chosen  # (B, 1, size, size)
    return pictures * ~hole


def read_pictures(variant: str, data: Path | None) -> Avatars:
    """The faces of a variant's style, or else the first pictures in the folder, which have no attributes. Raises BadInput."""
    if data is not None and (data / "avatars").is_dir():
        return read_avatars(data, STYLES.get(variant, variant))
    for path in sorted(data.glob("*.npz")) if data is not None else ():
        with np.load(path, allow_pickle=False) as archive:
            return Avatars(archive["images"], ())
    raise BadInput(
        "The gan needs a data folder with avatars/, or with pictures in a .npz file.",
        "gan 需要含有 avatars/ 或 .npz 图片文件的数据文件夹。",
    )


def shares_of(drawn: Avatars) -> dict[str, dict[str, float]]:
    """Part of a face → value → share of the faces that have it. Empty where the faces have no attributes."""
    known = [part for part in FACE_PARTS if any(part in face for face in drawn.attributes)]
    values = {part: [face.get(part, NONE) for face in drawn.attributes] for part in known}
    return {part: {value: each.count(value) / len(each) for value in sorted(set(each))} for part, each in values.items()}


def values_of(drawn: Avatars, config: Config) -> np.ndarray:
    """(M, V) float32, 1 for the value that each part of a face has."""
    columns = [(part, value) for part, shares in config.parts.items() for value in shares]
    attributes: Sequence[Mapping[str, str]] = drawn.attributes or [{}] * len(drawn.images)
    return np.array([[face.get(part, NONE) == value for part, value in columns] for face in attributes], np.float32)


def fitting(size: int) -> Config:
    """The measures for pictures of 16, 32 or 64 pixels a side. Raises BadInput for others."""
    whole = Config()
    for levels in range(3, len(whole.widths) + 1):
        config = replace(whole, widths=whole.widths[:levels], judge_widths=whole.judge_widths[: levels - 1])
        if config.size == size:
            return replace(config, grid=min(whole.grid, size // 2))
    raise BadInput("The gan learns from square pictures of 16, 32 or 64 pixels.", "gan 只学习边长为 16、32 或 64 像素的方形图片。")


@torch.inference_mode()
def faces(painter: Generator, seeds: Sequence[int], truncation: float = 1.0) -> np.ndarray:
    """(len(seeds), S, S, 3) uint8."""
    where = painter.start.weight.device
    parts = (codes_of(seeds[first : first + 64], painter.config, truncation) for first in range(0, len(seeds), 64))
    return np.concatenate([as_picture(painter(torch.from_numpy(codes).to(where))) for codes in parts])


def record(variant: str, folder: Path, snapshots: Path) -> None:
    """Write the stored examples, and the first of them as it looked while the model learned."""
    run, known = Run.load(folder), card("gan")
    request = Request(variant, settings=known.check_settings(variant, {}))
    pin = min(known.variant(variant).pin.query, run.cells - 1)
    for file, name in EXAMPLES.items():
        compact(run.trace(replace(request, text=name, pin=pin))).save(folder / "examples" / f"{file}.npz")
    first = replace(request, text=next(iter(EXAMPLES.values())))
    last = read_json(folder / "card.json")["training"]["steps"]
    paths = {int(path.stem): path for path in sorted(snapshots.glob("*.safetensors"))}
    runs = {step: Run(read_snapshot(folder, path)) for step, path in paths.items() if step < 0.7 * last} | {last: run}
    save_series(folder / "learning.npz", {step: compact(each.trace(first), LEARNING_BITS) for step, each in runs.items()})


def read_snapshot(folder: Path, path: Path) -> Generator:
    """The network with the weights of one moment of its training."""
    network = Generator(Config.from_dict(read_json(folder / "config.json")), plain=True)
    network.load_state_dict(read_weights(path))
    return network.eval().requires_grad_(False)


def test(variant: str | None, *, text: Path | None = None) -> dict[str, Any]:
    """Paint faces, keep them as a sheet, and say how long one took."""
    if text is not None:
        raise BadInput("The gan is tested on noise, not on a text.", "gan 用噪声测试，不用文本。")
    variant = card("gan").variant(variant).name
    painter = read_network(folders("gan")[variant])
    sheet = ROOT / "runs" / "gan" / variant / "test.png"
    write_sheet(sheet, faces(painter, range(SHEET), SHEET_TRUNCATION))
    began = time.perf_counter()
    for seed in range(10):
        faces(painter, range(seed, seed + 1))
    return {
        "variant": variant,
        "faces": SHEET,
        "sheet": os.path.relpath(sheet, ROOT),
        "milliseconds_per_face": round((time.perf_counter() - began) * 100, 1),
        "gamma": round(painter.attention.gamma.item(), 4),
    }


def evaluate(variant: str | None, *, data: Path, limit: int | None = None) -> dict[str, dict[str, Any]]:
    """Faces of 5,000 seeds, with and without attention, beside all drawn ones of `data`: see `judging`. Writes nothing. Raises BadInput."""
    return judged(variant, data, limit)[0]


def write_metrics(variant: str, data: Path) -> None:
    """Write what `evaluate` finds on held-out data, and what the model remembers of its training, into the variant's card."""
    metrics, memory = judged(variant, data)
    training.write_metrics(folders("gan")[variant], metrics, memory=memory)


def judged(variant: str | None, data: Path, limit: int | None = None) -> tuple[dict[str, dict[str, Any]], dict[str, Any] | None]:
    """(metrics, memory), as a card has them. Raises BadInput for a model whose pictures are not of the size of the faces."""
    known = card("gan").variant(variant)
    folder = folders("gan")[known.name]
    sides = [side for side, file in (("with", "weights"), ("without", "without")) if (folder / f"{file}.safetensors").is_file()]
    made = {side: sampled(partial(faces, read_network(folder, attention=side == "with"))) for side in sides}
    if any(each.shape[1] != known.size for each in made.values()):
        raise BadInput(
            f"Only pictures of {known.size}×{known.size} pixels can be judged.", f"只能评价 {known.size}×{known.size} 像素的图片。"
        )
    style = STYLES.get(known.like or known.name, known.name)
    metrics, memory = figures(made, data, style, limit)
    drawn = read_avatars(data, style).images[:limit]
    varied = {side: variety(made[side][:VARIED], drawn) if side in made else None for side in ("with", "without")}
    row = {**varied, "unit": "of the drawn faces' pixel variance", "better": "higher", "n": len(drawn)}
    return {**metrics, "variety": row}, memory


def variety(made: np.ndarray, drawn: np.ndarray) -> float:
    """Mean squared pixel distance of two faces made over that of two drawn ones. Both (N, size, size, 3) uint8.

    The mean over all pairs is twice the variance of every pixel, so no pair is left out.
    """
    made_variance, drawn_variance = (float(np.var(each, axis=0, dtype=np.float64, ddof=1).mean()) for each in (made, drawn))
    return made_variance / drawn_variance
