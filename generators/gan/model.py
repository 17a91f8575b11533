"""The self-attention GAN: a generator from noise to a picture, a discriminator from a picture to a score.

Zhang, Goodfellow, Metaxas and Odena 2019, Self-Attention Generative Adversarial Networks (arXiv 1805.08318): residual
networks with spectral norm in both, hinge loss, and in each a self-attention whose share γ starts at 0 and is learned.
Ours differs where it makes small data and a CPU enough: four heads (the paper has one, of C/8 features; ours are four of
C/8), scores divided by √d, noise that also modulates every normalisation (Chen et al. 2019, On Self-Modulation), and the
deviation within the batch as the discriminator's last feature (Karras et al. 2018, section 3). Where the data name the parts of
a face, both networks are told which a face has, the discriminator by a projection (Miyato and Koyama 2018, equation 4).

Letters: B batch, C channels, N cells of the attention's grid, H heads, D features of a head, Z numbers of noise, V values of all parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from generators.attention import attend
from generators.reach import through

SMALLEST = 4  # cells a side where the generator begins and the discriminator ends


@dataclass(frozen=True)
class Config:
    """The networks' measures. widths: the generator's channels at 4×4, 8×8, … up to the whole picture.

    judge_widths: the discriminator's, likewise, up to half the picture's side: it reads 2×2 pixels as one cell, which saves
    a third of the training time.
    grid: cells a side where attention stands. attention False: the twin, a convolution of equal size in its place.
    parts: part of a face → each value that it may have → the share of the drawn faces that have it. Empty: the networks are told nothing.
    """

    noise: int = 128
    widths: tuple[int, ...] = (160, 144, 128, 64, 32)
    judge_widths: tuple[int, ...] = (192, 160, 128, 64)
    grid: int = 16
    heads: int = 4
    attention: bool = True
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def values(self) -> int:
        """Values of all parts together."""
        return sum(map(len, self.parts.values()))

    @property
    def size(self) -> int:
        """Pixels a side."""
        return SMALLEST * 2 ** (len(self.widths) - 1)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Self:
        """From JSON types. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            noise=int(given["noise"]),
            widths=tuple(int(each) for each in given["widths"]),
            judge_widths=tuple(int(each) for each in given["judge_widths"]),
            grid=int(given["grid"]),
            heads=int(given["heads"]),
            attention=bool(given["attention"]),
            parts={part: {value: float(share) for value, share in shares.items()} for part, shares in given.get("parts", {}).items()},
        )


