"""Architectures of transformers, tiny and random: watched logits are bit-equal to their own eager attention."""

import pytest
import torch
import transformers

from generators.attention import watch
from generators.edits import Edit
from generators.pretrained import name_of, watchable

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
    from generators.pretrained import attend_pretrained

    one = torch.ones(1, 1, 1, 1)
    with pytest.raises(ValueError, match="training"):
        attend_pretrained(torch.nn.Identity(), one, one, one, None, dropout=0.1)
