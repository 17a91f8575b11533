"""How often a painted scene shows what was said, and how well the maps point at it: every caption of a folder, and as many unseen ones.

What is painted is judged by the detector (`generators.detector`), the maps by the silhouettes that it sees (`generators.truth`). Which map
counts, and from which weight on a cell is looked at, is chosen once, on training scenes, and kept in card.json.

Letters: N pictures, W words, H heads, S steps, K keys, g cells a side of a map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from generators import card, chance, detector, folders, training
from generators.chance import Figure, quotient
from generators.diffusion import VOCABULARY, read_network
from generators.diffusion.card import GUIDANCE, STEPS
from generators.diffusion.model import EMPTY
from generators.diffusion.prompt import Prompt, read_prompt, style_number
from generators.diffusion.sampler import Listen, believe, both, moments, noise, onwards
from generators.lexicon import Lexicon
from generators.metrics import frechet
from generators.pictures import as_picture
from generators.scenes import GROUNDS, RELATIONS, STYLES, halved, is_unseen, read_scenes, with_article
from generators.training import autocast, read_json
from generators.truth import Choice, Truth, verdict

if TYPE_CHECKING:
    from torch import Tensor

    from generators.detector import Found
    from generators.diffusion.model import Network

PART = 50  # scenes painted at one go
DRAWS = 200  # of the pictures, for the spread of a Fréchet distance
VALIDATION = 300  # training scenes on which the map is chosen
SIDES = {"with": "weights.safetensors", "without": "without.safetensors"}
SHOWN = ("object", "place", "background", "all")
"""What is right of a painted scene: see `truth.verdict`."""


@dataclass(frozen=True)
class Said:
    """What is to be painted. The seed is the number of the row."""

    caption: str
    style: str


@dataclass(frozen=True)
class Painted:
    """pictures: (N, S, S, 3) uint8. found: what the detector sees in each."""

    pictures: np.ndarray
    found: list[Found]


def captions(data: Path, limit: int | None = None) -> tuple[list[Said], np.ndarray]:
    """The reference scenes of a folder: what they say, and their pictures (N, 32, 32, 3) uint8. Raises BadInput."""
    reference = read_scenes(data)
    return [Said(scene.caption(), scene.style) for scene in reference.scenes[:limit]], halved(reference.pictures[:limit])


def unseen(lexicon: Lexicon, count: int) -> list[Said]:
    """Captions of combinations that are kept from training, by dice that are always the same."""
    dice, words = np.random.default_rng(0), [word.id for word in lexicon.of_kind("object")]
    said: list[Said] = []
    while len(said) < count:
        first, second = (str(each) for each in dice.choice(words, 2, replace=False))
        relation, ground, style = RELATIONS[dice.integers(4)], str(dice.choice(list(GROUNDS))), str(dice.choice(STYLES))
        if is_unseen(first, relation, second):
            said.append(Said(f"{with_article(first)} {relation} {with_article(second)} on a {ground} background", style))
    return said


def paint(network: Network, lexicon: Lexicon, scenes: Sequence[Said], truth: Truth | None = None) -> Painted:
    """All scenes, each from the noise of its row, with the settings that a run has if nothing else is set. truth: hears the maps."""
    look = detector.load()
    parts, found = [], []
    for first in range(0, len(scenes), PART):
        prompts = [read_prompt(each.caption, each.style, lexicon) for each in scenes[first : first + PART]]
        styles = [style_number(each.style) for each in scenes[first : first + PART]]
        pictures, maps = paint_part(network, prompts, styles, range(first, first + len(prompts)), heard=truth is not None)
        seen = look(pictures)
        if truth is not None:
            add(truth, prompts, maps, seen)
        parts.append(pictures)
        found += seen
    return Painted(np.concatenate(parts), found)


@torch.inference_mode()
def paint_part(
    network: Network, prompts: Sequence[Prompt], styles: Sequence[int], seeds: Sequence[int], *, heard: bool
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Pictures (N, S, S, 3) uint8; and of each layer the columns of the named things (W, H, S, g, g), W by prompt and thing."""
    longest, size = max(len(each.ids) for each in prompts), network.config.size
    ids = torch.tensor([[*each.ids, *[EMPTY] * (longest - len(each.ids))] for each in prompts])
    x = noise(seeds, 0, size)
    times, columns = moments(int(STEPS.default)), []
    with autocast(x.device):
        words = both(network, ids, torch.tensor(styles))
        for step, (time, following) in enumerate(pairwise(times)):
            believed, maps = believe(network, x, time, words, float(GUIDANCE.default), Listen(step=step) if heard else None)
            columns.append([columns_of(each.weights, prompts) for each in maps if each.name[0] == "cross"])
            x = onwards(x, believed, time, following, noise(seeds, step + 1, size))
    return as_picture(x), [np.stack(each, 2) for each in zip(*columns, strict=True)]


def columns_of(weights: Tensor, prompts: Sequence[Prompt]) -> np.ndarray:
    """How much every cell looks at each named thing. weights: (≥ N, H, g², K). Returns (W, H, g, g) float32."""
    side = isqrt(weights.shape[2])
    things = [weights[row, ..., list(at)].mean(-1) for row, each in enumerate(prompts) for at in each.things.values()]
    whole: np.ndarray = torch.stack(things).float().unflatten(-1, (side, side)).numpy()
    return whole


