"""Writes a tale or a poem with an LSTM that looks back over its own states: the article's text model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from generators import tokens
from generators.lstm.card import CARD
from generators.writing import Writer, fitted

if TYPE_CHECKING:
    from torch import Tensor

    from generators.lstm.model import AttentionModel, States


class Run(Writer["AttentionModel", "States"]):
    """A trained model and its twin. One layer, named ("self", 0)."""

    card = CARD

    @classmethod
    def load(cls, folder: Path) -> Self:
        from generators.lstm.model import AttentionModel
        from generators.training import read_json

        config = read_json(folder / "config.json")
        vocabulary = tokens.load(folder)

        def model(name: str, attention: bool) -> AttentionModel:
            def build(weights: dict[str, Tensor]) -> AttentionModel:
                built = AttentionModel(**config["model"], attention=attention)
                built.load_state_dict(weights)
                return built

            return fitted(folder, name, build)

        twin = model("without", False) if (folder / "without.safetensors").is_file() else None
        return cls(vocabulary, model("weights", True), twin, verse=bool(config.get("verse")))

    @classmethod
    def tiny(cls) -> Self:
        import torch

        from generators.lstm.model import AttentionModel

        vocabulary = tokens.Characters([chr(code) for code in range(32, 127)])
        with torch.random.fork_rng(devices=[]):  # the dice of others stay as they are
            torch.manual_seed(0)
            model, twin = (AttentionModel(len(vocabulary.pieces), 16, 24, 4, attention=each) for each in (True, False))
            for weight in (*model.parameters(), *twin.parameters()):
                weight.data *= 2  # so that the weights of random heads differ
        return cls(vocabulary, model, twin, verse=False)

    def read(self, model: AttentionModel, new: Tensor, memory: States | None) -> tuple[Tensor, States]:
        logits, states = model.last(new, memory)
        return logits[0], states
