"""Keeps what the page shows before any model is loaded: stored runs, and the first of them as it looked while the painter learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from generators import card
from generators.base import Pin, Request
from generators.diffusion import VOCABULARY, Run
from generators.diffusion.card import EXAMPLES, STEPS
from generators.lexicon import Lexicon
from generators.trace import STORED_TOLERANCE, Grid, Step, Trace, save_series
from generators.training import read_json, read_weights

if TYPE_CHECKING:
    from generators.diffusion.model import Network

LEVELS = 128  # of a stored weight
LAST_LEVELS = 1024  # of one of the last step, of which the page shows every head
LEARNING_LEVELS = 64
LEARNING_STEPS = 8  # of the run that is seen learning
NOISE_LEVELS = 3  # of a noisy picture, within the noise's standard deviation


def record(folder: Path, snapshots: Path) -> None:
    """Write examples/*.npz and learning.npz. snapshots: weights on the way, one file a training step, named by it."""
    run, known = Run.load(folder), card("diffusion")
    pin = known.variants[0].pin
    for old in (folder / "examples").glob("*.npz"):
        old.unlink()
    requests = {file: Request.check(known, variant=folder.name, **given) for file, given in EXAMPLES.items()}
    for file, request in requests.items():
        plain = run.trace(request)
        light(run.trace(replace(request, pin=telling(plain, pin)))).save(folder / "examples" / f"{file}.npz")
    first = next(iter(requests.values()))
    first = replace(first, settings={**first.settings, STEPS.name: LEARNING_STEPS})
    last = read_json(folder / "card.json")["training"]["steps"]
    lexicon = Lexicon.load(folder / VOCABULARY)
    there = {int(path.stem): path for path in sorted(snapshots.glob("*.safetensors")) if int(path.stem) < 0.7 * last}
    runs = {step: Run(read_snapshot(folder, path), None, lexicon) for step, path in there.items()} | {last: run}
    save_series(folder / "learning.npz", {step: light(each.trace(first), LEARNING_LEVELS) for step, each in runs.items()})


def read_snapshot(folder: Path, path: Path) -> Network:
    """The network with the weights of one moment of its training."""
    from generators.diffusion.model import Config, Network

    network = Network(Config.from_dict(read_json(folder / "config.json")))
    network.load_state_dict(read_weights(path))
    return network.eval().requires_grad_(False)


def telling(trace: Trace, pin: Pin) -> int:
    """The cell of the first thing in the picture that looks most at its words at the last step, mean of the heads; else the middle one."""
    last = trace.steps[-1]
    rows = next(each for each in last.attentions if (each.kind, each.layer) == (pin.kind, pin.layer))
    assert isinstance(rows.query, Grid)
    if not last.regions:
        return rows.query.height // 2 * rows.query.width + rows.query.width // 2
    thing = last.regions[0]
    scale = np.array([rows.query.height, rows.query.width]) / thing.mask.shape
    down, across = (np.argwhere(thing.mask) * scale).astype(int).T
    cells = np.unique(down * rows.query.width + across)
    return int(cells[rows.weights.mean(0)[cells][:, list(thing.positions)].sum(-1).argmax()])


def light(trace: Trace, levels: int = LEVELS) -> Trace:
    """The same for keeping: weights in whole levels, noise in few grey levels, details without keys and values."""

    def lighter(step: Step) -> Step:
        fine = LAST_LEVELS if step.stop and levels == LEVELS else levels
        rows = tuple(replace(each, weights=shared_out(each.weights, fine), tolerance=STORED_TOLERANCE) for each in step.attentions)
        details = tuple(replace(each, key=None, value=None) for each in step.details)
        source = None if step.source is None else coarse(step.source, step.facts["time"])
        return replace(step, attentions=rows, details=details, source=source, state=None)

    return replace(trace, steps=[lighter(step) for step in trace.steps])


def shared_out(weights: np.ndarray, levels: int) -> np.ndarray:
    """Rows in whole multiples of 1/levels that sum to 1: each rounded down, what is left goes to those that lost most. (…, K) float32."""
    exact = weights.astype(np.float64) * levels
    whole = np.floor(exact)
    left = np.round(exact.sum(-1) - whole.sum(-1)).astype(int)  # (…)
    rank = (whole - exact).argsort(-1).argsort(-1)
    shared: np.ndarray = ((whole + (rank < left[..., None])) / levels).astype(np.float32)
    return shared


def coarse(picture: np.ndarray, time: float) -> np.ndarray:
    """A noisy picture in grey levels no finer than its noise makes sense of. picture: uint8."""
    unit = max(1, int((1 - time) * 127.5 / NOISE_LEVELS))
    whole: Any = np.round(picture / unit) * unit
    rounded: np.ndarray = whole.clip(0, 255).astype(np.uint8)
    return rounded
