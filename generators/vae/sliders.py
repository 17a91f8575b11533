"""Sliders: where in the code a face's hair, skin, ground … stand, and how to move one of them and leave the rest alone.

Codes of labelled faces are taken for sums: a middle, and a place for the value of every part, found for all parts at once by least
squares, so that the place of glasses holds nothing of the hair below them. A move takes away the place of the value that the face
has, as far as its code tells (linear discriminant, Fisher 1936), and puts the goal's there: on the straight line between both.

Letters: M faces, Z numbers of the code, V values of a part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from generators.vae.goals import Goal

PARTS = ("hair", "eyes", "mouth", "accessories", "skinColor", "hairColor", "background_name")
"""Of a face, in the words of the data."""
NONE = "none"  # of a part that a face has not
TELLING = 0.5  # least ratio of what lies between the values of a part to all else, along a direction
RIDGE = 1.0  # faces' worth of pull to the middle


class Sliders(nn.Module):
    """What is known of the parts. parts: part → its values; without any, nothing can be moved."""

    def __init__(self, parts: Mapping[str, Sequence[str]], latent: int) -> None:
        super().__init__()
        self.parts = {part: tuple(values) for part, values in parts.items()}
        for part, values in self.parts.items():
            self.register_buffer(f"{part}_place", torch.zeros(len(values), latent))
            self.register_buffer(f"{part}_direction", torch.zeros(len(values), latent))
            self.register_buffer(f"{part}_offset", torch.zeros(len(values)))

    def knows(self, goal: Goal) -> bool:
        return goal.value in self.parts.get(goal.part, ())

    def own(self, z: Tensor, part: str) -> Tensor:
        """How likely each value of the part is, by the code alone. z: (B, Z). Returns (B, V)."""
        direction, offset = self.get_buffer(f"{part}_direction"), self.get_buffer(f"{part}_offset")
        return (z @ direction.T + offset).softmax(-1)

    def move(self, z: Tensor, goal: Goal, amount: float) -> Tensor:
        """Codes whose part has gone that share of the way to the goal: 0 as it was, 1 there. z: (B, Z). Returns the same shape."""
        place = self.get_buffer(f"{goal.part}_place")
        here = self.own(z, goal.part) @ place  # (B, Z)
        return z + amount * (place[self.parts[goal.part].index(goal.value)] - here)

    @torch.no_grad()
    def fit(self, codes: Tensor, labels: Mapping[str, Tensor]) -> Tensor:
        """Learn from codes (M, Z) and labels: part → (M,) int64, the number of the value.

        Returns the directions that tell the values of any part apart, (Z, ≤ ΣV), best first: those of Fisher's discriminant.
        """
        hot = {part: nn.functional.one_hot(labels[part], len(values)).double() for part, values in self.parts.items()}
        codes = codes.double()
        if not self.parts:
            return codes.new_zeros(codes.shape[1], 0)
        middle = codes.mean(0)
        telling: list[tuple[float, Tensor]] = []
        design = torch.cat(list(hot.values()), 1)  # (M, ΣV)
        pull = RIDGE * torch.eye(design.shape[1], dtype=torch.float64)
        places = torch.linalg.solve(design.T @ design + pull, design.T @ (codes - middle))  # (ΣV, Z)
        for part, place in zip(hot, places.split([each.shape[1] for each in hot.values()]), strict=True):
            shares = hot[part].mean(0)  # (V,)
            place = place - shares @ place  # the middle of all faces has no part
            rest = codes - middle - hot[part] @ place
            spread = rest.T @ rest / len(codes) + 1e-4 * torch.eye(codes.shape[1], dtype=torch.float64)
            direction = torch.linalg.solve(spread, place.T).T  # (V, Z)
            offset = shares.clamp_min(1e-9).log() - (direction * (place / 2 + middle)).sum(1)
            for name, found in (("place", place), ("direction", direction), ("offset", offset)):
                self.get_buffer(f"{part}_{name}").copy_(found)
            # shares of what lies between the values, along the directions that tell them apart: eigenvectors of spread⁻¹·between
            narrow = torch.linalg.cholesky(spread).inverse()
            between = narrow @ (place.T * shares) @ place @ narrow.T
            ratios, vectors = torch.linalg.eigh(between)
            telling += [(ratio, narrow.T @ vectors[:, i]) for i, ratio in enumerate(ratios.tolist()) if ratio > TELLING]
        directions = [direction for _, direction in sorted(telling, key=lambda each: -each[0])]
        return torch.stack(directions, 1) if directions else codes.new_zeros(codes.shape[1], 0)


def labels_of(attributes: Sequence[Mapping[str, str]], parts: Mapping[str, Sequence[str]]) -> dict[str, Tensor]:
    """Part → (M,) int64, the number of its value."""
    return {
        part: torch.tensor([values.index(face.get(part, NONE)) for face in attributes], dtype=torch.int64) for part, values in parts.items()
    }


def parts_of(attributes: Sequence[Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """Part → all its values, sorted; of parts that differ at all."""
    found = {part: tuple(sorted({face.get(part, NONE) for face in attributes})) for part in PARTS}
    return {part: values for part, values in found.items() if len(values) > 1}
