"""Paint a face: a self-attention GAN, from a name or a number to a picture, with the map of which cell looked where.

Run.generate(request)      one step: the picture, the attention's rows, γ
Run.sheet(request, seeds)  many faces at one go, unwatched
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from generators import base, pictures
from generators.base import BadInput, Request, check_only
from generators.base import NotReady as NotReady
from generators.gan.card import CARD, NAMES, TRUNCATION
from generators.pictures import as_attention, as_detail, as_picture, check_pin, noise, read_prompt
from generators.trace import Grid, Step, Words

if TYPE_CHECKING:
    from torch import Tensor

    from generators.attention import Heard
    from generators.gan.model import Config, Generator
    from generators.reach import Part, Reach


class Run(base.Generator):
    """A loaded GAN. without: the twin's network, where its weights are there."""

    card = CARD

    def __init__(self, network: Generator, without: Generator | None = None) -> None:
        self._network, self._without = network, without

    @classmethod
    def load(cls, folder: Path) -> Self:
        """From `config.json` and `weights.safetensors`. Raises NotReady, one sentence."""
        twin = (folder / "without.safetensors").is_file()
        return cls(read_network(folder), read_network(folder, attention=False) if twin else None)

    @classmethod
    def tiny(cls) -> Self:
        """Random networks of 16×16 pixels whose attention counts, so that every change of it shows."""
        import torch

        from generators.gan.model import Config, Generator

        dice = torch.Generator().manual_seed(0)

        def network(attention: bool) -> Generator:
            config = Config(noise=8, widths=(16, 16, 16), judge_widths=(16, 16), grid=8, heads=2, attention=attention)
            made = Generator(config, plain=True).eval().requires_grad_(False)
            for weight in made.parameters():
                if weight.dim() > 1:
                    weight.normal_(0, weight[0].numel() ** -0.5, generator=dice)
            made.attention.gamma.fill_(2.0)
            return made

        return cls(network(True), network(False))

    @property
    def cells(self) -> int:
        """Cells of the grid over which attention looks."""
        return self._network.config.grid**2

    def generate(self, request: Request) -> Iterator[Step]:
        """One step: the face, and who looked where. Raises BadInput for a number that is no seed, and for a pin outside the grid."""
        network = self._of(request)
        seed, notes = read_prompt(request)
        check_pin(request.pin, self.cells)
        check_only(request.only, 1)
        axis = Grid(network.config.grid, network.config.grid)
        pictures, heard = self._paint(request, [seed])
        yield Step(
            index=0,
            attentions=tuple(as_attention(each, axis) for each in heard) if request.watched else (),
            picture=pictures[0],
            facts={"gamma": network.attention.gamma.item(), "seed": seed},
            notes=(*notes, *asked_for(seed, network.config)),
            details=tuple(as_detail(each) for each in heard if each.inside),
            stop="end",
        )

    def sheet(self, request: Request, seeds: Sequence[int]) -> np.ndarray:
        """The faces of many seeds at one go, unwatched: (len(seeds), S, S, 3) uint8."""
        return self._paint(replace(request, watched=False, pin=None), seeds)[0]

    def reach(self, request: Request, query: int, part: Part = "self") -> Reach:
        """The cells that one cell of the face depends on. Raises BadInput."""
        from generators.reach import measure

        network, (seed, _) = self._of(request), read_prompt(request)
        grid = Grid(network.config.grid, network.config.grid)
        return measure(lambda: network(self._codes(request, [seed])), part, query, grid, request.edits)

    def _paint(self, request: Request, seeds: Sequence[int]) -> tuple[np.ndarray, list[Heard]]:
        """The faces of the seeds, (N, S, S, 3) uint8, with what was heard of the attention where the request listens."""
        import torch

        from generators.attention import watch

        network = self._of(request)
        listens = request.watched or request.edits or request.pin is not None
        with torch.inference_mode(), watch(request.edits, detail=request.pin) if listens else nullcontext() as watcher:
            return as_picture(network(self._codes(request, seeds))), watcher.heard if watcher else []

    def _codes(self, request: Request, seeds: Sequence[int]) -> Tensor:
        """The noise of the seeds, and which parts their faces have, as the request says: (N, Z + V)."""
        import torch

        truncation = request.settings.get(TRUNCATION.name, TRUNCATION.default)
        return torch.from_numpy(codes_of(seeds, self._network.config, float(truncation)))

    def _of(self, request: Request) -> Generator:
        if request.attention:
            return self._network
        if self._without is None:
            raise BadInput(f"{self.card.name} has no twin without attention.", f"{self.card.name} 没有不带注意力的对照模型。")
        return self._without


def parts_of(seed: int, config: Config) -> dict[str, str]:
    """Part of the face → the value that the seed's dice give it, each as often as among the drawn faces."""
    dice = np.random.default_rng([seed, 1])
    return {part: str(dice.choice(list(shares), p=list(shares.values()))) for part, shares in config.parts.items()}


def asked_for(seed: int, config: Config) -> tuple[Words, ...]:
    """The sentence that says which parts the network was told to paint, those that have a name."""
    named = [NAMES[value] for value in parts_of(seed, config).values() if value in NAMES]
    return (
        ({"en": f"Asked for: {', '.join(each['en'] for each in named)}.", "zh": f"要画：{'、'.join(each['zh'] for each in named)}。"},)
        if named
        else ()
    )


def codes_of(seeds: Sequence[int], config: Config, truncation: float = 1.0) -> np.ndarray:
    """(len(seeds), Z + V) float32: noise and, for each part of the face, 1 at its value; both times truncation."""
    columns = [(part, value) for part, shares in config.parts.items() for value in shares]
    faces = [parts_of(seed, config) for seed in seeds]
    values = np.array([[face[part] == value for part, value in columns] for face in faces], np.float32)
    values = values.reshape(len(seeds), len(columns)) * np.float32(truncation)
    return np.concatenate([noise(seeds, config.noise, truncation), values], axis=1)


def read_network(folder: Path, *, attention: bool = True) -> Generator:
    """The generator's network with plain weights, ready to paint. Raises NotReady, one sentence."""
    from generators.gan.model import Config, Generator

    return pictures.read_network(
        folder, lambda config: Generator(replace(Config.from_dict(config), attention=attention), plain=True), attention=attention
    )
