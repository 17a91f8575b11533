"""Learn to paint scenes from words, look at the result, and measure it.

    python -m generators train diffusion --data shared/data/train --minutes 60
    python -m generators test diffusion
    python -m generators evaluate diffusion --data shared/data/held_out

Scenes are composed without end from emoji (`generators.scenes`); combinations that are kept from training are never among them. All
that the network learns from are pictures and captions: where an object is, it is never told. The rate is held and falls to nothing at
the end (Hägele et al. 2024, arXiv 2405.18392). A training that goes on after its end does the same again, at half the rate.

Letters: B pictures of a batch, K words of a prompt, S pixels a side.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from generators import card, folders
from generators.base import BadInput
from generators.diffusion import sampler
from generators.diffusion.figures import evaluate as evaluate
from generators.diffusion.figures import write_metrics as write_metrics
from generators.diffusion.model import EMPTY, Config, Network
from generators.diffusion.stored import record
from generators.lexicon import Lexicon
from generators.pictures import as_picture, to_signed, write_sheet
from generators.scenes import CREDITS, STYLES, Composer, Scene, halved
from generators.training import (
    EMA,
    Clock,
    autocast,
    device,
    length,
    load_state,
    read_weights,
    save_state,
    say,
    write_card,
    write_json,
    write_weights,
)
from generators.training import seed as set_seed

ROOT = Path(__file__).parents[2]
BATCH = 128
LONGEST = 9  # words of a composed caption
RATE = 4e-3  # of Muon, for matrices and kernels
OTHER_RATE = 2e-3  # of AdamW, for all else
WARMUP = 100  # steps
FALL = 0.4  # share of the training over which the rate falls
AGAIN = 0.5  # of the rates, in a training that goes on after its end
DECAY = 0.999  # of the running average
MINUTES = 60.0
GUIDED = 0.1  # share of the prompts that are left out, so that guidance knows what a picture of nothing said is
PARTS = 0.08  # share that says no ground, and share that is a mere list of words
CENTRE, SPREAD = -0.3, 1.1  # of the times' logits: most is learned where the picture takes shape
SUREST = 0.05  # of 1 − t, in the loss: nearer to the end all pictures are alike
REPORT_EVERY = 50  # steps
SAVE_EVERY = 240.0  # seconds
WORTH_COMPILING = 1000  # steps: compiling takes most of a minute
CHECKED = 512  # composed scenes on which the loss is followed
SHEET = 48
FINE = 20_000  # weights of smaller tensors are kept in 16 bits


class Batch(NamedTuple):
    """pictures: (B, 3, S, S) in −1 … 1. ids: (B, K). style: (B,)."""

    pictures: Tensor
    ids: Tensor
    style: Tensor


class Scenes:
    """Composed pictures and what they say, as numbers."""

    def __init__(self, composer: Composer, lexicon: Lexicon) -> None:
        self.composer, self.lexicon = composer, lexicon
        self.numbers = {name: number for number, name in enumerate(lexicon.ids, 1)}

    def batch(self, dice: np.random.Generator, count: int = BATCH, *, whole: bool = False) -> Batch:
        """Scenes by the dice. whole: every caption as it is, none shortened or left out."""
        scenes = [self.composer.compose(dice) for _ in range(count)]
        pictures = halved(np.stack([self.composer.paint(scene)[0] for scene in scenes]))
        ids = np.full((count, LONGEST), EMPTY)
        for row, scene in zip(ids, scenes, strict=True):
            said = self.words(scene, dice, whole=whole)
            row[: len(said)] = said
        style = torch.tensor([STYLES.index(scene.style) for scene in scenes])
        return Batch(to_signed(pictures), torch.from_numpy(ids), style)

    def words(self, scene: Scene, dice: np.random.Generator, *, whole: bool) -> list[int]:
        """Numbers of the caption's words, English or Chinese by the dice."""
        text = scene.caption() if dice.random() < 0.5 else scene.caption_zh(self.composer.names)
        pieces = self.lexicon.read(text)
        fate = 1.0 if whole else dice.random()
        if fate < GUIDED:
            return []
        if fate < GUIDED + PARTS:  # "a fox"
            pieces = [piece for piece in pieces if piece.kind != "ground" and piece.id not in ("on a", "background", "背景上", "，")]
        elif fate < GUIDED + 2 * PARTS:  # "fox blue"
            pieces = [piece for piece in pieces if piece.kind != "function"]
        return [self.numbers[piece.id] for piece in pieces if piece.id is not None]


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
    """Train a variant on scenes composed from the emoji of `data` into the folder `out`. Progress goes to stderr; Ctrl-C saves.

    minutes, steps: in all, those before a resume among them. resume goes on from the training's own state, or from the weights that
    ship. The twin (attention False) takes as many steps as the model with attention did. Raises BadInput.
    """
    if text is not None:
        raise BadInput("The painter learns from scenes, not from a text.", "diffusion 从场景学习，不用文本。")
    if data is None:
        raise BadInput("The painter needs a data folder with emoji.", "diffusion 需要含有 emoji 的数据文件夹。")
    variant = card("diffusion").variant(variant).name
    scenes = Scenes(Composer.read(data), Lexicon.of(data))
    out = out or folders("diffusion")[variant]
    file = "weights" if attention else "without"
    work = ROOT / "runs" / "diffusion" / out.name / file
    minutes, steps = length(out, minutes, steps, attention=attention, usual=MINUTES)
    config = config or Config(words=len(scenes.lexicon.ids))
    set_seed(seed)
    clock = Clock(minutes, steps)
    learner = Learner(replace(config, attention=attention), device())
    parameters = sum(weight.numel() for weight in learner.network.parameters())
    say(f"{variant}: {parameters:,} parameters, on {device()}")
    if dry_run:
        say(f"would train for {minutes or '∞'} minutes or {steps or '∞'} steps into {out}")
        return
    if resume:
        clock = Clock(minutes, steps, learner.resume(work / "state.pt", folders("diffusion")[variant] / f"{file}.safetensors"))
    if clock.expected(1) > WORTH_COMPILING and shutil.which("c++"):
        learner.compile()
    again = learner.began
    done = learn(learner, scenes, clock, work, seed)
    network = learner.averaged
    whole = [name for name, weight in network.state_dict().items() if weight.numel() < FINE]
    write_weights(out / f"{file}.safetensors", network.state_dict(), bits=8, whole=whole)
    write_json(out / "config.json", replace(config, attention=True).to_dict())
    scenes.lexicon.save(out / "vocabulary.json")
    facts = {
        "steps": done,
        "pictures_per_step": BATCH,
        "minutes": round(clock.seconds / 60, 1),
        "threads": torch.get_num_threads(),
        "device": device().type,
        "learning_rates": {"muon": RATE, "adamw": OTHER_RATE},
        "loss": "squared difference of the picture, as of the velocity: over (1 − t)²",
        "rates_rose_again_at": again,
        "seed": seed,
    }
    write_card(out, **{"training" if attention else "training_without": facts})
    if attention:
        write_card(out, parameters=parameters, data=CREDITS)
        record(out, work / "snapshots")
    say(f"wrote {out.name}/{file}.safetensors after {done} steps")


