"""The attention autoencoder: a picture, a short code, the picture again; and what is rubbed out, filled in.

Convolutions lead to a grid of 16×16 cells, over which every cell looks at all the others; then down to the code. The decoder
comes up to the same grid and looks over its own cells. Without hidden cells the picture passes through the code alone. Where
cells are hidden they are masked keys, and the decoder also looks at the visible cells' features, as the decoder of a
transformer looks at its source (Vaswani et al. 2017, section 3.2.3).

Letters: B batch, C channels, N cells of the grid, H heads, D features of a head, Z numbers of the code.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from generators.attention import attend
from generators.edits import Kind
from generators.reach import through

SMALLEST = 4  # cells a side between which and the code stands one matrix


@dataclass(frozen=True)
class Config:
    """The network's measures. widths: channels at half the picture's side, a quarter, … down to 4×4.

    code: numbers that the picture must pass through. grid: cells a side where attention stands. attention False: the twin, a
    convolution of equal size in the place of each.
    """

    widths: tuple[int, ...] = (32, 96, 128, 128)
    code: int = 64
    grid: int = 16
    heads: int = 4
    features: int = 16  # of a head
    attention: bool = True

    @property
    def size(self) -> int:
        """Pixels a side."""
        return SMALLEST * 2 ** len(self.widths)

    @property
    def level(self) -> int:
        """Which of the widths is that of the grid."""
        return (self.size // (2 * self.grid)).bit_length() - 1

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Self:
        """From JSON types. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            widths=tuple(int(each) for each in given["widths"]),
            code=int(given["code"]),
            grid=int(given["grid"]),
            heads=int(given["heads"]),
            features=int(given["features"]),
            attention=bool(given["attention"]),
        )


class Convolution(nn.Module):
    """A convolution that keeps the picture's size; its kernel lies as a matrix (out, in·k·k), as Muon takes it."""

    def __init__(self, channels: int, out: int, side: int = 1, *, zero: bool = False) -> None:
        super().__init__()
        self.side = side
        self.weight = nn.Parameter(torch.zeros(out, channels * side**2))
        self.bias = nn.Parameter(torch.zeros(out))
        if not zero:
            nn.init.kaiming_uniform_(self.weight, math.sqrt(5))  # as torch has it

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, channels, n, n). Returns (B, out, n, n)."""
        kernel = self.weight.view(len(self.weight), -1, self.side, self.side)
        return F.conv2d(x, kernel, self.bias, padding=self.side // 2)


class Place(nn.Module):
    """A learned row and a learned column for every cell of the grid, so that a look can depend on where."""

    def __init__(self, grid: int, channels: int) -> None:
        super().__init__()
        self.row = nn.Parameter(torch.randn(grid, 1, channels))
        self.column = nn.Parameter(torch.randn(1, grid, channels))

    def forward(self) -> Tensor:
        """(N, C), cells row by row."""
        return (self.row + self.column).flatten(0, 1)


class Look(nn.Module):
    """Each cell takes from the cells of a source what it asks for: x + W·attention(x, source).

    kind: "encoder" and "self" look at x itself, "cross" at another source. Both are normalised first (Zhang and Sennrich 2019),
    and places are added to what queries and keys are made of.
    """

    def __init__(self, kind: Kind, config: Config) -> None:
        super().__init__()
        self.name, self.heads = (kind, 0), config.heads
        channels, inner = config.widths[config.level], config.heads * config.features
        self.norm = nn.RMSNorm(channels)
        self.source_norm = nn.RMSNorm(channels) if kind == "cross" else None
        self.query_place, self.key_place = Place(config.grid, channels), Place(config.grid, channels)
        self.query, self.key, self.value = (nn.Linear(channels, inner, bias=False) for _ in range(3))
        self.out = nn.Linear(inner, channels, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, source: Tensor | None = None, hidden: Tensor | None = None) -> Tensor:
        """x, source: (B, C, grid, grid). hidden: (B, N), True at cells that nobody may look at. Returns x's shape."""
        with torch.autocast(x.device.type, enabled=False):  # float32: exact, and torch's fused kernel on a CPU is faster in it
            cells = self.norm(as_cells(x))
            keys = cells if source is None or self.source_norm is None else self.source_norm(as_cells(source))
            query, key = self.query(cells + self.query_place()), self.key(keys + self.key_place())
            context = attend(
                *(self._split(each) for each in (query, key, self.value(keys))),
                name=self.name,
                mask=None if hidden is None else ~hidden[:, None, None],
            )  # (B, H, N, D)
            return x + as_grid(self.out(context.transpose(1, 2).flatten(2)), x)

    def _split(self, x: Tensor) -> Tensor:
        """(B, N, H·D) to (B, H, N, D)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Nearby(nn.Module):
    """What stands in attention's place in the twin: a 3×3 convolution between two 1×1, of equal size.

    It reads what attention reads: the cells, those of the source with zeros where hidden, and which those are.
    """

    def __init__(self, kind: Kind, config: Config) -> None:
        super().__init__()
        self.kind = kind
        channels = config.widths[config.level]
        read = {"encoder": channels + 1, "self": channels, "cross": 2 * channels + 1}[kind]
        size = sum(each.numel() for each in Look(kind, config).parameters())
        inner = max(each for each in range(1, size) if each * (read + 9 * each + channels) <= size or each == 1)
        self.read = Convolution(read, inner)
        self.near = Convolution(inner, inner, 3)
        self.out = Convolution(inner, channels, zero=True)

    def forward(self, x: Tensor, source: Tensor | None = None, hidden: Tensor | None = None) -> Tensor:
        """As Look's."""
        if self.kind == "self":
            given = x
        else:
            mask = x.new_zeros(len(x), 1, *x.shape[2:]) if hidden is None else hidden.view(len(x), 1, *x.shape[2:]).to(x.dtype)
            parts = (x * (1 - mask), mask) if source is None else (x, source * (1 - mask), mask)
            given = torch.cat(parts, 1)
        return x + self.out(F.relu(self.near(F.relu(self.read(given)))))


