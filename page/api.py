"""What programs can ask for: generate, row, examples. Names, types and descriptions are read by gradio's documentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

import generators
from generators.base import BadInput, NotReady, Request
from page import shelf, wire
from page.desk import LONGEST_TEXT, Desk


def endpoints(desk: Desk) -> None:
    """Put the three endpoints into the Blocks that are being built."""

    async def generate(
        generator: str,
        variant: str = "",
        prompt: str = "",
        seed: str = "0",
        settings: dict = {},  # noqa: B006 (gradio shows it as the default)
        edits: list = [],  # noqa: B006
        attention: bool = True,
    ) -> dict:
        """Make a text or a picture, and say which attention maps it used.

        Args:
            generator: name of the generator, as `lstm`.
            variant: one of its trained models; empty for the first.
            prompt: what it goes on from; empty for none.
            seed: a whole number from 0 to 4294967295, or a word, whose hash is the seed.
            settings: names and values, as {"temperature": 0.8}; those left out are at their defaults.
            edits: changes of the attention, as [{"action": "uniform", "heads": [0]}].
            attention: false runs the twin without attention.

        Returns:
            name, variant, seed, settings, output, tokens, steps, attentions [{kind, layer, heads, query, key}], run (for `row`), seconds,
            and picture (a PNG as data URL) where one is made.
        """
        try:
            card = generators.card(generator)
            request = Request.check(
                card, variant=variant, text=prompt[:LONGEST_TEXT], seed=seed, settings=settings, edits=edits, attention=attention
            )
            run, seconds = await desk.result(card, request)
        except (BadInput, NotReady) as error:
            raise gr.Error(str(error)) from None
        trace = run.trace
        first = {(each.kind, each.layer): each for step in reversed(trace.steps) for each in reversed(step.attentions)}
        result = {
            "name": run.generator,
            "variant": request.variant,
            "seed": request.seed,
            "settings": dict(request.settings),
            "output": trace.text,
            "tokens": list(trace.tokens),
            "steps": len(trace.steps),
            "attentions": [
                {"kind": kind, "layer": layer, "heads": first[kind, layer].heads, "query": queries, "key": keys}
                for kind, layer in trace.maps()
                for queries, keys in [trace.map(kind, layer).shape[1:]]
            ],
            "run": run.id,
            "seconds": round(seconds, 3),
        }
        return result if trace.picture is None else result | {"picture": wire.picture_url(trace.picture)}

    async def row(run: str, query: int) -> dict:
        """The three components of one query, exact: scores, weights and their weighted sum for every head.

        Args:
            run: what `generate` returned as `run`, or the id of an example.
            query: position of the query, from 0.

        Returns:
            details: [{kind, layer, query, scores, weights, context, q}], each with one list a head; a score is null where the
            query may not look.
        """
        return await _plainly(lambda: desk.details(run, query))

    def examples(generator: str) -> list:
        """The stored runs of a generator.

        Args:
            generator: name of the generator, as `lstm`.

        Returns:
            [{variant, id, label, request}]; the id serves as `run` for `row`.
        """
        try:
            card = generators.card(generator)
        except BadInput as error:
            raise gr.Error(str(error)) from None
        return [{"variant": variant.name, **each} for variant in card.variants for each in shelf.listing(card.name, variant.name)]

    gr.api(generate, api_name="generate", concurrency_limit=None)
    gr.api(row, api_name="row", concurrency_limit=None)
    gr.api(examples, api_name="examples", concurrency_limit=None)


async def _plainly(ask: Callable[[], Any]) -> Any:
    """The answer, or its one sentence."""
    try:
        return await ask()
    except (BadInput, NotReady) as error:
        raise gr.Error(str(error)) from None
