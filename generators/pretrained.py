"""Models of `transformers` go through the same point: their attention calls `attend`.

    model = watchable(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32))
    with watch() as watcher: model(…)      # watcher.heard: every attention, named by kind and layer

Registered under AttentionInterface and under AttentionMaskInterface: without the second no causal or sliding-window mask
would arrive, and the logits would be silently wrong.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar, cast

from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask

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

    query: (B, H, Q, D). key, value: (B, G, K, D), G divides H (grouped queries). attention_mask: (B, 1, Q, K), 0 where a query may
    look, the lowest number elsewhere; every query must have a key that it may look at, so batches are padded on the right.
    softcap: Gemma 2. position_bias: T5, broadcasts to (B, H, Q, K). Returns (B, Q, H, D).
    """
    if dropout:
        raise ValueError("attention dropout is for training: there take transformers' own sdpa")
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    mask = None if attention_mask is None else attention_mask[..., : key.shape[-2]] == 0
    name = cast(Name, module.attention_lab)
    context = attend(query, key, value, name=name, mask=mask, scale=scaling, softcap=softcap, bias=position_bias)
    return context.transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, attend_pretrained)
AttentionMaskInterface.register(NAME, eager_mask)


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
