"""Small gans from three seeds, with attention and without: how much of a difference is chance.

    python -m generators.gan.study --data shared/data

They learn from the faces at half their size, by the recipe of train.py; attention stands where it does in the large ones, on cells
of 4×4 pixels. Their faces are judged as the large ones' are, each pixel four times. Only the figures are kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from generators import features, folders
from generators.gan.model import Config, Generator
from generators.gan.train import Learner, faces, learn, read_pictures, shares_of
from generators.judging import UNITS, sampled
from generators.metrics import frechet, precision, recall
from generators.training import Clock, device, read_json, read_weights, say, write_card, write_weights
from generators.training import seed as set_seed

RUNS = Path(__file__).parents[2] / "runs" / "gan"
SEEDS = (0, 1, 2)
STEPS = 450  # a minute and a half of one core
SMALL = Config(widths=(96, 80, 64, 32), judge_widths=(96, 96, 64), grid=8)
SIDES = {"with": True, "without": False}
COMMAND = "python -m generators.gan.study --data DIR"


def study(data: Path, variant: str = "big_smile", *, steps: int = STEPS, config: Config = SMALL) -> None:
    """Train what is not there yet, judge all, and write the figures into the variant's card. data: holds `train` and `held_out`.

    Raises BadInput for a folder without them.
    """
    drawn = read_pictures(variant, data / "train")
    drawn = replace(drawn, images=halved(drawn.images))
    unseen = halved(read_pictures(variant, data / "held_out").images)
    config = replace(config, parts=shares_of(drawn))
    painters: dict[str, list[Generator]] = {side: [] for side in SIDES}
    for seed in SEEDS:
        for side, attention in SIDES.items():
            work = RUNS / variant / "study" / f"{side}-{seed}"
            if not (work / "weights.safetensors").is_file():
                set_seed(seed)
                learner = Learner(replace(config, attention=attention), device())
                learn(learner, drawn, Clock(steps=steps), work, seed)
                write_weights(work / "weights.safetensors", learner.painter().state_dict())
            painters[side].append(read_painter(work / "weights.safetensors", replace(config, attention=attention)))
            say(f"trained {work.name}, γ {painters[side][-1].attention.gamma.item():.3f}")
    look = features.load().of
    real = look(enlarged(unseen))
    floor = compared(look(enlarged(drawn.images)), real)
    found = {
        side: [compared(look(enlarged(sampled(partial(faces, each)))), real) | {"gamma": each.attention.gamma.item()} for each in those]
        for side, those in painters.items()
    }
    about = {"steps": steps, "size": config.size, "grid": config.grid, "widths": config.widths, "judge_widths": config.judge_widths}
    folder = folders("gan")[variant]
    known = read_json(folder / "card.json").get("metrics", {})
    write_card(
        folder, study={**about, "seeds": SEEDS, "floor": floor, **found}, metrics={**known, "frechet_32": row(found, floor, len(real))}
    )


def row(found: Mapping[str, list[dict[str, float]]], floor: Mapping[str, float], n: int) -> dict[str, Any]:
    """The study's Fréchet distances as a metric of the card: means, and the figure of every seed."""
    seeds = {side: [each["frechet"] for each in those] for side, those in found.items()}
    unit, better = UNITS["frechet"]
    means = {side: mean(values) for side, values in seeds.items()}
    each = {f"{side}_seeds": values for side, values in seeds.items()}
    return {**means, "unit": unit, "better": better, "n": n, **each, "floor": floor["frechet"], "study": COMMAND}


def read_painter(path: Path, config: Config) -> Generator:
    """A network of the study, ready to paint. Raises NotReady."""
    painter = Generator(config, plain=True)
    painter.load_state_dict(read_weights(path))
    return painter.eval().requires_grad_(False)


def compared(made: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """made, real: features."""
    same = made[: len(real)]
    return {"frechet": frechet(made, real), "precision": precision(same, real), "recall": recall(same, real)}


def halved(pictures: np.ndarray) -> np.ndarray:
    """Means of 2×2 pixels. (M, 2n, 2n, 3) uint8 to (M, n, n, 3) uint8."""
    count, side = pictures.shape[0], pictures.shape[1] // 2
    four = pictures.reshape(count, side, 2, side, 2, 3).sum((2, 4), dtype=np.uint16)
    return ((four + 2) // 4).astype(np.uint8)


def enlarged(pictures: np.ndarray) -> np.ndarray:
    """Each pixel four times. (N, n, n, 3) uint8 to (N, 2n, 2n, 3) uint8."""
    return pictures.repeat(2, axis=1).repeat(2, axis=2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train and judge small gans from three seeds.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    study(parser.parse_args().data)
