"""The variational autoencoder: an encoder from a picture to a code with its doubt, a decoder from a code to a picture with its doubt.

Kingma and Welling 2014, Auto-Encoding Variational Bayes (arXiv 1312.6114), with self-attention over 16×16 cells on both sides. The
decoder says for every subpixel how sure it is (Rybkin, Daniilidis and Levine 2021, σ-VAE): no weight between drawing well and coding
briefly has to be found by hand. The code works twice: it is the coarse picture that the decoder begins with, and it modulates every
block (Chen et al. 2019, On Self-Modulation), so that one number may repaint a whole hairdo. The prior is in `prior.py`.

Letters: B batch, C channels, N cells of the attention's grid, H heads, D features of a head, Z numbers of the code, S pixels a side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from generators.attention import attend
from generators.reach import through
from generators.vae.prior import Prior
from generators.vae.sliders import Sliders

SMALLEST = 4  # cells a side where the encoder ends and the decoder begins
PIXELS = 2  # a side, that the decoder paints from one cell of its finest grid
LEVEL = 2 / 255  # one of the 256 levels of a subpixel, where pictures go from −1 to 1
SUREST = math.log(LEVEL / 8)  # of a subpixel's scale: beyond, nothing is left to gain


@dataclass(frozen=True)
class Config:
    """The network's measures. latent: numbers of the code. read_widths: the encoder's channels at the grid, half of it, … 4×4.

    paint_widths: the decoder's, from 4×4 up to half the picture's side. grid: cells a side where attention stands, on both sides.
    hidden, components: of the prior. attention False: the twin, a convolution of equal size in the place of each attention.
    parts: of a face, each with its values, that the sliders know.
    """

    latent: int = 48
    read_widths: tuple[int, ...] = (64, 128, 128)
    paint_widths: tuple[int, ...] = (128, 128, 64, 32)
    grid: int = 16
    heads: int = 4
    hidden: int = 256
    components: int = 8
    attention: bool = True
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Pixels a side."""
        return SMALLEST * PIXELS * 2 ** (len(self.paint_widths) - 1)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Self:
        """From JSON types. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            latent=int(given["latent"]),
            read_widths=tuple(int(each) for each in given["read_widths"]),
            paint_widths=tuple(int(each) for each in given["paint_widths"]),
            grid=int(given["grid"]),
            heads=int(given["heads"]),
            hidden=int(given["hidden"]),
            components=int(given["components"]),
            attention=bool(given["attention"]),
            parts={str(part): tuple(str(each) for each in values) for part, values in given["parts"].items()},
        )


class SelfAttention(nn.Module):
    """Each cell takes from all cells what resembles it: x + o. Vaswani et al. 2017 over cells, as Zhang et al. 2019 in a GAN.

    Cells are normalised first (Zhang and Sennrich 2019). A learned place is added where queries and keys are made, so that a cell may
    look at where as well as at what.
    """

    def __init__(self, channels: int, grid: int, heads: int, kind: str) -> None:
        super().__init__()
        self.heads, self.kind = heads, kind
        self.norm = nn.RMSNorm(channels)
        self.place = nn.Parameter(torch.randn(grid**2, channels) * 0.3)
        self.query = nn.Linear(channels, channels, bias=False)
        self.key = nn.Linear(channels, channels, bias=False)
        self.value = nn.Linear(channels, channels, bias=False)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, grid, grid). Returns the same shape."""
        cells = self.norm(x.flatten(2).mT.float())  # (B, N, C)
        placed = cells + self.place
        query, key, value = self.query(placed), self.key(placed), self.value(cells)
        with torch.autocast(x.device.type, enabled=False):  # float32: exact, and torch's fused kernel on a CPU is faster in it
            context = attend(*(self._by_head(each) for each in (query, key, value)), name=(self.kind, 0))  # (B, H, N, D)
        context = self.out(context.transpose(1, 2).flatten(2))  # (B, N, C)
        return x + context.mT.unflatten(2, x.shape[2:])

    def _by_head(self, cells: Tensor) -> Tensor:
        """(B, N, H·D) to (B, H, N, D) in float32."""
        return cells.float().unflatten(2, (self.heads, -1)).transpose(1, 2)


class Nearby(nn.Module):
    """What stands in attention's place in the twin: a 3×3 convolution of equal size. It is normalised and knows its place, too."""

    def __init__(self, channels: int, grid: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(channels)
        self.place = nn.Parameter(torch.randn(grid**2, channels) * 0.3)
        inner = max(1, round(4 * channels / 10))
        self.near = nn.Conv2d(channels, inner, 3, padding=1, bias=False)
        self.out = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, grid, grid). Returns the same shape."""
        cells = self.norm(x.flatten(2).mT.float()) + self.place  # (B, N, C)
        return x + self.out(F.relu(self.near(cells.mT.unflatten(2, x.shape[2:]))))


def exchange(channels: int, config: Config, kind: str) -> SelfAttention | Nearby:
    """The layer over which cells speak with each other: attention, or the twin's convolution."""
    if config.attention:
        return SelfAttention(channels, config.grid, config.heads, kind)
    return Nearby(channels, config.grid)


