"""What is shown of pictures beside a run: one while a slider is dragged, sheets of many seeds, the Lab's own to choose from.

All of it is unwatched and nothing is kept. These functions take their time: they belong in a thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import generators
from generators.base import HIGHEST_SEED, BadInput, Card, NotReady, Request
from generators.pictures import to_png
from page import shelf
from page.asked import Asked, example_picture, read, read_variant

FILM = 8  # pictures of a film
GALLERY = 16  # pictures of a sheet
STORED = 20  # pictures to choose from
FACES = 4  # of them that are faces at least
OF_SEEDS = ("generator", "variant", "seed", "settings", "edits", "code", "without")  # what a picture of a seed depends on


def live(given: Mapping[str, Any]) -> dict[str, Any]:
    """What `page.asked.read` takes → {picture}: what the request would make."""
    card, request, _ = read(given)
    return {"picture": to_png(generators.load(card.name, request.variant).picture(request))}


def film(given: Mapping[str, Any]) -> dict[str, Any]:
    """{generator, variant, seed, settings, …} → {pictures: [{seed, url}]}, the next seeds'; {} if the generator has none to offer."""
    card, request, _ = _of_seeds(given)
    return {"pictures": _sheet(card, request, _seeds(request.seed + 1, FILM))} if card.gallery else {}


def gallery(given: Mapping[str, Any]) -> dict[str, Any]:
    """{generator, variant, seed, settings, edits, code, without, compare} → {sheets: {with, without}}, each [{seed, url}] of GALLERY seeds
    from the given one on: the one that `without` says, or both where they are compared. Edits change the sheet with attention only.
    """
    card, request, _ = _of_seeds(given)
    if not card.gallery:
        raise BadInput(f"{card.name} makes one picture at a time.", f"{card.name} 一次只生成一张图片。")
    sides = [True, False] if given.get("compare") and card.twin else [request.attention]
    requests = {side: replace(request, attention=side, edits=request.edits if side else ()) for side in sides}
    seeds = _seeds(request.seed, GALLERY)
    return {"sheets": {"with" if side else "without": _sheet(card, each, seeds) for side, each in requests.items()}}


def stored(given: Mapping[str, Any]) -> dict[str, Any]:
    """{generator, variant} → {pictures: [{source, url}]}: those of its stored runs; for one that says what it sees, those that others made
    of words; then faces of a generator that makes many at one go.
    """
    card, variant = read_variant(given)
    if "picture" not in card.accepts:
        raise BadInput(f"{card.name} takes no picture.", f"{card.name} 不接受图片。")
    found: dict[str, dict[str, Any]] = {}  # by what is seen: one picture may stand in several examples
    for example in [*shelf.files(card.name, variant), *(_scenes() if card.produces == "text" else ())]:
        try:
            if len(found) < STORED - FACES:
                found.setdefault(to_png(example_picture(example)), {"example": example})
        except BadInput:
            continue
    for each in _painters():
        if len(found) < STORED:
            found |= _faces(each, STORED - len(found))
    return {"pictures": [{"source": source, "url": url} for url, source in list(found.items())[:STORED]]}


def _scenes() -> Iterator[str]:
    """Examples of what was made of words."""
    for card in generators.cards():
        if card.produces == "picture" and "text" in card.accepts and not {"seed", "picture"} & set(card.accepts):
            for variant in card.variants:
                yield from shelf.files(card.name, variant.name)


def _painters() -> list[Card]:
    """Generators whose pictures need no other picture."""
    return [card for card in generators.cards() if card.gallery and "seed" in card.accepts]


def _faces(card: Card, count: int) -> dict[str, dict[str, Any]]:
    """Faces of the first seeds by how they look; none where the generator cannot run."""
    try:
        sheet = _sheet(card, Request.check(card), _seeds(1, count))
    except (BadInput, NotReady):
        return {}
    return {each["url"]: {"generator": card.name, "variant": card.default, "seed": each["seed"]} for each in sheet}


def _of_seeds(given: Mapping[str, Any]) -> Asked:
    """A picture that was given is left out: it belongs to nobody but its visitor."""
    return read({name: given[name] for name in OF_SEEDS if name in given})


def _seeds(first: int, count: int) -> list[int]:
    return [(first + each) % (HIGHEST_SEED + 1) for each in range(count)]


def _sheet(card: Card, request: Request, seeds: Sequence[int]) -> list[dict[str, Any]]:
    made = generators.load(card.name, request.variant).sheet(request, seeds)
    return [{"seed": seed, "url": to_png(picture)} for seed, picture in zip(seeds, made, strict=True)]