class SelfAttention(nn.Module):
    """Each cell takes from all cells what resembles it: y = γ·o + x. Zhang et al. 2019, section 3, equations 1 to 3.

    C channels; every head has C/8 features of query, key and value. γ starts at 0: the network first learns what is near.
    pooled: keys and values are the maxima of 2×2 cells, as in the authors' code; a quarter of the work.
    """

    def __init__(self, channels: int, heads: int, *, pooled: bool = False) -> None:
        super().__init__()
        self.heads, self.pooled = heads, pooled
        inner = heads * max(1, channels // 8)
        self.query = nn.Conv2d(channels, inner, 1, bias=False)
        self.key = nn.Conv2d(channels, inner, 1, bias=False)
        self.value = nn.Conv2d(channels, inner, 1, bias=False)
        self.out = nn.Conv2d(inner, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, height, width). Returns the same shape."""
        query, key, value = self.query(x), self.key(x), self.value(x)
        if self.pooled:
            key, value = F.max_pool2d(key, 2), F.max_pool2d(value, 2)
        with torch.autocast(x.device.type, enabled=False):  # float32: exact, and torch's fused kernel on a CPU is faster in it
            context = attend(*(self._cells(each) for each in (query, key, value)), name=("self", 0))  # (B, H, N, D)
        context = context.mT.flatten(1, 2).unflatten(2, x.shape[2:])  # (B, H·D, height, width)
        return x + self.gamma * self.out(context)

    def _cells(self, x: Tensor) -> Tensor:
        """(B, H·D, height, width) to (B, H, N, D) in float32."""
        return x.float().flatten(2).unflatten(1, (self.heads, -1)).mT.contiguous()


class Nearby(nn.Module):
    """What stands in attention's place in the twin: a 3×3 convolution of equal size, its share γ learned from 0 too."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        attention = 4 * channels * heads * max(1, channels // 8)
        inner = max(1, round(attention / (10 * channels)))
        self.near = nn.Conv2d(channels, inner, 3, padding=1, bias=False)
        self.out = nn.Conv2d(inner, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, height, width). Returns the same shape."""
        return x + self.gamma * self.out(F.relu(self.near(x)))


def exchange(channels: int, config: Config, *, pooled: bool = False) -> SelfAttention | Nearby:
    """The layer over which cells speak with each other: attention, or the twin's convolution."""
    return SelfAttention(channels, config.heads, pooled=pooled) if config.attention else Nearby(channels, config.heads)


class ModulatedNorm(nn.Module):
    """Batch norm whose gain and shift depend on the noise: (1 + gain(z))·norm(x) + shift(z)."""

    def __init__(self, channels: int, noise: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.modulation = nn.Linear(noise, 2 * channels)
        nn.init.normal_(self.modulation.weight, std=0.02)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """x: (B, C, height, width). z: (B, Z)."""
        gain, shift = self.modulation(z)[..., None, None].chunk(2, dim=1)  # (B, C, 1, 1)
        return torch.addcmul(shift, self.norm(x), 1 + gain)


class Up(nn.Module):
    """Residual block that doubles the cells: the first convolution still on the coarse grid, where it costs a quarter."""

    def __init__(self, coarse: int, fine: int, noise: int) -> None:
        super().__init__()
        self.before = ModulatedNorm(coarse, noise)
        self.first = nn.Conv2d(coarse, fine, 3, padding=1, bias=False)
        self.between = ModulatedNorm(fine, noise)
        self.second = nn.Conv2d(fine, fine, 3, padding=1)
        self.skip = nn.Conv2d(coarse, fine, 1, bias=False)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """x: (B, coarse, n, n). Returns (B, fine, 2n, 2n)."""
        inner = F.interpolate(self.first(F.relu(self.before(x, z))), scale_factor=2)
        inner = self.second(F.relu(self.between(inner, z)))
        return inner + F.interpolate(self.skip(x), scale_factor=2)


class Generator(nn.Module):
    """Noise to picture. With `plain` left False its weights carry spectral norm, for training; files hold plain weights."""

    def __init__(self, config: Config, *, plain: bool = False) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.start = nn.Linear(config.noise, widths[0] * SMALLEST**2)
        self.blocks = nn.ModuleList(Up(coarse, fine, config.noise) for coarse, fine in pairwise(widths))
        self.attention = exchange(widths[(config.grid // SMALLEST).bit_length() - 1], config)
        self.norm = nn.BatchNorm2d(widths[-1])
        self.paint = nn.Conv2d(widths[-1], 3, 3, padding=1)
        self.parts = nn.Linear(config.values, config.noise, bias=False) if config.values else None
        if self.parts is not None:
            nn.init.normal_(self.parts.weight, std=0.5)  # a part then weighs about as much as the noise
        if not plain:
            normalise(self, but=("modulation", "query", "key", "parts"))

    def forward(self, code: Tensor) -> Tensor:
        """code: (B, Z + V), standard normal noise, then 1 for the value that each part has. Returns (B, 3, size, size) in −1 … 1."""
        z, values = code.split((self.config.noise, self.config.values), dim=1)
        if self.parts is not None:
            z = z + self.parts(values)
        x = self.start(z).unflatten(1, (-1, SMALLEST, SMALLEST)).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            if x.shape[-1] == self.config.grid:
                x = through(self.attention, x, part="self")
            x = block(x, z)
        return torch.tanh(self.paint(F.relu(self.norm(x))))


class Down(nn.Module):
    """Residual block that halves the cells."""

    def __init__(self, fine: int, coarse: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(fine, fine, 3, padding=1)
        self.second = nn.Conv2d(fine, coarse, 4, stride=2, padding=1)
        self.skip = nn.Conv2d(fine, coarse, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, fine, 2n, 2n). Returns (B, coarse, n, n)."""
        inner = self.second(F.leaky_relu(self.first(x), 0.2))
        return F.leaky_relu(inner, 0.2) + self.skip(F.avg_pool2d(x, 2))


class Discriminator(nn.Module):
    """Picture to score: high for drawn pictures that have the parts that are named, low for generated ones."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths = config.judge_widths[::-1]
        self.look = nn.Conv2d(12, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(Down(fine, coarse) for fine, coarse in pairwise(widths))
        self.attention = exchange(config.judge_widths[(config.grid // SMALLEST).bit_length() - 1], config, pooled=True)
        self.last = nn.Conv2d(widths[-1] + 1, widths[-1], 3, padding=1)
        self.score = nn.Linear(widths[-1], 1)
        self.parts = nn.Linear(config.values, widths[-1], bias=False) if config.values else None
        normalise(self)

    def forward(self, pictures: Tensor, values: Tensor) -> Tensor:
        """pictures: (B, 3, size, size) in −1 … 1. values: (B, V), 1 for the value that each part should have. Returns (B,)."""
        x = F.leaky_relu(self.look(F.pixel_unshuffle(pictures, 2)), 0.2)
        for block in self.blocks:
            if x.shape[-1] == self.config.grid:
                x = self.attention(x)
            x = block(x)
        x = F.leaky_relu(self.last(with_deviation(x)), 0.2)
        seen = x.float().sum((2, 3))  # (B, C)
        score = self.score(seen).squeeze(1)
        return score if self.parts is None else score + (self.parts(values) * seen).sum(1)


def with_deviation(x: Tensor) -> Tensor:
    """x: (B, C, n, n) with one more channel: how much the batch differs, one number. Few differences give a collapse away."""
    deviation = x.float().var(0, correction=0).add(1e-8).sqrt().mean().to(x.dtype)
    return torch.cat([x, deviation.expand(x.shape[0], 1, *x.shape[2:])], 1)


def normalise(network: nn.Module, but: tuple[str, ...] = ()) -> None:
    """Put spectral norm on every convolution and linear layer but those of these names. Miyato et al. 2018.

    The generator's queries and keys go without: with it no score could grow, and every cell would look everywhere alike.
    """
    for name, layer in list(network.named_modules()):
        if isinstance(layer, (nn.Conv2d, nn.Linear)) and not name.endswith(but):
            nn.init.orthogonal_(layer.weight)
            spectral_norm(layer)


def plain_weights(network: nn.Module) -> dict[str, Tensor]:
    """The weights with spectral norm folded in: what a network made with `plain=True` loads. float32, detached."""
    weights = {name: each.detach() for name, each in network.state_dict().items() if "parametrizations" not in name}
    for name, layer in network.named_modules():
        if parametrize.is_parametrized(layer, "weight"):
            raw = layer.parametrizations["weight"]  # type: ignore[index, union-attr]
            if f"{name}.bias" not in weights and getattr(layer, "bias", None) is not None:
                weights[f"{name}.bias"] = layer.bias.detach()  # type: ignore[union-attr]
            was_training = raw.training
            raw.eval()  # reading must not move the power iteration
            weights[f"{name}.weight"] = layer.weight.detach()  # type: ignore[union-attr, operator]
            raw.train(was_training)
    return weights
