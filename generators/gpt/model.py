"""A decoder-only transformer through `transformers`, and its twin whose attention is the plain mean of what came before.

The stack is Qwen 3's (its config class, its file names), made small: RMSNorm, rotary positions, queries and keys normalised,
SwiGLU, input and output embedding shared. Nothing of it is ours but the sizes, so `from_pretrained` on a variant's folder works.

Letters: B batch, T new tokens, S tokens so far, E width of the stack, H heads, V features of a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache, Qwen3Config, Qwen3ForCausalLM

from generators.pretrained import GrowingCache

CONTEXT = 1024
INIT = 0.02


def new_config(
    vocab_size: int, *, end: int = 0, width: int = 256, layers: int = 4, heads: int = 4, mlp: int = 384, context: int = CONTEXT
) -> Qwen3Config:
    """Sizes of a small stack. end: the token after which nothing follows. mlp: hidden features of a feed-forward block."""
    return Qwen3Config(
        vocab_size=vocab_size,
        hidden_size=width,
        intermediate_size=mlp,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=width // heads,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=end,
        initializer_range=INIT,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        architectures=["Qwen3ForCausalLM"],
    )


class CausalMean(nn.Module):
    """What is left of attention when every earlier token counts the same: values, their mean so far, output. (B, T, E) -> (B, T, E).

    Takes the place of `Qwen3Attention` in a layer, so it has its signature. The sum of all values so far lies in the cache as one
    row: nothing grows with the text.
    """

    def __init__(self, config: Qwen3Config, layer: int) -> None:
        super().__init__()
        self.layer = layer
        inner = config.num_attention_heads * config.head_dim
        self.v_proj = nn.Linear(config.hidden_size, inner, bias=False)
        self.o_proj = nn.Linear(inner, config.hidden_size, bias=False)

    def forward(self, hidden_states: Tensor, past_key_values: Cache | None = None, **_: Any) -> tuple[Tensor, None]:
        value = self.v_proj(hidden_states)  # (B, T, H·V)
        sums = value.float().cumsum(1)
        counts = torch.arange(1, value.shape[1] + 1, device=value.device)
        if isinstance(past_key_values, Sums):
            sums, counts = past_key_values.add(self.layer, sums, counts)
        return self.o_proj((sums / counts[:, None]).to(value.dtype)), None


class Sums(Cache):
    """What the twin remembers: for each layer the sum of all values so far, (B, 1, H·V), and the number of tokens read."""

    def __init__(self, layers: int) -> None:
        super().__init__(layers=[])
        self._sums: list[Tensor | None] = [None] * layers
        self._read = [0] * layers

    def add(self, layer: int, sums: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Sums and counts over the new tokens → over all tokens so far."""
        before = self._sums[layer]
        if before is not None:
            sums, counts = sums + before, counts + self._read[layer]
        self._sums[layer], self._read[layer] = sums[:, -1:], self._read[layer] + len(counts)
        return sums, counts

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens read before this step."""
        return self._read[layer_idx]


def new_model(config: Qwen3Config) -> Qwen3ForCausalLM:
    """The stack with random weights; what adds to the residual stream starts small (Radford et al. 2019, section 2.3)."""
    model = Qwen3ForCausalLM(config)
    with torch.no_grad():
        for layer in model.model.layers:
            for weight in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight):
                weight.mul_((2 * config.num_hidden_layers) ** -0.5)
    return model


def new_twin(config: Qwen3Config) -> Qwen3ForCausalLM:
    """The same stack, each attention replaced by the causal mean of the values; the freed parameters go to the feed-forward blocks."""
    freed = 2 * config.hidden_size * config.num_attention_heads * config.head_dim + 2 * config.head_dim  # queries, keys, their norms
    wider = Qwen3Config(**{**config.to_dict(), "intermediate_size": config.intermediate_size + round(freed / (3 * config.hidden_size))})
    twin = Qwen3ForCausalLM(wider)
    for index, layer in enumerate(twin.model.layers):
        layer.self_attn = CausalMean(wider, index)
        for part in (layer.self_attn.v_proj, layer.self_attn.o_proj):
            nn.init.normal_(part.weight, std=INIT)
    with torch.no_grad():
        for layer in twin.model.layers:
            for weight in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight):
                weight.mul_((2 * config.num_hidden_layers) ** -0.5)
    return twin


def fill(model: Qwen3ForCausalLM, weights: Mapping[str, Tensor]) -> Qwen3ForCausalLM:
    """The same model with these weights, which do not name the output layer's: it is the embedding. Raises KeyError, RuntimeError."""
    model.load_state_dict({**weights, "lm_head.weight": weights["model.embed_tokens.weight"]})
    return model


def new_memory(model: Qwen3ForCausalLM) -> Cache:
    """What a run of the model, or of the twin, remembers; nothing yet."""
    layers = model.model.layers
    return Sums(len(layers)) if isinstance(layers[0].self_attn, CausalMean) else GrowingCache()
