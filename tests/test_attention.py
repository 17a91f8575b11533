"""The three components: explicit equals fused, what is shown is what is used, edits do what they say."""

import contextvars
import math
import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from generators import attention
from generators.attention import (
    additive_relevance,
    attend,
    attend_additive,
    causal_mask,
    distribute,
    relevance,
    watch,
    watched,
    weighted_sum,
)
from generators.edits import Edit

SELF = ("self", 0)


@st.composite
def calls(draw, square=False):
    """Random query, key, value and mask; every query may look at one key at least."""
    batch, heads, queries = draw(st.integers(1, 2)), draw(st.integers(1, 4)), draw(st.integers(1, 7))
    keys = queries if square else draw(st.integers(1, 9))
    features, values = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    dice = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    sharp = draw(st.sampled_from([0.1, 1.0, 8.0]))
    query = torch.randn(batch, heads, queries, features, generator=dice) * sharp
    key = torch.randn(batch, heads, keys, features, generator=dice)
    value = torch.randn(batch, heads, keys, values, generator=dice)
    kind = draw(st.sampled_from(["none", "causal", "random"]))
    if kind == "none" or (kind == "causal" and queries > keys):
        return query, key, value, None
    if kind == "causal":
        return query, key, value, causal_mask(queries, keys)
    mask = torch.rand(batch, 1, queries, keys, generator=dice) < 0.5
    mask[..., 0] |= ~mask.any(-1)
    return query, key, value, mask


def hear(call, *edits, first_query=0, step=0, detail=None, name=SELF):
    query, key, value, mask = call
    with watch(edits, step=step, first_query=first_query, detail=detail) as watcher:
        context = attend(query, key, value, name=name, mask=mask)
    (heard,) = watcher.heard
    return context, heard


@given(calls())
def test_explicit_equals_fused(call):
    query, key, value, mask = call
    fused = scaled_dot_product_attention(query, key, value, attn_mask=mask)
    assert torch.allclose(attend(query, key, value, name=SELF, mask=mask), fused, atol=1e-5)
    assert torch.allclose(hear(call)[0], fused, atol=1e-5)


@given(calls())
def test_components_are_the_formula(call):
    query, key, value, mask = call
    scores = relevance(query, key)
    assert torch.allclose(scores, torch.einsum("bhqd,bhkd->bhqk", query, key) / math.sqrt(query.shape[-1]), atol=1e-4)
    weights = distribute(scores, mask)
    assert torch.allclose(weights.sum(-1), torch.ones(()), atol=1e-5)
    if mask is not None:
        assert (weights.masked_select(~mask.expand_as(weights)) == 0).all()
    assert torch.allclose(weighted_sum(weights, value), hear(call)[0], atol=1e-5)


@given(calls())
def test_shown_weights_make_the_used_context(call):
    context, heard = hear(call, Edit("sharpness", 2.0), Edit("hide", keys=(0,)), Edit("shuffle", heads=(0,)))
    assert torch.allclose(heard.weights.sum(-1), torch.ones(()), atol=1e-5)
    assert torch.allclose(heard.weights @ call[2], context, atol=1e-5)


@given(calls(square=True), st.sets(st.integers(0, 6), min_size=1))
def test_hidden_keys_get_nothing_and_a_query_keeps_its_own(call, keys):
    query, _, _, mask = call
    allowed = torch.ones(query.shape[2], query.shape[2], dtype=torch.bool) if mask is None else mask
    allowed = allowed.expand(query.shape[0], query.shape[1], -1, -1)
    _, heard = hear(call, Edit("hide", keys=tuple(keys)))
    hidden = torch.tensor([k in keys for k in range(query.shape[2])])
    left = (allowed & ~hidden).any(-1, keepdim=True)
    assert torch.allclose(heard.weights.sum(-1), torch.ones(()), atol=1e-5)
    assert (heard.weights.masked_select(hidden & left) == 0).all()
    own = allowed.diagonal(dim1=-2, dim2=-1).unsqueeze(-1) & ~left  # all hidden, and it may look at itself
    alone = heard.weights.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)
    assert (alone.masked_select(own) == 1).all()


@given(calls())
def test_uniform_and_shuffle_stay_among_allowed_keys(call):
    mask = torch.ones(call[0].shape[2], call[1].shape[2], dtype=torch.bool) if call[3] is None else call[3]
    plain = hear(call)[1].weights
    allowed = mask.expand_as(plain)
    uniform = hear(call, Edit("uniform"))[1].weights
    assert torch.allclose(uniform, allowed / allowed.sum(-1, keepdim=True), atol=1e-6)
    shuffled = hear(call, Edit("shuffle", seed=3))[1].weights
    assert torch.equal(shuffled.sort(-1).values, plain.sort(-1).values)
    assert (shuffled.masked_select(~allowed) == 0).all()
    assert torch.equal(shuffled, hear(call, Edit("shuffle", seed=3))[1].weights)


