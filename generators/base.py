"""What a generator takes and promises: Card, Setting, Request, Generator.

A generator is a folder with `__init__.py` (this contract), `model.py` (the network) and `train.py` (learn, test, evaluate).
Its `__init__.py` has a class `Run` that follows `Generator`; importing it must not import torch, so that cards, registry
and page are there at once.
"""

from __future__ import annotations

import hashlib
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from generators.edits import Edit, EditError, Kind, read_edits
from generators.trace import Detail, Step, Trace, Words

if TYPE_CHECKING:
    from generators.reach import Part, Reach

HIGHEST_SEED = 2**32 - 1
LONGEST_WORD = 40  # characters of a setting that is a word
FURTHEST = 8.0  # that a number of a code may be shifted
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)  # "Nan" and "inf" are names


class BadInput(ValueError):
    """Something the visitor gave cannot be used; one plain sentence in every language."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.words: Words = {"en": en, "zh": zh}


class NotReady(RuntimeError):
    """Weights are missing or damaged; one plain sentence in every language."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.words: Words = {"en": en, "zh": zh}


@dataclass(frozen=True)
class Setting:
    """A number or a choice that the visitor may set; controls, checks and documentation come from it.

    kind "float" and "int" have low, high and step, "choice" has choices (value → words), "word" is a short text.
    variants: those it is for; empty is all. live: a slider that stands under the prompt and answers while it is dragged.
    """

    name: str
    kind: Literal["float", "int", "choice", "word"]
    default: float | int | str
    label: Words
    help: Words
    low: float = 0
    high: float = 1
    step: float = 1
    choices: Mapping[str, Words] = field(default_factory=dict)
    variants: tuple[str, ...] = ()
    live: bool = False

    def check(self, given: Any) -> float | int | str:
        """The value in its type. Raises BadInput if it is not one of the setting's."""
        if self.kind == "word":
            if not isinstance(given, (str, int)) or isinstance(given, bool) or len(str(given)) > LONGEST_WORD:
                raise BadInput(
                    f"{self.label['en']} is a text of at most {LONGEST_WORD} characters.",
                    f"“{self.label['zh']}”应是不超过 {LONGEST_WORD} 个字符的文字。",
                )
            return str(given)
        if self.kind == "choice":
            if str(given) not in self.choices:
                raise BadInput(
                    f"{self.label['en']} is one of {', '.join(self.choices)}.", f"“{self.label['zh']}”只能是 {'、'.join(self.choices)}。"
                )
            return str(given)
        try:
            number = float(given)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if isinstance(given, bool) or not self.low <= number <= self.high or (self.kind == "int" and number != int(number)):
            whole = ("a whole number ", "整数，") if self.kind == "int" else ("", "")
            raise BadInput(
                f"{self.label['en']} is {whole[0]}between {self.low:g} and {self.high:g}.",
                f"“{self.label['zh']}”应是{whole[1]}介于 {self.low:g} 和 {self.high:g} 之间。",
            )
        return int(number) if self.kind == "int" else number


@dataclass(frozen=True)
class Pin:
    """What is shown first: the most telling map and query. query: position; -1 is the last row. head None is the mean."""

    kind: Kind
    layer: int
    head: int | None = None
    query: int = -1


@dataclass(frozen=True)
class Try:
    """A suggestion: a question, the request that answers it, and what to look for.

    request: what the page's link carries, e.g. {"prompt": …, "seed": …, "settings": {…}, "edits": […], "without": True}.
    """

    question: Words
    look_for: Words
    request: Mapping[str, Any]


@dataclass(frozen=True)
class Variant:
    """One trained model of a generator. title: on the chip, one word. placeholder: in the empty prompt field.

    size: pixels a side of the picture that it takes or makes. grid: cells a side of which any may be rubbed out; 0 where none may.
    axes: how many numbers of its code may be shifted, the most telling first.
    """

    name: str
    title: Words
    icon: str
    placeholder: Words
    pin: Pin
    tries: tuple[Try, ...] = ()
    language: str = "en"  # of the text that it writes
    like: str = ""  # a visitor's own model takes the settings of this variant
    size: int = 0
    grid: int = 0
    axes: int = 0


