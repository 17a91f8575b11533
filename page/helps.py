"""Does attention help? Every figure that was measured with attention and without, of all model cards, as one table with a drawing in it.

Figures are never typed in: they are card.json's, each with the command that measures it again. A row's mark lies at how many times better
the side with attention is; its whisker is how far chance moves that (generators.chance), or what other seeds made of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

import generators
from generators.base import Card, Variant
from generators.chance import ratio
from generators.metrics import mean_and_spread
from page import shelf
from page.controls import LANGUAGES, strings
from page.figures import name_of, number
from page.recall import METRIC, chart, memories
from page.wire import BY_LENGTH, SIDES, Verdict, verdict

QUESTIONS = Path(__file__).parent.parent / "assets" / "lessons"
LOWEST, HIGHEST = 0.5, 16.0  # times better: the ends of the drawing's axis, whose steps are doublings
TICKS = (0.5, 1, 2, 4, 8, 16)
WIDE, TALL, MARGIN = 300, 30, 14  # of the drawing in a row, pixels
COLUMNS = ("with_attention_column", "without_attention_column")  # of both sides
COPYING = ("nearest_train", "nearest_held_out")  # say whether a model copies its pupils, not how good it is
SAYS: Mapping[Verdict, str] = {"better": "helps", "worse": "does_not_help", "undecided": "undecided"}


@dataclass(frozen=True)
class Gain:
    """One figure of both sides. times: how many times better attention makes it; low, high: how far that may move; seeds: of how many
    trainings, 0 if of one pair, where `low` and `high` are chance in the held-out rows."""

    metric: str
    row: Mapping[str, Any]
    times: float
    low: float | None
    high: float | None
    seeds: int
    verdict: Verdict


@dataclass(frozen=True)
class Compared:
    """A variant and what attention does for it."""

    card: Card
    variant: Variant
    gains: tuple[Gain, ...]
    command: str


def compared() -> list[Compared]:
    """Every variant that was measured with and without, in the order of the page. Figures by length and by distance are drawn elsewhere."""
    found = []
    for card in generators.cards():
        for variant in card.variants:
            figures = shelf.figures(card.name, variant.name)
            rows = {
                name: row
                for name, row in figures.get("metrics", {}).items()
                if isinstance(row, Mapping) and not BY_LENGTH.fullmatch(name) and not METRIC.fullmatch(name) and name not in COPYING
            }
            gains = tuple(gain for name, row in rows.items() if (gain := gain_of(name, row)))
            if gains:
                found.append(Compared(card, variant, gains, str(figures.get("command", ""))))
    return found


def gain_of(metric: str, row: Mapping[str, Any]) -> Gain | None:
    """What attention does to one figure; None where it was not measured on both sides."""
    said = verdict(row)
    if not said:
        return None
    unit, lower = str(row.get("unit", "")), row.get("better") == "lower"
    seeds = [row.get(f"{side}_seeds") or [] for side in SIDES]
    repeated = min(map(len, seeds))
    one, other = (mean_and_spread(each)[0] if repeated else float(row[side]) for side, each in zip(SIDES, seeds, strict=True))
    times = ratio(one, other, unit)
    between: Sequence[float] | None = row.get("interval")
    if repeated:
        pairs = [ratio(one, other, unit) for one in seeds[0] for other in seeds[1]]
        between = (min(pairs), max(pairs))
    ends = [times, *(between or ())]
    if lower:
        ends = [1 / each if each else math.inf for each in ends]
    if not math.isfinite(ends[0]):
        ends = [math.nan]
    low, high = (min(ends[1:]), max(ends[1:])) if len(ends) > 1 else (None, None)
    return Gain(metric, row, ends[0], low, high, repeated, said)


def helps() -> None:
    """Put the page into the Blocks that are being built; the controls open and close it with About."""
    shown = compared()
    for language in LANGUAGES:
        classes = ["lesson", "helps", f"lesson-{language}"]
        gr.HTML(table(language, shown), elem_classes=classes)
        gr.Markdown(questions(language), elem_classes=classes)
        gr.HTML(chart(language, memories()), elem_classes=classes)


def questions(language: str) -> str:
    """The article's own questions with the comparisons that answer them, Markdown of ours."""
    return (QUESTIONS / language / "helps" / "questions.md").read_text(encoding="utf-8").strip()


def table(language: str, shown: Sequence[Compared]) -> str:
    """The table as HTML: a group a model, a row a figure."""
    words = strings()[language]
    if not shown:
        return f"<p>{escape(words['no_figures'])}</p>"
    columns = ("figure", "with_attention_column", "without_attention_column", "times_better", "verdict")
    heads = [f'<th scope="col">{escape(words[each])}</th>' for each in columns]
    head = "".join([*heads[:4], f'<th scope="col">{axis(words)}</th>', heads[4]])
    firsts = {each.card.name: each for each in reversed(shown)}
    groups = "".join(_group(each, language, words, first=firsts[each.card.name] is each) for each in shown)
    return (
        f"<h1>{escape(words['helps_title'])}</h1><p class='lead'>{escape(summary(shown, words))}</p>"
        f"<table><thead><tr>{head}</tr></thead>{groups}</table>"
        f"<p class='small'>{escape(words['helps_how'])}</p>"
    )


