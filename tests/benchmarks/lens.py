"""One prompt, all of its maps: the first step of a run, against TransformerLens over a network of the same size.

TransformerLens is not installed with the rest: `make .venv/lens` puts it beside.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from generators.base import Request
from tests.benchmarks import Row
from tests.benchmarks.against_generate import seconds
from tests.benchmarks.apart import LENS, other
from tests.benchmarks.models import Large, read_ids

TOKENS = 256
REPETITIONS = 7


def measure() -> Iterator[Row]:
    """`run_with_cache` as it is documented, and told to keep patterns only and no logits, which the page's path needs for one token."""
    what = f"one prompt of {TOKENS} tokens with all maps, 124M shape ÷ TransformerLens `run_with_cache`"
    if not LENS.is_dir():
        yield Row(what, "TransformerLens is not installed: `make .venv/lens`", "faster", None)
        return
    torch.set_num_threads(1)
    model, theirs = Large.tiny(), hooked()
    request = Request.check(model.card, text="the old king " * TOKENS, settings={"length": 1})
    model.longest_prompt = TOKENS - 1  # and the mark before it
    inputs = read_ids(model, request)

    def ours() -> list[np.ndarray]:
        return [rows.weights for rows in next(iter(model.generate(request))).attentions]

    def documented() -> list[np.ndarray]:
        with torch.inference_mode():
            cache = theirs.run_with_cache(inputs)[1]
        return [cache["pattern", layer][0].numpy() for layer in range(theirs.cfg.n_layers)]

    def frugal() -> list[np.ndarray]:
        with torch.inference_mode():
            cache = theirs.run_with_cache(inputs, return_type=None, names_filter=lambda name: name.endswith("hook_pattern"))[1]
        return [cache["pattern", layer][0].numpy() for layer in range(theirs.cfg.n_layers)]

    for theirs_too in (documented, frugal):
        if [each.shape for each in ours()] != [each.shape for each in theirs_too()]:
            raise RuntimeError("the maps differ in shape")
    times: dict[Any, list[float]] = {each: [] for each in (ours, documented, frugal)}
    for _ in range(REPETITIONS):
        for each, taken in times.items():
            taken.append(seconds(each))
    mine, whole, spare = (statistics.median(times[each]) for each in (ours, documented, frugal))
    yield Row(what, f"{mine * 1000:.0f} ÷ {whole * 1000:.0f} ms ({spare * 1000:.0f} ms for patterns alone)", "faster", mine < whole)


def hooked() -> Any:
    """GPT-2's sizes with random weights, in TransformerLens."""
    lens = other("transformer_lens")
    sizes = {"n_layers": 12, "n_heads": 12, "d_model": 768, "d_head": 64, "d_mlp": 3072, "n_ctx": 1024, "d_vocab": 50257}
    config = lens.HookedTransformerConfig(**sizes, act_fn="gelu_new", normalization_type="LN", device="cpu", seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the next version will be without it
        return lens.HookedTransformer(config)
