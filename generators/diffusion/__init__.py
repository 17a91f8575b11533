"""Paint what I say: noise becomes a picture while its cells look at the words of a prompt.

Run.generate(request)    one step after another: what it was given, what it believes the picture will be, who looked at which word
Run.phrases(folder)      what a prompt can be put together from
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from generators import base, pictures
from generators.base import BadInput, Request, check_only
from generators.base import NotReady as NotReady
from generators.diffusion import prompt as prompts
from generators.diffusion.card import CARD, GUIDANCE, STEPS, STYLE
from generators.diffusion.prompt import Prompt, read_prompt, style_number
from generators.lexicon import Lexicon
from generators.pictures import as_attention, as_detail, as_picture
from generators.trace import Attention, Detail, Grid, Region, Step, Tokens

if TYPE_CHECKING:
    from torch import Tensor

    from generators.attention import Heard
    from generators.detector import Found
    from generators.diffusion.model import Network

VOCABULARY = "vocabulary.json"
Detect = Callable[[np.ndarray], Sequence["Found"]]
"""Pictures (N, S, S, 3) uint8 → what is seen in each."""


class Run(base.Generator):
    """A loaded painter. without: the twin's network, where its weights are there. detect: finds the named things in what was painted."""

    card = CARD

    def __init__(self, network: Network, without: Network | None, lexicon: Lexicon, detect: Detect | None = None) -> None:
        self._network, self._without = network, without
        self._lexicon, self._detect = lexicon, detect

    @classmethod
    def load(cls, folder: Path) -> Self:
        """From `config.json`, `vocabulary.json` and `weights.safetensors`. Raises NotReady, one sentence."""
        from generators import detector

        twin = (folder / "without.safetensors").is_file()
        network = read_network(folder)
        without = read_network(folder, attention=False) if twin else None
        return cls(network, without, Lexicon.load(folder / VOCABULARY), detector.load())

    @classmethod
    def tiny(cls) -> Self:
        """Random networks of 16×16 pixels whose attention counts, so that every change of it shows."""
        import torch

        from generators.diffusion.model import Config, Network
        from generators.lexicon import Word

        objects = [Word(en, "object", en, zh) for en, zh in (("fox", "狐狸"), ("duck", "鸭子"))]
        lexicon = Lexicon([*objects, Word("blue", "ground", "blue", "蓝色"), Word("，", "function", zh="，")])
        dice = torch.Generator().manual_seed(0)

        def network(attention: bool) -> Network:
            config = Config(words=len(lexicon.ids), size=16, fine=16, coarse=16, text=16, condition=16, heads=2, attention=attention)
            made = Network(config).eval().requires_grad_(False)
            for weight in made.parameters():
                if weight.dim() > 1:
                    weight.normal_(0, 1.5 * weight[0].numel() ** -0.5, generator=dice)
            return made

        return cls(network(True), network(False), lexicon)

    @classmethod
    def phrases(cls, folder: Path) -> Mapping[str, Any]:
        """Things, places, grounds and styles. Raises NotReady, one sentence."""
        return prompts.phrases(Lexicon.load(folder / VOCABULARY))

    @property
    def cells(self) -> int:
        """Cells of the finest grid over which attention looks."""
        from generators.diffusion.model import PATCH

        return (self._network.config.size // PATCH) ** 2

    def generate(self, request: Request) -> Iterator[Step]:
        """The picture forms: at every step the noisy picture, what it is believed to become, and the rows of the maps.

        request.only: that step alone, with the maps of every kind; from request.state where that is known. Details of request.pin are
        those of that step, else of the last one. Raises BadInput for a cell, a step or a state that the run has not.
        """
        import torch

        from generators.diffusion.sampler import Listen, believe, both, moments, noise, onwards

        network = self._of(request)
        settings = {each.name: request.settings.get(each.name, each.default) for each in (STYLE, STEPS, GUIDANCE)}
        steps, guidance, style = int(settings["steps"]), float(settings["guidance"]), str(settings["style"])
        pictures.check_pin(request.pin, self.cells)
        first, last = _stretch(request, steps)
        words = read_prompt(request.text, style, self._lexicon)
        with torch.inference_mode():
            heard_words = both(network, torch.tensor([words.ids], dtype=torch.long), torch.tensor([style_number(style)]))
            x = _beginning(request, network.config.size)
        times = moments(steps)
        for index in range(first, last + 1):
            shown = request.only in (None, index)
            pin = request.pin if index == last else None
            listens = request.edits or pin is not None or (request.watched and shown)
            listen = Listen(request.edits, index, pin) if listens else None
            with torch.inference_mode():
                believed, heard = believe(network, x, times[index], heard_words, guidance, listen)
                fresh = noise([request.seed], index + 1, network.config.size)
                following = onwards(x, believed, times[index], times[index + 1], fresh)
                seen, given = as_picture(believed)[0], as_picture(x)[0]
            if shown:
                kinds = {"cross"} if request.only is None else {"cross", "self"}
                heard = [each for each in heard if each.name[0] in kinds]
                ends = index == steps - 1
                yield Step(
                    index=index,
                    attentions=tuple(_attention(each, words) for each in heard) if request.watched else (),
                    prompt=words.labels if index == 0 else (),
                    picture=seen,
                    source=given,
                    state=x[0].numpy(),
                    facts={"time": times[index], **({"seed": request.seed} if ends else {})},
                    notes=words.notes if index == 0 else (),
                    details=tuple(as_detail(each) for each in heard if each.inside),
                    unknown=words.unknown if index == 0 else (),
                    regions=self._regions(seen, words) if ends else (),
                    stop="end" if ends else "",
                )
            x = following

    def replay(self, request: Request, query: int) -> tuple[Detail, ...]:
        """The three components for one cell, of every grid that has it: at the step that is asked for, else at the last."""
        steps = list(self.generate(replace(request, pin=query, watched=False)))
        return steps[-1].details

    def _regions(self, picture: np.ndarray, words: Prompt) -> tuple[Region, ...]:
        """The named things that are seen in the finished picture, each with its words."""
        if self._detect is None or not words.things:
            return ()
        found = self._detect(picture[None])[0]
        seen = [(words.things[thing.word], thing.mask) for thing in found.objects if thing.word in words.things]
        return tuple(Region(words.labels[at[0]].strip(), at, mask) for at, mask in seen)  # named as the visitor named it

    def _of(self, request: Request) -> Network:
        if request.attention:
            return self._network
        if self._without is None:
            raise BadInput(f"{self.card.name} has no twin without attention.", f"{self.card.name} 没有不带注意力的对照模型。")
        return self._without


def _stretch(request: Request, steps: int) -> tuple[int, int]:
    """The first and the last step that must run. Raises BadInput for a step that the run has not."""
    if request.only is None:
        return 0, steps - 1
    check_only(request.only, steps)
    return (0 if request.state is None else request.only), request.only


def _beginning(request: Request, size: int) -> Tensor:
    """What the first step is given, (1, 3, S, S): noise that depends on the seed only, or the state of the one step that is wanted."""
    import torch

    from generators.diffusion.sampler import noise

    if request.only is None or request.state is None:
        return noise([request.seed], 0, size)
    if request.state.shape != (3, size, size) or request.state.dtype != np.float32:
        raise BadInput("This is no state of a step of this run.", "这不是这次运行某一步的状态。")
    return torch.from_numpy(request.state.copy())[None]


def _attention(heard: Heard, words: Prompt) -> Attention:
    """The rows of one map: cells that look at the words, or at each other."""
    side = isqrt(heard.weights.shape[2])
    grid = Grid(side, side)
    return as_attention(heard, grid, Tokens(words.labels) if heard.name[0] == "cross" else grid)


def read_network(folder: Path, *, attention: bool = True) -> Network:
    """The network with the weights that ship, or the twin's, ready to paint. Raises NotReady, one sentence."""
    import torch

    from generators.diffusion.model import Config, Network

    made = pictures.read_network(
        folder, lambda config: Network(replace(Config.from_dict(config), attention=attention)), attention=attention
    )
    return made.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
