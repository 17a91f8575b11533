"""The eye that judges painted scenes: which of the objects are in a picture, where each is, and the colour of the ground.

    python -m generators.detector --data DIR            learn from composed scenes, or go on with it
    python -m generators.detector --data DIR --test     figures on the reference scenes of DIR

A U-Net (Ronneberger et al. 2015) that says of each pixel whether it belongs to an object (Long et al. 2015), and of each cell of 2×2
pixels to which. It also learns what is none of them: sprites cut from two objects, blended, smeared, shuffled, so that only what is
painted well counts. It stands apart from all generators, and was fixed before the models that it judges.

Letters: N pictures, C classes: the objects, and last whatever is none of them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from generators import truth
from generators.lexicon import Meaning, meant
from generators.pictures import to_signed
from generators.scenes import CREDITS, GROUNDS, SIZE, Composer, Place, Scene, halved, read_scenes
from generators.training import (
    adamw,
    autocast,
    load_state,
    read_json,
    read_weights,
    save_state,
    say,
    schedule,
    write_card,
    write_json,
    write_weights,
)
from generators.training import seed as set_seed

FOLDER = Path(__file__).parents[1] / "assets" / "detector" / "scenes"
WORK = Path(__file__).parents[1] / "runs" / "detector"
SIDE = SIZE // 2  # pixels
WIDTHS = (64, 96, 128)  # at 16×16, 8×8, 4×4
NUMBERS = WIDTHS[-1]  # of the features
STEPS, BATCH, RATE = 6000, 64, 4e-3
SPOILT = 14  # sprites a batch that are no object, beside the 103 that are
NO_OBJECT = "?"  # the name of a spoilt sprite begins so
TAKEN = 500  # spoilt sprites that it is tested with
UNITS = {
    "object": "share of scenes with exactly their objects found",
    "place": "share of scenes with two objects found that stand as said",
    "background": "share of scenes with their ground found",
    "all": "share of scenes",
    "iou": "overlap of found and true silhouettes",
    "spoilt": "share of spoilt sprites that pass for an object",
}
LEAST = 0.03  # share of the picture; the smallest object of the reference has 0.043
SURE = 0.7  # mean share of its own class over its pixels


class Network(nn.Module):
    """words: the objects, in the order of the classes."""

    scale: Tensor

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self.words = tuple(words)
        self.register_buffer("scale", torch.ones(()))
        half, quarter, eighth = WIDTHS
        self.fine = nn.Sequential(nn.PixelUnshuffle(2), _conv(12, half), _conv(half, half))
        self.quarter, self.eighth = _halved(half, quarter), _halved(quarter, eighth)
        self.to_quarter, self.at_quarter = nn.Conv2d(eighth, quarter, 1), _conv(quarter, quarter)
        self.to_half, self.at_half = nn.Conv2d(quarter, half, 1), _conv(half, quarter)
        self.thing = nn.Sequential(nn.Conv2d(quarter, 4, 3, padding=1), nn.PixelShuffle(2))
        self.what = nn.Conv2d(quarter, len(self.words) + 1, 1)
        self.ground = nn.Linear(half, len(GROUNDS))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """pictures: (N, 3, 32, 32) in −1 … 1.

        Returns logits: of an object at each pixel (N, 32, 32), of the classes in each cell (N, C, 16, 16), of the grounds (N, 6); and
        features (N, NUMBERS), not negative.
        """
        half = self.fine(pictures)  # (N, 64, 16, 16)
        quarter = self.quarter(half)  # (N, 96, 8, 8)
        eighth = self.eighth(quarter)  # (N, 128, 4, 4)
        quarter = self.at_quarter(quarter + _twice(self.to_quarter(eighth)))
        cells = self.at_half(half + _twice(self.to_half(quarter)))  # (N, 96, 16, 16)
        return self.thing(cells)[:, 0], self.what(cells), self.ground(half.mean((2, 3))), eighth.mean((2, 3))


def _conv(before: int, after: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def _twice(cells: Tensor) -> Tensor:
    return F.interpolate(cells, scale_factor=2.0, mode="nearest")


def _halved(before: int, after: int) -> nn.Module:
    """Half the cells a side."""
    return nn.Sequential(_conv(before, after, stride=2), _conv(after, after))


@dataclass(frozen=True)
class Thing:
    """An object in a picture. mask: (32, 32) bool, its pixels. share: of the picture that they take."""

    word: str
    mask: np.ndarray
    share: float


@dataclass(frozen=True)
class Found:
    """What is in a picture: objects, the largest first; the ground; the share of the picture that is neither."""

    objects: tuple[Thing, ...]
    ground: str
    unclear: float

    @property
    def words(self) -> frozenset[str]:
        return frozenset(thing.word for thing in self.objects)


class Detector:
    """A network that has learned, ready to look."""

    def __init__(self, network: Network) -> None:
        self.network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, pictures: np.ndarray) -> list[Found]:
        """pictures: (N, 32, 32, 3) uint8. An object counts if it takes LEAST of the picture and is told from all others by SURE."""
        return [found for first in range(0, len(pictures), BATCH) for found in self._found(pictures[first : first + BATCH])]

    @torch.inference_mode()
    def _found(self, pictures: np.ndarray) -> list[Found]:
        thing, what, ground, _ = self.network(to_signed(pictures))
        sure = F.interpolate(what.softmax(1), scale_factor=2.0, mode="bilinear")  # (N, C, 32, 32)
        best, owner = (each.numpy() for each in sure.max(1))
        held = thing.numpy() > 0
        return [self._told(np.where(held[i], owner[i], -1), best[i], tuple(GROUNDS)[int(ground[i].argmax())]) for i in range(len(pictures))]

    def _told(self, owner: np.ndarray, sure: np.ndarray, ground: str) -> Found:
        """owner: (32, 32), class of each pixel, −1 the ground. sure: (32, 32), how likely it is."""
        things, unclear = [], 0.0
        for number, count in zip(*np.unique(owner[owner >= 0], return_counts=True)):
            mask, share = owner == number, float(count) / owner.size
            if number < len(self.network.words) and share >= LEAST and sure[mask].mean() >= SURE:
                things.append(Thing(self.network.words[number], mask, share))
            else:
                unclear += share
        return Found(tuple(sorted(things, key=lambda thing: -thing.share)), ground, unclear)

    @torch.inference_mode()
    def features(self, pictures: np.ndarray) -> np.ndarray:
        """pictures: (N, 32, 32, 3) uint8. Returns (N, NUMBERS) float32; over composed scenes their mean variance is 1."""
        parts = [self.network(to_signed(pictures[first : first + BATCH]))[3] for first in range(0, len(pictures), BATCH)]
        return (torch.cat(parts) / self.network.scale).numpy() if parts else np.zeros((0, NUMBERS), np.float32)


@lru_cache(maxsize=1)
def load() -> Detector:
    """The one that ships. Raises NotReady, one sentence."""
    network = Network(read_json(FOLDER / "config.json")["words"])
    network.load_state_dict(read_weights(FOLDER / "weights.safetensors"))
    return Detector(network)


def spoilt(one: np.ndarray, other: np.ndarray, dice: np.random.Generator) -> np.ndarray:
    """A sprite that is no object: of two cut together, of both blended, or of one smeared or shuffled. All (64, 64, 4) uint8."""
    kind, turn = dice.integers(4), bool(dice.integers(2))
    if kind == 0:
        made, cut = one.copy(), dice.integers(24, 41)
        part = np.s_[cut:] if turn else np.s_[:, cut:]
        made[part] = other[part]
        return made
    if kind == 1:
        return np.array(Image.blend(Image.fromarray(one), Image.fromarray(other), dice.uniform(0.35, 0.65)))
    if kind == 2:
        return np.array(Image.fromarray(one).resize((4, 4), Image.Resampling.BOX).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    return np.roll(one, dice.integers(24, 41, 2), (0, 1))


def batch(composer: Composer, words: Sequence[str], dice: np.random.Generator, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scenes to learn from, some of their sprites spoilt.

    Returns pictures (N, 3, 32, 32) in −1 … 1; the share of each pixel that each of at most two objects has (N, 2, 32, 32); their
    classes (N, 2), 0 where there is none; grounds (N,).
    """
    number = {word: index for index, word in enumerate(words)}
    sprites = {}
    for style, known in composer.sprites.items():
        pairs = [dice.choice(list(known), 2, replace=False) for _ in range(SPOILT)]
        sprites[style] = {**known, **{f"{NO_OBJECT}{i}": spoilt(known[one], known[other], dice) for i, (one, other) in enumerate(pairs)}}
    mixed = Composer(sprites, composer.names)
    scenes: list[Scene] = [mixed.compose(dice, unseen=bool(dice.random() < 0.08)) for _ in range(count)]
    pictures, silhouettes = (np.stack(each) for each in zip(*map(mixed.paint, scenes)))
    shares = F.avg_pool2d(torch.from_numpy(np.stack([silhouettes == 1, silhouettes == 2], 1)).float(), 2)
    classes = [[number.get(scene.objects[i].word, len(words)) if i < len(scene.objects) else 0 for i in (0, 1)] for scene in scenes]
    grounds = [list(GROUNDS).index(scene.background) for scene in scenes]
    return to_signed(halved(pictures)), shares, torch.tensor(classes), torch.tensor(grounds)


