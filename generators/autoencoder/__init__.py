"""Draw a face again from a short code, and fill what is rubbed out of it, with the maps of which cell looked where.

Run.generate(request)   one step: the picture that was given, the picture that came out, the attention's rows
redraw(network, …)      many pictures at once, unwatched
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from generators import base, pictures
from generators.base import BadInput, Card, NotReady, Pin, Request, Try, Variant, check_only
from generators.trace import Grid, Step, Words

if TYPE_CHECKING:
    from torch import Tensor

    from generators.autoencoder.model import Autoencoder
    from generators.reach import Part, Reach

GREY = 128  # of a rubbed out pixel
GRID = 16  # cells a side
PART = 50  # pictures at a time


def box(rows: range, columns: range) -> list[int]:
    """The cells of a rectangle, by number."""
    return [row * GRID + column for row in rows for column in columns]


HAIR = box(range(7), range(2, 12))
HALF = box(range(3, 13), range(8, 16))  # of the face, with eyes and mouth
MOUTH = box(range(9, 13), range(7, 15))

CARD = Card(
    name="autoencoder",
    title={"en": "Fill the hole", "zh": "补全画面"},
    summary={
        "en": "An autoencoder squeezes a face into 64 numbers and draws it again. What you rub out it fills from what is left.",
        "zh": "自编码器把一张脸压缩成 64 个数字，再重新画出来。你擦掉的部分，由剩下的格子补全。",
    },
    accepts=("picture",),
    produces="picture",
    variants=(
        Variant(
            name="big_smile",
            title={"en": "Hole", "zh": "补全"},
            icon="🧩",
            placeholder={"en": "Drop a picture of a face, or take one of ours", "zh": "拖入一张脸的图片，或用我们的"},
            pin=Pin("encoder", 0, head=1, query=53),  # hair: over 120 faces this head puts 96 % of its weight on the hair's place
            tries=(
                Try(
                    question={"en": "Where does new hair come from?", "zh": "新的头发从哪里来？"},
                    look_for={
                        "en": "Nearly all hair is gone. From the filled cell, heads 1 and 2 look at the two orange cells left by the ear.",
                        "zh": "头发几乎全被擦掉。从补上的格子出发，第 1 和第 2 个头看向耳边剩下的两个橙色格子。",
                    },
                    request={"seed": 2, "hidden": HAIR},
                ),
                Try(
                    question={"en": "Which mouth was it?", "zh": "原来是什么嘴？"},
                    look_for={
                        "en": "What is left tells of skin and hair, but not of the mouth: that must be guessed, and a guess is blurred.",
                        "zh": "剩下的部分说明肤色和头发，却不说明嘴：嘴只能猜，猜的结果是模糊的。",
                    },
                    request={"seed": 1, "hidden": MOUTH},
                ),
                Try(
                    question={"en": "What if the hole may not look?", "zh": "如果空洞什么都不许看呢？"},
                    look_for={
                        "en": "Only a shade of the orange goes: the 64 numbers carry it too. So the twin without attention fills holes.",
                        "zh": "只是橙色略有变化：64 个数字也带着它。所以没有注意力的对照模型也能补全。",
                    },
                    request={"seed": 2, "hidden": HAIR, "edits": [{"action": "off", "map": "cross"}]},
                ),
                Try(
                    question={"en": "Who knows the colours?", "zh": "谁知道颜色？"},
                    look_for={
                        "en": "Off in the decoder, the colours go and outlines stay: cells fetch their colours from a few that all ask.",
                        "zh": "在解码器中关掉后，颜色消失，轮廓还在：各个格子都从少数大家都看的格子取得颜色。",
                    },
                    request={"seed": 0, "edits": [{"action": "off", "map": "self"}]},
                ),
            ),
            size=64,
            grid=GRID,
        ),
    ),
    settings=(),
    anatomy=(
        ({"en": "Picture", "zh": "图片"}, False),
        ({"en": "Convolutions", "zh": "卷积"}, False),
        ({"en": "Self-attention", "zh": "自注意力"}, True),
        ({"en": "64 numbers", "zh": "64 个数字"}, False),
        ({"en": "Self-attention", "zh": "自注意力"}, True),
        ({"en": "Attention to what is visible", "zh": "注意可见处"}, True),
        ({"en": "Picture", "zh": "图片"}, False),
    ),
    network={"en": "Autoencoder", "zh": "自编码器"},
    headline=("psnr", "hole_psnr_50"),
)


class Run(base.Generator):
    """A loaded autoencoder. without: the twin's network, where its weights are there.

    faces: (F, S, S, 3) uint8, from which a run takes one if no picture was given. strangest: side → the psnr in decibels below which only
    one in a hundred faces that it never saw is drawn.
    """

    card = CARD

    def __init__(
        self,
        network: Autoencoder,
        without: Autoencoder | None,
        faces: np.ndarray,
        strangest: dict[bool, float] | None = None,
    ) -> None:
        self._network, self._without = network, without
        self._faces, self._strangest = faces, strangest or {}

    @classmethod
    def load(cls, folder: Path) -> Self:
        """From `config.json`, `weights.safetensors` and `faces.npz`. Raises NotReady, one sentence."""
        from generators.training import read_json

        twin = (folder / "without.safetensors").is_file()
        network = read_network(folder)
        strangest = read_json(folder / "config.json").get("strangest", {})
        known = {attention: float(strangest[side]) for attention, side in ((True, "with"), (False, "without")) if side in strangest}
        return cls(network, read_network(folder, attention=False) if twin else None, read_faces(folder), known)

    @classmethod
    def tiny(cls) -> Self:
        """Small random networks whose attention counts, so that every change of it shows."""
        import torch

        from generators.autoencoder.model import Autoencoder, Config

        config = Config(widths=(8, 16, 16, 16), code=8, heads=2, features=8)
        network, without = (Autoencoder(replace(config, attention=attention)).eval().requires_grad_(False) for attention in (True, False))
        dice = torch.Generator().manual_seed(0)
        for weight in (*network.parameters(), *without.parameters()):
            if weight.dim() > 1:
                weight.normal_(0, weight[0].numel() ** -0.5, generator=dice)
        return cls(network, without, np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8))

    def at(self, snapshot: Path) -> Self:
        """The same with the weights of one moment of its training. Raises NotReady."""
        from generators.autoencoder.model import Autoencoder
        from generators.training import read_weights

        network = Autoencoder(self._network.config)
        network.load_state_dict(read_weights(snapshot))
        return type(self)(network.eval().requires_grad_(False), None, self._faces)

    def generate(self, request: Request) -> Iterator[Step]:
        """One step: the face drawn again, and who looked where. Raises BadInput for a cell that is none, and where none is left to see."""
        import torch

        from generators.attention import watch
        from generators.metrics import psnr
        from generators.pictures import as_attention, as_detail, as_picture, check_pin, grid_mask, to_signed

        network = self._of(request)
        axis = Grid(network.config.grid, network.config.grid)
        check_pin(request.pin, len(axis))
        check_only(request.only, 1)
        given, notes = self._given(request, network.config.size)
        holes = grid_mask(request.hidden, axis)  # (height, width)
        listens = request.watched or request.edits or request.pin is not None
        with torch.inference_mode(), watch(request.edits, detail=request.pin) if listens else nullcontext() as watcher:
            made = as_picture(network(to_signed(given[None]), as_hidden(holes)))[0]
            heard = watcher.heard if watcher else []
        visible = ~enlarged(holes, network.config.size)
        level = float(psnr(made[None], given[None], visible[None])[0])
        yield Step(
            index=0,
            attentions=tuple(as_attention(each, axis) for each in heard) if request.watched else (),
            picture=made,
            source=np.where(visible[..., None], given, np.uint8(GREY)),
            facts={"psnr": level, "hidden": int(holes.sum())},
            notes=notes + self._warned(request.attention, level),
            details=tuple(as_detail(each) for each in heard if each.inside),
            stop="end",
        )

    def reach(self, request: Request, query: int, part: Part = "self") -> Reach:
        """The cells that one cell of the face depends on, drawn or read, and of the filled those that are read. Raises BadInput."""
        from generators.pictures import grid_mask, to_signed
        from generators.reach import measure

        network = self._of(request)
        grid = Grid(network.config.grid, network.config.grid)
        given, hidden = self._given(request, network.config.size)[0], as_hidden(grid_mask(request.hidden, grid))
        return measure(lambda: network(to_signed(given[None]), hidden), part, query, grid, request.edits)

    def _of(self, request: Request) -> Autoencoder:
        if request.attention:
            return self._network
        if self._without is None:
            raise BadInput(f"{self.card.name} has no twin without attention.", f"{self.card.name} 没有不带注意力的对照模型。")
        return self._without

    def _given(self, request: Request, size: int) -> tuple[np.ndarray, tuple[Words, ...]]:
        """The picture that the model reads, (S, S, 3), and what the visitor should know of it."""
        from generators.pictures import read_picture, read_prompt

        if request.picture is not None:
            return read_picture(request.picture, size), ()
        number = read_prompt(request)[0] % len(self._faces)
        note = {
            "en": f"No picture was given: this is face {number + 1} of the Lab's own {len(self._faces)}.",
            "zh": f"没有给出图片：这是本实验室自己的 {len(self._faces)} 张脸中的第 {number + 1} 张。",
        }
        return self._faces[number], (note,)

    def _warned(self, attention: bool, level: float) -> tuple[Words, ...]:
        if level >= self._strangest.get(attention, 0.0):
            return ()
        usual = self._strangest[attention]
        return (
            {
                "en": f"Outside what it learned: drawn at {level:.1f} dB, while 99 of 100 faces of its kind reach {usual:.1f} dB.",
                "zh": f"超出了它所学的范围：重画只有 {level:.1f} dB，而同类的脸 100 张中有 99 张达到 {usual:.1f} dB。",
            },
        )


def read_network(folder: Path, *, attention: bool = True) -> Autoencoder:
    """The network, ready to draw. Raises NotReady, one sentence."""
    from generators.autoencoder.model import Autoencoder, Config

    return pictures.read_network(
        folder, lambda config: Autoencoder(replace(Config.from_dict(config), attention=attention)), attention=attention
    )


def read_faces(folder: Path) -> np.ndarray:
    """`faces.npz`: (F, S, S, 3) uint8. Raises NotReady, one sentence."""
    try:
        with np.load(folder / "faces.npz", allow_pickle=False) as archive:
            faces: np.ndarray = archive["faces"]
    except (OSError, KeyError, ValueError):
        raise NotReady(f"The faces of {folder.name} are missing or damaged.", f"{folder.name} 的脸缺失或已损坏。") from None
    return faces


def as_hidden(holes: np.ndarray) -> Tensor | None:
    """Rubbed out cells as the network takes them: (height, width) bool to (1, N); None where there are none."""
    import torch

    return torch.from_numpy(holes.reshape(1, -1)) if holes.any() else None


def enlarged(cells: np.ndarray, size: int) -> np.ndarray:
    """Cells as pixels: (…, grid, grid) to (…, size, size)."""
    times = size // cells.shape[-1]
    return cells.repeat(times, -1).repeat(times, -2)


def redraw(network: Autoencoder, pictures: np.ndarray, hidden: np.ndarray | None = None) -> np.ndarray:
    """Pictures through the code and back, unwatched: (N, S, S, 3) uint8 in and out. hidden: (N, cells) bool, some in each row."""
    import torch

    from generators.pictures import as_picture, to_signed

    where = next(network.parameters()).device
    made = [np.zeros((0, *pictures.shape[1:]), np.uint8)]
    with torch.inference_mode():
        for first in range(0, len(pictures), PART):
            part = slice(first, first + PART)
            holes = None if hidden is None else torch.from_numpy(hidden[part]).to(where)
            made.append(as_picture(network(to_signed(pictures[part]).to(where), holes)))
    return np.concatenate(made)
