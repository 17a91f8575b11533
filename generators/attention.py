"""Attention: relevance, weights, weighted sum; and the one place where weights are seen and changed.

Every attention of every model calls `attend` (or `attend_additive`). Nobody listening, it takes torch's fused kernel.
Inside `watch(…)` the three components run one after the other, each call reports what it used, and edits apply.

Letters: B batch, H heads, G heads of keys and values (mostly H; else G divides H, and H/G consecutive heads share one), Q queries,
K keys, D features of query and key, V features of a value, A features of an additive score.

`watch` is entered and left inside one step of a generator, never across a `yield`: the page steps a generator by a new
thread and a new copied context each time, and a context variable held across a yield would be gone at the second step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from generators.edits import Edit

Name = tuple[str, int]
"""Kind ("self", "cross" or "encoder") and layer of an attention in its model."""


def relevance(
    query: Tensor, key: Tensor, *, scale: float | None = None, softcap: float | None = None, bias: Tensor | None = None
) -> Tensor:
    """Scores q·kᵀ/√d of every query with every key.

    query: (B, H, Q, D). key: (B, G, K, D). bias: added, broadcast to (B, H, Q, K), as T5's positions. Returns (B, H, Q, K).
    scale replaces 1/√D. softcap bounds the scores by cap·tanh(scores/cap), as in Gemma 2.
    Vaswani et al. 2017, section 3.2.1, equation 1, inside the softmax.
    """
    scores = _by_head(query, key.mT).mul_(1 / math.sqrt(query.shape[-1]) if scale is None else scale)  # (B, H, Q, K)
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    return scores if bias is None else scores + bias


def additive_relevance(query: Tensor, key: Tensor, direction: Tensor) -> Tensor:
    """Scores vᵀ tanh(W s + U h) of every query with every key.

    query: (B, Q, A), W s already applied. key: (B, K, A), U h already applied. direction: (A,), v. Returns (B, Q, K).
    Bahdanau, Cho and Bengio 2015, appendix A.1.2.
    """
    return torch.tanh(query.unsqueeze(-2) + key.unsqueeze(-3)) @ direction  # (B, Q, K, A) @ (A,) -> (B, Q, K)


def distribute(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Weights: the softmax of the scores over the keys that a query may look at.

    scores: (…, Q, K). mask: broadcasts to it, True where the query may look; every row must allow one key at least.
    Returns (…, Q, K); each row sums to 1, keys not allowed get exactly 0. Computed in float32 at least.
    """
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    wide = scores.dtype if scores.dtype == torch.float64 else torch.float32
    return torch.softmax(scores, dim=-1, dtype=wide).to(scores.dtype)


def distribute_here(scores: Tensor) -> Tensor:
    """`distribute`, into the memory of the scores where that can be: fresh memory would cost more than the softmax itself."""
    if scores.requires_grad or scores.dtype not in (torch.float32, torch.float64):
        return distribute(scores)
    return torch.softmax(scores, dim=-1, out=scores)


def weighted_sum(weights: Tensor, value: Tensor) -> Tensor:
    """Context: the values, weighted. weights: (B, H, Q, K). value: (B, G, K, V). Returns (B, H, Q, V)."""
    return _by_head(weights, value)


def _by_head(rows: Tensor, shared: Tensor) -> Tensor:
    """rows (…, H, Q, I) @ shared (…, G, I, J) -> (…, H, Q, J). Heads that share are one product of more rows: nothing is copied.

    Ainslie et al. 2023, "GQA", section 2.2.
    """
    if rows.dim() < 4 or rows.shape[-3] == shared.shape[-3]:
        return rows @ shared
    return (rows.unflatten(-3, (shared.shape[-3], -1)).flatten(-3, -2) @ shared).view(*rows.shape[:-1], shared.shape[-1])


