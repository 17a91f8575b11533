"""Paint a face with sliders: a variational autoencoder with self-attention, from a name or a picture to a face that can be moved.

Run.generate(request)      one step: the face, who looked where; of a picture that was given, also where its cells looked
Run.sheet(request, seeds)  many faces at once, unwatched
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from generators import base, pictures
from generators.base import BadInput, Request, check_only, read_seed
from generators.base import NotReady as NotReady
from generators.pictures import as_attention, as_detail, as_picture, check_pin, noise, read_picture, read_prompt, to_signed
from generators.trace import Grid, Step
from generators.vae.card import BETWEEN, CARD, GOALS, OTHER, TRUNCATION, goals_of

if TYPE_CHECKING:
    from torch import Tensor

    from generators.attention import Heard
    from generators.reach import Part, Reach
    from generators.vae.model import Network


class Run(base.Generator):
    """A loaded VAE. without: the twin's network, where its weights are there."""

    card = CARD

    def __init__(self, network: Network, without: Network | None = None) -> None:
        self._network, self._without = network, without

    @classmethod
    def load(cls, folder: Path) -> Self:
        """From `config.json` and `weights.safetensors`. Raises NotReady, one sentence."""
        twin = (folder / "without.safetensors").is_file()
        return cls(read_network(folder), read_network(folder, attention=False) if twin else None)

    @classmethod
    def tiny(cls) -> Self:
        """Small random networks whose attention counts, so that every change of it shows."""
        import torch

        from generators.vae.model import Config, Network

        dice = torch.Generator().manual_seed(0)
        parts = {goal.part: tuple(dict.fromkeys(each.value for each in GOALS if each.part == goal.part)) for goal in GOALS}
        config = Config(
            latent=16, read_widths=(16, 16), paint_widths=(16, 16, 16, 16), grid=8, heads=2, hidden=32, components=2, parts=parts
        )

        def network(attention: bool) -> Network:
            made = Network(replace(config, attention=attention)).eval().requires_grad_(False)
            for name, weight in made.named_parameters():
                if weight.dim() > 1:
                    weight.normal_(0, weight[0].numel() ** -0.5 * (2 if "attention" in name else 1), generator=dice)
            for buffer in made.sliders.buffers():
                buffer.normal_(0, 1, generator=dice)
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
            source=None if request.picture is None else read_picture(request.picture, network.config.size),
            facts={"seed": seed},
            notes=notes,
            details=tuple(as_detail(each) for each in heard if each.inside),
            stop="end",
        )

    def sheet(self, request: Request, seeds: Sequence[int]) -> np.ndarray:
        """The faces of many seeds at one go, unwatched, moved as the request says: (len(seeds), S, S, 3) uint8."""
        return self._paint(replace(request, picture=None, watched=False, pin=None), seeds)[0]

    def picture(self, request: Request) -> np.ndarray:
        """The face of a request, unwatched: (S, S, 3) uint8."""
        face: np.ndarray = self._paint(replace(request, watched=False, pin=None), [read_prompt(request)[0]])[0][0]
        return face

    def reach(self, request: Request, query: int, part: Part = "self") -> Reach:
        """The cells that one cell of the face depends on, or of the picture that is read. Raises BadInput."""
        from generators.reach import measure

        network, (seed, _) = self._of(request), read_prompt(request)
        grid = Grid(network.config.grid, network.config.grid)
        return measure(lambda: network.decoder(self._codes(network, request, [seed]))[0], part, query, grid, request.edits)

    def _paint(self, request: Request, seeds: Sequence[int]) -> tuple[np.ndarray, list[Heard]]:
        """The faces of the seeds, (N, S, S, 3) uint8, with what was heard of the attention where the request listens."""
        import torch

        from generators.attention import watch

        network = self._of(request)
        listens = request.watched or request.edits or request.pin is not None
        with torch.inference_mode(), watch(request.edits, detail=request.pin) if listens else nullcontext() as watcher:
            picture, _ = network.decoder(self._codes(network, request, seeds))
            return as_picture(picture), watcher.heard if watcher else []

    def _codes(self, network: Network, request: Request, seeds: Sequence[int]) -> Tensor:
        """The codes of the seeds, or of the picture that was given, moved as settings and code of the request say. (N, Z)."""
        set_to = {**{each.name: each.default for each in CARD.settings}, **request.settings}
        truncation, between = float(set_to[TRUNCATION.name]), float(set_to[BETWEEN.name])
        if request.picture is None:
            z = drawn(network, seeds, truncation)
        else:
            z, _ = network.encoder(to_signed(read_picture(request.picture, network.config.size)[None].copy()))
        if between:
            word = str(set_to[OTHER.name]).strip()
            others = [read_seed(word)] if word else [(seed + 1) % (base.HIGHEST_SEED + 1) for seed in seeds]
            z = z.lerp(drawn(network, others, truncation).expand_as(z), between)
        for goal, share in goals_of(set_to):
            if network.sliders.knows(goal):
                z = network.sliders.move(z, goal, share)
        return network.prior.shifted(z, request.code) if request.code else z

    def _of(self, request: Request) -> Network:
        if request.attention:
            return self._network
        if self._without is None:
            raise BadInput(f"{self.card.name} has no twin without attention.", f"{self.card.name} 没有不带注意力的对照模型。")
        return self._without


def drawn(network: Network, seeds: Sequence[int], truncation: float) -> Tensor:
    """The codes of seeds, (N, Z): noise that the prior bends to where faces are."""
    import torch

    return network.prior.draw(torch.from_numpy(noise(seeds, 2 * network.config.latent)), truncation)


def read_network(folder: Path, *, attention: bool = True) -> Network:
    """The network, ready to paint. Raises NotReady, one sentence."""
    from generators.vae.model import Config, Network

    return pictures.read_network(
        folder, lambda config: Network(replace(Config.from_dict(config), attention=attention)), attention=attention
    )
