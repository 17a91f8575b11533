"""Which cells a cell depends on: the receptive field of the layer over which cells speak with each other, convolution or attention.

Measured on the picture at hand, not drawn: the norm of the derivatives of what comes out at one cell by what goes in at each. Luo, Li,
Urtasun and Zemel 2016, Understanding the Effective Receptive Field in Deep Convolutional Neural Networks (arXiv 1701.04128), section 2.

A model passes such a layer by `through`; nobody measuring, that is a plain call. Importing this needs no torch.

Letters: C channels, N cells of the grid, M numbers of what comes out at a cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from generators.base import BadInput
from generators.edits import Edit
from generators.trace import Grid

if TYPE_CHECKING:
    from torch import Tensor

Part = Literal["encoder", "self", "cross", "picture"]
"""Of what a cell is asked: of the layer in the encoder, in the decoder, between both; of the picture, by what goes into the decoder's."""

PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True)
class Reach:
    """What one cell depends on. shares: (N,) float32, sums to 1; exactly 0 at a cell that cannot change it."""

    part: Part
    query: int
    grid: Grid
    shares: np.ndarray

    @property
    def cells(self) -> int:
        """How many it depends on."""
        return int(np.count_nonzero(self.shares))

    @property
    def box(self) -> tuple[int, int]:
        """Height and width of the rectangle that holds them all."""
        places = self.shares.reshape(self.grid.height, self.grid.width) > 0
        spans = [np.flatnonzero(places.any(axis)) for axis in (1, 0)]
        height, width = (int(span[-1] - span[0] + 1) if len(span) else 0 for span in spans)
        return height, width


@dataclass
class Probe:
    """Waits for the layer of one part; then holds what went into it and what came out, (1, C, height, width) each."""

    part: Part
    given: Tensor | None = None
    made: Tensor | None = None

    def hear(self, layer: Callable[..., Tensor], given: Sequence[Tensor | None], of: int) -> Tensor:
        source = given[of]
        assert source is not None
        self.given = source.detach().requires_grad_()  # what led to it is nobody's question
        self.made = layer(*given[:of], self.given, *given[of + 1 :])
        return self.made


_probe: ContextVar[Probe | None] = ContextVar("probe", default=None)


def through(layer: Callable[..., Tensor], *given: Tensor | None, part: Part, of: int = 0) -> Tensor:
    """layer(*given). part: the layer's. of: which of the given holds the cells that can be depended on."""
    probe = _probe.get()
    return layer(*given) if probe is None or probe.part != part else probe.hear(layer, given, of)


def measure(paint: Callable[[], Tensor], part: Part, query: int, grid: Grid, edits: Sequence[Edit] = ()) -> Reach:
    """What the cell `query` depends on. paint: makes the one picture, (1, 3, S, S), by a model that passes its layers by `through`.

    Of a picture's cell its mean colour counts. Raises BadInput for a cell that is none, and where the run has no such layer.
    """
    import torch

    from generators.attention import watch
    from generators.pictures import check_pin

    check_pin(query, len(grid))
    probe = Probe("self" if part == "picture" else part)
    listening = _probe.set(probe)
    try:
        with torch.inference_mode(False), torch.enable_grad(), watch(edits):
            picture = paint()
            if probe.given is None or probe.made is None:
                raise BadInput("This run has no such layer.", "这次运行没有这一层。")
            row, column = divmod(query, grid.width)
            if part == "picture":
                output = torch.nn.functional.adaptive_avg_pool2d(picture, (grid.height, grid.width))[0, :, row, column]  # (3,)
            else:
                output = probe.made[0, :, row, column]  # (C,)
            return Reach(part, query, grid, shares(output, probe.given))
    finally:
        _probe.reset(listening)


def shares(output: Tensor, given: Tensor) -> np.ndarray:
    """Each cell's share in the derivatives: ‖∂ output / ∂ given(cell)‖ over M and C, by their sum. Luo et al. 2016, section 2.

    output: (M,), made of given: (1, C, height, width). Returns (N,) float32; all 0 where nothing counts.
    """
    import torch

    squares = torch.zeros(given.shape[2:].numel(), dtype=torch.float64, device=given.device)
    for one in torch.eye(len(output), device=output.device):
        (slope,) = torch.autograd.grad(output, given, one, retain_graph=True, materialize_grads=True)
        squares += slope[0].double().square().sum(0).flatten()
    norms = squares.sqrt()
    found: np.ndarray = (norms / norms.sum().clamp_min(1e-300)).float().cpu().numpy()
    return found
