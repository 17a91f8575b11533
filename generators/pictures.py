"""What all generators of pictures share: pictures as they come in and go out, names as seeds, attention over cells, storing.

Letters: B pictures, S pixels a side, N cells of a grid.
"""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from generators.base import BadInput, NotReady, Request, read_seed
from generators.edits import Kind
from generators.trace import STORED_TOLERANCE, Attention, Axis, Detail, Grid, Step, Trace, Words

if TYPE_CHECKING:
    from torch import Tensor, nn

    from generators.attention import Heard

MOST_PIXELS = 40_000_000
MOST_BYTES = 20_000_000
LONGEST_LABEL = 40  # characters of a name that a note repeats
PAPER = (255, 255, 255)  # behind what is transparent


def read_picture(given: object, size: int) -> np.ndarray:
    """A picture as the models see it: (size, size, 3) uint8, the middle square of what was given.

    given: the bytes of a picture file, a data URL, or an array (height, width, 3) uint8. Of an animation the first frame counts, behind
    transparency is white. Raises BadInput, one sentence.
    """
    if isinstance(given, np.ndarray):
        if given.dtype != np.uint8 or given.ndim != 3 or given.shape[2] != 3 or not given.size:
            raise BadInput("A picture is an array of height × width × 3 bytes.", "图片应是 高 × 宽 × 3 的字节数组。")
        picture = Image.fromarray(given)
    else:
        picture = _opened(_bytes(given))
    if picture.size != (size, size):
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.BOX if min(picture.size) >= size else Image.Resampling.BICUBIC)
    return np.array(picture, np.uint8)  # one's own copy, which may be written


def _bytes(given: object) -> bytes:
    if isinstance(given, str):
        head, comma, body = given.partition(",")
        try:
            given = base64.b64decode(body if comma and head.startswith("data:") else given, validate=True)
        except (binascii.Error, ValueError):
            raise BadInput("This is no picture.", "这不是图片。") from None
    if not isinstance(given, bytes) or not given:
        raise BadInput("This is no picture.", "这不是图片。")
    if len(given) > MOST_BYTES:
        raise BadInput(f"A picture file may have {MOST_BYTES // 10**6} MB at most.", f"图片文件最大 {MOST_BYTES // 10**6} MB。")
    return given


def _opened(file: bytes) -> Image.Image:
    """Upright, in RGB."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow about size: it is checked here
            opened = Image.open(io.BytesIO(file))
        if opened.width * opened.height > MOST_PIXELS:
            raise Image.DecompressionBombError
        upright = ImageOps.exif_transpose(opened)
        if "A" in upright.getbands() or "transparency" in upright.info:
            layered = upright.convert("RGBA")
            ground = Image.new("RGBA", layered.size, PAPER)
            return Image.alpha_composite(ground, layered).convert("RGB")
        if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):  # numbers beyond a byte: from the darkest to the lightest
            numbers = np.asarray(upright, np.float64)
            low, high = float(numbers.min()), float(numbers.max())
            upright = Image.fromarray(((numbers - low) * (255 / max(high - low, 1e-9))).astype(np.uint8))
        return upright.convert("RGB")
    except Image.DecompressionBombError:
        raise BadInput("A picture may have 40 million pixels at most.", "图片最多 4000 万像素。") from None
    except UnidentifiedImageError:
        raise BadInput("This is no picture that can be read.", "无法读取这张图片。") from None
    except (OSError, SyntaxError, ValueError, EOFError):
        raise BadInput("This picture is damaged.", "这张图片已损坏。") from None


def to_png(picture: np.ndarray) -> str:
    """A picture (height, width, 3) uint8 as the data URL of a PNG."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def read_prompt(request: Request) -> tuple[int, tuple[Words, ...]]:
    """The seed, and what the visitor should know of it: a word's hash is the seed, a number is the seed itself.

    Raises BadInput for a number that is no seed.
    """
    name = "".join(each for each in request.text if each.isprintable()).strip()
    if not request.text.strip():
        return request.seed, ()
    seed = read_seed(request.text)
    if name == str(seed):
        return seed, ()
    label = name if len(name) <= LONGEST_LABEL else name[:LONGEST_LABEL] + "…"
    return seed, ({"en": f"“{label}” is seed {seed}.", "zh": f"“{label}”对应种子 {seed}。"},)


def noise(seeds: Sequence[int], numbers: int, truncation: float = 1.0) -> np.ndarray:
    """(len(seeds), numbers) float32, normal, times truncation; a row depends on its seed only, on every machine."""
    rows = [np.random.default_rng(seed).standard_normal(numbers, np.float32) for seed in seeds]
    return np.stack(rows) * np.float32(truncation) if rows else np.zeros((0, numbers), np.float32)