@given(calls())
def test_painting_what_was_recorded_changes_nothing(call):
    context, heard = hear(call)
    if call[0].shape[0] == 1:
        painted, again = hear(call, Edit("paint", rows=heard.weights[0].tolist()))
        assert torch.allclose(again.weights, heard.weights, atol=1e-6)
        assert torch.allclose(painted, context, atol=1e-5)


def call_of(heads=2, queries=3, keys=3):
    dice = torch.Generator().manual_seed(1)
    return *(torch.randn(1, heads, n, 4, generator=dice) for n in (queries, keys, keys)), causal_mask(queries, keys)


def test_painted_row_is_normalised_among_allowed_keys():
    _, heard = hear(call_of(), Edit("paint", rows=[[[1.0, 3.0, 96.0]]], queries=(1,), heads=(1,)))
    assert heard.weights[0, 1, 1].tolist() == pytest.approx([0.25, 0.75, 0.0])
    plain = hear(call_of())[1].weights
    assert torch.equal(heard.weights[0, 0], plain[0, 0]) and torch.equal(heard.weights[0, 1, 2], plain[0, 1, 2])


def test_painted_row_without_an_allowed_key_stays_as_it_was():
    _, heard = hear(call_of(), Edit("paint", rows=[[[0.0, 0.0, 5.0]]], queries=(0,)))
    assert heard.weights[0, :, 0, 0].tolist() == [1, 1]


def test_off_empties_the_context_and_keeps_the_row():
    context, heard = hear(call_of(), Edit("off", heads=(1,)))
    plain, unedited = hear(call_of())
    assert (context[0, 1] == 0).all() and torch.equal(context[0, 0], plain[0, 0])
    assert torch.equal(heard.weights, unedited.weights)
    assert heard.used.tolist() == [[True] * 3, [False] * 3]


def test_sharpness_zero_is_uniform_and_high_is_greedy():
    flat = hear(call_of(), Edit("sharpness", 0.0))[1].weights
    assert flat[0, 0, 2].tolist() == pytest.approx([1 / 3] * 3)
    assert hear(call_of(), Edit("sharpness", 100.0))[1].weights.max(-1).values.min() > 0.99


@pytest.mark.parametrize(
    ("scope", "reached"),
    [
        ({}, {(h, q) for h in range(2) for q in range(3)}),
        ({"heads": (1,)}, {(1, q) for q in range(3)}),
        ({"queries": (6,)}, {(0, 1), (1, 1)}),
        ({"queries": (0, 1)}, set()),
        ({"layers": (1,)}, set()),
        ({"steps": (4,)}, {(h, q) for h in range(2) for q in range(3)}),
        ({"steps": (5,)}, set()),
        ({"map": "cross"}, set()),
    ],
)
def test_scope(scope, reached):
    call = call_of(keys=8)
    plain = hear(call, first_query=5, step=4)[1].weights
    edited = hear(call, Edit("uniform", **scope), first_query=5, step=4)[1].weights
    changed = (edited != plain).any(-1)[0].nonzero().tolist()
    assert {tuple(each) for each in changed} == reached


def test_hiding_all_of_a_cross_map_keeps_the_row():
    _, heard = hear(call_of(), Edit("hide", keys=(0, 1, 2)), name=("cross", 0))
    assert torch.equal(heard.weights, hear(call_of())[1].weights)


def test_pooled_keys_have_no_own_position():
    query, key, value, _ = call_of(queries=8, keys=2)
    _, heard = hear((query, key, value, None), Edit("hide", keys=(0, 1)))
    assert torch.allclose(heard.weights.sum(-1), torch.ones(()), atol=1e-6)


def test_detail_is_the_rows_own_numbers():
    call = call_of(keys=8)
    context, heard = hear(call, Edit("hide", keys=(2,)), first_query=5, detail=6)
    inside = heard.inside
    assert inside.query_index == 6
    assert torch.equal(inside.query, call[0][0, :, 1]) and torch.equal(inside.key, call[1][0])
    assert inside.scores[0, 2] == -torch.inf and inside.scores[0, 7] == -torch.inf
    assert torch.allclose(torch.softmax(inside.scores, -1), inside.weights, atol=1e-6)
    assert torch.allclose((inside.weights[:, None] @ call[2][0]).squeeze(1), inside.context, atol=1e-6)
    assert torch.equal(inside.context, context[0, :, 1])
    assert hear(call, first_query=5, detail=8)[1].inside is None


