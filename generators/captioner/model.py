"""Show, Attend and Tell (Xu et al. 2015): convolutions make a grid of cells, an LSTM writes and looks over them at every word.

The twin is Show and Tell (Vinyals et al. 2015): the mean of the cells, one vector, is given to every step of the writer.

Letters: B batch, K cells of the grid, T words, E embedding, S units of the writer, A features of a score, C features of what the
writer is given (of a cell with attention), N vocabulary.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from generators.attention import attend_additive
from generators.training import autocast

STEPS = 8  # times that the grid's side is smaller than the picture's


@dataclass(frozen=True)
class Config:
    """The network's measures. words: size of the vocabulary. size: pixels a side. widths: channels at 1/2, 1/4 and 1/8 of it.

    blocks: residual blocks at a quarter and at an eighth. attention False: the twin.
    """

    words: int
    size: int = 64
    widths: tuple[int, int, int] = (32, 64, 160)
    blocks: tuple[int, int] = (2, 1)
    embedding: int = 96
    units: int = 256
    score: int = 64
    attention: bool = True

    @property
    def grid(self) -> int:
        """Cells a side."""
        return self.size // STEPS

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Self:
        """From JSON types. Raises KeyError, TypeError or ValueError for anything else."""
        widths, blocks = (tuple(int(each) for each in given[name]) for name in ("widths", "blocks"))
        if len(widths) != 3 or len(blocks) != 2:
            raise ValueError("there are three widths and two numbers of blocks")
        numbers = {name: int(given[name]) for name in ("words", "size", "embedding", "units", "score")}
        return cls(widths=widths, blocks=blocks, attention=bool(given["attention"]), **numbers)


class Convolution(nn.Module):
    """A convolution, normalised (Ioffe and Szegedy 2015); its kernel lies as a matrix (out, in·k·k), as Muon takes it."""

    def __init__(self, channels: int, out: int, side: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.side, self.stride = side, stride
        self.weight = nn.Parameter(torch.empty(out, channels * side**2))
        self.norm = nn.BatchNorm2d(out)
        nn.init.kaiming_uniform_(self.weight, math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, channels, n, n). Returns (B, out, n/stride, n/stride)."""
        kernel = self.weight.view(len(self.weight), -1, self.side, self.side)
        even: Tensor = self.norm(F.conv2d(x, kernel, stride=self.stride, padding=(self.side - 1) // 2))
        return even


class Block(nn.Module):
    """x + two convolutions of it (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = Convolution(channels, channels), Convolution(channels, channels)
        nn.init.zeros_(self.second.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class Eye(nn.Module):
    """Pictures (B, 3, size, size) to cells (B, K, C), row by row from the top left; places are learned with them."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        half, quarter, eighth = config.widths
        self.look = Convolution(3, half, 4, 2)
        self.to_quarter = Convolution(half, quarter, 4, 2)
        self.quarter = nn.Sequential(*(Block(quarter) for _ in range(config.blocks[0])))
        self.to_eighth = Convolution(quarter, eighth, 4, 2)
        self.place = nn.Parameter(0.1 * torch.randn(1, eighth, config.grid, config.grid))
        self.eighth = nn.Sequential(*(Block(eighth) for _ in range(config.blocks[1])))

    def forward(self, pictures: Tensor) -> Tensor:
        x = F.relu(self.look(pictures))
        x = self.quarter(F.relu(self.to_quarter(x)))
        x = self.eighth(F.relu(self.to_eighth(x) + self.place))
        return x.flatten(2).mT.float()


class Seen(NamedTuple):
    """A picture that was read, ready to be looked at."""

    start: Tensor  # (B, 2S) the writer's first state
    cells: Tensor  # (B, K, C); for the twin (B, 1, C), the one vector
    keys: Tensor  # (B, K, A) U·a; for the twin (B, 1, 0)

    def repeat(self, rows: Tensor) -> Seen:
        """The same with its batch rows taken in that order, as a beam search needs."""
        return Seen(self.start[rows], self.cells[rows], self.keys[rows])


class Describer(nn.Module):
    """Writes a caption for a picture.

    The writer's first state depends on how the caption begins only, so that with attention all it knows of the picture came through
    the maps. (Xu et al. also gave it the mean of the cells, section 3.1.2.)
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        embedding, units, score, cell = config.embedding, config.units, config.score, config.widths[-1]
        self.eye = Eye(config)
        self.words = nn.Embedding(config.words, embedding)
        self.to_start = nn.Linear(embedding, 2 * units)
        context = cell
        self.fix: nn.Linear | None = None
        if config.attention:
            self.to_query = nn.Linear(units, score)
            self.to_key = nn.Linear(cell, score, bias=False)
            self.direction = nn.Parameter(torch.randn(score) * score**-0.5)
            self.to_gate = nn.Linear(units, 1)
        else:  # a longer vector, of the size that makes the parameters equal
            freed = (units + 1 + cell + 1) * score + units + 1 + cell * (4 * units + embedding)
            context = round(freed / (cell + 1 + 4 * units + embedding))
            self.fix = nn.Linear(cell, context)
        self.from_word = nn.Linear(embedding, 4 * units)
        self.from_context = nn.Linear(context, 4 * units, bias=False)
        self.from_state = nn.Linear(units, 4 * units, bias=False)
        self.state_out = nn.Linear(units, embedding)
        self.context_out = nn.Linear(context, embedding, bias=False)
        self.bias = nn.Parameter(torch.zeros(config.words))
        nn.init.normal_(self.words.weight, std=embedding**-0.5)
        for matrix in self.from_state.weight.data.chunk(4):
            nn.init.orthogonal_(matrix)
        self.from_word.bias.data[units : 2 * units] = 1  # to forget is learned (Jozefowicz et al. 2015)

    def read(self, pictures: Tensor, start: Tensor) -> Seen:
        """pictures: (B, 3, size, size) in −1 … 1. start: (B,), tokens that say how the captions begin."""
        with autocast(pictures.device) if self.training else nullcontext():
            cells = self.eye(pictures)
        state = torch.tanh(self.to_start(self.words(start)))
        if self.fix is not None:
            vector = torch.tanh(self.fix(cells.mean(1, keepdim=True)))  # (B, 1, C)
            return Seen(state, vector, vector[..., :0])
        return Seen(state, cells, self.to_key(cells))

    def gate(self, state: Tensor) -> Tensor:
        """β: how much of what it looked at counts for the next word. (…, 2S) -> (…, 1). Xu et al. 2015, section 4.2.1; the twin's is 1."""
        if self.fix is not None:
            return state.new_ones(*state.shape[:-1], 1)
        return torch.sigmoid(self.to_gate(state[..., : self.config.units]))

    def look(self, state: Tensor, seen: Seen) -> Tensor:
        """What the writer takes from the picture at this step: z = β Σ αᵢaᵢ, (B, C). Xu et al. 2015, section 4.2."""
        if self.fix is not None:
            return seen.cells[:, 0]
        query = self.to_query(state[:, : self.config.units])[:, None]  # (B, 1, A)
        context = attend_additive(query, seen.keys, seen.cells, self.direction, name=("cross", 0))[:, 0]
        return self.gate(state) * context

    def step(self, token: Tensor, state: Tensor, source: Seen) -> tuple[Tensor, Tensor]:
        """Logits (B, N) of the next token, and the state (B, 2S) that made them: h and c. token: (B,). Equations 1 to 3, 7."""
        word = self.words(token)
        context = self.look(state, source)
        state = self._turn(self.from_word(word), context, state)
        return self._logits(word, state[:, : self.config.units], context), state

    def forward(self, pictures: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, T, N) of the token after each of `tokens` (B, T), of which the first says how the caption begins; β of each (B, T)."""
        seen, words = self.read(pictures, tokens[:, 0]), self.words(tokens)
        states, contexts = [seen.start], []
        for given in self.from_word(words).unbind(1):
            contexts.append(self.look(states[-1], seen))
            states.append(self._turn(given, contexts[-1], states[-1]))
        before, after = torch.stack(states[:-1], 1), torch.stack(states[1:], 1)  # (B, T, 2S)
        return self._logits(words, after[..., : self.config.units], torch.stack(contexts, 1)), self.gate(before)[..., 0]

    def _turn(self, given: Tensor, context: Tensor, state: Tensor) -> Tensor:
        """One turn of the LSTM. given: (B, 4S), the word's part. context: (B, C). state: (B, 2S). Returns (B, 2S)."""
        hidden, cell = state.chunk(2, -1)
        write, keep, show, new = (given + self.from_context(context) + self.from_state(hidden)).chunk(4, -1)
        cell = keep.sigmoid() * cell + write.sigmoid() * new.tanh()
        return torch.cat([show.sigmoid() * cell.tanh(), cell], -1)

    def _logits(self, word: Tensor, hidden: Tensor, context: Tensor) -> Tensor:
        """(…, E), (…, S), (…, C) -> (…, N)."""
        return F.linear(word + self.state_out(hidden) + self.context_out(context), self.words.weight, self.bias)