class Encoder(nn.Module):
    """Picture to the posterior of its code: a normal distribution for each of its numbers."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = config.read_widths
        self.patch = config.size // config.grid
        self.look = nn.Conv2d(3 * self.patch**2, widths[0], 3, padding=1)
        self.attention = exchange(widths[0], config, "encoder")
        self.halve = nn.ModuleList(nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairwise(widths))
        self.posterior = nn.Linear(widths[-1] * SMALLEST**2, 2 * config.latent)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """pictures: (B, 3, S, S) in −1 … 1. Returns mean and logarithm of the deviation, (B, Z) each."""
        x = F.relu(self.look(F.pixel_unshuffle(pictures, self.patch)))  # (B, C, grid, grid)
        x = through(self.attention, x, part="encoder")
        for halve in self.halve:
            x = F.relu(halve(x))
        mean, doubt = self.posterior(x.flatten(1)).float().chunk(2, 1)
        return mean, doubt.clamp(-7, 2)


class Modulation(nn.Module):
    """The code turns every channel up or down, and lifts it: (1 + gain(z))·x + shift(z), then what is positive of it."""

    def __init__(self, channels: int, latent: int) -> None:
        super().__init__()
        self.gain_and_shift = nn.Linear(latent, 2 * channels)
        nn.init.normal_(self.gain_and_shift.weight, std=0.02)
        nn.init.zeros_(self.gain_and_shift.bias)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """x: (B, C, height, width). z: (B, Z)."""
        gain, shift = self.gain_and_shift(z).to(x.dtype)[..., None, None].chunk(2, dim=1)  # (B, C, 1, 1)
        return F.relu(torch.addcmul(shift, x, 1 + gain))


class Up(nn.Module):
    """Residual block that doubles the cells: the first convolution still on the coarse grid, where it costs a quarter."""

    def __init__(self, coarse: int, fine: int, latent: int) -> None:
        super().__init__()
        self.before = Modulation(coarse, latent)
        self.first = nn.Conv2d(coarse, fine, 3, padding=1)
        self.between = Modulation(fine, latent)
        self.second = nn.Conv2d(fine, fine, 3, padding=1)
        self.skip = nn.Conv2d(coarse, fine, 1, bias=False)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """x: (B, coarse, n, n). Returns (B, fine, 2n, 2n)."""
        inner = F.interpolate(self.first(self.before(x, z)), scale_factor=2)
        inner = self.second(self.between(inner, z))
        return inner + F.interpolate(self.skip(x), scale_factor=2)


class Decoder(nn.Module):
    """Code to picture: for every subpixel the middle of a logistic distribution, and how wide it is."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.grid = config.grid
        widths = config.paint_widths
        self.start = nn.Linear(config.latent, widths[0] * SMALLEST**2)
        self.blocks = nn.ModuleList(Up(coarse, fine, config.latent) for coarse, fine in pairwise(widths))
        self.attention = exchange(widths[(config.grid // SMALLEST).bit_length() - 1], config, "self")
        self.last = Modulation(widths[-1], config.latent)
        self.paint = nn.Conv2d(widths[-1], 6 * PIXELS**2, 3, padding=1)
        nn.init.normal_(self.paint.weight, std=0.01)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """z: (B, Z). Returns the middle, in −1 … 1 but for overshoots, and the logarithm of the scale, (B, 3, S, S) each."""
        x = self.start(z).unflatten(1, (-1, SMALLEST, SMALLEST)).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            if x.shape[-1] == self.grid:
                x = through(self.attention, x, part="self")
            x = block(x, z)
        if x.shape[-1] == self.grid:
            x = through(self.attention, x, part="self")
        with torch.autocast(x.device.type, enabled=False):  # flat colours are exact to one of 256 levels: more than bfloat16 holds
            middle, scale = F.pixel_shuffle(self.paint(self.last.float()(x.float(), z.float())), PIXELS).chunk(2, 1)
        return middle, scale - 1


class Network(nn.Module):
    """Encoder, decoder, the prior from which codes are drawn, and the sliders that move them."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.prior = Prior(config.latent, config.hidden, config.components)
        self.sliders = Sliders(config.parts, config.latent)


def log_likelihood(pictures: Tensor, middle: Tensor, scale: Tensor, surest: float = SUREST) -> Tensor:
    """ln p of every subpixel's own level: what a logistic distribution has between the level's borders; the ends keep the tails.

    pictures: in −1 … 1, one of 256 levels. middle; scale: its logarithm, not under `surest`. All of one shape, also the result.
    Salimans et al. 2017, PixelCNN++, section 2.1. With b and a the borders in scales, σ(b) − σ(a) = σ(b)·σ(−a)·(1 − e^(a−b)).
    """
    sharpness = torch.exp(-scale.clamp_min(surest))
    away = (pictures - middle) * sharpness
    half = sharpness * (LEVEL / 2)
    upper = torch.where(pictures > 1 - LEVEL / 2, 0.0, F.softplus(-(away + half)))  # −ln σ(b)
    lower = torch.where(pictures < LEVEL / 2 - 1, 0.0, F.softplus(away - half))  # −ln σ(−a)
    ends = pictures.abs() > 1 - LEVEL / 2
    return torch.where(ends, 0.0, torch.log(-torch.expm1(-2 * half))) - upper - lower


def divergence(mean: Tensor, doubt: Tensor) -> Tensor:
    """KL from a standard normal distribution of every number, in nats. mean, doubt: (B, Z), doubt ln σ. Kingma and Welling, B."""
    return (mean.square() + (2 * doubt).exp() - 1) / 2 - doubt