def causal_mask(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    """True where a query may look: at itself and before. (Q, K); the last query stands at the last key."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    name: Name,
    mask: Tensor | None = None,
    scale: float | None = None,
    softcap: float | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """Dot-product attention: softmax(q·kᵀ/√d)·v over the allowed keys.

    query: (B, H, Q, D). key: (B, G, K, D). value: (B, G, K, V). mask: broadcasts to (B, H, Q, K), True where a query may look.
    name: where in its model this attention stands. Returns (B, H, Q, V).
    Vaswani et al. 2017, section 3.2.1, equation 1.
    """
    watcher = _watcher.get()
    if watcher is None and softcap is None:
        if bias is not None and mask is not None:
            mask = bias.masked_fill(~mask, -torch.inf)
        grouped = query.shape[1] != key.shape[1]
        return F.scaled_dot_product_attention(query, key, value, bias if mask is None else mask, scale=scale, enable_gqa=grouped)
    scores = relevance(query, key, scale=scale, softcap=softcap, bias=bias)
    if watcher is None:
        return weighted_sum(distribute(scores, mask), value)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    return watcher.hear(name, query, key, value, scores, mask, scale=factor)


def attend_additive(query: Tensor, key: Tensor, value: Tensor, direction: Tensor, *, name: Name, mask: Tensor | None = None) -> Tensor:
    """Additive attention: softmax(vᵀ tanh(W s + U h))·h over the allowed keys, one head.

    query: (B, Q, A), W s. key: (B, K, A), U h. value: (B, K, V). direction: (A,), v. mask: broadcasts to (B, Q, K).
    Returns (B, Q, V). Bahdanau, Cho and Bengio 2015, section 3.1, equations 5 and 6.
    """
    scores = additive_relevance(query, key, direction)  # (B, Q, K)
    watcher = _watcher.get()
    if watcher is None:
        return weighted_sum(distribute(scores, mask), value)
    if mask is not None:
        mask = mask.expand_as(scores).unsqueeze(1)
    one_head = watcher.hear(name, query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1), scores.unsqueeze(1), mask, direction)
    return one_head.squeeze(1)


@dataclass(frozen=True)
class Inside:
    """The numbers of one query in one attention, batch row 0. D, V as in the call.

    scale: what q·k was multiplied by; of an additive score, which knows no such factor, 1.
    """

    query_index: int
    query: Tensor  # (H, D)
    key: Tensor  # (H, K, D)
    value: Tensor  # (H, K, V)
    scores: Tensor  # (H, K), after edits; -inf where the query may not look
    weights: Tensor  # (H, K)
    context: Tensor  # (H, V)
    direction: Tensor | None = None  # (D,), v of an additive score
    scale: float = 1.0


@dataclass(frozen=True)
class Heard:
    """What one call of attention used: the weights after edits."""

    name: Name
    weights: Tensor  # (B, H, Q, K)
    used: Tensor | None  # (H, Q) False where the weighted sum was switched off; None: all used
    first_query: int
    inside: Inside | None


@dataclass
class Watcher:
    """Hears every attention of one step, and carries out the edits."""

    edits: tuple[Edit, ...] = ()
    step: int = 0
    first_query: int = 0
    detail: int | None = None
    heard: list[Heard] = field(default_factory=list)

    def hear(
        self,
        name: Name,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        scores: Tensor,
        mask: Tensor | None,
        direction: Tensor | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        """Weights and context of one call, edited; reported in `heard`. scores (B, H, Q, K) are overwritten. Returns (B, H, Q, V)."""
        edits = [edit for edit in self.edits if edit.reaches(*name, self.step)]
        used = None
        row = None if self.detail is None else self.detail - self.first_query
        pinned = row is not None and 0 <= row < query.shape[2]
        if not edits:
            if mask is not None:
                scores.add_(torch.where(mask, 0.0, -torch.inf))  # on a mask that all queries share, a fraction of masked_fill's time
            asked = scores[0, :, row].clone() if pinned else None
            weights = distribute_here(scores)
            context = weighted_sum(weights, value)
        else:
            allowed = (scores.new_ones((), dtype=torch.bool) if mask is None else mask).expand_as(scores)
            scores, allowed = self._edit_scores(name, edits, scores, allowed)
            weights = self._edit_weights(name, edits, distribute(scores, allowed), allowed)
            asked = scores.masked_fill(~allowed, -torch.inf)[0, :, row] if pinned else None
            context, used = self._edit_context(edits, weighted_sum(weights, value))
        inside = None
        if asked is not None and row is not None:
            groups = query.shape[1] // key.shape[1]
            inside = Inside(
                self.first_query + row,
                query[0, :, row],
                key[0].repeat_interleave(groups, 0),
                value[0].repeat_interleave(groups, 0),
                asked,
                weights[0, :, row],
                context[0, :, row],
                direction,
                scale,
            )
        self.heard.append(Heard(name, weights, used, self.first_query, inside))
        return context

    def _scope(self, edit: Edit, like: Tensor) -> Tensor:
        """(H, Q) True where an edit applies to a call with `like` of shape (B, H, Q, …)."""
        heads, queries = like.shape[1:3]
        scope = torch.ones(heads, queries, dtype=torch.bool, device=like.device)
        if edit.heads is not None:
            scope &= _among(edit.heads, 0, heads, like.device)[:, None]
        if edit.queries is not None:
            scope &= _among(edit.queries, self.first_query, queries, like.device)
        return scope

    def _edit_scores(self, name: Name, edits: Sequence[Edit], scores: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        left = allowed
        for edit in edits:
            if edit.action == "sharpness":
                scores = torch.where(self._scope(edit, scores)[..., None], scores * edit.value, scores)
            elif edit.action == "hide":
                hidden = _among(edit.keys, 0, scores.shape[-1], scores.device)
                left = left & ~(self._scope(edit, scores)[..., None] & hidden)
        lost = ~left.any(-1, keepdim=True)  # (B, H, Q, 1)
        if lost.any():
            left = torch.where(lost, self._last_resort(name, allowed), left)
        return scores, left

    def _last_resort(self, name: Name, allowed: Tensor) -> Tensor:
        """What a query keeps when an edit hid everything: its own position, else all that it was allowed. (B, H, Q, K)."""
        queries, keys = allowed.shape[-2:]
        if name[0] == "cross" or self.first_query + queries > keys:  # another axis, or pooled keys: no key is the query's own
            return allowed
        own = torch.zeros(queries, keys, dtype=torch.bool, device=allowed.device)
        own[torch.arange(queries), self.first_query + torch.arange(queries)] = True
        own = own & allowed
        return torch.where(own.any(-1, keepdim=True), own, allowed)

    def _edit_weights(self, name: Name, edits: Sequence[Edit], weights: Tensor, allowed: Tensor) -> Tensor:
        for edit in edits:
            if edit.action == "uniform":
                changed = allowed / allowed.sum(-1, keepdim=True)
            elif edit.action == "shuffle":
                changed = self._shuffled(name, edit, weights, allowed)
            elif edit.action == "paint":
                changed = self._painted(edit, weights, allowed)
            else:
                continue
            weights = torch.where(self._scope(edit, weights)[..., None], changed.to(weights.dtype), weights)
        return weights

    def _shuffled(self, name: Name, edit: Edit, weights: Tensor, allowed: Tensor) -> Tensor:
        """Each row's weights permuted among its allowed keys; the permutation depends on seed, layer and query only."""
        shuffled = weights.clone()
        for row in range(weights.shape[2]):
            dice = torch.Generator().manual_seed(edit.seed * 1_000_003 + name[1] * 100_003 + self.first_query + row)
            order = torch.rand(weights.shape[-1], generator=dice).argsort()
            for batch in range(weights.shape[0]):
                for head in range(weights.shape[1]):
                    keys = allowed[batch, head, row].nonzero().flatten()
                    moved = order[torch.isin(order, keys.cpu())].to(keys.device)
                    shuffled[batch, head, row, keys] = weights[batch, head, row, moved]
        return shuffled

    def _painted(self, edit: Edit, weights: Tensor, allowed: Tensor) -> Tensor:
        """The given rows on the scope's heads and queries, normalised; a row with nothing on an allowed key stays as it was."""
        given = torch.tensor(edit.rows, dtype=torch.float32, device=weights.device)  # (H', Q', K')
        heads, queries, keys = weights.shape[1:]
        given = F.pad(given, (0, max(0, keys - given.shape[-1])))[..., :keys]
        painted = weights.float().clone()
        head_list = range(heads) if edit.heads is None else [h for h in edit.heads if h < heads]
        query_list = range(self.first_query, self.first_query + queries) if edit.queries is None else edit.queries
        for i, head in enumerate(head_list):
            for j, position in enumerate(query_list):
                row = position - self.first_query
                if 0 <= row < queries:
                    source = given[min(i, given.shape[0] - 1), min(j, given.shape[1] - 1)]
                    painted[:, head, row] = source
        painted = painted * allowed
        total = painted.sum(-1, keepdim=True)
        return torch.where(total > 0, painted / total.clamp_min(1e-38), weights.float())

    def _edit_context(self, edits: Sequence[Edit], context: Tensor) -> tuple[Tensor, Tensor | None]:
        used = None
        for edit in edits:
            if edit.action == "off":
                off = self._scope(edit, context)
                used = ~off if used is None else used & ~off
        if used is None:
            return context, None
        return torch.where(used[..., None], context, torch.zeros((), dtype=context.dtype, device=context.device)), used


def _among(positions: Sequence[int], first: int, count: int, device: torch.device) -> Tensor:
    """(count,) True at the positions, of which the first is numbered `first`."""
    mask = torch.zeros(count, dtype=torch.bool, device=device)
    inside = [each - first for each in positions if 0 <= each - first < count]
    mask[inside] = True
    return mask


_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watch(edits: Sequence[Edit] = (), *, step: int = 0, first_query: int = 0, detail: int | None = None) -> Iterator[Watcher]:
    """Hear and change every attention called inside the block, in this thread and context.

    step: index of the generator's step, for edits with a scope of steps. first_query: absolute position of the first query
    row of each call. detail: absolute position of one query whose scores, q, k, v and context are kept too.
    Yields the Watcher; its `heard` lists the calls in order. Enter and leave it within one step.
    """
    watcher = Watcher(tuple(edits), step, first_query, detail)
    token = _watcher.set(watcher)
    try:
        yield watcher
    finally:
        _watcher.reset(token)


def watched() -> bool:
    """Whether a watcher listens in this context."""
    return _watcher.get() is not None