@dataclass(frozen=True)
class Card:
    """What the page, the command line and the API know of a generator before it is loaded.

    name: the folder's. accepts: of "text", "picture", "seed" (a picture generator's prompt is a word whose hash is the seed).
    produces: "text" or "picture". anatomy: the network's parts in order; attention's part is marked True.
    network: its short name, before the chips of its variants. twin: whether `without` ships. claim: what the paper says of the figures
    by length in card.json (`NAME_len_FROM_TO`), beside which the page draws them. paper: what attention gained in the paper that it
    comes from, with the place where it says so. gallery: whether it makes many pictures at one go
    (`Generator.sheet`). headline: the metrics that are said under what it made.
    """

    name: str
    title: Words
    summary: Words
    accepts: tuple[str, ...]
    produces: Literal["text", "picture"]
    variants: tuple[Variant, ...]
    settings: tuple[Setting, ...]
    anatomy: tuple[tuple[Words, bool], ...]
    twin: bool = True
    claim: Words | None = None
    paper: Words | None = None
    network: Words | None = None
    gallery: bool = False
    headline: tuple[str, ...] = ()

    @property
    def default(self) -> str:
        return self.variants[0].name

    @property
    def writes(self) -> bool:
        """Whether it goes on from a text with a text."""
        return self.produces == "text" and "text" in self.accepts

    def variant(self, name: str | None) -> Variant:
        """By name; the default for None. Raises BadInput."""
        for variant in self.variants:
            if name in (None, "", variant.name):
                return variant
        names = ", ".join(each.name for each in self.variants)
        raise BadInput(f"The variants of {self.name} are {names}.", f"{self.name} 的变体有 {names}。")

    def settings_of(self, variant: str) -> tuple[Setting, ...]:
        family = self.variant(variant).like or variant
        return tuple(each for each in self.settings if not each.variants or family in each.variants)

    def check_settings(self, variant: str, given: Mapping[str, Any] | None) -> dict[str, float | int | str]:
        """All settings of a variant, the given ones checked, the others at their defaults. Raises BadInput."""
        known = {each.name: each for each in self.settings_of(variant)}
        for name in given or {}:
            if name not in known:
                names = ", ".join(known)
                raise BadInput(f"The settings of {variant} are {names}.", f"{variant} 的设置有 {names}。")
        return {name: each.check((given or {}).get(name, each.default)) for name, each in known.items()}


def read_seed(given: Any) -> int:
    """A seed from 0 to 2³²−1: a number as it is, any other word by its hash, so that a name gives a face.

    Raises BadInput for a number outside, negative or broken.
    """
    if given is None or (isinstance(given, str) and not given.strip()):
        return 0
    text = str(given).strip()
    if isinstance(given, str) and not _NUMBER.fullmatch(text):
        return int.from_bytes(hashlib.sha256(text.casefold().encode("utf-8", "replace")).digest()[:4], "big")
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if isinstance(given, bool) or not 0 <= number <= HIGHEST_SEED or number != int(number):
        raise BadInput(f"A seed is a whole number from 0 to {HIGHEST_SEED}, or a word.", f"种子应是 0 到 {HIGHEST_SEED} 的整数，或一个词。")
    return int(number)


