"""How a wish or a question of the page is answered: what is sent of a run, and what goes wrong as one sentence in every language."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import generators
from generators.base import BadInput, NotReady
from generators.trace import Trace, Words
from page import shelf, wire
from page.runs import UNEXPECTED, Run

Shown = tuple[Any, Any]
"""A message for the view and a status for the controls. Both carry `turn`, which grows from wish to wish: a wish that was replaced
may have its last word after the first of the next one."""


@contextmanager
def sentence() -> Iterator[dict[str, Any]]:
    """An answer to fill; what goes wrong inside becomes its `error`."""
    answer: dict[str, Any] = {}
    try:
        yield answer
    except (BadInput, NotReady) as error:
        answer["error"] = dict(error.words)
    except Exception:
        logging.exception("a question of the view failed")
        answer["error"] = dict(UNEXPECTED)


def failure(words: Words, turn: int) -> Shown:
    """A sentence in place of a run."""
    message = wire.message(Trace("", ""), "", 0, 0, done=True, error=words)
    return message | {"turn": turn}, {"run": "", "running": False, "error": dict(words), "turn": turn}


def status(run: Run, done: bool, *, first: bool = False) -> dict[str, Any]:
    """What the controls show of a run, and the request that repeats it; its picture in the first only, for Gradio remembers the last.

    place: in the line, while it waits. unknown: [[a piece of the prompt that is not known, [what is near to it]]].
    """
    request = {name: each for name, each in run.trace.request.items() if first or name != "picture"}
    told: dict[str, Any] = {"run": run.id, "running": not done, "rate": round(run.rate), "generator": run.generator, "request": request}
    if run.place:
        told["place"] = run.place
    if unknown := [[each.text, list(each.offers)] for step in run.trace.steps[:1] for each in step.unknown]:
        told["unknown"] = unknown
    return told if run.error is None else told | {"error": dict(run.error)}


def heading(run: Run) -> dict[str, Any]:
    """What the view says about a run before its first step."""
    stored = run.id.startswith(shelf.PREFIX)
    figures = shelf.figures(run.generator, run.request.variant)
    told = wire.heading(generators.card(run.generator), run.request, stored=stored, figures=figures)
    held = [each for step in run.trace.steps for each in step.details] if stored else []
    pinned = [each for each in held if (each.kind, each.layer) == (told["pin"]["kind"], told["pin"]["layer"])]
    if held:  # an example opens at the first row whose components it holds
        told["pin"] |= {"query": (pinned or held)[0].query_index}
    told["notes"] = [dict(each) for each in run.forecast]
    return told | {"learned": shelf.learning(run.generator, run.request.variant).is_file()}
