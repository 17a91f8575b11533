"""The prior of the codes: number after number, each a mixture of normal distributions that knows the numbers before it.

The codes of drawn faces lie in many small heaps: one for each hair, mouth, ground … Drawing from one round cloud would mostly land
between them, on foggy faces. So, when encoder and decoder are done, this prior learns how the heaps lie: two stages, as in Dai and
Wipf 2019. It first turns the code to axes along which the parts of faces are told apart, so that it meets heaps one by one. The
network is MADE (Germain et al. 2015) with mixtures, as in Papamakarios et al. 2017, section 3.1. Its density is exact, and so is the
bound in `bits_per_dim`.

Letters: B batch, M codes, Z numbers of a code, K components of a mixture, F hidden features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NARROWEST = -5.0  # ln of a component's deviation, in deviations of the axis


class Prior(nn.Module):
    """p(z) = ∏ p(xᵢ | those before it), x = map·(z − centre). The axes of x come with the most telling first, each of deviation 1."""

    map: Tensor
    centre: Tensor
    first_mask: Tensor
    second_mask: Tensor
    last_mask: Tensor

    def __init__(self, latent: int, hidden: int, components: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.latent, self.components, self.dropout = latent, components, dropout
        self.first = nn.Linear(latent, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, latent * 3 * components)
        self.register_buffer("map", torch.eye(latent))
        self.register_buffer("centre", torch.zeros(latent))
        place = torch.arange(latent)
        # a hidden feature knows the axes up to its reach; more know few, for the first axes have the most heaps
        reach = (torch.linspace(0, 0.999, hidden).square() * (latent - 1)).long()
        self.register_buffer("first_mask", (reach[:, None] >= place).float(), persistent=False)
        self.register_buffer("second_mask", (reach[:, None] >= reach).float(), persistent=False)
        knows = place[:, None] > reach  # (Z, F): axis i is told of the axes before it only
        self.register_buffer("last_mask", knows.repeat_interleave(3 * components, 0).float(), persistent=False)
        with torch.no_grad():
            self.last.weight.mul_(0.1)
            means = torch.linspace(-1.5, 1.5, components)
            start = torch.stack([torch.zeros(components), means, torch.full((components,), -0.5)])
            self.last.bias.copy_(start.flatten().repeat(latent))

    @torch.no_grad()
    def settle(self, codes: Tensor, telling: Tensor) -> None:
        """Say where codes lie, and along which directions they are told apart best. codes: (M, Z). telling: (Z, any), best first.

        The axes become the directions in their order, each without what those before it tell, and what is left over: uncorrelated all.
        """
        codes = codes.double()
        covariance = torch.cov(codes.T) + 1e-6 * torch.eye(self.latent, dtype=torch.float64)
        values, vectors = torch.linalg.eigh(covariance)
        root = (vectors * values.sqrt()) @ vectors.T  # covariance^½, symmetric
        seen = root @ telling.double()  # as directions of the whitened codes
        axes, _ = torch.linalg.qr(torch.cat([seen / seen.norm(dim=0).clamp_min(1e-9), vectors.flip(1)], 1))  # (Z, Z)
        self.centre.copy_(codes.mean(0))
        self.map.copy_(axes.T @ torch.linalg.inv(root))

    def log_density(self, z: Tensor) -> Tensor:
        """ln p(z). z: (B, Z). Returns (B,)."""
        x = (z - self.centre) @ self.map.T
        inner = self._inner(x)
        weights, means, widths = self._mixtures(F.linear(inner, self.last.weight * self.last_mask, self.last.bias))
        away = (x[..., None] - means) * torch.exp(-widths)  # (B, Z, K)
        each = weights - away.square() / 2 - widths - math.log(2 * math.pi) / 2
        return each.logsumexp(-1).sum(1) + torch.linalg.slogdet(self.map).logabsdet

    def draw(self, noise: Tensor, truncation: float = 1.0) -> Tensor:
        """Codes from noise: a row's first Z numbers choose the heap, the others the place in it. noise: (B, 2·Z) normal. Returns (B, Z).

        truncation scales the place only: below 1 nearer to the middle of a heap, with all heaps as likely as ever.
        """
        choices, places = noise.chunk(2, 1)
        choices = torch.special.ndtr(choices)  # (B, Z), uniform
        x = torch.zeros_like(places)
        weight = self.last.weight * self.last_mask
        masked = self.first.weight * self.first_mask, self.second.weight * self.second_mask
        size = 3 * self.components
        for axis in range(self.latent):
            rows = slice(axis * size, (axis + 1) * size)
            inner = self._inner(x, masked)
            weights, means, widths = self._mixtures(F.linear(inner, weight[rows], self.last.bias[rows]))  # (B, 1, K) each
            below = weights.exp().cumsum(-1)[:, 0, :-1]  # (B, K−1)
            chosen = (choices[:, axis, None] > below).sum(1, keepdim=True)
            mean, width = (each[:, 0].gather(1, chosen)[:, 0] for each in (means, widths))
            x[:, axis] = mean + width.exp() * places[:, axis] * truncation
        return x @ torch.linalg.inv(self.map).T + self.centre

    def shifted(self, z: Tensor, shifts: Mapping[int, float]) -> Tensor:
        """Codes moved along axes, in deviations of each; axis 0 is the most telling. z: (B, Z). Returns the same shape."""
        along = torch.linalg.inv(self.map)  # (Z, Z), a column an axis
        return z + sum(shift * along[:, axis] for axis, shift in shifts.items())

    def _inner(self, x: Tensor, masked: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Hidden features. x: (B, Z), by axis. Returns (B, F)."""
        first, second = masked or (self.first.weight * self.first_mask, self.second.weight * self.second_mask)
        inner = F.silu(F.linear(x, first, self.first.bias))
        inner = inner + F.silu(F.linear(F.dropout(inner, self.dropout, self.training), second, self.second.bias))
        return F.dropout(inner, self.dropout, self.training)

    def _mixtures(self, raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ln weights, means, ln deviations, (B, …, K) each. raw: (B, …·3·K)."""
        weights, means, widths = raw.unflatten(1, (-1, 3, self.components)).unbind(2)
        return weights.log_softmax(-1), means, widths.clamp(NARROWEST, 2.0)
