"""Writes a tale or a poem with a small transformer: every layer of it looks back over all tokens so far."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from generators import tokens
from generators.gpt.card import CARD, CONTEXT
from generators.prompts import Prompt
from generators.writing import Writer, fitted

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Cache, Qwen3ForCausalLM


class Run(Writer["Qwen3ForCausalLM", "Cache"]):
    """A trained model and its twin. Layers are named ("self", 0) and so on; only the rows of new tokens are computed."""

    card = CARD
    longest = CONTEXT
    longest_prompt = CONTEXT // 2

    def __init__(self, vocabulary: tokens.Vocabulary, model: Qwen3ForCausalLM, twin: Qwen3ForCausalLM | None, *, verse: bool) -> None:
        from generators.gpt.stack import Stack

        super().__init__(vocabulary, model, twin, verse=verse)
        self._stack = Stack(model)

    @classmethod
    def load(cls, folder: Path) -> Self:
        from transformers import Qwen3Config

        from generators.gpt.model import fill, new_model, new_twin
        from generators.pretrained import watchable
        from generators.training import read_json

        facts = read_json(folder / "config.json")
        vocabulary = tokens.load(folder)
        model = fitted(folder, "model", lambda weights: watchable(fill(new_model(Qwen3Config.from_dict(facts)), weights)))
        twin = None
        if (folder / "without.safetensors").is_file():
            twin = fitted(folder, "without", lambda weights: fill(new_twin(Qwen3Config.from_dict(facts)), weights))
        return cls(vocabulary, model, twin, verse=bool(facts.get("verse")))

    @classmethod
    def tiny(cls) -> Self:
        import torch

        from generators.gpt.model import new_config, new_model, new_twin
        from generators.pretrained import watchable

        vocabulary = tokens.Characters([chr(code) for code in range(32, 127)])
        config = new_config(len(vocabulary.pieces), width=16, mlp=24)  # layers and heads as in what ships, for the pin
        with torch.random.fork_rng(devices=[]):  # the dice of others stay as they are
            torch.manual_seed(0)
            model, twin = watchable(new_model(config)), new_twin(config)
            for weight in (*model.parameters(), *twin.parameters()):
                if weight.dim() > 1:
                    torch.nn.init.normal_(weight, std=0.3)  # so that heads differ, and what they look at counts
        return cls(vocabulary, model, twin, verse=False)

    def read(self, model: Qwen3ForCausalLM, new: Tensor, memory: Cache | None) -> tuple[Tensor, Cache]:
        from generators.gpt.model import new_memory

        memory = new_memory(model) if memory is None else memory
        if model is self._stack.model:
            return self._stack.read(new, memory), memory
        return model(input_ids=new, past_key_values=memory, use_cache=True, logits_to_keep=1).logits[0, -1], memory

    def room(self, prompt: Prompt) -> int:
        return min(prompt.room, CONTEXT - len(prompt.ids))
