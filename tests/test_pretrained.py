"""Architectures of transformers, tiny and random: watched logits are bit-equal to their own eager attention."""

import pytest
import torch
import transformers

from generators.attention import watch
from generators.edits import Edit
from generators.pretrained import GrowingCache, attend_pretrained, name_of, watchable

SMALL = {"vocab_size": 40, "num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 4, "intermediate_size": 24, "pad_token_id": 0}
GROUPED = SMALL | {"num_key_value_heads": 2, "head_dim": 4}
LAYERS = {"encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
PAIR = LAYERS | {"vocab_size": 40, "d_model": 16, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "pad_token_id": 0}
WRITERS = {
    "GPT2": {"vocab_size": 40, "n_layer": 2, "n_head": 4, "n_embd": 16, "n_positions": 64},
    "Llama": GROUPED,
    "Qwen3": GROUPED,
    "Gemma2": GROUPED | {"sliding_window": 4, "attn_logit_softcapping": 5.0},
    "Gemma3": GROUPED | {"sliding_window": 4},
}
PAIRS = {
    "Marian": PAIR | {"decoder_start_token_id": 0, "forced_eos_token_id": None},
    "Bart": PAIR | {"decoder_start_token_id": 2},
    "T5": {"vocab_size": 40, "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0},
}


def build(name, settings):
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}TextConfig" if name == "Gemma3" else f"{name}Config")(**settings)
    kind = {"Marian": "MTModel", "Bart": "ForConditionalGeneration", "T5": "ForConditionalGeneration", "GPT2": "LMHeadModel"}
    model = getattr(transformers, name + kind.get(name, "ForCausalLM"))(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # away from uniform attention
    return model


@pytest.mark.parametrize(("name", "settings"), [*WRITERS.items(), *PAIRS.items()])
@torch.inference_mode()
def test_watched_logits_are_the_models_own(name, settings):
    model = build(name, settings)
    tokens = torch.randint(1, 40, (1, 11), generator=torch.Generator().manual_seed(3))
    given = {"input_ids": tokens} | ({"decoder_input_ids": tokens[:, :7]} if name in PAIRS else {})
    model.set_attn_implementation("eager")
    expected = model(**given).logits
    watchable(model)
    with watch() as watcher:
        assert torch.equal(model(**given).logits, expected)
    assert torch.allclose(model(**given).logits, expected, atol=1e-5)
    kinds = ["self"] if name in WRITERS else ["encoder", "self", "cross"]
    assert {heard.name for heard in watcher.heard} == {(kind, layer) for kind in kinds for layer in range(2)}
    for heard in watcher.heard:
        assert torch.allclose(heard.weights.sum(-1), torch.ones(()), atol=1e-5)
        if heard.name[0] == "self":
            assert heard.weights.triu(1).count_nonzero() == 0, "nothing ahead is seen"
    with watch((Edit("uniform"),)):
        assert not torch.allclose(model(**given).logits, expected, atol=1e-3)


def test_names_come_from_the_path():
    assert name_of("transformer.h.3.attn") == ("self", 3)
    assert name_of("model.encoder.layers.1.self_attn") == ("encoder", 1)
    assert name_of("model.decoder.layers.2.encoder_attn") == ("cross", 2)
    assert name_of("decoder.block.4.layer.1.EncDecAttention") == ("cross", 4)


def test_dropout_is_refused():
    one = torch.ones(1, 1, 1, 1)
    with pytest.raises(ValueError, match="training"):
        attend_pretrained(torch.nn.Identity(), one, one, one, None, dropout=0.1)


PROMPT = torch.randint(1, 40, (1, 5), generator=torch.Generator().manual_seed(4))
NEW = 24  # tokens: more than every sliding window above


def write(model, count=NEW, prompt=PROMPT, **watching):
    """Greedy tokens, and what was heard at each step; only the new token is computed."""
    cache, new, position, chosen, heard = GrowingCache(), prompt, 0, [], []
    for _ in range(count):
        with watch(first_query=position, **watching) as watcher:
            logits = model(input_ids=new, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
        position += new.shape[1]
        new = logits[:, -1].argmax(-1, keepdim=True)
        chosen.append(int(new))
        heard.append(watcher.heard)
    return chosen, heard


@pytest.mark.parametrize("name", WRITERS)
@torch.inference_mode()
def test_greedy_writing_equals_generate(name):
    model = build(name, WRITERS[name])
    model.set_attn_implementation("eager")
    options = {"max_new_tokens": NEW, "min_new_tokens": NEW, "do_sample": False, "output_attentions": True, "return_dict_in_generate": True}
    expected = model.generate(PROMPT, attention_mask=torch.ones_like(PROMPT), **options)
    chosen, heard = write(watchable(model))
    assert chosen == expected.sequences[0, PROMPT.shape[1] :].tolist()
    for ours, theirs in zip(heard, expected.attentions, strict=True):
        for layer, weights in enumerate(theirs):  # a sliding window's cache of theirs has dropped the keys behind it, at ours they weigh 0
            kept = weights.shape[-1]
            assert torch.allclose(ours[layer].weights[..., -kept:], weights, atol=1e-5)
            assert ours[layer].weights[..., :-kept].count_nonzero() == 0


@pytest.mark.parametrize("name", WRITERS)
@torch.inference_mode()
def test_rows_computed_one_by_one_are_those_of_one_pass(name):
    model = watchable(build(name, WRITERS[name]))
    chosen, heard = write(model)
    with watch() as watcher:
        model(torch.cat([PROMPT, torch.tensor([chosen[:-1]])], 1))
    for whole in watcher.heard:
        for step in heard:
            part = next(each for each in step if each.name == whole.name)
            end = part.first_query + part.weights.shape[2]
            assert part.weights.shape == (1, 4, end - part.first_query, end)
            assert torch.allclose(part.weights, whole.weights[:, :, part.first_query : end, :end], atol=1e-5)


@torch.inference_mode()
def test_keys_behind_a_sliding_window_keep_their_places_and_get_nothing():
    _, heard = write(watchable(build("Gemma3", WRITERS["Gemma3"])))
    window = WRITERS["Gemma3"]["sliding_window"]
    weights = heard[-1][0].weights[0, :, 0]
    assert weights.shape == (4, PROMPT.shape[1] + NEW - 1)
    assert weights[:, :-window].count_nonzero() == 0 and (weights[:, -window:] > 0).all()


@torch.inference_mode()
def test_grouped_queries_show_a_key_for_every_head():
    _, heard = write(watchable(build("Llama", GROUPED)), count=3, detail=6)
    inside = heard[2][1].inside
    assert inside.key.shape == inside.value.shape == (4, 7, 4)
    assert torch.equal(inside.key[0], inside.key[1]) and not torch.equal(inside.key[1], inside.key[2])
    assert torch.allclose(torch.einsum("hd,hkd->hk", inside.query, inside.key) / 2, inside.scores, atol=1e-5)
    assert torch.allclose(torch.einsum("hk,hkv->hv", inside.weights, inside.value), inside.context, atol=1e-5)


@torch.inference_mode()
def test_a_mask_is_made_only_where_it_hides_something(monkeypatch):
    masks = []

    def attend(*_, mask, **__):
        masks.append(mask)
        return torch.zeros(1, 4, 1, 4)

    monkeypatch.setattr("generators.pretrained.attend", attend)
    one = torch.ones(1, 1, dtype=torch.long)
    watchable(build("Llama", GROUPED))(one)
    assert masks == [None, None]
    watchable(build("Gemma3", WRITERS["Gemma3"]))(one)
    assert masks == [None] * 4
    model = watchable(build("Llama", GROUPED))
    monkeypatch.undo()
    cache = GrowingCache()
    padded = torch.ones(1, 4, dtype=torch.long)
    padded[:, 3] = 0
    model(PROMPT[:, :4], attention_mask=padded, past_key_values=cache, use_cache=True)
    with watch() as watcher:
        model(one, attention_mask=torch.cat([padded, one], 1), past_key_values=cache, use_cache=True)
    assert (watcher.heard[0].weights[..., 3] == 0).all() and (watcher.heard[0].weights[..., 4] > 0).all()


def rows(count):
    return torch.randn(2, 2, count, 3), torch.randn(2, 2, count, 3)


def test_a_growing_cache_holds_what_transformers_own_does():
    torch.manual_seed(0)
    ours, theirs, earlier = GrowingCache(), transformers.DynamicCache(), []
    for step, count in enumerate((7, 1, 1, 5, *[1] * 60, 40, *[1] * 40)):
        new = rows(count)
        if step == 30:
            for cache in (ours, theirs):
                cache.crop(-4)
        if step == 50:
            for cache in (ours, theirs):
                cache.reorder_cache(torch.tensor([1, 0]))
        for layer in range(2):
            got, expected = ours.update(*new, layer), theirs.update(*new, layer)
            assert all(torch.equal(one, other) for one, other in zip(got, expected, strict=True))
        assert ours.get_seq_length() == theirs.get_seq_length()
        earlier.append((got[0], got[0].clone()))
    assert all(torch.equal(then, copy) for then, copy in earlier), "what was handed out stays as it was"


def test_a_growing_cache_moves_its_rows_seldom():
    cache = GrowingCache()
    places = [cache.update(*rows(1), 0)[0].data_ptr() for _ in range(1000)]
    assert len(set(places)) <= 11