def changed(pictures: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures and shares as `batch` gives them, each picture a little bent, softened, tinted and noisy, as painted ones are."""
    count = len(pictures)
    together = torch.cat([pictures, shares], 1)
    bend = F.interpolate(torch.randn(count, 2, 4, 4) * torch.rand(count, 1, 1, 1) * (1.2 / SIDE), (SIDE, SIDE), mode="bilinear")
    straight = F.affine_grid(torch.eye(2, 3).expand(count, 2, 3), [count, 3, SIDE, SIDE], align_corners=False)
    together = F.grid_sample(together, straight + bend.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)
    pictures, shares = together[:, :3], together[:, 3:]
    kernel = torch.tensor([1.0, 2, 1]).outer(torch.tensor([1.0, 2, 1])).div(16).expand(3, 1, 3, 3)
    soft = F.conv2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), kernel, groups=3)
    pictures = pictures.lerp(soft, torch.rand(count, 1, 1, 1))
    tint = 1 + 0.1 * (torch.rand(count, 3, 1, 1) * 2 - 1), 0.06 * (torch.rand(count, 3, 1, 1) * 2 - 1)
    noise = torch.randn_like(pictures) * torch.rand(count, 1, 1, 1) * 0.08
    return (pictures * tint[0] + tint[1] + noise).clamp(-1, 1), shares


def loss_of(model: Network, pictures: Tensor, shares: Tensor, classes: Tensor, grounds: Tensor) -> Tensor:
    """Cross-entropies of pixels, of the cells that an object has a fifth of, and of grounds."""
    thing, what, ground, _ = model(pictures)
    cells = F.avg_pool2d(shares, 2)  # (N, 2, 16, 16)
    owner = classes.gather(1, cells.argmax(1).flatten(1)).view(len(cells), *cells.shape[2:])
    held = cells.amax(1) > 0.2
    naming = F.cross_entropy(what.permute(0, 2, 3, 1)[held].float(), owner[held])
    return naming + F.binary_cross_entropy_with_logits(thing.float(), shares.sum(1)) + 0.2 * F.cross_entropy(ground.float(), grounds)


def train(data: Path, folder: Path = FOLDER, work: Path = WORK, *, steps: int = STEPS, seed: int = 0) -> None:
    """Learn from scenes composed of the emoji in `data`; writes into `folder`, goes on where `work` ends. Raises BadInput."""
    set_seed(seed)
    composer = Composer.read(data)
    words = composer.words
    network = Network(words).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = adamw(network)
    first = 0
    if (work / "state.pt").is_file():
        state = load_state(work / "state.pt")
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    for step in range(first, steps):
        dice = np.random.default_rng([seed, step])
        torch.manual_seed(int(dice.integers(2**32)))
        pictures, shares, classes, grounds = batch(composer, words, dice, BATCH)
        pictures, shares = changed(pictures, shares)
        for group in optimizer.param_groups:
            group["lr"] = RATE * schedule(step, steps, lowest=0.0)
        with autocast(torch.device("cpu")):
            loss = loss_of(network, pictures.contiguous(memory_format=torch.channels_last), shares, classes, grounds)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if (step + 1) % 100 == 0:
            say(f"step {step + 1} of {steps}: loss {loss.item():.3f}")
        if (step + 1) % 500 == 0 or step + 1 == steps:
            save_state(work / "state.pt", network=network.state_dict(), optimizer=optimizer.state_dict(), step=step + 1)
    detector = Detector(network)
    scenes = [composer.compose(np.random.default_rng([seed, steps, i])) for i in range(1000)]
    network.scale.fill_(float(np.sqrt(detector.features(painted(composer, scenes)).var(0).mean())))
    write_weights(folder / "weights.safetensors", network.state_dict(), bits=8)
    write_json(folder / "config.json", {"words": list(words)})
    facts = {"steps": steps, "pictures_per_step": BATCH, "device": "cpu", "threads": torch.get_num_threads(), "seed": seed}
    write_card(folder, training=facts, parameters=sum(each.numel() for each in network.parameters()), data=CREDITS)


def painted(composer: Composer, scenes: Sequence[Scene]) -> np.ndarray:
    """(N, 32, 32, 3) uint8."""
    return halved(np.stack([composer.paint(scene)[0] for scene in scenes]))


def test(detector: Detector, data: Path) -> dict[str, dict[str, Any]]:
    """How right it is about the reference scenes of `data`: as `truth.verdict` judges, and its silhouettes. Raises BadInput.

    `iou`: intersection over union with the reference silhouette, halved, of every object; 0 of one that is not found. `spoilt`: as
    `mistaken`, if the emoji lie in the folder `train` beside.
    """
    reference = read_scenes(data)
    found = detector(halved(reference.pictures))
    right = truth.shares([truth.verdict(meant(scene), each) for scene, each in zip(reference.scenes, found)])
    nothing = np.zeros((SIDE, SIDE), bool)
    overlaps = []
    for scene, silhouettes, each in zip(reference.scenes, reference.silhouettes, found):
        masks = {thing.word: thing.mask for thing in each.objects}
        for number, place in enumerate(scene.objects, 1):
            whole = (silhouettes == number).reshape(SIDE, 2, SIDE, 2).sum((1, 3)) >= 2
            overlaps.append(overlap(masks.get(place.word, nothing), whole))
    figures = {name: {"with": value, "unit": UNITS[name], "better": "higher", "n": len(found)} for name, value in right.items()}
    figures["place"]["n"] = sum(scene.relation is not None for scene in reference.scenes)
    figures["iou"] = {"with": float(np.mean(overlaps)), "unit": UNITS["iou"], "better": "higher", "n": len(overlaps)}
    emoji = data.resolve().parent / "train"
    if (emoji / "emoji").is_dir():
        taken = mistaken(detector, Composer.read(emoji))
        figures["spoilt"] = {"with": taken, "unit": UNITS["spoilt"], "better": "lower", "n": TAKEN}
    return figures


def record(data: Path) -> None:
    """Write what `test` finds in held-out scenes into the card."""
    write_card(FOLDER, metrics=test(load(), data))


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks, one of which has pixels."""
    return float((one & other).sum() / (one | other).sum())


def mistaken(detector: Detector, composer: Composer, count: int = TAKEN, seed: int = 1) -> float:
    """Share of scenes with one sprite, and that spoilt, that would pass for a scene with some object."""
    dice = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        style = str(dice.choice(list(composer.sprites)))
        known = composer.sprites[style]
        one, other = (known[word] for word in dice.choice(list(known), 2, replace=False))
        alone = Composer({style: {NO_OBJECT: spoilt(one, other, dice)}}, {})
        size = int(dice.integers(26, 53))
        x, y = (int(each) for each in dice.integers(2, SIZE - size - 1, 2))
        pictures.append(alone.paint(Scene(str(dice.choice(list(GROUNDS))), style, (Place(NO_OBJECT, x, y, size),)))[0])
    found = detector(halved(np.stack(pictures)))
    passed = [truth.verdict(Meaning((each.objects[0].word,), None, None), each).all for each in found if each.objects]
    return sum(passed) / count


def main(arguments: Sequence[str] | None = None) -> None:
    given = argparse.ArgumentParser(prog="python -m generators.detector", description=__doc__)
    given.add_argument("--data", type=Path, required=True, metavar="DIR")
    given.add_argument("--test", action="store_true")
    chosen = given.parse_args(arguments)
    if not chosen.test:
        train(chosen.data)
        return
    print(json.dumps(test(load(), chosen.data), indent=2))


if __name__ == "__main__":
    main()
