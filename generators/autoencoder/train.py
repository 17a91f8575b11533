"""Learn to draw a face from a short code and to fill what is rubbed out of it, look at the result, and measure it.

    python -m generators train autoencoder --data shared/data/train --minutes 22
    python -m generators test autoencoder
    python -m generators evaluate autoencoder --data shared/data/held_out

A part of each batch passes through the code as it is; the rest has holes, seeded rectangles of cells. Half of the pictures are read with
grain, stains and blur, and drawn without. The loss is the mean absolute error of pixels and of their differences to the neighbours
right and below: absolute, because squares reward a blurred mean where a hole could hold several things; of differences, because an
outline is more than its few pixels.

Letters: B pictures of a batch, M pictures of the data, S pixels a side, N cells of the grid.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import generators
from generators import card, chance, folders, training
from generators.autoencoder import GREY, GRID, HAIR, HALF, MOUTH, Run, box, enlarged, read_faces, read_network, redraw
from generators.autoencoder.model import Autoencoder, Config
from generators.base import BadInput, Request
from generators.chance import Figure, mean_of
from generators.data import CREDITS, STYLES, read_avatars, split_pictures
from generators.metrics import psnr, ssim
from generators.pictures import read_picture, to_signed, write_sheet
from generators.trace import STORED_TOLERANCE, Step, Trace, save_series
from generators.training import (
    Clock,
    Keeper,
    autocast,
    device,
    length,
    read_json,
    read_weights,
    say,
    schedule,
    write_card,
    write_json,
    write_weights,
)
from generators.training import seed as set_seed

ROOT = Path(__file__).parents[2]

NAMES = ("Yara", "Emma", "Otto", "Sara", "Mei", "Omar", "Ada", "王芳")
"""Names whose faces, painted by the GAN, stand for a picture where none is given."""

EXAMPLES: dict[str, tuple[int, list[int]]] = {
    "hair": (2, HAIR),
    "half": (0, HALF),
    "mouth": (1, MOUTH),
    "eyes": (3, box(range(5, 9), range(6, 15))),
    "back": (4, box(range(16), range(8))),
    "middle": (5, box(range(4, 12), range(4, 12))),
    "whole": (6, []),
    "window": (7, [each for each in range(GRID**2) if each not in box(range(5, 11), range(6, 12))]),
}
"""File → what is stored with the model: the number of a stored face, and the cells that are rubbed out of it."""
LEARNING_STEPS = 8  # training steps at which the first example is shown, at most: the first of all, and the last
UNIT, LEARNING_UNIT = 2**-11, 2**-9  # of stored weights

BATCH = 32
WHOLE = 16  # pictures of a batch that pass through the code as they are
SMALLEST_HOLE, LARGEST_HOLE = 0.05, 0.6  # shares of the grid
SECOND_HOLE = 0.3  # share of the pictures with holes that have two: a brush leaves more than rectangles
EDGES = 1.0  # weight of the differences to neighbours
HOLE = 2.0  # weight of a rubbed out pixel; of the others 1
WORN = 0.5  # share of the pictures that are read with faults
GRAIN, STAINS = 0.15, 0.2  # their greatest strengths, standard deviations in −1 … 1
RATE = 4e-3
ENDS = 0.2  # the first and last layer learn at that share of the rate: Muon's steps are as long as AdamW's at a fifth of it
MINUTES = 14.0
ASIDE = 0.1  # share of the pictures that judge the learning
UNUSUAL = 0.01  # share of the faces set aside that look as little learned as what is called "outside what it learned"
CHECKED = 64  # pictures of a line of progress
SHARES = (25, 50)  # per cent of the grid that a measured hole covers


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
    """Train a variant on the faces of `data` into the folder `out`. Progress goes to stderr; Ctrl-C saves.

    resume goes on from the training's own state, or from the weights that ship. The twin (attention False) takes as many steps
    as the model with attention did. config: other measures than the usual. Raises BadInput.
    """
    if text is not None:
        raise BadInput("The autoencoder learns from pictures, not from a text.", "自编码器从图片学习，不用文本。")
    if data is None:
        raise BadInput("The autoencoder needs a data folder with avatars.", "自编码器需要含有 avatars 的数据文件夹。")
    known = card("autoencoder").variant(variant)
    pictures = read_avatars(data, STYLES[known.like or known.name]).images  # (M, S, S, 3)
    out = out or folders("autoencoder")[known.name]
    side, file = ("with", "weights") if attention else ("without", "without")
    minutes, steps = length(out, minutes, steps, attention=attention, usual=MINUTES)
    lesson = Lesson(pictures, replace(config or Config(), attention=attention), seed)
    say(f"{known.name}: {len(pictures):,} pictures, {lesson.parameters:,} parameters, on {device()}")
    if dry_run:
        say(f"would train for {minutes or '∞'} minutes or {steps or '∞'} steps into {out}")
        return
    work = ROOT / "runs" / "autoencoder" / out.name / file
    state = Keeper.state(work) if resume else None
    network = lesson.new_network()
    optimizers = new_optimizers(network)
    clock = Clock(minutes, steps, float(state["seconds"]) if state else 0.0)
    keeper = Keeper(work, network, optimizers, clock, lambda: lesson.validate(network, CHECKED))
    if state:
        keeper.go_on(state)
    elif resume:
        network.load_state_dict(read_weights(folders("autoencoder")[known.name] / f"{file}.safetensors"))
    try:
        lesson.learn(network, optimizers, clock=clock, first_step=keeper.step, report=keeper)
    except KeyboardInterrupt:
        say("stopped; --resume goes on from here")
    keeper.save()
    write_weights(out / f"{file}.safetensors", network.state_dict(), bits=8)
    write_config(out, lesson.config)
    write_config(out, lesson.config, {side: lesson.strangest(read_network(out, attention=attention))})  # as it ships
    write_card(out, **{"training" if attention else "training_without": lesson.facts(keeper.step, clock.seconds)})
    if attention:
        if not (out / "faces.npz").is_file():
            keep_faces(out)
        write_card(out, parameters=lesson.parameters, data={**CREDITS.get(out.name, {}), "count": len(pictures)})
        record(out, work / "snapshots")
    say(f"wrote {out.name}/{file}.safetensors after {keeper.step} steps")


class Lesson:
    """One training: what learns from what."""

    def __init__(self, pictures: np.ndarray, config: Config, seed: int) -> None:
        """pictures: (M, S, S, 3) uint8, of which some are set aside."""
        if pictures.shape[1:] != (config.size, config.size, 3):
            raise BadInput(
                f"The autoencoder learns from pictures of {config.size}×{config.size} pixels.",
                f"自编码器只学习 {config.size}×{config.size} 像素的图片。",
            )
        aside = split_pictures(pictures, ASIDE)
        self.config, self.seed = config, seed
        self.pictures, self.aside = pictures[~aside], pictures[aside]
        if not len(self.pictures) or not len(self.aside):
            raise BadInput("The autoencoder needs more pictures than these.", "自编码器需要更多图片。")

    @property
    def parameters(self) -> int:
        return sum(weight.numel() for weight in self.new_network().parameters())

    def facts(self, steps: int, seconds: float) -> dict[str, Any]:
        """What the card says of the training."""
        return {
            "steps": steps,
            "pictures_per_step": BATCH,
            "pictures_seen": steps * BATCH,
            "minutes": round(seconds / 60, 1),
            "threads": torch.get_num_threads(),
            "device": device().type,
            "learning_rates": {"muon": RATE, "adamw": ENDS * RATE},
            "seed": self.seed,
            "loss": "mean absolute error of pixels and of their differences to neighbours, doubled where rubbed out",
        }

    def new_network(self) -> Autoencoder:
        set_seed(self.seed)
        return Autoencoder(self.config).to(device())

    def learn(
        self,
        network: Autoencoder,
        optimizers: Mapping[str, torch.optim.Optimizer],
        *,
        clock: Clock,
        first_step: int = 0,
        report: Callable[[int, float], None] = lambda step, loss: None,
    ) -> int:
        """Learn until the clock says stop. report(steps done, loss). Returns the number of steps done.

        The dice depend on seed and step only, so a training that goes on sees what it would have seen.
        """
        network.train()
        step = first_step
        while not clock.over(step):
            now = schedule(step, clock.expected(step), lowest=0.01)
            for group in (group for optimizer in optimizers.values() for group in optimizer.param_groups):
                group["lr"] = group["highest"] * now
            dice = np.random.default_rng([self.seed, step])
            chosen = dice.choice(len(self.pictures), min(BATCH, len(self.pictures)), replace=False)
            wanted, hidden = self._batch(self.pictures[chosen], dice)
            loss = loss_of(network, wanted, hidden, worn(wanted, dice))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            for optimizer in optimizers.values():
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            step += 1
            report(step, loss.item())
        return step

    @torch.no_grad()
    def validate(self, network: Autoencoder, most: int | None = None) -> float:
        """The loss on the pictures set aside, always with the same holes."""
        network.eval()
        dice = np.random.default_rng(self.seed)
        parts = [self.aside[first : first + BATCH] for first in range(0, len(self.aside[:most]), BATCH)]
        losses = [loss_of(network, *self._batch(part, dice)).item() for part in parts]
        network.train()
        return float(np.mean(losses))

    def strangest(self, network: Autoencoder) -> float:
        """The psnr in decibels below which only few of the faces set aside are drawn."""
        return round(float(np.quantile(psnr(redraw(network, self.aside), self.aside), UNUSUAL)), 2)

    def _batch(self, pictures: np.ndarray, dice: np.random.Generator) -> tuple[Tensor, Tensor]:
        whole = len(pictures) * WHOLE // BATCH
        holes = np.stack([hole(dice, self.config.grid) for _ in pictures[whole:]])
        return to_signed(pictures).to(device()), torch.from_numpy(holes).to(device())


def new_optimizers(network: Autoencoder) -> dict[str, torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for matrices, its steps as long as AdamW's; AdamW for the first and last layer, biases, norms, places."""
    ends = ("encoder.look", "decoder.paint")
    inner = {name: weight for name, weight in network.named_parameters() if weight.dim() == 2 and not name.startswith(ends)}
    rest = [weight for name, weight in network.named_parameters() if name not in inner]
    return {
        "muon": torch.optim.Muon([{"params": [*inner.values()], "highest": RATE}], weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
        "adamw": torch.optim.AdamW([{"params": rest, "highest": ENDS * RATE}], betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    }


def hole(dice: np.random.Generator, grid: int) -> np.ndarray:
    """(N,) bool: one rectangle of cells, sometimes two, that together cover at most LARGEST_HOLE of the grid and some."""
    mask = rectangle(dice, dice.uniform(SMALLEST_HOLE, LARGEST_HOLE), grid)
    if dice.random() < SECOND_HOLE:
        mask |= rectangle(dice, dice.uniform(SMALLEST_HOLE, SMALLEST_HOLE + 0.1), grid)
    return mask


def rectangle(dice: np.random.Generator, share: float, grid: int) -> np.ndarray:
    """(N,) bool: a rectangle of about that share of the cells, anywhere, of any shape."""
    cells = share * grid**2
    height = int(dice.integers(max(1, np.ceil(cells / grid)), grid + 1))
    width = int(np.clip(round(cells / height), 1, grid))
    top, left = (int(dice.integers(0, grid - side + 1)) for side in (height, width))
    mask = np.zeros((grid, grid), bool)
    mask[top : top + height, left : left + width] = True
    return mask.ravel()


def worn(pictures: Tensor, dice: np.random.Generator) -> Tensor:
    """A part of the pictures with grain, stains and blur, as scans, sketches and other models have them: drawn again they lose them.

    pictures: (B, 3, S, S) in −1 … 1. Returns the same shape.
    """
    count, size = len(pictures), pictures.shape[-1]

    def normal(side: int, strength: float) -> Tensor:
        strengths = dice.uniform(0, strength, (count, 1, 1, 1)).astype(np.float32)
        return torch.from_numpy(dice.standard_normal((count, 3, side, side), np.float32) * strengths).to(pictures.device)

    def some(share: float) -> Tensor:
        return torch.from_numpy(dice.random((count, 1, 1, 1)) < share).to(pictures.device)

    blurred = F.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)
    stains = F.interpolate(normal(size // 8, STAINS), size=size, mode="bilinear", align_corners=False)
    faulty = torch.where(some(0.5), blurred, pictures) + normal(size, GRAIN) + stains
    return torch.where(some(WORN), faulty.clamp(-1, 1), pictures)


def loss_of(network: Autoencoder, pictures: Tensor, hidden: Tensor, given: Tensor | None = None) -> Tensor:
    """Mean loss of a batch. pictures: (B, 3, S, S) in −1 … 1. hidden: (H, N), the holes in the last H of them.

    given: what the network reads in place of the pictures that it should draw.
    """
    given, whole = pictures if given is None else given, len(pictures) - len(hidden)
    total = pictures.new_zeros(())
    for part, holes in ((slice(whole), None), (slice(whole, None), hidden)):
        if len(given[part]):
            with autocast(pictures.device):
                made = network(given[part], holes)
            total = total + len(given[part]) / len(pictures) * difference(made.float(), pictures[part], holes)
    return total


def difference(made: Tensor, wanted: Tensor, hidden: Tensor | None = None) -> Tensor:
    """Mean absolute error of pixels and, EDGES times, of their steps right and down. made, wanted: (B, 3, S, S). hidden: (B, N)."""
    error = made - wanted
    steps = (error.diff(dim=2).abs(), error.diff(dim=3).abs())
    if hidden is None:
        return error.abs().mean() + EDGES * sum(each.mean() for each in steps)
    grid = round(hidden.shape[1] ** 0.5)
    weight = 1 + (HOLE - 1) * F.interpolate(hidden.view(-1, 1, grid, grid).float(), size=made.shape[2:])
    weight = weight / weight.mean()
    return (error.abs() * weight).mean() + EDGES * ((steps[0] * weight[:, :, 1:]).mean() + (steps[1] * weight[:, :, :, 1:]).mean())


def write_config(folder: Path, config: Config, strangest: Mapping[str, float] | None = None) -> None:
    """The measures, and beside those of the other side what counts as outside what was learned."""
    path = folder / "config.json"
    known = read_json(path).get("strangest", {}) if path.is_file() else {}
    write_json(path, {**replace(config, attention=True).to_dict(), "strangest": {**known, **(strangest or {})}})


def keep_faces(folder: Path) -> None:
    """Write `faces.npz`, what a run draws if no picture is given: painted by the Lab's own GAN, and drawn again by this model."""
    painter, network = generators.load("gan", "big_smile"), read_network(folder)
    made = [painter.picture(Request.check(painter.card, text=name)) for name in NAMES]
    faces = redraw(network, np.stack([read_picture(each, network.config.size) for each in made]))
    np.savez_compressed(folder / "faces.npz", faces=faces)


def record(folder: Path, snapshots: Path) -> None:
    """Write the stored examples, and the first of them as it looked while the model learned."""
    run, faces = Run.load(folder), read_faces(folder)
    for old in (folder / "examples").glob("*.npz"):
        old.unlink()
    requests = {}
    for file, (number, cells) in EXAMPLES.items():
        pin = central(cells) if cells else run.card.variants[0].pin.query
        requests[file] = Request(folder.name, text=NAMES[number], picture=faces[number], hidden=tuple(cells), pin=pin)
        light(run.trace(requests[file])).save(folder / "examples" / f"{file}.npz")
    first = replace(next(iter(requests.values())), pin=None)
    last = read_json(folder / "card.json")["training"]["steps"]
    there = {int(path.stem): path for path in snapshots.glob("*.safetensors") if int(path.stem) < last}
    wanted = sorted(there)[:1] + sorted(there)[1:][2 - LEARNING_STEPS :]
    series = {step: run.at(there[step]).trace(first) for step in wanted} | {last: run.trace(first)}
    save_series(folder / "learning.npz", {step: light(trace, LEARNING_UNIT) for step, trace in series.items()})


def central(cells: Sequence[int]) -> int:
    """That one of the cells which is nearest to their middle: the page pins it first."""
    places = np.stack(np.divmod(cells, GRID), -1)
    return cells[int(np.hypot(*(places - places.mean(0)).T).argmin())]


def light(trace: Trace, unit: float = UNIT) -> Trace:
    """The same for keeping: weights in whole multiples of a unit, each number taking over what those before it lost, so that rows sum to 1.

    Details lose their keys and values, which would be most of a file: a replay has them.
    """

    def rounded(weights: np.ndarray) -> np.ndarray:
        whole = np.round(np.cumsum(weights, -1, dtype=np.float64) / unit)
        return (np.diff(whole, prepend=0, axis=-1) * unit).astype(np.float32)

    def lighter(step: Step) -> Step:
        rows = tuple(replace(each, weights=rounded(each.weights), tolerance=STORED_TOLERANCE) for each in step.attentions)
        return replace(step, attentions=rows, details=tuple(replace(each, key=None, value=None) for each in step.details))

    return replace(trace, steps=[lighter(step) for step in trace.steps])


def test(variant: str | None, *, text: Path | None = None) -> dict[str, Any]:
    """Draw the stored faces again, whole and with a hole, keep them as a sheet, and say how long one took."""
    if text is not None:
        raise BadInput("The autoencoder is tested on its faces, not on a text.", "自编码器用自己的脸测试，不用文本。")
    variant = card("autoencoder").variant(variant).name
    folder = folders("autoencoder")[variant]
    run, network = Run.load(folder), read_network(folder)
    faces, grid = read_faces(folder), network.config.grid
    holes = np.stack([rectangle(np.random.default_rng(row), 0.25, grid) for row in range(len(faces))])
    rubbed = np.where(enlarged(holes.reshape(-1, grid, grid), faces.shape[1])[..., None], np.uint8(GREY), faces)
    whole, filled = redraw(network, faces), redraw(network, faces, holes)
    sheet = ROOT / "runs" / "autoencoder" / variant / "test.png"
    write_sheet(sheet, np.concatenate([faces, whole, rubbed, filled]), columns=len(faces))
    began = time.perf_counter()
    for seed in range(10):
        run.picture(Request(variant, seed=seed))
    return {
        "variant": variant,
        "faces": len(faces),
        "psnr": round(float(psnr(whole, faces).mean()), 2),
        "sheet": os.path.relpath(sheet, ROOT),
        "milliseconds_per_face": round((time.perf_counter() - began) * 100, 1),
    }


def evaluate(variant: str | None, *, data: Path, limit: int | None = None) -> dict[str, dict[str, Any]]:
    """How near all faces of `data` are drawn through the code, and inside a rectangle that was rubbed out. Writes nothing."""
    known = card("autoencoder").variant(variant)
    faces = read_avatars(data, STYLES[known.like or known.name]).images[:limit]
    folder = folders("autoencoder")[known.name]
    units = {"psnr": "dB", "ssim": "structural similarity, 1 is the same", **{f"hole_psnr_{each}": "dB" for each in SHARES}}
    one, other = figures(read_network(folder), faces), {}
    if (folder / "without.safetensors").is_file():
        other = figures(read_network(folder, attention=False), faces)
    return {name: chance.row(one.get(name), other.get(name), unit, "higher", [len(faces)]) for name, unit in units.items()}


def figures(network: Autoencoder, faces: np.ndarray) -> dict[str, Figure]:
    """The metrics of one network, means over the faces. faces: (N, S, S, 3) uint8. The holes depend on share and row only."""
    made, grid = redraw(network, faces), network.config.grid
    found = {"psnr": psnr(made, faces), "ssim": ssim(made, faces)}
    for share in SHARES:
        holes = np.stack([rectangle(np.random.default_rng([share, row]), share / 100, grid) for row in range(len(faces))])
        filled = redraw(network, faces, holes)
        found[f"hole_psnr_{share}"] = psnr(filled, faces, enlarged(holes.reshape(-1, grid, grid), faces.shape[1]))
    return {name: mean_of(values) for name, values in found.items()}


def write_metrics(variant: str, data: Path) -> None:
    """Measure the model that ships on a held-out folder, and keep the figures in its card."""
    training.write_metrics(folders("autoencoder")[variant], evaluate(variant, data=data))
