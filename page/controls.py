"""The controls: what to make, from what, and with which settings; one gr.HTML component.

Its template is constant and its script (controls.js) draws what the cards say, so that choosing a variant, a language or a setting
needs no trip to the server. Events: run {the request}, pair {a, b: two of them}, show {example}, stop, forget (the visitor's own
picture). Its value is the status of the last run, or of both.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

import generators
from generators.base import Card, Generator, Setting, Variant
from generators.trace import Words
from page import shelf
from page.view import ServerFunction

HERE = Path(__file__).parent
STRINGS = HERE.parent / "assets" / "strings"
LANGUAGES = ("en", "zh")
PARTS = ("", ".bank", ".phrases", ".picture", ".sketch", ".compare", ".address", ".panel", ".events")  # of the script, joined in this order
EVENTS = ("run", "pair", "show", "stop", "forget")


@lru_cache(maxsize=1)
def strings() -> Mapping[str, Mapping[str, str]]:
    """The sentences of the frame by language."""
    return {name: json.loads((STRINGS / f"{name}.json").read_text(encoding="utf-8")) for name in LANGUAGES}


def script() -> str:
    """All of the controls' JavaScript, run once when the component is mounted."""
    return "\n".join((HERE / f"controls{part}.js").read_text(encoding="utf-8") for part in PARTS)


class Controls(gr.HTML):
    """Chips, prompt, picture, seed, settings, examples.

    ailing() → {"GENERATOR/VARIANT": what is wrong with it}; made: `page.pictures.live`; faces: `page.pictures.stored`; both async;
    phrases: `Generator.phrases`, by name.
    """

    def __init__(
        self, *, ailing: Callable[[], Mapping[str, Words]], made: ServerFunction, faces: ServerFunction, phrases: ServerFunction
    ) -> None:
        def problems(_: Any) -> Mapping[str, Words]:
            return ailing()

        async def live(given: Any) -> Any:
            return await made(given)

        async def stored(given: Any) -> Any:
            return await faces(given)

        def worded(given: Any) -> Any:
            return phrases(given)

        super().__init__(
            None,
            html_template=(HERE / "controls.html").read_text(encoding="utf-8"),
            js_on_load=script(),
            apply_default_css=False,
            elem_id="controls",
            server_functions=[problems, live, stored, worded],
            given=json.dumps(_given(), ensure_ascii=False),  # one string: Gradio compares every prop at every update, member by member
        )

    def __getattr__(self, name: str) -> Any:
        if name in EVENTS:
            return super().__getattr__(name)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def postprocess(self, value: Any) -> Any:
        return value

    def api_info(self) -> dict[str, Any]:
        return {"type": "object"}

    def get_block_name(self) -> str:
        return "html"


def _given() -> dict[str, Any]:
    """What the script needs to know, once."""
    choices = [_choice(card, variant) for card in generators.cards() for variant in card.variants]
    return {"choices": choices, "strings": strings(), "space": os.environ.get("SPACE_ID", "")}


def _choice(card: Card, variant: Variant) -> dict[str, Any]:
    """What the script knows of one variant."""
    return {
        "generator": card.name,
        "variant": variant.name,
        "icon": variant.icon,
        "network": dict(card.network or {"en": card.name}),
        "title": dict(variant.title),
        "summary": dict(card.summary),
        "placeholder": dict(variant.placeholder),
        "language": variant.language,
        "twin": card.twin,
        "looks": variant.pin.kind,
        "takes": list(card.accepts),
        "produces": card.produces,
        "gallery": card.gallery,
        "size": variant.size,
        "axes": variant.axes,
        "phrased": _is_phrased(card.name),
        "settings": [_setting(each) for each in card.settings_of(variant.name)],
        "tries": [
            {"question": dict(each.question), "look_for": dict(each.look_for), "request": dict(each.request)} for each in variant.tries
        ],
        "examples": shelf.listing(card.name, variant.name),
    }


def _is_phrased(name: str) -> bool:
    """Whether it may have phrases to tap; which, is asked for when it is chosen."""
    return vars(Generator)["phrases"].__func__ is not generators.find(name).phrases.__func__  # type: ignore[attr-defined]


def _setting(setting: Setting) -> dict[str, Any]:
    return {
        "name": setting.name,
        "kind": setting.kind,
        "default": setting.default,
        "label": dict(setting.label),
        "help": dict(setting.help),
        "low": setting.low,
        "high": setting.high,
        "step": setting.step,
        "live": setting.live,
        "choices": {value: dict(words) for value, words in setting.choices.items()},
    }
