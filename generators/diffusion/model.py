"""The painter: a U-Net that turns noise into a picture, and reads the prompt by cross-attention while it does.

Flow matching: at time t the network is given x = (1 − t)·noise + t·picture and says what the finished picture is (Lipman et al. 2023,
Flow Matching for Generative Modeling, arXiv 2210.02747, section 4.1, the straight path; that the picture and not the velocity is
named: Li and He 2025, arXiv 2511.13720). Convolutions draw the objects; attention chooses what stands where: cells of the picture ask
the words (Rombach et al. 2022, arXiv 2112.10752, section 3.3), and each other.

Letters: B batch, C channels, K keys (words), N cells of a grid, H heads, D features of a head, S pixels a side, T features of a word.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from generators.attention import Name, attend

PATCH = 2  # pixels a side that one cell of the finest grid stands for
EMPTY = 0  # id of the key that stands for no word


@dataclass(frozen=True)
class Config:
    """The network's measures. words: of the lexicon, numbered from 1. styles: how many ways to draw.

    fine, coarse: channels of the two grids (S/2 and S/4 cells a side). text: features of a word. condition: features of time and style.
    attention False: the twin, the prompt as one vector in the place of every cross-attention.
    """

    words: int
    styles: int = 4
    size: int = 32
    fine: int = 96
    coarse: int = 144
    text: int = 144
    condition: int = 128
    heads: int = 4
    attention: bool = True

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Self:
        """From JSON types. Raises KeyError, TypeError or ValueError for anything else."""
        numbers = {name: int(given[name]) for name in ("words", "styles", "size", "fine", "coarse", "text", "condition", "heads")}
        return cls(**numbers, attention=bool(given["attention"]))


class Prompt(NamedTuple):
    """A prompt as the network has read it. words: (B, K, T). known: (B, K) True where a key may be looked at. style: (B,)."""

    words: Tensor
    known: Tensor
    style: Tensor


def norm(x: Tensor, gain: Tensor) -> Tensor:
    """Each cell's channels at the root mean square 1, times a gain. x: (B, C, h, w) channels last. Zhang and Sennrich 2019."""
    return F.rms_norm(x.permute(0, 2, 3, 1), gain.shape, gain.to(x.dtype)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """Two convolutions beside the straight way; time, style (and the twin's prompt) say between them what to do. He et al. 2016."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.told = nn.Linear(condition, 2 * channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x: (B, C, h, w). condition: (B, condition). Returns x's shape."""
        scale, shift = self.told(condition)[..., None, None].chunk(2, 1)  # (B, C, 1, 1)
        inner = self.first(norm(x, self.gain))
        return x + self.second(F.silu(inner * (1 + scale) + shift))


class Look(nn.Module):
    """Cells look: at the words of the prompt ("cross"), or at each other ("self"). x + o, the cells normalised and placed first."""

    def __init__(self, channels: int, grid: int, heads: int, name: Name, source: int | None = None) -> None:
        super().__init__()
        self.heads, self.name = heads, name
        self.gain = nn.Parameter(torch.ones(channels))
        self.place = nn.Parameter(torch.randn(grid**2, channels) * 0.3)
        self.query = nn.Linear(channels, channels, bias=False)
        self.key = nn.Linear(source or channels, channels, bias=False)
        self.value = nn.Linear(source or channels, channels, bias=False)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, prompt: Prompt | None = None) -> Tensor:
        """x: (B, C, g, g). Returns the same shape."""
        cells = F.rms_norm(x.permute(0, 2, 3, 1).flatten(1, 2), self.gain.shape, self.gain.to(x.dtype))  # (B, N, C)
        placed = cells + self.place
        source = placed if prompt is None else prompt.words
        query, key = (self._by_head(each) for each in (self.query(placed), self.key(source)))
        value = self._by_head(self.value(cells if prompt is None else source))
        mask = None if prompt is None else prompt.known[:, None, None]
        context = attend(query, key, value, name=self.name, mask=mask)  # (B, H, N, D)
        context = self.out(context.transpose(1, 2).flatten(2))  # (B, N, C)
        return x + context.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)

    def _by_head(self, rows: Tensor) -> Tensor:
        """(B, R, H·D) to (B, H, R, D)."""
        return rows.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Hear(nn.Module):
    """What stands in the place of a look at the words in the twin: a convolution of equal size that the whole prompt, as one vector, tunes.

    Perez et al. 2018, FiLM. It is normalised and knows its place, too.
    """

    def __init__(self, channels: int, grid: int, source: int) -> None:
        super().__init__()
        inner = max(1, round(channels * (2 * channels + 2 * source) / (10 * channels + 2 * source)))
        self.gain = nn.Parameter(torch.ones(channels))
        self.place = nn.Parameter(torch.randn(grid**2, channels) * 0.3)
        self.near = nn.Conv2d(channels, inner, 3, padding=1, bias=False)
        self.told = nn.Linear(source, 2 * inner)
        self.out = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor, prompt: Prompt) -> Tensor:
        """x: (B, C, g, g). Returns the same shape."""
        placed = norm(x, self.gain) + self.place.unflatten(0, x.shape[2:]).permute(2, 0, 1)
        scale, shift = self.told(gist(prompt))[..., None, None].chunk(2, 1)  # (B, inner, 1, 1)
        return x + self.out(F.silu(self.near(placed) * (1 + scale) + shift))


