"""From noise to a picture: which moments are visited, what the painter believes at each, and how far it goes.

    moments(steps)                 times from 0 (noise) to 1 (picture)
    noise(seeds, …)                what it begins with, and what is mixed in
    both(network, heard, …)        the prompt, and beside it the same without its words
    believe(network, x, …)         what the finished picture will be, guided
    onwards(x, believed, …)        a step towards it

Flow matching: the straight path from noise to picture (Lipman et al. 2023, section 4.1). A step does not follow it to the letter: some
of the noise that is left is exchanged for fresh, so that what went wrong early can still be mended (Song, Meng and Ermon 2021, Denoising
Diffusion Implicit Models, equation 12). Of 150 training scenes 90 % then show all that was said, by straight and even steps 86 %.

Letters: B prompts, K keys, S pixels a side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from generators.attention import watch
from generators.diffusion.model import Prompt

if TYPE_CHECKING:
    from generators.attention import Heard
    from generators.diffusion.model import Network
    from generators.edits import Edit

CURVE = 1.5  # power of the times
FRESH = 0.5  # of the noise's deviation


@dataclass(frozen=True)
class Listen:
    """How a step is heard and changed. detail: cell whose three components are wanted."""

    edits: tuple[Edit, ...] = ()
    step: int = 0
    detail: int | None = None


def moments(steps: int) -> list[float]:
    """The times at which the steps begin, and 1, where the last one ends: steps + 1 of them, closer where things take shape."""
    return [(step / steps) ** CURVE for step in range(steps + 1)]


def noise(seeds: Sequence[int], step: int, size: int) -> Tensor:
    """What step 0 begins with, and what is mixed in before any other one. Hangs on seed and step alone. Returns (B, 3, S, S)."""
    rows = [np.random.default_rng([seed, step]).standard_normal((3, size, size), np.float32) for seed in seeds]
    return torch.from_numpy(np.stack(rows))


def both(network: Network, ids: Tensor, style: Tensor) -> Prompt:
    """Prompts, and after them the same styles without any words: 2 B rows. ids: (B, K), 0 where a shorter one has no more words.

    style: (B,), its number.
    """
    return network.read(torch.cat([ids, torch.zeros_like(ids)]), style.repeat(2))


def believe(
    network: Network, x: Tensor, time: float, prompts: Prompt, guidance: float, listen: Listen | None = None
) -> tuple[Tensor, list[Heard]]:
    """What the pictures will be, (B, 3, S, S) in −1 … 1, and what was heard of the pass that hears the words.

    prompts: as `both` has them. guidance: how far to go from the wordless belief towards that of the prompt, and beyond it above 1
    (Ho and Salimans 2021, Classifier-Free Diffusion Guidance, equation 6). Both passes are one batch, and all changes of the
    attention reach both, but for painted rows: these are rows of the first pass, and reach only that.
    """
    count = len(x)
    halves = [slice(0, count), slice(count, 2 * count)]
    if guidance == 1:
        halves = halves[:1]
    elif listen is None or not any(edit.action == "paint" for edit in listen.edits):
        halves = [slice(0, 2 * count)]
    heard: list[Heard] = []
    believed = []
    for half in halves:
        rows = Prompt(*(each[half] for each in prompts))
        edits = () if listen is None else tuple(each for each in listen.edits if half.start == 0 or each.action != "paint")
        inner = nullcontext() if listen is None else watch(edits, step=listen.step, detail=listen.detail)
        with inner as watcher:
            xs = x.repeat(len(rows.style) // count, 1, 1, 1)
            believed.append(network(xs, xs.new_full((len(xs),), time), rows))
        if watcher is not None and half.start == 0:
            heard = watcher.heard
    told, *wordless = torch.cat(believed).float().split(count)
    guided = wordless[0].lerp(told, guidance) if wordless else told
    return guided.clamp(-1, 1), heard


def onwards(x: Tensor, believed: Tensor, time: float, following: float, fresh: Tensor) -> Tensor:
    """The picture at the following time: what is believed, and the noise of x, of which FRESH is exchanged. fresh: noise, as x."""
    left = (x - time * believed) / (1 - time)
    return following * believed + (1 - following) * (math.sqrt(1 - FRESH**2) * left + FRESH * fresh)
