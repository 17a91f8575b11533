"""The attention view: one gr.HTML component whose stages, maps and strips are drawn by assets/view/*.js.

Its template is constant and its style and strings travel once, inside the script: Gradio renders template and css_template
anew at every update, and a changed one would remove what the script drew. A value is one message of `page.wire`, sent as
one JSON string, because Gradio compares every yield with the last, member by member.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import gradio as gr

ASSETS = Path(__file__).parent.parent / "assets"
STAGES = ("takers", "text", "pane", "brush", "reach", "grid", "gallery", "regions", "moments", "words", "painting", "telling")
PANELS = ("panels", "heads", "components", "change", "leaving", "worksheet", "inside", "curves", "figures", "cards", "memory")
PAIR = ("linking", "differences", "panes")
PARTS = ("store", "steps", "draw", *STAGES, *PANELS, "export", "arrive", "look", "say", "keep", "view", *PAIR)  # joined in this order
STYLES = ("view", "leaving", "inside", "panes")
LANGUAGES = ("en", "zh")
EVENTS = ("pick", "edit", "rub", "face", "state")

ServerFunction = Callable[..., Any]
"""Takes one JSON object from the browser (anything may be in it), returns JSON; may be async."""


@lru_cache(maxsize=1)
def view_strings() -> Mapping[str, Mapping[str, str]]:
    """The sentences of the view by language."""
    return {name: json.loads((ASSETS / "strings" / f"view.{name}.json").read_text(encoding="utf-8")) for name in LANGUAGES}


def script() -> str:
    """All of the view's JavaScript, run once when the component is mounted."""
    style = "\n".join((ASSETS / "view" / f"{part}.css").read_text(encoding="utf-8") for part in STYLES)
    given = f"const STYLE = {json.dumps(style)};\nconst STRINGS = {json.dumps(view_strings(), ensure_ascii=False)};\n"
    return given + "\n".join((ASSETS / "view" / f"{part}.js").read_text(encoding="utf-8") for part in PARTS)


class AttentionView(gr.HTML):
    """Text or picture beside the attention that made it.

    fetch({run, first}) → a message with all steps from `first`; row({run, query, step?}) → `wire.detail_message`;
    maps({run, step, kind}) → `wire.maps_message`, of a picture that forms: all heads at that step, null: averaged over all steps;
    inside({run, query, step?, kind, layer, head}), leave_out({run, query, step?, kind, layer, from}), reach({run, query}): as
    `page.inside`, `page.leaving`, `page.reach` say; learning({generator, variant}) → `wire.series_message`;
    film({generator, variant, seed, settings, edits, without}) → {pictures: [{seed, url}]};
    gallery({…, compare}) → {sheets: {with: [{seed, url}], without: […]}}, one of both unless compared.
    Events: pick {run, step, id}, edit {run, edits}, rub {run, hidden}, face {run, seed, without?}, state {pin, layer, head}.
    """

    def __init__(
        self,
        value: Mapping[str, Any] | None = None,
        *,
        fetch: ServerFunction | None = None,
        row: ServerFunction | None = None,
        maps: ServerFunction | None = None,
        inside: ServerFunction | None = None,
        leave_out: ServerFunction | None = None,
        reach: ServerFunction | None = None,
        learning: ServerFunction | None = None,
        film: ServerFunction | None = None,
        gallery: ServerFunction | None = None,
        elem_id: str | None = "attention-view",
        **rest: Any,
    ) -> None:
        given = {"fetch": fetch, "row": row, "maps": maps, "inside": inside, "leave_out": leave_out, "reach": reach}
        given |= {"learning": learning, "film": film, "gallery": gallery}
        super().__init__(
            value,  # type: ignore[arg-type]
            html_template='<div class="av-root"></div>',
            js_on_load=script(),
            apply_default_css=False,
            elem_id=elem_id,
            server_functions=[_named(function, name) for name, function in given.items() if function is not None],
            **rest,
        )

    def __getattr__(self, name: str) -> Any:
        """Only the view's own events: gr.HTML would take any quoted word of the script for one."""
        if name in EVENTS:
            return super().__getattr__(name)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def preprocess(self, payload: Any) -> Any:
        return payload

    def postprocess(self, value: Any) -> Any:
        """A message as one string."""
        return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def api_info(self) -> dict[str, Any]:
        return {"type": "string", "description": "one message of a run, as JSON"}

    def example_payload(self) -> Any:
        return None

    def example_value(self) -> Any:
        return None

    def get_block_name(self) -> str:
        return "html"


def _named(function: ServerFunction, name: str) -> ServerFunction:
    """The function under the name that the script calls it by."""
    if iscoroutinefunction(function):

        @wraps(function)
        async def later(*given: Any) -> Any:
            return await function(*given)

        later.__name__ = name
        return later

    @wraps(function)
    def now(*given: Any) -> Any:
        return function(*given)

    now.__name__ = name
    return now