def to_signed(pictures: np.ndarray) -> Tensor:
    """(B, S, S, 3) uint8 to (B, 3, S, S) in −1 … 1, channels last in memory, where convolutions are fastest."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def as_picture(pictures: Tensor) -> np.ndarray:
    """(B, 3, height, width) in −1 … 1 to (B, height, width, 3) uint8."""
    whole: np.ndarray = ((pictures.float() + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return whole


def as_attention(heard: Heard, query: Grid, key: Axis | None = None) -> Attention:
    """The rows of the one picture. key: where it is another axis than the query."""
    used = None if heard.used is None else heard.used.numpy()
    weights = heard.weights[0].float().numpy()
    kind, layer = heard.name
    return Attention(kind=cast(Kind, kind), layer=layer, weights=weights, query=query, key=key or query, used=used)


def as_detail(heard: Heard) -> Detail:
    """The three components of the pinned cell."""
    inside = heard.inside
    assert inside is not None
    numbers = {part: getattr(inside, part).float().numpy() for part in ("query", "key", "value", "scores", "weights", "context")}
    kind, layer = heard.name
    return Detail(kind=cast(Kind, kind), layer=layer, query_index=inside.query_index, scale=inside.scale, **numbers)


def check_pin(pin: int | None, cells: int) -> None:
    """Raises BadInput for a cell that the picture has not."""
    if pin is not None and not 0 <= pin < cells:
        raise BadInput(f"The picture has cells 0 to {cells - 1}.", f"图片的格子编号是 0 到 {cells - 1}。")


def grid_mask(hidden: Iterable[int], grid: Grid) -> np.ndarray:
    """(height, width) bool, True at the cells of these numbers. Raises BadInput for a number that is no cell, and where none is left."""
    mask = np.zeros(len(grid), bool)
    cells = sorted(set(hidden))
    if cells and not 0 <= cells[0] <= cells[-1] < len(mask):
        raise BadInput(f"The picture has cells 0 to {len(mask) - 1}.", f"图片的格子编号是 0 到 {len(mask) - 1}。")
    mask[cells] = True
    if mask.all():
        raise BadInput("Leave some of the picture to see.", "请留一部分图片可见。")
    return mask.reshape(grid.height, grid.width)


def sheet_of(pictures: np.ndarray, columns: int = 8) -> np.ndarray:
    """(N, S, S, 3) as one picture, row by row; the last row is filled with white."""
    count, size = pictures.shape[:2]
    rows = -(-count // columns)
    whole = np.full((rows * columns, size, size, 3), 255, np.uint8)
    whole[:count] = pictures
    return whole.reshape(rows, columns, size, size, 3).swapaxes(1, 2).reshape(rows * size, columns * size, 3)


def write_sheet(path: Path, pictures: np.ndarray, columns: int = 8) -> None:
    """Pictures side by side, as PNG. pictures: (N, S, S, 3) uint8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet_of(pictures, columns)).save(path)


def compact(trace: Trace, bits: int = 9) -> Trace:
    """The same with weights of so many significant bits and no finer than 2⁻¹⁵: 0.001 off at most, and a third less to store.

    Details lose their keys and values, which would be most of a file: a replay has them.
    """

    def rounded(weights: np.ndarray) -> np.ndarray:
        _, exponent = np.frexp(weights)
        unit = np.ldexp(1.0, np.maximum(exponent - bits, -15))
        return (np.round(weights / unit) * unit).astype(np.float32)

    def light(step: Step) -> Step:
        rows = tuple(replace(each, weights=rounded(each.weights), tolerance=STORED_TOLERANCE) for each in step.attentions)
        return replace(step, attentions=rows, details=tuple(replace(each, key=None, value=None) for each in step.details))

    return replace(trace, steps=[light(step) for step in trace.steps])


Network = TypeVar("Network", bound="nn.Module")


def read_network(folder: Path, build: Callable[[dict[str, Any]], Network], *, attention: bool) -> Network:
    """What `build` makes of the folder's config.json, with the weights that ship or the twin's, ready to paint. Raises NotReady."""
    from generators.training import read_json, read_weights

    config = read_json(folder / "config.json")
    weights = read_weights(folder / ("weights.safetensors" if attention else "without.safetensors"))
    try:
        network = build(config)
        network.load_state_dict(weights)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError):
        raise NotReady(f"The weights of {folder.name} do not fit its config.json.", f"{folder.name} 的权重与 config.json 不符。") from None
    return network.eval().requires_grad_(False)
