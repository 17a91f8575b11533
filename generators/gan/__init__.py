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

from generators import base
from generators.base import BadInput, Card, NotReady, Pin, Request, Setting, Try, Variant
from generators.pictures import as_attention, as_detail, as_picture, check_pin, noise, read_prompt
from generators.trace import Grid, Step

if TYPE_CHECKING:
    from generators.attention import Heard
    from generators.gan.model import Generator

TRUNCATION = Setting(
    "truncation",
    "float",
    0.8,
    label={"en": "Truncation", "zh": "截断"},
    help={
        "en": "Scales the noise: below 1 faces come nearer to the average one, above 1 they become stranger.",
        "zh": "缩放噪声：小于 1 时脸更接近平均，大于 1 时更离奇。",
    },
    low=0.1,
    high=1.5,
    step=0.05,
    live=True,
)

CARD = Card(
    name="gan",
    title={"en": "Paint a face", "zh": "画一张脸"},
    summary={
        "en": "A self-attention GAN turns a name into a face. Every cell of the picture looks at all the others while it is painted.",
        "zh": "自注意力生成对抗网络把名字变成一张脸。作画时，每个格子都会看其他所有格子。",
    },
    accepts=("text", "seed"),
    produces="picture",
    variants=(
        Variant(
            name="big_smile",
            title={"en": "Face", "zh": "脸"},
            icon="🙂",
            placeholder={"en": "Type your name, get your face", "zh": "输入名字，得到你的脸"},
            size=64,
            pin=Pin("self", 0, head=3, query=121),  # an eye: over 120 faces this head puts 82 % of its weight on the hair
            tries=(
                Try(
                    question={"en": "What is your face?", "zh": "你的脸是什么样？"},
                    look_for={
                        "en": "The same name is always the same face: its hash is the seed, shown as a number. Now type yours.",
                        "zh": "同一个名字总是同一张脸：名字的哈希就是种子，以数字显示。再输入你的名字。",
                    },
                    request={"prompt": "Ada"},
                ),
                Try(
                    question={"en": "Where does an eye look?", "zh": "眼睛的格子在看哪里？"},
                    look_for={
                        "en": "From the pinned eye, head 4 looks up at the hair, head 1 at the eye itself and the mouth.",
                        "zh": "从固定的眼睛出发，第 4 个头看上方的头发，第 1 个头看眼睛本身和嘴。",
                    },
                    request={"prompt": "Lily"},
                ),
                Try(
                    question={"en": "What if no cell may look?", "zh": "如果哪个格子都不许看呢？"},
                    look_for={
                        "en": "The weighted sum is switched off: the face stays, but its outlines fray and the hair runs into the ground.",
                        "zh": "加权和被关掉：脸还在，但轮廓散开，头发渗进背景。",
                    },
                    request={"prompt": "Nora", "edits": [{"action": "off"}]},
                ),
            ),
        ),
    ),
    settings=(TRUNCATION,),
    anatomy=(
        ({"en": "Noise", "zh": "噪声"}, False),
        ({"en": "Residual blocks, 4×4 to 16×16", "zh": "残差块，4×4 到 16×16"}, False),
        ({"en": "Self-attention", "zh": "自注意力"}, True),
        ({"en": "Residual blocks, 16×16 to 64×64", "zh": "残差块，16×16 到 64×64"}, False),
        ({"en": "Picture", "zh": "图片"}, False),
    ),
    twin=False,
    network={"en": "GAN", "zh": "GAN"},
    gallery=True,
    headline=("frechet", "precision", "recall"),
)


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
        axis = Grid(network.config.grid, network.config.grid)
        pictures, heard = self._paint(request, [seed])
        yield Step(
            index=0,
            attentions=tuple(as_attention(each, axis) for each in heard) if request.watched else (),
            picture=pictures[0],
            facts={"gamma": network.attention.gamma.item(), "seed": seed},
            notes=notes,
            details=tuple(as_detail(each) for each in heard if each.inside),
            stop="end",
        )

    def sheet(self, request: Request, seeds: Sequence[int]) -> np.ndarray:
        """The faces of many seeds at one go, unwatched: (len(seeds), S, S, 3) uint8."""
        return self._paint(replace(request, watched=False, pin=None), seeds)[0]

    def _paint(self, request: Request, seeds: Sequence[int]) -> tuple[np.ndarray, list[Heard]]:
        """The faces of the seeds, (N, S, S, 3) uint8, with what was heard of the attention where the request listens."""
        import torch

        from generators.attention import watch

        network = self._of(request)
        truncation = request.settings.get(TRUNCATION.name, TRUNCATION.default)
        z = torch.from_numpy(noise(seeds, network.config.noise, float(truncation)))  # (N, Z)
        listens = request.watched or request.edits or request.pin is not None
        with torch.inference_mode(), watch(request.edits, detail=request.pin) if listens else nullcontext() as watcher:
            return as_picture(network(z)), watcher.heard if watcher else []

    def _of(self, request: Request) -> Generator:
        if request.attention:
            return self._network
        if self._without is None:
            raise BadInput(f"{self.card.name} has no twin without attention.", f"{self.card.name} 没有不带注意力的对照模型。")
        return self._without


def read_network(folder: Path, *, attention: bool = True) -> Generator:
    """The generator's network with plain weights, ready to paint. Raises NotReady, one sentence."""
    from generators.gan.model import Config, Generator
    from generators.training import read_json, read_weights

    config = read_json(folder / "config.json")
    weights = read_weights(folder / ("weights.safetensors" if attention else "without.safetensors"))
    try:
        network = Generator(replace(Config.from_dict(config), attention=attention), plain=True)
        network.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise NotReady(f"The weights of {folder.name} do not fit its config.json.", f"{folder.name} 的权重与 config.json 不符。") from None
    return network.eval().requires_grad_(False)
