"""What programs can ask for: generate, row, examples. Names, types and descriptions are read by gradio's documentation."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

import generators
from generators.base import BadInput, NotReady
from generators.pictures import to_png
from page import shelf
from page.desk import Desk
from page.guard import wipe
from page.runs import UNEXPECTED


def endpoints(page: gr.Blocks, desk: Desk) -> None:
    """Put the three endpoints into the page, which is being built."""

    async def generate(
        generator: str,
        variant: str = "",
        prompt: str = "",
        seed: str = "0",
        settings: dict = {},  # noqa: B006 (gradio shows it as the default)
        edits: list = [],  # noqa: B006
        attention: bool = True,
        picture: str = "",
        hidden: list = [],  # noqa: B006
        code: dict = {},  # noqa: B006
        request: gr.Request | None = None,
    ) -> dict:
        """Make a text or a picture, and say which attention maps it used.

        Args:
            generator: name of the generator, as `lstm`.
            variant: one of its trained models; empty for the first.
            prompt: what it goes on from, or what it paints; empty for none.
            seed: a whole number from 0 to 4294967295, or a word, whose hash is the seed.
            settings: names and values, as {"temperature": 0.8}; those left out are at their defaults.
            edits: changes of the attention, as [{"action": "uniform", "heads": [0]}].
            attention: false runs the twin without attention.
            picture: what a generator that takes one changes or describes: base64 or data URL of a picture file of any kind, 20 MB and
                40 million pixels at most. It is written to no disk, and what was made of it is forgotten after 15 minutes.
            hidden: cells of that picture that are rubbed out, numbered row by row from the top left, as [118, 119].
            code: shifts of the numbers of a generator's code by axis, as {"0": 1.5}.

        Returns:
            name, variant, seed, settings, output, tokens, steps, attentions [{kind, layer, heads, query, key}] with axes as
            {tokens: how many} or {grid: [height, width]}, run (for `row`), seconds; picture (a PNG as data URL) where one is made;
            unknown, [{text, offers}], where a piece of the prompt is not known.
        """
        asked = {"generator": generator, "variant": variant, "prompt": prompt, "seed": seed, "settings": settings, "edits": edits}
        more = {"without": not attention, "picture": picture, "hidden": hidden, "code": code}
        with plainly():
            run, seconds = await desk.result(asked | more)
        if picture and request is not None:
            wipe(page, request.session_hash)
        trace = run.trace
        result = {
            "name": run.generator,
            "variant": run.request.variant,
            "seed": trace.seed,
            "settings": dict(run.request.settings),
            "output": trace.text,
            "tokens": list(trace.tokens),
            "steps": len(trace.steps),
            "attentions": trace.describe_maps(),
            "run": run.id,
            "seconds": round(seconds, 3),
        }
        if trace.picture is not None:
            result["picture"] = to_png(trace.picture)
        if unknown := [{"text": each.text, "offers": list(each.offers)} for step in trace.steps[:1] for each in step.unknown]:
            result["unknown"] = unknown
        return result

    async def row(run: str, query: int, step: int | None = None) -> dict:
        """The three components of one query, exact: scores, weights and their weighted sum for every head.

        Args:
            run: what `generate` returned as `run`, or the id of an example.
            query: position of the query, from 0.
            step: of a picture that forms step by step, from 0; its last if none is named.

        Returns:
            details: [{kind, layer, query, scores, weights, context, q}], each with one list a head; a score is null where the
            query may not look.
        """
        with plainly():
            return await desk.details(run, query, step)

    def examples(generator: str) -> list:
        """The stored runs of a generator.

        Args:
            generator: name of the generator, as `lstm`.

        Returns:
            [{variant, id, label, request, pictured}]; the id serves as `run` for `row`; pictured: it was given a picture.
        """
        with plainly():
            card = generators.card(str(generator))
            return [{"variant": variant.name, **each} for variant in card.variants for each in shelf.listing(card.name, variant.name)]

    gr.api(generate, api_name="generate", concurrency_limit=None)
    gr.api(row, api_name="row", concurrency_limit=None)
    gr.api(examples, api_name="examples", concurrency_limit=None)


@contextmanager
def plainly() -> Iterator[None]:
    """What goes wrong inside becomes an error of one sentence."""
    try:
        yield
    except (BadInput, NotReady) as error:
        raise gr.Error(str(error), print_exception=False) from None
    except Exception:
        logging.exception("a program's wish failed")
        raise gr.Error(UNEXPECTED["en"], print_exception=False) from None