def summary(shown: Sequence[Compared], words: Mapping[str, str]) -> str:
    """How often it helped, counted."""
    said = [gain.verdict for each in shown for gain in each.gains]
    counts = {name: said.count(name) for name in SAYS}
    return words["helps_summary"].format(n=len(said), models=len(shown), **counts)


def _group(one: Compared, language: str, words: Mapping[str, str], *, first: bool) -> str:
    """first: of its generator: there stands what the paper says."""
    model = f"{one.variant.title[language]} · {(one.card.network or one.card.title)[language]}"
    paper = one.card.paper[language] if one.card.paper and first else ""
    measured = [one.command, *(str(gain.row["study"]) for gain in one.gains if gain.row.get("study"))]
    command = "<br>".join(f"<code>{escape(each)}</code>" for each in dict.fromkeys(measured) if each)
    rows = "".join(_row(gain, language, words) for gain in one.gains)
    return (
        f'<tbody><tr class="model"><th colspan="6" scope="rowgroup"><b>{escape(model)}</b> <span>{escape(paper)}</span></th></tr>{rows}'
        f'<tr class="command"><td colspan="6">{command}</td></tr></tbody>'
    )


def _row(gain: Gain, language: str, words: Mapping[str, str]) -> str:
    unit, arrow = str(gain.row.get("unit", "")), "↓" if gain.row.get("better") == "lower" else "↑"
    name = f"{name_of(gain.metric)[language]} {arrow}"
    count = words["helps_n"].format(n=f"{gain.row['n']:,}") if isinstance(gain.row.get("n"), int) else ""
    times = "–" if math.isnan(gain.times) else f"{gain.times:.2f}×"
    sides = ((words[column], number(gain.row.get(side), unit)) for side, column in zip(SIDES, COLUMNS, strict=True))
    both = "".join(f'<td data-of="{escape(column)}">{value}</td>' for column, value in sides)
    moved = f"<td class='times'><b>{times}</b> <small>{escape(spread(gain, words))}</small></td><td class='drawn'>{mark(gain)}</td>"
    head = f'<th scope="row">{escape(name)} <small>{escape(count)}</small></th>'
    return f'<tr class="{gain.verdict}">{head}{both}{moved}<td>{escape(words[SAYS[gain.verdict]])}</td></tr>'


def spread(gain: Gain, words: Mapping[str, str]) -> str:
    """The whisker in figures."""
    if gain.low is None or gain.high is None or math.isnan(gain.times):
        return words["helps_one_pair"]
    ends = f"{gain.low:.2f}–{gain.high:.2f}"
    return f"{ends} ({words['helps_seeds'].format(n=gain.seeds)})" if gain.seeds else ends


def place(times: float) -> float:
    """Pixels from the left of the drawing."""
    share = math.log(min(HIGHEST, max(LOWEST, times)) / LOWEST) / math.log(HIGHEST / LOWEST)
    return MARGIN + (WIDE - 2 * MARGIN) * share


def mark(gain: Gain) -> str:
    """A row's drawing: a mark, its whisker, the line of no difference. Its numbers stand beside it."""
    if math.isnan(gain.times):
        return ""
    middle, even, at = TALL / 2, place(1), place(gain.times)
    parts = [f'<line class="even" x1="{even:.1f}" x2="{even:.1f}" y1="0" y2="{TALL}"/>']
    parts.append(f'<line class="gain" x1="{even:.1f}" x2="{at:.1f}" y1="{middle}" y2="{middle}"/>')
    if gain.low is not None and gain.high is not None:
        parts.append(f'<line class="whisker" x1="{place(gain.low):.1f}" x2="{place(gain.high):.1f}" y1="{middle}" y2="{middle}"/>')
    arrow = f'<path class="dot" d="M{at:.1f} {middle - 6}l8 6l-8 6z"/>'  # farther than the axis
    parts.append(arrow if gain.times > HIGHEST else f'<circle class="dot" cx="{at:.1f}" cy="{middle}" r="5.5"/>')
    return f'<svg viewBox="0 0 {WIDE} {TALL}" aria-hidden="true">{"".join(parts)}</svg>'


def axis(words: Mapping[str, str]) -> str:
    """The head of the column of drawings."""
    ticks = "".join(f'<text x="{place(tick):.1f}" y="26">{tick:g}×</text>' for tick in TICKS)
    ends = [("worse", place(1) - 6), ("better", place(1) + 6)]
    sides = "".join(f'<text class="{side}" x="{at:.1f}" y="10">{escape(words[f"helps_{side}"])}</text>' for side, at in ends)
    return f'<svg viewBox="0 0 {WIDE} {TALL}" role="img" aria-label="{escape(words["helps_axis"])}">{sides}{ticks}</svg>'
