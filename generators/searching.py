"""Beam search: the likeliest target that a few hypotheses at a time can find.

Letters: B sources, W beams of each, N vocabulary, S numbers of the writer's state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor

from generators.tokens import END

LENGTH_POWER = 0.6
"""Hypotheses of different lengths are compared by log p / length^0.6: plain log p would favour the short ones."""


@dataclass(frozen=True)
class Hypothesis:
    """A target, or its beginning, with the logarithm (base e) of its probability; the end mark is its last token once it ended."""

    tokens: tuple[int, ...]
    score: float

    @property
    def ended(self) -> bool:
        return self.tokens[-1:] == (END,)


class Source(Protocol):
    """What was read, ready to be looked at."""

    @property
    def start(self) -> Tensor:
        """(B, S) the writer's first state."""

    def repeat(self, rows: Tensor) -> Self:
        """The same with its batch rows taken in that order."""


Read = TypeVar("Read", bound=Source)
Reading = TypeVar("Reading", bound=Source, contravariant=True)


class Writer(Protocol[Reading]):
    """What writes a target."""

    def step(self, token: Tensor, state: Tensor, source: Reading) -> tuple[Tensor, Tensor]:
        """Logits (B, N) of the next token, and the state (B, S) that made them. token: (B,)."""


@torch.inference_mode()
def beam_search(
    model: Writer[Read],
    source: Read,
    *,
    start: int,
    beams: int,
    longest: int,
    never: Tensor,
    forced: Sequence[int] = (),
    refused: Callable[[tuple[int, ...], int], bool] | None = None,
    listen: Callable[[int], AbstractContextManager[object]] = lambda step: nullcontext(),
) -> tuple[list[Hypothesis], list[list[Hypothesis]]]:
    """(the best hypothesis of each source, all hypotheses of the first source after each step, best first).

    start: the token that is read before any is written. never: (2, N) −inf for tokens that are not written as the first, and later.
    forced: tokens that every hypothesis begins with. refused: whether a token must not follow these. listen: what each step is computed
    inside. One beam is greedy search. Ended hypotheses stay and compete.
    """
    count, names = source.start.shape[0], never.shape[1]
    source = source.repeat(torch.arange(count).repeat_interleave(beams))
    state = source.start
    token = torch.full((count * beams,), start)
    score = torch.full((count, beams), -torch.inf)
    score[:, 0] = 0
    ended = torch.zeros(count, beams, dtype=torch.bool)
    length = torch.zeros(count, beams)
    written = torch.empty(count, beams, 0, dtype=torch.long)
    history: list[list[Hypothesis]] = []
    for step in range(longest):
        with listen(step):
            logits, state = model.step(token, state, source)
        likely = (logits.float() + never[min(step, 1)]).log_softmax(-1).view(count, beams, names)
        if step < len(forced):
            kept = likely[..., forced[step]].clone()
            likely = torch.full_like(likely, -torch.inf)
            likely[..., forced[step]] = kept
        likely[ended] = -torch.inf  # what has ended is not written on
        likely[..., END][ended] = 0
        total = score[..., None] + likely  # (B, W, N)
        lengths = torch.where(ended, length, length + 1)
        ranks = total / lengths.clamp_min(1)[..., None] ** LENGTH_POWER
        tops = ranks.flatten(1).topk(min(ranks[0].numel(), 2 * beams if refused is None else 4 * beams)).indices  # (B, …)
        if refused is None:
            tops = tops[:, :beams]
        else:
            tops = torch.tensor([_allowed(tops[0].tolist(), written[0].tolist(), ended[0].tolist(), names, beams, refused)])
        parents, token = tops // names, tops % names  # (B, W)
        score = total.flatten(1).gather(1, tops)
        was_ended = ended.gather(1, parents)
        length = lengths.gather(1, parents)
        ended = was_ended | (token == END) | score.isneginf()
        written = torch.cat([written.gather(1, parents[..., None].expand(-1, -1, step)), token[..., None]], -1)
        history.append(_hypotheses(written[0], score[0]))
        if bool(ended.all()):
            break
        rows = (parents + torch.arange(count)[:, None] * beams).flatten()
        state, token = state[rows], token.flatten()
    return [_hypotheses(written[index, :1], score[index, :1])[0] for index in range(count)], history


def _allowed(
    tops: list[int], written: list[list[int]], ended: list[bool], names: int, beams: int, refused: Callable[[tuple[int, ...], int], bool]
) -> list[int]:
    """The first `beams` of the ranked continuations that are not refused; the last ones again where there are too few."""
    kept = [top for top in tops if ended[top // names] or not refused(tuple(written[top // names]), top % names)][:beams] or tops[:1]
    return kept + kept[-1:] * (beams - len(kept))


def _hypotheses(written: Tensor, score: Tensor) -> list[Hypothesis]:
    """Those that are possible; an ended one without the end marks that fill it up."""
    found = []
    for tokens, value in zip(written.tolist(), score.tolist(), strict=True):
        if value > -torch.inf:
            found.append(Hypothesis(tuple(tokens[: tokens.index(END) + 1] if END in tokens else tokens), value))
    return found
