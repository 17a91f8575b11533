"""What a visitor or a program asks for, read: nothing given is trusted.

A picture comes with a wish in one of two ways. `picture` is the visitor's own, a file or a sketch: what is made of it is private.
`source` says which run of the Lab made it, so that a link can carry it: {example} or {generator, variant, prompt, seed, settings, …};
that run is repeated here, unwatched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, get_args

import numpy as np

import generators
from generators.base import BadInput, Card, Request
from generators.edits import Edit, EditError, Kind, read_edits
from page import shelf

LONGEST_TEXT = 1_000_000  # characters of a prompt that a generator gets to see; its own limit is lower, and it says so
LONGEST_SOURCE = 20_000  # characters of a source
KINDS: tuple[Kind, ...] = get_args(Kind)
DEEPEST = 3  # runs that follow each other from one picture to the next
SOURCES = 64  # pictures of sources that stay in memory


Kept = Callable[[str, Request], "np.ndarray | None"]
"""Finds the picture that a generator has made of a request already."""


class Asked(NamedTuple):
    """private: its picture is the visitor's own."""

    card: Card
    request: Request
    private: bool = False


def read(given: Mapping[str, Any], depth: int = 0, kept: Kept | None = None) -> Asked:
    """The card and the checked request of {generator, variant, prompt, seed, settings, edits, forced, without, picture or source, hidden,
    code}. A picture takes its time: `takes_time` says whether there is one. Raises BadInput, NotReady.
    """
    card, variant = read_variant(given)
    text = given.get("prompt") or ""
    own = given.get("picture") or None
    source = None if own is not None else given.get("source")
    request = Request.check(
        card,
        variant=variant,
        text=text[:LONGEST_TEXT] if isinstance(text, str) else text,
        seed=given.get("seed"),
        settings=read_mapping(given.get("settings")),
        edits=given.get("edits"),
        forced=given.get("forced") or (),
        attention=not given.get("without"),
        picture=own if not source else source_picture(source, depth, kept),
        hidden=given.get("hidden") or (),
        code=given.get("code"),
    )
    return Asked(card, request, own is not None)


def takes_time(given: Mapping[str, Any]) -> bool:
    """Whether reading it is nothing for the event loop."""
    return bool(given.get("picture") or given.get("source"))


def source_picture(source: Any, depth: int = 0, kept: Kept | None = None) -> np.ndarray:
    """The picture of a source, (height, width, 3) uint8. Raises BadInput, NotReady."""
    if not isinstance(source, Mapping) or depth >= DEEPEST:
        raise BadInput("It is not known where this picture comes from.", "不知道这张图片从哪里来。")
    try:
        written = json.dumps(source, sort_keys=True)
    except (TypeError, ValueError):
        written = ""
    if not 0 < len(written) <= LONGEST_SOURCE:
        raise BadInput("It is not known where this picture comes from.", "不知道这张图片从哪里来。")
    if kept is not None and "example" not in source:
        card, request, _ = read(_unpictured(source), depth + 1, kept)
        made = kept(card.name, request)
        if made is not None:
            return made
    return _repeated(written, depth)


def _unpictured(source: Mapping[str, Any]) -> dict[str, Any]:
    """Without a picture of somebody's own: none can be in a source."""
    return {name: each for name, each in source.items() if name != "picture"}


@lru_cache(maxsize=SOURCES)
def _repeated(written: str, depth: int) -> np.ndarray:
    source = json.loads(written)
    if "example" in source:
        return example_picture(source["example"])
    card, request, _ = read(_unpictured(source), depth + 1)
    if card.produces != "picture":
        raise BadInput(f"{card.name} makes no pictures.", f"{card.name} 不生成图片。")
    return generators.load(card.name, request.variant).picture(request)


def example_picture(example: object) -> np.ndarray:
    """The picture that a stored run was given, else the one it made. Raises BadInput."""
    run = shelf.run(example)
    picture = run.trace.picture if run.request.picture is None else run.request.picture
    if picture is None:
        raise BadInput("This example has no picture.", "这个例子没有图片。")
    return picture


def read_variant(given: Mapping[str, Any]) -> tuple[Card, str]:
    """Card and variant by name. Raises BadInput."""
    card = generators.card(str(given.get("generator") or ""))
    wanted = given.get("variant")
    return card, card.variant(None if wanted is None else str(wanted)).name


def read_object(given: Any) -> Mapping[str, Any]:
    """A JSON object. Raises BadInput."""
    if not isinstance(given, Mapping):
        raise BadInput("This asks for nothing that there is.", "没有可以回答的内容。")
    return given


def read_mapping(given: Any) -> Mapping[str, Any]:
    """Names and values; {} for nothing. Raises BadInput."""
    if given is not None and not isinstance(given, Mapping):
        raise BadInput("Settings are given as name and value.", "设置应以名称和数值给出。")
    return given or {}


def read_index(given: Any) -> int:
    """A position. Raises BadInput."""
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise BadInput("A position is a whole number from 0.", "位置应是从 0 开始的整数。")
    return given


def read_kind(given: Any) -> Kind:
    """Of a map. Raises BadInput."""
    for kind in KINDS:
        if given == kind:
            return kind
    raise BadInput(f"The kinds of maps are {', '.join(KINDS)}.", f"图的种类有 {'、'.join(KINDS)}。")


def read_changes(given: Any) -> tuple[Edit, ...]:
    """Changes of the attention. Raises BadInput."""
    try:
        return read_edits(given)
    except EditError as error:
        raise BadInput(str(error), f"注意力的修改有误：{error}") from None
