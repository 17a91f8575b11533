"""What every training shares: seed, device, precision, schedule, averaged weights, resuming, files.

The same command trains on a CPU and on a GPU. Weights lie on disk in float16 or eight bits
(safetensors) and in memory in float32.
"""

from __future__ import annotations

import copy
import json
import math
import os
import random
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from generators.base import NotReady


def seed(n: int) -> None:
    """Seed Python's, numpy's and torch's dice. For training; runs of a model have dice of their own."""
    random.seed(n)
    np.random.seed(n % 2**32)
    torch.manual_seed(n)


def device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(where: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 inside the block where it pays; softmax and loss stay in float32."""
    return torch.autocast(where.type, dtype=torch.bfloat16)


def schedule(step: int, steps: int, warmup: int = 100, lowest: float = 0.05) -> float:
    """Factor on the learning rate: a straight line up to 1 over `warmup` steps, then half a cosine down to `lowest`."""
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return lowest + (1 - lowest) * (1 + math.cos(math.pi * progress)) / 2


class EMA:
    """A running average of a model's weights, in `copy`; its buffers are taken over as they are.

    After n updates the decay is at most (1 + n) / (10 + n), so that the first weights are soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.updates = 0
        self.copy = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averaged, current = dict(self.copy.named_parameters()), dict(model.named_parameters())
        for name, weight in averaged.items():
            weight.lerp_(current[name].detach(), 1 - decay)
        buffers = dict(model.named_buffers())
        for name, buffer in self.copy.named_buffers():
            buffer.copy_(buffers[name])


def say(line: str) -> None:
    """A line of progress, on stderr."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def snapshot_steps(steps: int, count: int = 10) -> list[int]:
    """At most `count` training steps, evenly spaced on a log scale, from 0 to the last: where learning is recorded."""
    if steps < 1:
        return [0]
    first = max(1, steps // 1000)
    spaced = np.geomspace(first, steps, max(2, count - 1)).round().astype(int).tolist()
    return sorted({0, *spaced, steps})


@dataclass
class Clock:
    """The budget of a training: minutes, steps, or both. `before` counts what earlier sessions used (resume)."""

    minutes: float | None = None
    steps: int | None = None
    before: float = 0.0  # seconds
    _start: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Used so far, earlier sessions included."""
        return self.before + time.monotonic() - self._start

    def expected(self, step: int) -> int:
        """The number of steps that the whole training will take, at the speed so far."""
        by_time = math.inf if self.minutes is None else max(1, step) * self.minutes * 60 / max(1e-9, self.seconds)
        return max(1, round(min(by_time, math.inf if self.steps is None else self.steps)))

    def over(self, step: int) -> bool:
        """Whether the training should end before the step of that number."""
        out_of_time = self.minutes is not None and self.seconds >= self.minutes * 60
        return out_of_time or (self.steps is not None and step >= self.steps)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that it is never seen half written, not even after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.{os.getpid()}.part")
    half.write_bytes(content)
    os.replace(half, path)


def save_state(path: Path, **things: Any) -> None:
    """What a training needs to go on: tensors, state dicts, numbers, strings, lists and dicts of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.{os.getpid()}.part")
    torch.save(things, half)
    os.replace(half, path)


def load_state(path: Path) -> dict[str, Any]:
    """What `save_state` kept, on the CPU; nothing in the file is executed. Raises FileNotFoundError if there is none."""
    things: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return things


LARGE = 4096
"""Numbers of a matrix from which on eight bits each pay."""


def write_weights(
    path: Path,
    state_dict: Mapping[str, Tensor],
    *,
    bits: int = 16,
    whole: Collection[str] = (),
    metadata: dict[str, str] | None = None,
) -> None:
    """Weights as safetensors, floating point ones in float16, or as they are where `bits` is 32.

    bits 8: matrices and kernels of LARGE and more become int8, rounded to whole multiples of one float16 for each of their rows (the
    first axis: a layer's outputs), kept beside as NAME.scale. A number is then off by half a scale at most: 1/254 of its row's largest.
    whole: names that stay in float16 all the same. metadata: of the file's header.
    """
    kept = {}
    for name, weight in state_dict.items():
        weight = weight.detach().cpu()
        if bits == 8 and weight.is_floating_point() and weight.dim() > 1 and weight.numel() >= LARGE and name not in whole:
            kept[name], kept[f"{name}.scale"] = _rounded(weight.float())
        else:
            kept[name] = (weight.half() if bits < 32 and weight.is_floating_point() else weight).contiguous().clone()
    write_bytes(path, save(kept, metadata))


def _rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(O, …) as int8 (O, …) times float16 (O,). The scales are rounded up, so that no number lies beyond ±127 of them."""
    rows = weight.flatten(1)
    exact = rows.abs().amax(1) / 127
    scale = exact.half()
    scale = torch.where(scale < exact, torch.nextafter(scale, scale.new_tensor(math.inf)), scale)
    steps = rows / scale.float().clamp(min=2**-24)[:, None]  # float16's smallest: a row of zeros stays one
    return steps.round().to(torch.int8).view(weight.shape), scale


def read_weights(path: Path) -> dict[str, Tensor]:
    """Weights in float32, whatever they lie on disk as. Raises NotReady if the file is missing, cut short or without its scales."""
    if not path.is_file():
        raise NotReady(f"The weights {path.parent.name}/{path.name} are missing.", f"缺少权重文件 {path.parent.name}/{path.name}。")
    try:
        kept = load_file(path)
        scales = {name: kept.pop(f"{name}.scale") for name in [*kept] if kept[name].dtype == torch.int8}
        return {name: _read(weight, scales.get(name)) for name, weight in kept.items()}
    except (SafetensorError, OSError, ValueError, KeyError):
        raise NotReady(
            f"The weights {path.parent.name}/{path.name} are damaged.", f"权重文件 {path.parent.name}/{path.name} 已损坏。"
        ) from None


def _read(weight: Tensor, scale: Tensor | None) -> Tensor:
    """A weight as the model takes it. Raises ValueError if a scale is not one number a row."""
    if scale is None:
        return weight.float() if weight.is_floating_point() else weight
    if scale.shape != weight.shape[:1]:
        raise ValueError(f"scales of {tuple(weight.shape)} have shape {tuple(scale.shape)}")
    return weight.float().mul_(scale.float().view(-1, *[1] * (weight.dim() - 1)))


def write_json(path: Path, content: Any) -> None:
    """As readable JSON in UTF-8."""
    write_bytes(path, (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises NotReady if the file is missing or cut short."""
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        name = f"{path.parent.name}/{path.name}"
        raise NotReady(f"The file {name} is missing or damaged.", f"文件 {name} 缺失或已损坏。") from None
    return content


def length(out: Path, minutes: float | None, steps: int | None, *, attention: bool, usual: float) -> tuple[float | None, int | None]:
    """Minutes and steps of a training: as given, else for a twin as many steps as the model in `out` took, else the usual minutes."""
    if minutes is None and steps is None and not attention and (out / "card.json").is_file():
        steps = read_json(out / "card.json").get("training", {}).get("steps")
    return (usual if minutes is None and steps is None else minutes), steps


def write_card(folder: Path, **facts: Any) -> None:
    """Add facts to the model card `card.json`: data, licence, size, cost, metrics; those given before and not now stay."""
    path = folder / "card.json"
    known = read_json(path) if path.is_file() else {}
    write_json(path, {**known, **facts})


def write_metrics(folder: Path, metrics: Mapping[str, Mapping[str, Any]], **facts: Any) -> None:
    """Put what `evaluate` found on the card of the variant in `folder`, and the command that finds it again (DIR: a held-out folder).

    What a study of small models measured from several seeds stays: it has a command of its own, `study`, in its metric's row.
    """
    known = read_json(folder / "card.json").get("metrics", {}) if (folder / "card.json").is_file() else {}
    studied = {name: {part: row[part] for part in STUDIED if part in row} for name, row in known.items() if "study" in row}
    found = {name: {**row, **studied.pop(name, {})} for name, row in metrics.items()}
    command = f"python -m generators evaluate {folder.parent.name} --variant {folder.name} --data DIR"
    write_card(folder, command=command, metrics={**found, **{name: known[name] for name in studied}}, **facts)


STUDIED = ("with_seeds", "without_seeds", "study")
"""Parts of a metric that a study of small models measured."""


def adamw(model: nn.Module) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019); matrices decay, biases and norms do not."""
    matrices = [weight for weight in model.parameters() if weight.dim() > 1]
    vectors = [weight for weight in model.parameters() if weight.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98), fused=True)


IGNORED = -100
"""A target where nothing is predicted."""


class DenseLoss(torch.autograd.Function):
    """Mean cross-entropy of an output layer's softmax, a few hundred positions at a time.

    The logits of a whole batch would not fit a cache; here each part is turned into its gradients while it is there, which more than
    halves the time of a step on a CPU. Products in bfloat16, softmax and sums in float32.
    """

    PART = 512

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        """features: (M, E). weight: (N, E). bias: (N,). targets: (M,), IGNORED where nothing is predicted.

        smoothing: share of the target that is spread over all N (Szegedy et al. 2016, section 7).
        """
        keep = targets != IGNORED
        narrow, narrow_weight = features.detach()[keep].bfloat16(), weight.detach().bfloat16()
        targets = targets[keep]
        to_features = torch.empty_like(narrow)
        to_weight = torch.zeros_like(weight)
        to_bias = None if bias is None else torch.zeros_like(bias)
        total = weight.new_zeros(())
        for start in range(0, len(targets), DenseLoss.PART):
            part, wanted = narrow[start : start + DenseLoss.PART], targets[start : start + DenseLoss.PART, None]
            logits = (part @ narrow_weight.T).float()
            likely = torch.log_softmax(logits if bias is None else logits.add_(bias), -1)
            total -= (1 - smoothing) * likely.gather(1, wanted).sum()
            if smoothing:
                total -= smoothing * likely.mean(-1).sum()
            error = likely.exp_()  # p, less the target
            if smoothing:
                error -= smoothing / len(weight)
            error.scatter_add_(1, wanted, torch.full_like(wanted, -(1 - smoothing), dtype=torch.float32))
            if to_bias is not None:
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
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None, None]:
        factor = gradients[0] / ctx.count
        to_features, to_weight, to_bias = ctx.saved_tensors
        return to_features * factor.to(to_features.dtype), to_weight * factor, None if to_bias is None else to_bias * factor, None, None


class Keeper:
    """Hears of every step: prints progress, keeps the state to resume from, and weights on the way (`snapshots/STEP`)."""

    def __init__(
        self,
        work: Path,
        model: nn.Module,
        optimizers: Mapping[str, torch.optim.Optimizer],
        clock: Clock,
        validate: Callable[[], float],
        **facts: float,
    ) -> None:
        """work: folder. validate: a loss on rows set aside. facts: numbers that the state carries along, as the learning rate."""
        self.work, self.model, self.optimizers, self.clock, self.validate, self.facts = work, model, optimizers, clock, validate, facts
        self.step = self._first = 0
        self._loss = math.nan
        self._said = self._saved = time.monotonic()
        self._snapshots: list[int] = []

    @staticmethod
    def state(work: Path) -> dict[str, Any] | None:
        """What an earlier training left to go on from."""
        return load_state(work / "state.pt") if (work / "state.pt").is_file() else None

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Take over model, optimizers and step of an earlier training."""
        self.model.load_state_dict(state["model"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.step = self._first = int(state["step"])

    def __call__(self, step: int, loss: float) -> None:
        self.step = step
        self._loss = loss if math.isnan(self._loss) else 0.98 * self._loss + 0.02 * loss
        if step - self._first in (5, 50):  # by now the speed is known
            self._snapshots = snapshot_steps(self.clock.expected(step))
        if step == 1 or step in self._snapshots:
            self.snapshot()
        if time.monotonic() - self._said > 30:
            say(f"step {step} of {self.clock.expected(step)}, loss {self._loss:.4f}, validation {self.validate():.4f}")
            self._said = time.monotonic()
        if time.monotonic() - self._saved > 120:
            self.save()
            self._saved = time.monotonic()

    def snapshot(self) -> None:
        """Keep the weights as they are now."""
        write_weights(self.work / "snapshots" / f"{self.step}.safetensors", self.model.state_dict())

    def save(self) -> None:
        """Keep what `go_on` needs."""
        save_state(
            self.work / "state.pt",
            model=self.model.state_dict(),
            optimizers={name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            step=self.step,
            seconds=self.clock.seconds,
            facts=self.facts,
        )
