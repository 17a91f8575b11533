"""The same transformer, read for writing: a few operations a layer.

For one token of a small model, transformers' own forward spends most of its time between the operations. Here are the same weights,
those that read the same input side by side, so that one product takes the place of three; the modules hold views of them, and whatever
is loaded into the modules is read here. The numbers are those of `Qwen3ForCausalLM` but for rounding.

Letters: T new tokens, S tokens so far, E width of the stack, H heads, D features of a head, F features of a feed-forward block,
N vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from generators.attention import attend, causal_mask

if TYPE_CHECKING:
    from transformers import Cache, Qwen3ForCausalLM
    from transformers.models.qwen3.modeling_qwen3 import Qwen3DecoderLayer, Qwen3RMSNorm


class Stack:
    """Reads tokens through the weights of a Qwen 3 in which no heads share keys."""

    def __init__(self, model: Qwen3ForCausalLM) -> None:
        self.model = model
        self.layers = [Layer(layer, index) for index, layer in enumerate(cast("list[Qwen3DecoderLayer]", model.model.layers))]
        with torch.no_grad():
            cosine, sine = model.model.rotary_emb(model.lm_head.weight, torch.arange(model.config.max_position_embeddings)[None])
        first, second = sine[0].chunk(2, -1)
        self.cosine, self.sine = cosine[0], torch.cat([-first, second], -1)  # (S, D) each, of all positions

    def read(self, new: Tensor, memory: Cache) -> Tensor:
        """Logits (N,) after the last of the new tokens (1, T), whose keys and values are added to the memory."""
        first, count = memory.get_seq_length(), new.shape[1]
        cosine, sine = self.cosine[first : first + count], self.sine[first : first + count]
        mask = None if count == 1 else causal_mask(count, first + count)
        states = F.embedding(new[0], self.model.model.embed_tokens.weight)  # (T, E)
        for layer in self.layers:
            states = layer.read(states, cosine, sine, mask, memory)
        return F.linear(normal(states[-1], self.model.model.norm), self.model.lm_head.weight)


class Layer:
    """One layer's weights, side by side."""

    def __init__(self, layer: Qwen3DecoderLayer, index: int) -> None:
        self.layer, self.name = layer, ("self", index)
        attention, block = layer.self_attn, layer.mlp
        self.shape = (3, -1, attention.head_dim)  # query, key, value; heads; D
        self.project = side_by_side(attention.q_proj, attention.k_proj, attention.v_proj)  # (3·H·D, E)
        self.gain = side_by_side(attention.q_norm, attention.k_norm).view(2, 1, 1, -1)  # of queries, of keys
        self.widen = side_by_side(block.gate_proj, block.up_proj)  # (2·F, E)

    def read(self, states: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor | None, memory: Cache) -> Tensor:
        """States (T, E) of the new tokens after this layer. cosine, sine: of their positions, (T, D)."""
        layer, count = self.layer, len(states)
        projected = F.linear(normal(states, layer.input_layernorm), self.project).view(count, *self.shape).permute(1, 2, 0, 3)
        both = F.rms_norm(projected[:2], self.gain.shape[-1:], eps=layer.self_attn.q_norm.variance_epsilon) * self.gain  # (2, H, T, D)
        query, key = rotated(both, cosine, sine).unsqueeze(1).unbind()  # (1, H, T, D) each
        key, value = memory.update(key, projected[2:], self.name[1])  # (1, H, S, D) each
        context = attend(query, key, value, name=self.name, mask=mask).transpose(1, 2).reshape(count, -1)  # (T, H·D)
        states = torch.addmm(states, context, layer.self_attn.o_proj.weight.mT)
        gate, up = F.linear(normal(states, layer.post_attention_layernorm), self.widen).chunk(2, -1)  # (T, F) each
        return torch.addmm(states, F.silu(gate) * up, layer.mlp.down_proj.weight.mT)


def normal(states: Tensor, norm: Qwen3RMSNorm) -> Tensor:
    """States (…, E) of root mean square 1, times a gain for each feature. Zhang and Sennrich 2019, equation 4."""
    return F.rms_norm(states, norm.weight.shape, norm.weight, norm.variance_epsilon)


def rotated(states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """States (…, D) turned by their position: feature i and i + D/2 are a pair. sine: its first half negative.

    Su et al. 2021, "RoFormer", section 3.4.2.
    """
    return torch.addcmul(states * cosine, states.roll(states.shape[-1] // 2, -1), sine)


def side_by_side(*modules: nn.Module) -> Tensor:
    """The weights of all in one tensor, (sum of rows, …); the modules keep views of it."""
    weights = [module.get_parameter("weight") for module in modules]
    whole = torch.cat([weight.detach() for weight in weights])
    for weight, part in zip(weights, whole.split([len(weight) for weight in weights]), strict=True):
        weight.data = part
    return whole
