"""From noise to a picture: which moments are visited, what the painter believes at each, and how far it goes.

    moments(steps)                 times from 0 (noise) to 1 (picture)
    both(network, heard, …)        the prompt, and beside it the same without its words
    believe(network, x, …)         what the finished picture will be, guided
    onwards(x, believed, …)        a step towards it

Flow matching: the straight path from noise to picture, followed by Euler's steps (Lipman et al. 2023, section 4.1).

Letters: B prompts, K keys, S pixels a side.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from generators.attention import watch
from generators.diffusion.model import Prompt

if TYPE_CHECKING:
    from generators.attention import Heard
    from generators.diffusion.model import Network
    from generators.edits import Edit


@dataclass(frozen=True)
class Listen:
    """How a step is heard and changed. detail: cell whose three components are wanted."""

    edits: tuple[Edit, ...] = ()
    step: int = 0
    detail: int | None = None


def moments(steps: int) -> list[float]:
    """The times at which the steps begin, and 1, where the last one ends: steps + 1 of them, evenly spaced."""
    return [step / steps for step in range(steps + 1)]


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


def onwards(x: Tensor, believed: Tensor, time: float, following: float) -> Tensor:
    """The picture at the following time, on the straight line from x at `time` to what is believed at time 1."""
    return x.lerp(believed, (following - time) / (1 - time))


def paint(network: Network, ids: Tensor, style: Tensor, noise: Tensor, steps: int, guidance: float) -> Tensor:
    """Many pictures at one go, (B, 3, S, S) in −1 … 1. ids, style: as `both` takes them. noise: (B, 3, S, S)."""
    prompts, times, x = both(network, ids, style), moments(steps), noise
    for time, following in pairwise(times):
        x = onwards(x, believe(network, x, time, prompts, guidance)[0], time, following)
    return x