def exchange(kind: Kind, config: Config) -> Look | Nearby:
    """The layer over which cells speak with each other: attention, or the twin's convolution."""
    return (Look if config.attention else Nearby)(kind, config)


def as_cells(x: Tensor) -> Tensor:
    """(B, C, height, width) to (B, N, C) in float32; no copy where channels lie last."""
    return x.permute(0, 2, 3, 1).flatten(1, 2).float()


def as_grid(cells: Tensor, like: Tensor) -> Tensor:
    """(B, N, C) to (B, C, height, width) of `like`."""
    return cells.unflatten(1, like.shape[2:]).permute(0, 3, 1, 2).to(like.dtype)


class Block(nn.Module):
    """Residual: x + 1×1(relu(3×3(relu(x)))); starts as the identity, and so needs no norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.near = Convolution(channels, channels, 3)
        self.mix = Convolution(channels, channels, zero=True)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, n, n). Returns the same shape."""
        return x + self.mix(F.relu(self.near(F.relu(x))))


class Encoder(nn.Module):
    """Picture to code, and to the features of its cells."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.look = Convolution(16, widths[0], 3)
        self.blocks = nn.ModuleList(Block(each) for each in widths)
        self.downs = nn.ModuleList(Convolution(4 * fine, coarse) for fine, coarse in pairwise(widths))
        self.attention = exchange("encoder", config)
        self.code = nn.Linear(widths[-1] * SMALLEST**2, config.code)

    def forward(self, pictures: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """pictures: (B, 3, size, size) in −1 … 1. hidden: (B, N) bool. Returns (B, Z) and (B, C, grid, grid)."""
        x = self.look(F.pixel_unshuffle(rub_out(pictures, hidden, self.config.grid), 2))
        features = x
        for level, block in enumerate(self.blocks):
            if level:
                x = self.downs[level - 1](F.pixel_unshuffle(x, 2))
            x = block(x)
            if level == self.config.level:
                x = features = through(self.attention, x, None, hidden, part="encoder")
        return self.code(x.flatten(1)), features


def rub_out(pictures: Tensor, hidden: Tensor | None, grid: int) -> Tensor:
    """(B, 3, size, size) to (B, 4, size, size): hidden cells grey, and the fourth channel 1 there."""
    hole = pictures.new_zeros(len(pictures), 1, grid, grid) if hidden is None else hidden.view(-1, 1, grid, grid).to(pictures.dtype)
    hole = F.interpolate(hole, size=pictures.shape[2:])
    return torch.cat([pictures * (1 - hole), hole], 1).contiguous(memory_format=torch.channels_last)


class Decoder(nn.Module):
    """Code to picture; where cells are hidden, from the features of the visible ones too."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths = config.widths[::-1]
        self.start = nn.Linear(config.code, widths[0] * SMALLEST**2)
        self.blocks = nn.ModuleList(Block(each) for each in widths)
        self.ups = nn.ModuleList(Convolution(coarse, 4 * fine) for coarse, fine in pairwise(widths))
        self.attention = exchange("self", config)
        self.source = exchange("cross", config)
        self.mix = Block(config.widths[config.level])
        self.paint = Convolution(widths[-1], 12, 3)

    def forward(self, code: Tensor, features: Tensor, hidden: Tensor | None = None) -> Tensor:
        """code: (B, Z). features: (B, C, grid, grid), used only where cells are hidden: (B, N). Returns (B, 3, size, size)."""
        x = self.start(code).unflatten(1, (-1, SMALLEST, SMALLEST)).contiguous(memory_format=torch.channels_last)
        for level, block in enumerate(self.blocks):
            if level:
                x = F.pixel_shuffle(self.ups[level - 1](x), 2)
            x = block(x)
            if x.shape[-1] == self.config.grid:
                x = through(self.attention, x, part="self")
                if hidden is not None:
                    x = through(self.source, x, features, hidden, part="cross", of=1)
                x = self.mix(x)
        return F.pixel_shuffle(self.paint(F.relu(x)), 2)


class Autoencoder(nn.Module):
    """Picture to code to picture."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)

    def forward(self, pictures: Tensor, hidden: Tensor | None = None) -> Tensor:
        """pictures: (B, 3, size, size) in −1 … 1. hidden: (B, N), True at rubbed out cells, at least one visible. Returns as pictures."""
        code, features = self.encoder(pictures, hidden)
        return self.decoder(code, features, hidden)
