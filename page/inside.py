"""Inside one step: every number of one head for one query, as the model had it, from q and the keys to the weighted sum.

    inside(desk, {run, query, step?, kind, layer, head})  →  `numbers_message`

By running the step again: what a run keeps are its weights. The numbers of the last few queries stay, so that heads are changed at once.
Letters: H heads, K keys, D numbers of a query or key, V of a value.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from generators.base import BadInput
from generators.edits import Edit, Kind
from generators.trace import Detail, Step
from page.answers import sentence
from page.asked import read_index, read_kind, read_object
from page.runs import Run

if TYPE_CHECKING:
    from page.desk import Desk

KEPT = 4  # queries of a run whose numbers stay
NEAR = 1e-4  # of the largest score or number: what sums in another order may be apart
SHARES = ("gamma", "gate")  # facts of a step that its weighted sum is multiplied by

_kept: WeakKeyDictionary[Run, OrderedDict[tuple[int, int | None], tuple[Detail, ...]]] = WeakKeyDictionary()


async def inside(desk: Desk, given: Any) -> dict[str, Any]:
    """{run, query, step?, kind, layer, head} → as `numbers_message` says; step: of a picture that forms."""
    with sentence() as answer:
        given = read_object(given)
        run, query, kind = desk.find(given), read_index(given.get("query")), read_kind(given.get("kind"))
        layer, head = read_index(given.get("layer")), read_index(given.get("head"))
        step = None if given.get("step") is None else read_index(given["step"])
        details = await _numbers(desk, run, query, step)
        detail = next((each for each in details if (each.kind, each.layer) == (kind, layer)), None)
        if detail is None or head >= len(detail.query):
            raise BadInput("This run has no such position.", "这次运行没有这个位置。")
        made = step_of(run.trace.steps, kind, layer, query, step)
        answer |= numbers_message(detail, head, facts=made.facts if made else {}, edits=run.request.edits, step=made.index if made else 0)
    return answer


def numbers_message(
    detail: Detail, head: int, *, facts: Mapping[str, float] | None = None, edits: Iterable[Edit] = (), step: int = 0
) -> dict[str, Any]:
    """One head of a detail that has keys and values.

    q (D), products, scores (null where it may not look), weights (K), context (V), contexts (H, V): float32 as they are.
    k (K, D), v (K, V): base64 of little-endian float32. direction (D): v of an additive score, whose products are vᵀ tanh(q + k).
    plain (K): softmax of the scores, and total (V): sum of the weighted values, each only where what came of it is something else.
    hidden: keys that an edit keeps from being looked at. changed: which of scores, weights, context are not what the ones before them
    give; edited: whether edits reach here, else it is the model's own doing (a bound on the scores, a position that is added).
    after: facts that the sum is multiplied by. Raises BadInput where keys and values were not kept.
    """
    if detail.key is None or detail.value is None:
        raise BadInput("The keys and values of this step were not kept.", "这一步的键和值没有保存。")
    query, key, value = (np.asarray(each[head], np.float32) for each in (detail.query, detail.key, detail.value))
    scores, weights, context = (np.asarray(each[head], np.float32) for each in (detail.scores, detail.weights, detail.context))
    direction, scale = detail.direction, 1.0 if detail.scale is None else float(detail.scale)
    products = key @ query if direction is None else np.tanh(query + key) @ direction  # (K,)
    plain, total = softmax(scores), weights @ value
    allowed = np.isfinite(scores)
    changed = {
        "scores": not close(products[allowed] * scale, scores[allowed]),
        "weights": not close(plain, weights),
        "context": not close(total, context),
    }
    reach = [each for each in edits if each.reaches(detail.kind, detail.layer, step) and _in_scope(each, head, detail.query_index)]
    hidden = {place for each in reach if each.action == "hide" for place in each.keys if place < len(scores) and not allowed[place]}
    return {
        "kind": detail.kind,
        "layer": detail.layer,
        "head": head,
        "heads": len(detail.query),
        "query": detail.query_index,
        "scale": scale,
        "q": _list(query),
        "k": _base64(key),
        "v": _base64(value),
        "products": _list(products),
        "scores": _list(scores),
        "weights": _list(weights),
        "context": _list(context),
        "contexts": [_list(each) for each in detail.context],
        "hidden": sorted(hidden),
        "changed": [name for name, found in changed.items() if found],
        "edited": bool(reach),
        "after": [{"name": name, "value": value} for name, value in (facts or {}).items() if name in SHARES and math.isfinite(value)],
        **({} if direction is None else {"direction": _list(direction)}),
        **({"plain": _list(plain)} if changed["weights"] else {}),
        **({"total": _list(total)} if changed["context"] else {}),
    }


def softmax(scores: np.ndarray) -> np.ndarray:
    """exp(s) over its sum; 0 where a score is -inf. (K,) → (K,)."""
    powers: np.ndarray = np.exp(scores - scores.max())
    return powers / powers.sum()


def close(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether they are the same numbers but for the order of their sums."""
    most = max((float(np.abs(each).max()) for each in (one, other) if each.size), default=0.0)
    return bool(np.abs(one - other).max(initial=0.0) <= NEAR * max(most, NEAR))


def step_of(steps: Iterable[Step], kind: Kind, layer: int, query: int, step: int | None = None) -> Step | None:
    """The step that computed that row: the one that is named, else the last that has it."""
    found = None
    for each in steps:
        if step in (None, each.index):
            for rows in each.attentions:
                if (rows.kind, rows.layer) == (kind, layer) and 0 <= query - rows.first_query < len(rows.query):
                    found = each
    return found


async def _numbers(desk: Desk, run: Run, query: int, step: int | None) -> tuple[Detail, ...]:
    """Details with their keys and values: those that are kept, else by running the step again."""
    known = _kept.setdefault(run, OrderedDict())
    if (query, step) not in known:
        found = await desk.numbers(run, query, step, whole=True)
        if not run.done:  # more of it may come
            return found
        known[query, step] = found
    known.move_to_end((query, step))
    if len(known) > KEPT:
        known.popitem(last=False)
    return known[query, step]


def _in_scope(edit: Edit, head: int, query: int) -> bool:
    return (edit.heads is None or head in edit.heads) and (edit.queries is None or query in edit.queries)


def _list(numbers: np.ndarray) -> list[float | None]:
    """float32 as JSON has it; null for what is not finite."""
    return [each if math.isfinite(each) else None for each in numbers.astype(np.float64).tolist()]


def _base64(numbers: np.ndarray) -> str:
    return b64encode(np.ascontiguousarray(numbers, "<f4").tobytes()).decode()
