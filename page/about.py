"""About: the article section by section, in every language, over the page.

The text is Markdown of ours in assets/lessons/LANGUAGE/*.md, in the order of the file names. Figures are never typed in:
the line `[figures]` becomes a table of what the model cards (assets/GENERATOR/VARIANT/card.json) say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

import generators
from generators.metrics import mean_and_spread
from page import shelf
from page.controls import LANGUAGES, strings
from page.wire import BY_LENGTH

LESSONS = Path(__file__).parent.parent / "assets" / "lessons"
FIGURES = "[figures]"


def about() -> None:
    """Put the panel into the Blocks that are being built; the controls open and close it."""
    with gr.Column(elem_id="about"):
        for language in LANGUAGES:
            gr.Markdown(lesson(language), elem_classes=["lesson", f"lesson-{language}"])


def lesson(language: str) -> str:
    """All sections in one language."""
    parts = [path.read_text(encoding="utf-8").strip() for path in sorted((LESSONS / language).glob("*.md"))]
    return "\n\n".join(parts).replace(FIGURES, figures(language))


def figures(language: str) -> str:
    """A Markdown table of the figures that the model cards hold: with attention, without. Those by length are drawn beside a run."""
    words = strings()[language]
    rows = [row for card in generators.cards() for variant in card.variants for row in _rows(card.name, variant.name, language)]
    if not rows:
        return words["no_figures"]
    head = [words["model"], words["figure"], words["with_attention_column"], words["without_attention_column"], words["verdict"]]
    return "\n".join(["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]])


def _rows(name: str, variant: str, language: str) -> list[list[str]]:
    metrics = shelf.figures(name, variant).get("metrics", {})
    kept = {metric: each for metric, each in metrics.items() if isinstance(each, dict) and not BY_LENGTH.fullmatch(metric)}
    return [_row(f"`{name}/{variant}`", metric, each, strings()[language]) for metric, each in kept.items()]


def _row(model: str, metric: str, given: dict[str, Any], words: Any) -> list[str]:
    better = words["lower"] if given.get("better") == "lower" else words["higher"]
    cells = [_cell(given.get(side), given.get(f"{side}_seeds")) for side in ("with", "without")]
    return [model, f"`{metric}` {given.get('unit', '')} ({better})", *cells, _verdict(given, words)]


def _verdict(given: dict[str, Any], words: Any) -> str:
    """Whether attention helped: by the means of the seeds where there are some, else by the shipped pair."""
    pairs = [given.get(f"{side}_seeds") or [given.get(side)] for side in ("with", "without")]
    if any(value is None for values in pairs for value in values):
        return ""
    (one, spread), (other, other_spread) = map(mean_and_spread, pairs)
    if abs(one - other) <= max(spread, other_spread):
        return str(words["undecided"])
    return str(words["helps"] if (one < other) == (given.get("better") == "lower") else words["does_not_help"])


def _cell(value: Any, seeds: Any) -> str:
    """A figure; behind it mean and spread of the same figure over small models from other seeds."""
    return _number(value) + (" ({:.4g} ± {:.1g})".format(*mean_and_spread(seeds)) if seeds else "")


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (int, float)) else "–"