def gist(prompt: Prompt) -> Tensor:
    """The mean of the words' features. (B, T)."""
    share = prompt.known / prompt.known.sum(1, keepdim=True)
    return (prompt.words * share[..., None]).sum(1)


class Reader(nn.Module):
    """The prompt's words, each knowing those around it: twice what a window of five words says is added to the middle one.

    Convolutions keep a word apart from those far away, so that its key still means the word, and know the order (Kim 2014).
    """

    WINDOW = 5

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.word = nn.Embedding(1 + config.words + config.styles, config.text)
        self.styled = 1 + config.words  # id of the first style's word
        self.gains = nn.ParameterList(torch.ones(config.text) for _ in range(3))
        self.around = nn.ModuleList(
            nn.Conv1d(config.text, config.text // 2, self.WINDOW, padding=self.WINDOW // 2, bias=False) for _ in range(2)
        )
        self.taken = nn.ModuleList(nn.Linear(config.text // 2, config.text, bias=False) for _ in range(2))

    def forward(self, ids: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """ids: (B, K), EMPTY where the prompt has ended. style: (B,).

        Returns the keys' features (B, 1 + K + 1, T), the style's word first, the empty key last; and (B, 1 + K + 1), True where a key
        may be looked at.
        """
        there = F.pad(ids != EMPTY, (1, 0), value=True)  # (B, 1 + K)
        words = self.word(torch.cat([self.styled + style[:, None], ids], 1)) * there[..., None]
        for gain, around, taken in zip(self.gains, self.around, self.taken, strict=False):
            near = around((F.rms_norm(words, gain.shape, gain) * there[..., None]).mT).mT
            words = words + taken(F.silu(near)) * there[..., None]
        empty = self.word.weight[EMPTY].expand(len(ids), 1, -1)
        words = torch.cat([words, empty.to(words.dtype)], 1)
        return F.rms_norm(words, self.gains[-1].shape, self.gains[-1]), F.pad(there, (0, 1), value=True)


class Network(nn.Module):
    """Noise, time and prompt in, what the picture will be out."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        fine, coarse, told = config.fine, config.coarse, config.condition
        grid = config.size // PATCH
        self.reader = Reader(config)
        self.time = nn.Sequential(nn.Linear(64, told), nn.SiLU(), nn.Linear(told, told))
        self.style = nn.Embedding(config.styles, told)
        self.enter = nn.Conv2d(3 * PATCH**2, fine, 3, padding=1)
        self.before = nn.ModuleList(Block(fine, told) for _ in range(2))
        self.down = nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
        self.middle = nn.ModuleList(Block(coarse, told) for _ in range(3))
        self.among = nn.ModuleList(Look(coarse, grid // 2, config.heads, ("self", i)) for i in range(2))
        self.up = nn.Conv2d(coarse, 4 * fine, 1)
        self.join = nn.Conv2d(2 * fine, fine, 1)
        self.after = nn.ModuleList(Block(fine, told) for _ in range(2))
        self.ask = nn.ModuleList(words(config, coarse, grid // 2, i) for i in range(3))
        self.ask.append(words(config, fine, grid, 3))
        self.gain = nn.Parameter(torch.ones(fine))
        self.leave = nn.Conv2d(fine, 3 * PATCH**2, 3, padding=1)

    def read(self, ids: Tensor, style: Tensor) -> Prompt:
        """ids: (B, K) numbers of the words, EMPTY where the prompt has ended. style: (B,) its number."""
        words, known = self.reader(ids, style)
        return Prompt(words, known, style)

    def forward(self, x: Tensor, time: Tensor, prompt: Prompt) -> Tensor:
        """x: (B, 3, S, S) the noisy picture. time: (B,) 0 … 1. Returns (B, 3, S, S), what the picture will be, about −1 … 1."""
        told = self.time(waves(time)) + self.style(prompt.style)
        told = F.silu(told)
        cells = self.enter(F.pixel_unshuffle(x, PATCH).contiguous(memory_format=torch.channels_last))
        for block in self.before:
            cells = block(cells, told)
        small = self.down(cells)
        for i, block in enumerate(self.middle):
            small = block(small, told)
            small = self.ask[i](small, prompt)
            if i < len(self.among):
                small = self.among[i](small)
        wide = F.pixel_shuffle(self.up(small), 2)
        cells = self.join(torch.cat([cells, wide], 1).contiguous(memory_format=torch.channels_last))
        cells = self.ask[3](self.after[0](cells, told), prompt)
        cells = self.after[1](cells, told)
        return F.pixel_shuffle(self.leave(norm(cells, self.gain)), PATCH)


def words(config: Config, channels: int, grid: int, layer: int) -> Look | Hear:
    """Where the prompt enters: cross-attention to its words, or the twin's one vector."""
    if config.attention:
        return Look(channels, grid, config.heads, ("cross", layer), config.text)
    return Hear(channels, grid, config.text)


def waves(time: Tensor, count: int = 64) -> Tensor:
    """Time as waves of many lengths. (B,) to (B, count). Vaswani et al. 2017, section 3.5."""
    lengths = torch.exp(torch.arange(count // 2, device=time.device) * (-math.log(1000) / (count // 2 - 1))) * 1000
    angles = time[:, None].float() * lengths
    return torch.cat([angles.sin(), angles.cos()], 1)