def learn(learner: Learner, scenes: Scenes, clock: Clock, work: Path, seed: int) -> int:
    """The loop, until the clock says stop; keeps snapshots, sheets and the state in `work`. Returns the steps done.

    The dice for the scenes depend on seed and step only, so a training that goes on sees what it would have seen.
    """
    checked = scenes.batch(np.random.default_rng([seed, 2**40]), CHECKED, whole=True)
    first, step, saved = learner.done, learner.done, clock.seconds
    try:
        while not clock.over(step):
            if is_snapshot(step):
                write_weights(work / "snapshots" / f"{step:07d}.safetensors", learner.averaged.state_dict())
            steps = clock.expected(step) if step > first + 5 else 10**9
            rate = factor(step - learner.began, steps - learner.began) * (AGAIN if learner.began else 1)
            loss = learner.step(scenes.batch(np.random.default_rng([seed, step])), rate)
            step += 1
            if step % REPORT_EVERY == 0:
                say(f"step {step} of {steps}: loss {loss:.4f}, {clock.seconds:.0f} s")
            if clock.seconds - saved > SAVE_EVERY:
                learner.save(work / "state.pt", clock.seconds)
                say(f"step {step}: checked {learner.check(checked):.4f}")
                write_sheet(work / "sheets" / f"{step:07d}.png", painted(learner.averaged, checked), 8)
                saved = clock.seconds
        learner.began = step  # of what may follow
    except KeyboardInterrupt:
        say("stopped; --resume goes on from here")
    learner.save(work / "state.pt", clock.seconds)
    say(f"step {step}: checked {learner.check(checked):.4f}")
    write_sheet(work / "sheets" / f"{step:07d}.png", painted(learner.averaged, checked), 8)
    return step


