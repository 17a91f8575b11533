"""Models of `transformers` go through the same point: their attention calls `attend`.

    model = watchable(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32))
    with watch() as watcher: model(…)      # watcher.heard: every attention, named by kind and layer
    cache = GrowingCache()                 # model(new, past_key_values=cache, use_cache=True): only the rows of the new tokens

Registered under AttentionInterface and under AttentionMaskInterface: without the second no causal or sliding-window mask
would arrive, and the logits would be silently wrong.

Letters: B batch, H heads, G heads of keys and values, Q queries, K keys, D features.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache, PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer
from transformers.masking_utils import sdpa_mask

from generators.attention import Name, attend

NAME = "attention_lab"
Model = TypeVar("Model", bound=PreTrainedModel)


def attend_pretrained(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    position_bias: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """`attend` with the signature of transformers' AttentionInterface.

    query: (B, H, Q, D). key, value: (B, G, K, D), G divides H (grouped queries). attention_mask: (B, 1, Q, K), True or 0 where a
    query may look, False or the lowest number elsewhere; every query must have a key that it may look at, so batches are padded on
    the right. softcap: Gemma 2. position_bias: T5, broadcasts to (B, H, Q, K). Returns (B, Q, H, D).
    """
    if dropout:
        raise ValueError("attention dropout is for training: there take transformers' own sdpa")
    if attention_mask is not None:
        attention_mask = attention_mask[..., : key.shape[-2]]
        if attention_mask.dtype != torch.bool:
            attention_mask = attention_mask == 0
    name = cast(Name, module.attention_lab)
    context = attend(query, key, value, name=name, mask=attention_mask, scale=scaling, softcap=softcap, bias=position_bias)
    return context.transpose(1, 2).contiguous(), None


def visible(*, q_length: int, allow_is_causal_skip: bool = True, **how: Any) -> Tensor | None:
    """The mask in the signature of transformers' AttentionMaskInterface: (B, 1, Q, K), True where a query may look.

    None where a single new token may look at everything: making a mask takes longer than its attention.
    """
    return cast(Tensor | None, sdpa_mask(q_length=q_length, allow_is_causal_skip=allow_is_causal_skip and q_length == 1, **how))


AttentionInterface.register(NAME, attend_pretrained)
AttentionMaskInterface.register(NAME, visible)


class GrowingCache(DynamicCache):
    """Keys and values of all tokens so far, of every layer; also of layers with a sliding window, whose mask hides what is behind it.

    So a key stands at its own position in every map. A new token writes its row into spare room: nothing before it is copied.
    """

    def __init__(self) -> None:
        Cache.__init__(self, layer_class_to_replicate=GrowingLayer)


class GrowingLayer(DynamicLayer):
    """One layer's keys and values (B, G, K, D): views of the filled part of tensors that double when they are full."""

    _roomy: tuple[Tensor, Tensor] | None = None
    _filled: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Append the new rows; returns all. What was returned before stays as it is."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        first, new = self.keys.shape[2], key_states.shape[2]
        unchanged = self._filled is not None and self._filled[0] is self.keys and self._filled[1] is self.values
        if self._roomy is None or not unchanged or first + new > self._roomy[0].shape[2]:  # full, or cut or reordered by transformers
            self._roomy = _with_room(self.keys, 2 * (first + new)), _with_room(self.values, 2 * (first + new))
        keys, values = self._roomy
        keys.narrow(2, first, new).copy_(key_states)
        values.narrow(2, first, new).copy_(value_states)
        self._filled = self.keys, self.values = keys.narrow(2, 0, first + new), values.narrow(2, 0, first + new)
        return self._filled


def _with_room(rows: Tensor, length: int) -> Tensor:
    """A copy of (B, G, K, D) with room for `length` rows."""
    roomy = rows.new_empty(*rows.shape[:2], length, rows.shape[3])
    roomy[:, :, : rows.shape[2]] = rows
    return roomy


def watchable(model: Model) -> Model:
    """The same model, its attentions named and led through `attend`; in evaluation mode."""
    for path, module in model.named_modules():
        module.attention_lab = name_of(path)
    model.set_attn_implementation(NAME)
    return model.eval()


def name_of(path: str) -> Name:
    """Kind and layer of the attention at a module path such as model.decoder.layers.3.encoder_attn."""
    number = re.search(r"\.(\d+)(\.|$)", path)
    layer = int(number[1]) if number else 0
    if re.search(r"encoder_attn|EncDecAttention|cross_?attn|crossattention|cross_attention", path):
        return "cross", layer
    return ("encoder" if re.search(r"(^|\.)encoder\.", path) else "self"), layer