def test_softcap_and_bias():
    query, key, value, mask = call_of()
    scores = 5 * torch.tanh(query @ key.mT / 2 / 5)
    expected = torch.softmax(scores.masked_fill(~mask, -torch.inf), -1) @ value
    assert torch.allclose(attend(query, key, value, name=SELF, mask=mask, softcap=5.0), expected, atol=1e-6)
    bias = torch.tensor([[0.0, 1.0, -1.0]])
    expected = torch.softmax((query @ key.mT / 2 + bias).masked_fill(~mask, -torch.inf), -1) @ value
    for edits in (None, ()):
        got = attend(query, key, value, name=SELF, mask=mask, bias=bias) if edits is None else None
        if got is None:
            with watch():
                got = attend(query, key, value, name=SELF, mask=mask, bias=bias)
        assert torch.allclose(got, expected, atol=1e-6)


def test_additive_is_bahdanaus_formula():
    dice = torch.Generator().manual_seed(2)
    query, key, value = (torch.randn(2, n, 4, generator=dice) for n in (3, 5, 5))
    direction = torch.randn(4, generator=dice)
    scores = torch.tensor([[[float(torch.tanh(q + k) @ direction) for k in key[b]] for q in query[b]] for b in range(2)])
    assert torch.allclose(additive_relevance(query, key, direction), scores, atol=1e-5)
    mask = torch.ones(2, 1, 5, dtype=torch.bool)
    mask[0, :, 4] = False
    plain = attend_additive(query, key, value, direction, name=("cross", 0), mask=mask)
    with watch(detail=1) as watcher:
        seen = attend_additive(query, key, value, direction, name=("cross", 0), mask=mask)
    (heard,) = watcher.heard
    assert torch.allclose(plain, seen, atol=1e-6)
    assert heard.weights.shape == (2, 1, 3, 5) and (heard.weights[0, ..., 4] == 0).all()
    assert torch.allclose(heard.weights[:, 0] @ value, seen, atol=1e-5)
    assert heard.inside.scores[0, 4] == -torch.inf


@pytest.mark.parametrize("edits", [(), (Edit("hide", keys=(0,)), Edit("sharpness", 2.0, heads=(3,)))])
def test_heads_that_share_keys_do_as_if_each_had_its_own(edits):
    dice = torch.Generator().manual_seed(1)
    query, key, value = (torch.randn(2, heads, n, 5, generator=dice) for heads, n in ((6, 3), (2, 7), (2, 7)))
    own = [each.repeat_interleave(3, 1) for each in (key, value)]
    mask = causal_mask(3, 7)
    context, heard = hear((query, key, value, mask), *edits, first_query=4, detail=5)
    expected, apart = hear((query, *own, mask), *edits, first_query=4, detail=5)
    assert torch.allclose(context, expected, atol=1e-6) and torch.allclose(heard.weights, apart.weights, atol=1e-6)
    assert torch.equal(heard.inside.key, apart.inside.key) and torch.equal(heard.inside.value, apart.inside.value)
    fused = attend(query, key, value, name=SELF, mask=mask)
    assert torch.allclose(fused, attend(query, *own, name=SELF, mask=mask), atol=1e-6)


def test_without_a_watcher_the_fused_kernel_runs(monkeypatch):
    used = []

    def fused(*tensors, **options):
        used.append(1)
        return scaled_dot_product_attention(*tensors, **options)

    monkeypatch.setattr(attention.F, "scaled_dot_product_attention", fused)
    query, key, value, mask = call_of()
    attend(query, key, value, name=SELF, mask=mask)
    assert used == [1]
    hear((query, key, value, mask))
    assert used == [1]


def test_watchers_of_two_threads_never_hear_each_other():
    both, heard = threading.Barrier(2), {}

    def run(name):
        with watch() as watcher:
            for _ in range(20):
                both.wait()
                attend(*call_of()[:3], name=("self", name))
            heard[name] = [each.name for each in watcher.heard]

    threads = [threading.Thread(target=contextvars.copy_context().run, args=(run, n)) for n in (1, 2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert heard == {1: [("self", 1)] * 20, 2: [("self", 2)] * 20}
    assert not watched()


def test_watch_ends_with_its_block_whatever_happens():
    with pytest.raises(KeyError), watch():
        assert watched()
        raise KeyError
    assert not watched()