def add(truth: Truth, prompts: Sequence[Prompt], maps: Sequence[np.ndarray], found: Sequence[Found]) -> None:
    """Hold the columns of a part against the silhouettes of those things that were painted."""
    masks = [
        next((thing.mask for thing in seen.objects if thing.word == word), None)
        for prompt, seen in zip(prompts, found, strict=True)
        for word in prompt.things
    ]
    there = [index for index, mask in enumerate(masks) if mask is not None]
    if there:
        truth.add([layer[there] for layer in maps], np.stack([mask for mask in masks if mask is not None]), pictures=len(prompts))


def rows(painted: Painted, scenes: Sequence[Said], lexicon: Lexicon, ending: str = "") -> dict[str, Figure]:
    """Shares of scenes that show what was said, by name; of places only scenes with both things count."""
    verdicts = [verdict(lexicon.meaning(said.caption), found) for said, found in zip(scenes, painted.found, strict=True)]
    found = {}
    for name in SHOWN:
        judged = [getattr(each, name) for each in verdicts]
        found[f"{name}{ending}"] = quotient(np.array([bool(each) for each in judged]), np.array([each is not None for each in judged]))
    return found


def choose(network: Network, lexicon: Lexicon, train: Path) -> Choice:
    """The map that points best at what its word names, on training scenes; and from which weight on a cell counts as looked at."""
    truth = Truth()
    paint(network, lexicon, captions(train, VALIDATION)[0], truth)
    return truth.choice()


def judged(
    variant: str | None, data: Path, limit: int | None = None, choice: Choice | None = None
) -> tuple[dict[str, dict[str, Any]], dict[str, Any] | None]:
    """(metrics, truth), as a card has them; without a choice nothing is said of the maps. Raises BadInput."""
    folder = folders("diffusion")[card("diffusion").variant(variant).name]
    lexicon, look = Lexicon.load(folder / VOCABULARY), detector.load()
    scenes, real = captions(data, limit)
    new = unseen(lexicon, len(scenes))
    truth = None if choice is None else Truth(choice)
    found: dict[str, dict[str, Figure]] = {}
    maps: dict[str, float] = {}
    for side, file in SIDES.items():
        if (folder / file).is_file():
            network = read_network(folder, attention=side == "with")
            seen, other = paint(network, lexicon, scenes, truth if side == "with" else None), paint(network, lexicon, new)
            found[side] = {**rows(seen, scenes, lexicon), **rows(other, new, lexicon, "_unseen")}
            found[side]["frechet"] = _away(look.features(seen.pictures), look.features(real))
    if truth is not None:
        maps = truth.figures()
    pairs = sum(lexicon.meaning(each.caption).relation is not None for each in scenes)
    metrics = {name: metric(found, name, len(scenes), pairs) for name in next(iter(found.values()), {})}
    metrics |= {name: {"with": value, "without": None, **_about(name), "n": len(scenes)} for name, value in maps.items()}
    return metrics, None if truth is None or choice is None else {**truth.card(), "best": asdict(choice)}


def metric(found: Mapping[str, Mapping[str, Figure]], name: str, scenes: int, pairs: int) -> dict[str, Any]:
    """A figure of both sides, as a card has it. scenes: how many there are; pairs: those of them that say a place."""
    rows, draws = ([scenes, scenes], DRAWS) if name == "frechet" else ([scenes], chance.DRAWS)
    one, other = (found.get(side, {}).get(name) for side in SIDES)
    about = pairs if name == "place" else scenes
    return chance.row(one, other, unit_of(name), better_of(name), rows, draws, about)


def _away(painted: np.ndarray, real: np.ndarray) -> Figure:
    """The Fréchet distance of features."""
    return lambda one, other: frechet(painted.repeat(one, axis=0), real.repeat(other, axis=0))


def _about(name: str) -> dict[str, str]:
    return {"unit": unit_of(name), "better": better_of(name)}


def unit_of(name: str) -> str:
    if name == "frechet":
        return "squared distance in the detector's features"
    if name.startswith("pointing"):
        return "share of words whose most looked-at pixel lies in their thing"
    if name.startswith("iou"):
        return "intersection over union of what is looked at and the thing"
    return "share of scenes with both things" if name.startswith("place") else "share of scenes"


def better_of(name: str) -> str:
    return "lower" if name == "frechet" else "higher"


def evaluate(variant: str | None, *, data: Path, limit: int | None = None) -> dict[str, dict[str, Any]]:
    """Every caption of `data`, and as many unseen combinations, with and without attention. Writes nothing. Raises BadInput."""
    folder = folders("diffusion")[card("diffusion").variant(variant).name]
    kept = read_json(folder / "card.json").get("truth") if (folder / "card.json").is_file() else None
    return judged(variant, data, limit, Choice(**kept["best"]) if kept else None)[0]


def write_metrics(variant: str, data: Path) -> None:
    """Choose the map on the folder `train` beside `data`; write what `judged` finds on `data` into the card."""
    folder = folders("diffusion")[variant]
    choice = choose(read_network(folder), Lexicon.load(folder / VOCABULARY), data.resolve().parent / "train")
    metrics, truth = judged(variant, data, choice=choice)
    training.write_metrics(folder, metrics, truth=truth)
