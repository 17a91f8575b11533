"""What heads measurably do: how much of their weight goes where, over a fixed sample of text.

Letters: H heads, K tokens of a text; its map is (H, K, K), row q of the query at token q.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from generators.base import Request
from generators.training import write_card
from generators.writing import Writer

ROLES = ("before", "first", "same", "after_same")
"""On the token before; on the first token; on the same token earlier; on the token after an earlier copy (induction)."""

FIRST_ROW = 2  # at row 1 the token before is the first token
DIGITS = 3

SAMPLE = {
    "en": (
        "An old fisherman had three daughters, and the youngest of the three had a red boat. Every morning the old fisherman went to the "
        'sea, and every evening he came home with nothing. "Father," said the youngest daughter, "take my red boat." So the old fisherman '
        "took the red boat and went to the sea.",
        'The cat of the miller and the dog of the baker met at the bridge. "Good morning, dog," said the cat. "Good morning, cat," said '
        'the dog. "Where are you going so early?" "I am going to the king," said the cat, "to tell the king that the mice have eaten his '
        'cheese." "Then I will go with you," said the dog, "for the mice have eaten my bread."',
        "Once there was a little tailor who lived in a little house on a little hill. In the house he had a table, and on the table he had "
        "a needle, and with the needle he made a coat for the queen. When the queen saw the coat she laughed, and when the tailor saw the "
        "queen laugh he was glad, and he went back to his little house on the little hill.",
        'Jack looked at the giant, and the giant looked at Jack. "Who are you?" asked the giant. "I am Jack," said Jack. "And what do you '
        'want, Jack?" "I want the golden hen," said Jack. "The golden hen is mine," said the giant, and he shut the door. But Jack came '
        "back in the night, opened the door, and took the golden hen.",
    ),
    "zh": (
        "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。",
        "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。",
        "空山不见人，但闻人语响。返景入深林，复照青苔上。",
        "千山鸟飞绝，万径人踪灭。孤舟蓑笠翁，独钓寒江雪。",
        "朝辞白帝彩云间，千里江陵一日还。两岸猿声啼不住，轻舟已过万重山。",
        "故人西辞黄鹤楼，烟花三月下扬州。孤帆远影碧空尽，唯见长江天际流。",
        "秦时明月汉时关，万里长征人未还。但使龙城飞将在，不教胡马度阴山。",
        "渭城朝雨浥轻尘，客舍青青柳色新。劝君更尽一杯酒，西出阳关无故人。",
    ),
}
"""Language → texts, short enough to be read whole."""


def places(ids: np.ndarray) -> dict[str, np.ndarray]:
    """Role → (K, K) bool: the keys that count for each query. ids: (K,) tokens. A query's own position never counts.

    The last two: Olsson et al. 2022, "In-context Learning and Induction Heads", section on prefix matching.
    """
    count = len(ids)
    earlier = np.tri(count, k=-1, dtype=bool)
    same = (ids[:, None] == ids) & earlier
    after_same = np.zeros_like(same)
    after_same[:, 1:] = same[:, :-1]
    first = np.zeros_like(same)
    first[:, :1] = True
    return {"before": np.eye(count, k=-1, dtype=bool), "first": first & earlier, "same": same, "after_same": after_same & earlier}


def shares(texts: list[tuple[np.ndarray, np.ndarray]]) -> list[dict[str, float]]:
    """What each head does: the mean share of a query's weight, by role, over the queries of all texts that have such a key.

    texts: (weights (H, K, K), ids (K,)) each. A role that no query can play gets 0.
    """
    sums = {role: np.zeros(len(texts[0][0])) for role in ROLES}
    queries = dict.fromkeys(ROLES, 0)
    for weights, ids in texts:
        for role, where in places(ids).items():
            able = where.any(-1) & (np.arange(len(ids)) >= FIRST_ROW)  # (K,)
            sums[role] += (weights * where).sum(-1)[:, able].sum(-1)
            queries[role] += int(able.sum())
    heads = range(len(texts[0][0]))
    return [{role: round(float(sums[role][head] / max(1, queries[role])), DIGITS) for role in ROLES} for head in heads]


def heads_of(run: Writer[Any, Any], variant: str) -> dict[str, list[list[dict[str, float]]]]:
    """{"self": [[{role: share} for each head] for each layer]} of a writer over the sample of its language."""
    texts: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    for text in SAMPLE[run.card.variant(variant).language]:
        request = Request.check(run.card, variant=variant, text=text)
        ids = np.array(run.prompt(request).ids)
        for rows in next(run.generate(request)).attentions:
            texts.setdefault(rows.layer, []).append((rows.dense()[..., : len(ids)], ids))
    return {"self": [shares(texts[layer]) for layer in sorted(texts)]}


def write_roles(run: Writer[Any, Any], variant: str, folder: Path) -> None:
    """Write what the heads of the model in a variant's folder do into its card."""
    write_card(folder, heads=heads_of(run, variant))