def factor(step: int, steps: int) -> float:
    """On the rates: up in a straight line, held, and down to nothing."""
    return min(1.0, (step + 1) / WARMUP, max(0.0, (steps - step) / (FALL * steps)))


def is_snapshot(step: int) -> bool:
    """Whether learning is recorded here: at 0, 40, 80, 160 …, whatever the budget."""
    return step == 0 or (step % 40 == 0 and math.log2(step / 40).is_integer())


class Learner:
    """The network, its optimisers and its running average. done: steps. began: the step at which the rates last rose."""

    def __init__(self, config: Config, where: torch.device) -> None:
        self.where = where
        self.done = self.began = 0
        self.network = Network(config).to(where)
        self.average = EMA(self.network, decay=DECAY)
        self.averaged = cast(Network, self.average.copy)
        self.kernels, others = parted(self.network)
        self.flat = [kernel.detach().flatten(1) for kernel in self.kernels]  # views: Muon takes matrices only
        self.muon = torch.optim.Muon([nn.Parameter(each) for each in self.flat], lr=RATE, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
        self.adamw = torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
        self.loss: Any = self._loss

    def compile(self) -> None:
        """Let torch write code for this very network: a third faster on a CPU."""
        self.loss = torch.compile(self._loss, dynamic=False)

    def _loss(self, batch: Batch, noise: Tensor, time: Tensor) -> Tensor:
        """noise: as the pictures. time: (B,). Squared difference of the velocities, the nearest times held back."""
        t = time[:, None, None, None]
        seen = self.network((1 - t) * noise + t * batch.pictures, time, self.network.read(batch.ids, batch.style))
        off = (seen.float() - batch.pictures).square().mean((1, 2, 3))
        return (off / (1 - time).clamp_min(SUREST).square()).mean()

    def step(self, batch: Batch, factor: float) -> float:
        """One step. factor: of the learning rates. Returns the loss."""
        batch = Batch(*(each.to(self.where) for each in batch))
        noise, time = torch.randn_like(batch.pictures), torch.sigmoid(CENTRE + SPREAD * torch.randn_like(batch.pictures[:, 0, 0, 0]))
        # A CPU's fused kernel walks backward slower than plain products do over so few keys.
        with autocast(self.where), sdpa_kernel(SDPBackend.MATH):
            loss = self.loss(batch, noise, time)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        for kernel, flat in zip(self.kernels, self.muon.param_groups[0]["params"], strict=True):
            flat.grad = None if kernel.grad is None else kernel.grad.flatten(1)
        for optimizer, rate in ((self.muon, RATE), (self.adamw, OTHER_RATE)):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
            optimizer.step()
        self.network.zero_grad(set_to_none=True)
        self.average.update(self.network)
        self.done += 1
        return float(loss.detach())

    @torch.inference_mode()
    def check(self, batch: Batch) -> float:
        """The averaged network's loss on scenes that are always the same, at times and with noise that are always the same."""
        dice = torch.Generator().manual_seed(0)
        noise = torch.randn(batch.pictures.shape, generator=dice)
        time = (torch.arange(len(noise)) + 0.5) / len(noise)
        total = 0.0
        for rows in torch.arange(len(noise)).split(BATCH):
            pictures, ids, style, some, t = (each[rows].to(self.where) for each in (*batch, noise, time))
            wide = t[:, None, None, None]
            with autocast(self.where):
                seen = self.averaged((1 - wide) * some + wide * pictures, t, self.averaged.read(ids, style))
            off = (seen.float() - pictures).square().mean((1, 2, 3))
            total += float((off / (1 - t).clamp_min(SUREST).square()).sum())
        return total / len(noise)

    def save(self, path: Path, seconds: float) -> None:
        """All that `resume` needs."""
        state = {part: getattr(self, part).state_dict() for part in ("network", "muon", "adamw")}
        average = {"weights": self.average.copy.state_dict(), "updates": self.average.updates}
        save_state(path, step=self.done, began=self.began, seconds=seconds, average=average, **state)

    def resume(self, path: Path, shipped: Path) -> float:
        """Load the saved state, else the weights that ship. Returns the seconds that were used."""
        if not path.is_file():
            self.network.load_state_dict(read_weights(shipped))
            self.average.copy.load_state_dict(self.network.state_dict())
            return 0.0
        state = load_state(path)
        for part in ("network", "muon", "adamw"):
            getattr(self, part).load_state_dict(state[part])
        self.average.copy.load_state_dict(state["average"]["weights"])
        self.average.updates = state["average"]["updates"]
        self.done, self.began = state["step"], state["began"]
        return float(state["seconds"])


def parted(network: Network) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(Kernels and matrices of the inner layers for Muon, all else)."""
    outer = ("enter.", "leave.", "reader.word.", "style.", ".place")
    inner = [w for name, w in network.named_parameters() if w.dim() > 1 and not any(part in f".{name}" for part in outer)]
    taken = {id(each) for each in inner}
    return inner, [w for w in network.parameters() if id(w) not in taken]


# Looking


@torch.inference_mode()
def painted(network: Network, batch: Batch, count: int = SHEET, steps: int = 12, guidance: float = 2.5) -> np.ndarray:
    """The first prompts of a batch, painted. Returns (count, S, S, 3) uint8."""
    where, size = network.gain.device, network.config.size
    ids, style = batch.ids[:count].to(where), batch.style[:count].to(where)
    x = sampler.noise(range(count), 0, size)[: len(ids)].to(where)
    with autocast(where):
        prompts = sampler.both(network, ids, style)
        for step, (time, following) in enumerate(pairwise(sampler.moments(steps)), 1):
            believed, _ = sampler.believe(network, x, time, prompts, guidance)
            x = sampler.onwards(x, believed, time, following, sampler.noise(range(count), step, size)[: len(ids)].to(where))
    return as_picture(x)


def test(variant: str | None, *, text: Path | None = None) -> dict[str, Any]:
    """Paint scenes, keep them as a sheet, and say how long one took."""
    from generators.diffusion import read_network

    if text is not None:
        raise BadInput("The painter is tested on prompts of its own, not on a text.", "diffusion 用自己的提示测试，不用文本。")
    variant = card("diffusion").variant(variant).name
    folder = folders("diffusion")[variant]
    network, lexicon = read_network(folder), Lexicon.load(folder / "vocabulary.json")
    batch = said([f"a {word.en} on a blue background" for word in lexicon.of_kind("object")[:SHEET]], lexicon)
    sheet = ROOT / "runs" / "diffusion" / variant / "test.png"
    began = time.perf_counter()
    write_sheet(sheet, painted(network, batch), 8)
    seconds = time.perf_counter() - began
    return {
        "variant": variant,
        "pictures": SHEET,
        "sheet": os.path.relpath(sheet, ROOT),
        "milliseconds_per_picture": round(seconds / SHEET * 1000, 1),
    }


def said(prompts: Sequence[str], lexicon: Lexicon) -> Batch:
    """Prompts as numbers, in the first style; without pictures."""
    numbers = {name: number for number, name in enumerate(lexicon.ids, 1)}
    rows = [[numbers[piece.id] for piece in lexicon.read(prompt) if piece.id is not None] for prompt in prompts]
    ids = torch.full((len(rows), max(map(len, rows))), EMPTY)
    for row, words in zip(ids, rows, strict=True):
        row[: len(words)] = torch.tensor(words)
    return Batch(torch.empty(0), ids, torch.zeros(len(rows), dtype=torch.long))
