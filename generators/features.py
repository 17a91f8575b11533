"""The one space in which faces are compared: what a small network sees that learned to name the parts of drawn faces.

    python -m generators.features --data shared/data/train

Fréchet distance, KID, precision and recall are measured on the 64 numbers before its last layer: Inception's, which the field uses,
know photographs and no cartoons, and weigh 90 MB. Fixed before the models that it judges; none of them learns from it.

Letters: N pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from generators.data import FACE_PARTS, NONE, Avatars, read_avatars, split_pictures
from generators.pictures import to_signed
from generators.training import adamw, autocast, read_json, read_weights, say, schedule, write_json, write_weights
from generators.training import seed as set_seed

FOLDER = Path(__file__).parents[1] / "assets" / "features" / "faces"
STYLE = "bigSmile64"
PARTS = FACE_PARTS  # what it learned to name
NUMBERS = 64
STEPS, BATCH, RATE = 3000, 64, 3e-3
VALIDATION = 0.1
FURTHEST = 3  # pixels by which a picture is moved while it learns


class Features(nn.Module):
    """Pictures to 64 numbers, and those to the names of the parts. names: part → its possible values."""

    scale: Tensor

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self.names = {part: tuple(values) for part, values in names.items()}
        self.register_buffer("scale", torch.ones(()))
        widths = (12, 32, 64, 96, 128)  # at 32×32 with 2×2 pixels in a cell, 16×16, 8×8, 4×4, 2×2
        self.look = nn.Sequential(nn.PixelUnshuffle(2), *(_down(fine, coarse) for fine, coarse in pairwise(widths)))
        self.inner = nn.Linear(4 * widths[-1], NUMBERS)
        self.heads = nn.ModuleDict({part: nn.Linear(NUMBERS, len(values)) for part, values in self.names.items()})

    def forward(self, pictures: Tensor) -> Tensor:
        """pictures: (N, 3, 64, 64) in −1 … 1. Returns (N, 64), not negative."""
        return F.relu(self.inner(self.look(pictures).flatten(1)))

    @torch.inference_mode()
    def of(self, pictures: np.ndarray) -> np.ndarray:
        """pictures: (N, 64, 64, 3) uint8. Returns (N, 64) float32; over the training faces their mean variance is 1."""
        parts = [(self(to_signed(pictures[first : first + 256])) / self.scale).numpy() for first in range(0, len(pictures), 256)]
        return np.concatenate(parts) if parts else np.zeros((0, NUMBERS), np.float32)

    @torch.inference_mode()
    def shares(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """How likely each value of each part is: part → (N, values) float32, in the order of `names`. pictures: (N, 64, 64, 3) uint8."""
        features = torch.from_numpy(self.of(pictures)) * self.scale
        return {part: head(features).softmax(-1).numpy() for part, head in self.heads.items()}


def _down(fine: int, coarse: int) -> nn.Module:
    """Half the cells a side."""
    wide, half = nn.Conv2d(fine, coarse, 3, padding=1, bias=False), nn.Conv2d(coarse, coarse, 2, stride=2)
    return nn.Sequential(wide, nn.BatchNorm2d(coarse), nn.ReLU(), half, nn.ReLU())


@lru_cache(maxsize=1)
def load() -> Features:
    """The network that ships, ready to look. Raises NotReady, one sentence."""
    model = Features(read_json(FOLDER / "config.json")["names"])
    model.load_state_dict(read_weights(FOLDER / "weights.safetensors"))
    return model.eval().requires_grad_(False)


def labels(avatars: Avatars, names: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    """Part → (M,) int64, the number of its value among the names."""
    return {part: np.array([values.index(face.get(part, NONE)) for face in avatars.attributes], np.int64) for part, values in names.items()}


def names_of(avatars: Avatars) -> dict[str, list[str]]:
    """Part → all its values in the data, sorted."""
    return {part: sorted({face.get(part, NONE) for face in avatars.attributes}) for part in PARTS}


def train(data: Path, folder: Path = FOLDER, *, steps: int = STEPS, seed: int = 0) -> None:
    """Learn to name the parts of the faces in `data`; writes weights, names and how often they are right into `folder`. Raises BadInput."""
    set_seed(seed)
    avatars = read_avatars(data, STYLE)
    names = names_of(avatars)
    aside = split_pictures(avatars.images, VALIDATION)
    right = {part: torch.from_numpy(each) for part, each in labels(avatars, names).items()}
    learned = np.flatnonzero(~aside)
    model = Features(names).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = adamw(model)
    for step in range(steps):
        chosen = np.random.default_rng([seed, step]).choice(learned, BATCH)
        for group in optimizer.param_groups:
            group["lr"] = RATE * schedule(step, steps)
        with autocast(torch.device("cpu")):
            features = model(moved(to_signed(avatars.images[chosen])))
            losses = [F.cross_entropy(head(features).float(), right[part][chosen]) for part, head in model.heads.items()]
            loss = torch.stack(losses).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if (step + 1) % 100 == 0:
            say(f"step {step + 1} of {steps}: loss {loss.item():.3f}")
    model.eval().scale.fill_(float(np.sqrt(model.of(avatars.images).var(0).mean())))
    write_weights(folder / "weights.safetensors", model.state_dict())
    shares = right_shares(model, avatars, aside)
    say(f"right on faces set aside: {shares}")
    write_json(folder / "config.json", {"names": names, "right": shares, "faces": int(aside.sum()), "steps": steps, "seed": seed})


def right_shares(model: Features, avatars: Avatars, rows: np.ndarray) -> dict[str, float]:
    """Part → share of the chosen faces of which the name is right. rows: (M,) bool."""
    found = model.shares(avatars.images[rows])
    return {part: round(float((found[part].argmax(-1) == each[rows]).mean()), 4) for part, each in labels(avatars, model.names).items()}


def moved(pictures: Tensor) -> Tensor:
    """Each moved by up to FURTHEST pixels, the border repeated, with a little noise: names should not hang on single pixels."""
    count, _, height, width = pictures.shape
    padded = F.pad(pictures, (FURTHEST,) * 4, mode="replicate")
    by = torch.randint(0, 2 * FURTHEST + 1, (2, count))
    rows = (torch.arange(height) + by[0, :, None])[:, None, :, None]  # (N, 1, height, 1)
    columns = (torch.arange(width) + by[1, :, None])[:, None, None, :]
    shifted = padded[torch.arange(count)[:, None, None, None], torch.arange(3)[None, :, None, None], rows, columns]
    return (shifted + 0.05 * torch.randn_like(shifted)).contiguous(memory_format=torch.channels_last)


def main(arguments: Sequence[str] | None = None) -> None:
    given: Any = argparse.ArgumentParser(prog="python -m generators.features", description=__doc__)
    given.add_argument("--data", type=Path, required=True, metavar="DIR")
    train(given.parse_args(arguments).data)


if __name__ == "__main__":
    main()
