"""How the page looks: gradio's theme in our colours, the style sheet of the frame, and the head of the document."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import gradio as gr

HERE = Path(__file__).parent
FONTS = ["system-ui", "-apple-system", "Segoe UI", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Noto Sans Mono CJK SC"]
STYLES = ("frame.css", "controls.css", "controls.phrases.css", "controls.compare.css")
GROUND, GROUND_DARK = "#FAFAF7", "#14161A"
INK, INK_DARK = "#1C1B18", "#ECEAE4"
KEY, KEY_DARK = "#0B5CAD", "#56B4E9"


def theme() -> gr.themes.Base:
    """Gradio's own parts, few as they are, in the colours of the page."""
    return gr.themes.Base(primary_hue="blue", neutral_hue="stone", font=FONTS, font_mono=MONO).set(
        body_background_fill=GROUND,
        body_background_fill_dark=GROUND_DARK,
        body_text_color=INK,
        body_text_color_dark=INK_DARK,
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        background_fill_primary=GROUND,
        background_fill_primary_dark=GROUND_DARK,
        button_primary_background_fill=KEY,
        button_primary_background_fill_dark=KEY,
        button_primary_text_color="#FFFFFF",
        link_text_color=KEY,
        link_text_color_dark=KEY_DARK,
        link_text_color_hover=KEY,
        link_text_color_hover_dark=KEY_DARK,
    )


def head() -> str:
    """The style sheets of the frame, which gradio's `css` would confine to its own container; and what runs before gradio does:
    the language and the brightness that the address or an earlier visit ask for.
    """
    style = "".join((HERE / name).read_text(encoding="utf-8") for name in STYLES)
    start = (HERE / "head.js").read_text(encoding="utf-8").replace("GRADIO_CORE", _core())
    return f"<style>{style}</style><script>{start}</script>"


@lru_cache(maxsize=1)
def _core() -> str:
    """Name of the script of gradio's page that can change the language of gradio's own labels; empty if there is none."""
    folder = Path(gr.__file__).parent / "templates" / "frontend" / "assets"
    for path in sorted(folder.glob("core-*.js")):
        if re.search(r"\bas changeLocale\b|\bchangeLocale\b", path.read_text(encoding="utf-8")):
            return path.name
    return ""
