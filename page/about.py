"""About: the article section by section, in every language, over the page.

The text is Markdown of ours in assets/lessons/LANGUAGE/*.md, in the order of the file names; its line `[figures]` becomes a table of what
the model cards say, its line `[recall]` a drawing of it.
"""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from page.controls import LANGUAGES, strings
from page.figures import table
from page.helps import helps
from page.recall import chart, memories

LESSONS = Path(__file__).parent.parent / "assets" / "lessons"
FIGURES, RECALL = "[figures]", "[recall]"


def about() -> None:
    """Put the panel into the Blocks that are being built; the controls open and close it."""
    with gr.Column(elem_id="about"):
        helps()
        for language in LANGUAGES:
            classes = ["lesson", f"lesson-{language}"]
            before, _, after = lesson(language).partition(RECALL)
            gr.Markdown(before, elem_classes=classes)
            gr.HTML(chart(language, memories()), elem_classes=classes)
            gr.Markdown(after, elem_classes=classes)


def lesson(language: str) -> str:
    """All sections in one language."""
    parts = [path.read_text(encoding="utf-8").strip() for path in sorted((LESSONS / language).glob("*.md"))]
    words = strings()[language]
    return "\n\n".join(parts).replace(FIGURES, table(language, words) or words["no_figures"])