@dataclass(frozen=True)
class Request:
    """What a visitor asks for, checked: `Request.check` makes one from anything.

    picture: (S, S, 3) uint8, as the model sees it; None: none was given. hidden: cells of it that are rubbed out, by number.
    code: axis → shift of that number of the code.
    forced: ids of tokens that must be chosen first, one a step (branches, replays).
    attention: False runs the twin without attention.
    pin: absolute query position whose details are wanted (a replay): its step carries `Step.details`.
    watched: False runs without listening: steps carry no attentions.
    only: the one step that is wanted (a replay): it alone is yielded. A writer reads the prompt and what is forced before it at one go,
    and shows the rows of all of it; a painter shows the maps of every kind. Of tokens `Step.odds` is there.
    state: a painter's `Step.state` of that step, where it is known: the steps before it need not run again.
    """

    variant: str
    text: str = ""
    picture: np.ndarray | None = None
    hidden: tuple[int, ...] = ()
    code: Mapping[int, float] = field(default_factory=dict)
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()
    forced: tuple[int, ...] = ()
    attention: bool = True
    pin: int | None = None
    watched: bool = True
    only: int | None = None
    state: np.ndarray | None = None

    @classmethod
    def check(
        cls,
        card: Card,
        *,
        variant: str | None = None,
        text: str = "",
        seed: Any = 0,
        settings: Mapping[str, Any] | None = None,
        edits: Any = None,
        forced: Any = (),
        attention: bool = True,
        picture: Any = None,
        hidden: Any = (),
        code: Any = None,
    ) -> Request:
        """A request that the generator can run. picture: a file's bytes, a data URL or an array, of any size.

        Raises BadInput, one sentence for what is wrong.
        """
        known = card.variant(variant)
        name = known.name
        if not isinstance(text, str):
            raise BadInput("The prompt is a text.", "提示应是文字。")
        try:
            read = read_edits(edits)
        except EditError as error:
            raise BadInput(str(error), f"注意力的修改有误：{error}") from None
        if not isinstance(forced, (list, tuple)) or not all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in forced):
            raise BadInput("Forced tokens are a list of token numbers.", "指定的词元应是编号的列表。")
        if not attention and not card.twin:
            raise BadInput(f"{card.name} has no twin without attention.", f"{card.name} 没有不带注意力的对照模型。")
        return cls(
            variant=name,
            text=text,
            seed=read_seed(seed),
            settings=card.check_settings(name, settings),
            edits=read,
            forced=tuple(forced[:100_000]),
            attention=bool(attention),
            picture=_picture(card, known, picture),
            hidden=_hidden(card, known, hidden),
            code=_code(card, known, code),
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON types: what a stored run carries. A picture is the data URL of its PNG."""
        given: dict[str, Any] = {
            "variant": self.variant,
            "text": self.text,
            "seed": self.seed,
            "settings": dict(self.settings),
            "edits": [edit.to_dict() for edit in self.edits],
            "forced": list(self.forced),
            "attention": self.attention,
        }
        if self.picture is not None:
            from generators.pictures import to_png

            given["picture"] = to_png(self.picture)
        if self.hidden:
            given["hidden"] = list(self.hidden)
        if self.code:
            given["code"] = {str(axis): shift for axis, shift in self.code.items()}
        return given

    @classmethod
    def from_dict(cls, card: Card, given: Mapping[str, Any]) -> Request:
        """What `to_dict` described, checked again."""
        return cls.check(card, **{name: given[name] for name in given if name in _LINKED})


def check_only(only: int | None, steps: int) -> None:
    """Raises BadInput for a step that a run of so many has not."""
    if only is not None and not 0 <= only < steps:
        raise BadInput("This run has no such step.", "这次运行没有这一步。")


_LINKED = ("variant", "text", "seed", "settings", "edits", "forced", "attention", "picture", "hidden", "code")


def _picture(card: Card, variant: Variant, given: Any) -> np.ndarray | None:
    if given is None or (isinstance(given, (str, bytes)) and not given):
        return None
    if "picture" not in card.accepts:
        raise BadInput(f"{card.name} takes no picture.", f"{card.name} 不接受图片。")
    from generators.pictures import read_picture  # which needs Pillow: a writer's page need not wait for it

    return read_picture(given, variant.size)


def _hidden(card: Card, variant: Variant, given: Any) -> tuple[int, ...]:
    if given is None or (isinstance(given, (list, tuple)) and not given):
        return ()
    if not variant.grid:
        raise BadInput(f"Nothing can be rubbed out of a picture of {card.name}.", f"{card.name} 的图片不能擦除。")
    cells = variant.grid**2
    if not isinstance(given, (list, tuple)) or not all(isinstance(i, int) and not isinstance(i, bool) and 0 <= i < cells for i in given):
        raise BadInput(f"Hidden cells are numbers from 0 to {cells - 1}.", f"擦除的格子应是 0 到 {cells - 1} 的编号。")
    if len(set(given)) == cells:
        raise BadInput("Leave some of the picture to see.", "请留一部分图片可见。")
    return tuple(sorted(set(given)))


def _code(card: Card, variant: Variant, given: Any) -> dict[int, float]:
    if given is None or (isinstance(given, Mapping) and not given):
        return {}
    if not variant.axes:
        raise BadInput(f"{card.name} has no code that can be shifted.", f"{card.name} 没有可以移动的编码。")
    wrong = BadInput(
        f"A code is shifted by axis, 0 to {variant.axes - 1}, each by {-FURTHEST:g} to {FURTHEST:g}.",
        f"编码按轴移动：轴 0 到 {variant.axes - 1}，幅度 {-FURTHEST:g} 到 {FURTHEST:g}。",
    )
    if not isinstance(given, Mapping) or len(given) > variant.axes:
        raise wrong
    shifts: dict[int, float] = {}
    for axis, shift in given.items():
        number = isinstance(shift, (int, float)) and not isinstance(shift, bool) and -FURTHEST <= shift <= FURTHEST
        if isinstance(axis, bool) or not str(axis).isdecimal() or len(str(axis)) > 4 or int(axis) >= variant.axes or not number:
            raise wrong
        if shift:
            shifts[int(axis)] = float(shift)
    return dict(sorted(shifts.items()))


class Generator(ABC):
    """A loaded model that runs requests. Nothing is written on `self` after loading: runs may interleave."""

    card: ClassVar[Card]

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """From a variant's folder of assets (weights with and without attention). Raises NotReady, one sentence."""

    @classmethod
    @abstractmethod
    def tiny(cls) -> Self:
        """The smallest whole model of its kind: random weights, no files, no network, under a second."""

    @abstractmethod
    def generate(self, request: Request) -> Iterator[Step]:
        """Make text or a picture, step by step. Same request, same steps. Raises BadInput before the first step."""

    def sheet(self, request: Request, seeds: Sequence[int]) -> np.ndarray:
        """Pictures of many seeds at one go, unwatched: (len(seeds), S, S, 3) uint8. Raises BadInput where it can make only one."""
        raise BadInput(f"{self.card.name} makes one picture at a time.", f"{self.card.name} 一次只生成一张图片。")

    def picture(self, request: Request) -> np.ndarray:
        """The picture of a request, unwatched and as fast as it can be: (S, S, 3) uint8. Raises BadInput where it makes none."""
        made = self.trace(replace(request, watched=False)).picture
        if made is None:
            raise BadInput(f"{self.card.name} makes no pictures.", f"{self.card.name} 不生成图片。")
        return made

    def reach(self, request: Request, query: int, part: Part = "self") -> Reach:
        """The cells that one cell depends on, by the network's own derivatives: `generators.reach`. Raises BadInput if it has no cells."""
        raise BadInput(f"{self.card.name} has no cells that depend on cells.", f"{self.card.name} 没有相互依赖的格子。")

    @classmethod
    def phrases(cls, folder: Path) -> Mapping[str, Any]:
        """What a prompt can be put together from by tapping, as JSON types; empty where it is free text. Needs no torch.

        {"groups": [{"name": "object", "title": Words, "phrases": [{"id", "glyph", "en", "zh"}, …]}, …],
        "templates": {"en": ["{object} on {ground}", …], …}}: each template names the groups that it puts together.
        """
        return {}

    def forecast(self, request: Request) -> tuple[Words, ...]:
        """Sentences for the visitor before a run begins that takes unusually much: tokens, seconds, megabytes. Mostly none."""
        return ()

    def trace(self, request: Request) -> Trace:
        """Run to the end and keep all."""
        trace = Trace(self.card.name, request.variant, request.to_dict())
        for step in self.generate(request):
            trace.add(step)
        return trace

    def replay(self, request: Request, query: int) -> tuple[Detail, ...]:
        """The three components for one query position, by running the request again up to its step.

        Raises BadInput if the run has no such query.
        """
        for step in self.generate(replace(request, pin=query, watched=False)):
            if step.details:
                return step.details
        raise BadInput("This run has no such position.", "这次运行没有这个位置。")
