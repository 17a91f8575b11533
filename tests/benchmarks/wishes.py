"""What kind of generator one is, by its card, and what a visitor would ask it for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import generators
from generators.base import Card

LONG = 256  # tokens


def forms(card: Card) -> bool:
    """Whether its pictures form of words, in as many steps as a setting says."""
    return card.produces == "picture" and "text" in card.accepts and any(setting.name == "steps" for setting in card.settings)


def describes(card: Card) -> bool:
    """Whether it says what is in a picture."""
    return card.produces == "text" and "picture" in card.accepts


def writes_long(card: Card) -> bool:
    """Whether it writes as many tokens as a setting says, hundreds of them."""
    return card.produces == "text" and any(setting.name == "length" and (setting.high or 0) >= LONG for setting in card.settings)


def prompt(card: Card, number: int) -> str:
    """The prompt of that number, each another one: of the phrases that the generator offers, else free text."""
    given = generators.find(card.name).phrases(generators.folders(card.name)[card.default])
    if not given:
        return f"{'face' if card.produces == 'picture' else 'Once upon a time'} {number}"
    groups = {group["name"]: group.get("phrases", ()) for group in given["groups"]}
    template = given["templates"]["en"][-1]
    places = iter(range(1, 1 + template.count("{")))
    return re.sub(r"\{(\w+)\}", lambda found: _written(groups[found[1]][(number + 17) * next(places) % len(groups[found[1]])]), template)


def _written(phrase: Mapping[str, Any]) -> str:
    return str(phrase.get("write", phrase)["en"])
