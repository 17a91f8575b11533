"""A name that comes early and is asked for later: does a model that writes remember it, and over how many words?

Each prompt introduces a name, goes on with whole sentences of a real tale in which no name of the test stands, and ends with a cue
after which the name must come again: `"Good morning," said Alice.` … `"Good morning," said`. Asking after a measured distance is
Khandelwal et al. 2018 ("Sharp Nearby, Fuzzy Far Away"); copying a word from the context, Merity et al. 2017 ("Pointer Sentinel
Mixture Models").

The cue repeats the words that introduced the name, so what is asked for is copying. The two frames were chosen among several, on tales kept
apart from training, as ones that models with attention can answer: they show what attention makes possible, not how well a story is
understood. Introduced and asked for in different words ("There was once a child whose name was Alice." … "My name is"), on the held-out
tales the transformer does no better than its twin, and the LSTM with attention finds 27, 22 and 16 % after 16, 64 and 256 words.

Stretches come more than once in the prompts; intervals take the prompts as independent, so they are somewhat too narrow.
Letters: P prompts, B rows of a batch, T tokens of a row, M names, N vocabulary.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from generators import chance
from generators.data import Document
from generators.tokens import END, TEXT, Vocabulary

DISTANCES = (16, 64, 256)
"""Words between, marks of punctuation counted too: so a prompt is the same text for every vocabulary."""
# fmt: off
NAMES = (
    "Jack", "Hans", "Peter", "John", "Robin", "Bill", "Mary", "Alice",
    "Sara", "Heidi", "Dorothy", "Theseus", "Mowgli", "Glinda", "Bobbie", "Ulysses",
)
# fmt: on
"""A piece each in the vocabularies of both models of tales."""
FRAMES = (('"Good morning," said {}.', '"Good morning," said'), ("The child was called {}.", "The child was called"))
"""(How a name is introduced, how it is asked for), taken in turn."""
ROUNDS = 16  # in each, every name is asked for once: no name gains by being frequent

Predict = Callable[[Tensor], Tensor]
"""Token ids (B, T) → logits (B, T, N)."""

_SENTENCE = re.compile(r"\S[^\n]*?[.!?][\"'”’]*(?=\s|$)|\S[^\n]*")
_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
_ANY_NAME = re.compile(rf"\b(?:{'|'.join(NAMES)})\b")


@dataclass(frozen=True)
class Prompt:
    """A text, and which of NAMES must come next."""

    text: str
    name: int


def evaluate(
    predict: Callable[[bool], Predict], sides: Sequence[bool], vocabulary: Vocabulary, tales: Sequence[Document], rounds: int = ROUNDS
) -> dict[str, dict[str, Any]]:
    """copied_name_D: the share of prompts where the name gets the highest probability of all names, D words after it came.

    sides: which of with (True) and without attention (False) there are. Empty for a vocabulary that cannot tell the names apart by
    their first pieces. Distances over which the tales have no stretch are left out.
    """
    firsts = [vocabulary.encode(f" {name}")[0] for name in NAMES]
    if len({*firsts}) < len(NAMES):
        return {}
    found = {}
    for distance in DISTANCES:
        prompts = compose(tales, distance, rounds)
        if prompts:
            one, other = (
                chance.mean_of(recalled(predict(side), prompts, vocabulary, firsts)) if side in sides else None for side in (True, False)
            )
            row = chance.row(one, other, "share", "higher", [len(prompts)])
            found[f"copied_name_{distance}"] = row | {"floor": 1 / len(NAMES)}
    return found


def compose(tales: Iterable[Document], distance: int, rounds: int = ROUNDS) -> list[Prompt]:
    """Every name once a round, each over a stretch of the tales drawn with one seed; none where there are no stretches."""
    between = [stretch for tale in tales for stretch in stretches(tale.text, distance)]
    random.Random(distance).shuffle(between)
    prompts: list[Prompt] = []
    for number in range(rounds * len(NAMES) if between else 0):
        turn, name = divmod(number, len(NAMES))
        first, last = FRAMES[turn % len(FRAMES)]
        text = "\n".join([first.format(NAMES[name]), between[number % len(between)], last])
        prompts.append(Prompt(text, name))
    return prompts


def stretches(text: str, distance: int) -> list[str]:
    """Runs of whole sentences of exactly `distance` words and marks, without any of the names; they do not overlap."""
    sentences = [*_SENTENCE.finditer(text)]
    lengths = [len(_WORD.findall(sentence[0])) for sentence in sentences]
    found: list[str] = []
    start = end = 0  # of the run: its first sentence, and the one after its last
    words = 0
    while end < len(sentences):
        words, end = words + lengths[end], end + 1
        if _ANY_NAME.search(sentences[end - 1][0]):
            start, words = end, 0
        while words > distance:
            start, words = start + 1, words - lengths[start]
        if words == distance:
            found.append(text[sentences[start].start() : sentences[end - 1].end()])
            start, words = end, 0
    return found


@torch.inference_mode()
def recalled(predict: Predict, prompts: Sequence[Prompt], vocabulary: Vocabulary, firsts: Sequence[int], batch: int = 16) -> np.ndarray:
    """Whether the name that must come is the most probable one, (P,) bool. firsts: the first token of each name, (M,)."""
    rows = [[TEXT, *vocabulary.encode(prompt.text)] for prompt in prompts]
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    right = np.empty(len(rows), bool)
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        lengths = torch.tensor([len(rows[index]) for index in part])
        ids = torch.full((len(part), int(lengths.max())), END)  # what fills a row comes after what is read: no model looks ahead
        for place, index in enumerate(part):
            ids[place, : len(rows[index])] = torch.tensor(rows[index])
        logits = predict(ids)[torch.arange(len(part)), lengths - 1]  # (B, N)
        best = logits[:, [*firsts]].argmax(1)
        right[part] = [prompts[index].name == chosen for index, chosen in zip(part, best.tolist(), strict=True)]
    return right
