"""The transformers that the benchmarks run: the bundled one, and GPT-2's sizes with random weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, GPT2Config, GPT2LMHeadModel, PreTrainedModel

import generators
from generators import gpt, tokens
from generators.base import Request
from generators.pretrained import GrowingCache, watchable
from generators.writing import Writer
from tests.benchmarks.long_runs import OPENINGS

BUNDLED = "bundled `gpt`"
LARGE = "124M shape"


class Large(Writer[PreTrainedModel, Cache]):
    """The page's path over 124 million parameters: GPT-2's 12 layers of 12 heads, random weights, one character a token."""

    card = gpt.Run.card
    longest = longest_prompt = 1024

    @classmethod
    def load(cls, folder: Path) -> Large:
        return cls.tiny()

    @classmethod
    def tiny(cls) -> Large:
        torch.manual_seed(0)
        config = GPT2Config(bos_token_id=None, eos_token_id=None)
        vocabulary = tokens.Characters([chr(0x10000 + number) for number in range(config.vocab_size - 256 - len(tokens.SPECIALS))])
        return cls(vocabulary, watchable(GPT2LMHeadModel(config)), None, verse=False)

    def read(self, model: PreTrainedModel, new: Tensor, memory: Cache | None) -> tuple[Tensor, Cache]:
        memory = GrowingCache() if memory is None else memory
        return model(input_ids=new, past_key_values=memory, use_cache=True, logits_to_keep=1).logits[0, -1], memory


def transformers() -> dict[str, Writer[Any, Any]]:
    """By the name in the table."""
    return {BUNDLED: cast(gpt.Run, generators.load("gpt")), LARGE: Large.tiny()}


def greedy(model: Writer[Any, Any], length: int) -> Request:
    """A request for that many tokens, the most likely each time. Raises RuntimeError if every opening ends before."""
    for opening in OPENINGS:
        request = Request.check(model.card, text=opening, settings={"temperature": 0, "length": length})
        if sum(1 for _ in model.generate(request)) == length:
            return request
    raise RuntimeError(f"no opening is followed by {length} tokens")


def read_ids(model: Writer[Any, Any], request: Request) -> Tensor:
    """(1, T) what the model reads before its first choice."""
    return torch.tensor([model.prompt(request).ids])


def as_shipped(model: PreTrainedModel, attention: str) -> PreTrainedModel:
    """The same weights under one of transformers' own attentions: "sdpa", "eager"."""
    again = copy.deepcopy(model, {id(weight): weight for weight in model.parameters()})
    again.set_attn_implementation(attention)
    return again


def plain_loop(model: PreTrainedModel, ids: Tensor, length: int) -> Iterator[int]:
    """The tokens of the loop that everybody writes: keys and values kept, the most likely token taken, no weights looked at."""
    memory = DynamicCache(config=model.config)
    for _ in range(length):
        with torch.inference_mode():
            logits = model(input_ids=ids, past_key_values=memory, use_cache=True, logits_to_keep=1).logits
            chosen = int(logits[0, -1].argmax())
            ids = torch.tensor([[chosen]])
        yield chosen
