"""The article's text model, made right: Embedding → LSTM → causal multi-head attention over its own states → Dense.

Letters: B batch, T new tokens, S tokens so far (the new ones included), E embedding, U units of the LSTM, N vocabulary,
H heads, D features of query and key, V features of a value.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from generators.attention import attend, causal_mask


class States(NamedTuple):
    """What the model remembers: the LSTM's state, and keys and values of all tokens so far."""

    hidden: Tensor  # (1, B, U)
    cell: Tensor  # (1, B, U)
    keys: Tensor  # (B, H, S, D)
    values: Tensor  # (B, H, S, V)


class CausalAttention(nn.Module):
    """Each state looks at itself and the states before it. (B, T, U) -> (B, T, U).

    Queries and keys are brought to one length, times a learned gain for each feature (Henry et al. 2020, "Query-Key Normalization"):
    without it the softmax of a short training soon saturates, and heads that look at one place for good learn no better.
    """

    def __init__(self, units: int, heads: int, key_dim: int, value_dim: int) -> None:
        super().__init__()
        self.heads, self.key_dim, self.value_dim = heads, key_dim, value_dim
        self.project = nn.Linear(units, heads * (2 * key_dim + value_dim))
        self.gain = nn.Parameter(torch.ones(2, key_dim))
        self.out = nn.Linear(heads * value_dim, units)

    def forward(
        self, states: Tensor, past: tuple[Tensor, Tensor] | None, attention_mask: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Context of each state, and keys and values of all so far. attention_mask: see AttentionModel.forward."""
        batch, new, _ = states.shape
        projected = self.project(states).view(batch, new, self.heads, -1).transpose(1, 2)  # (B, H, T, 2D + V)
        both, value = projected.split([2 * self.key_dim, self.value_dim], -1)
        query, key = self._even(both.unflatten(-1, (2, self.key_dim))).to(value.dtype).unbind(-2)  # (B, H, T, D)
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)  # (B, H, S, ·)
        mask = None if new == 1 else causal_mask(new, key.shape[2], states.device)  # the last token may look at all
        if attention_mask is not None:
            seen = attention_mask[:, None, None] if attention_mask.dim() == 2 else attention_mask[:, None]
            mask = seen if mask is None else seen & mask
        context = attend(query, key, value, name=("self", 0), mask=mask)  # (B, H, T, V)
        return self.out(context.transpose(1, 2).reshape(batch, new, -1)), (key, value)

    def _even(self, both: Tensor) -> Tensor:
        """Queries and keys (…, 2, D), each of length √D, times the gain; in float32."""
        both = both.float()
        return both * (both.square().mean(-1, keepdim=True) + 1e-6).rsqrt() * self.gain

    @staticmethod
    def size(units: int, heads: int, key_dim: int, value_dim: int) -> int:
        """Its number of parameters."""
        width = heads * (2 * key_dim + value_dim)
        return units * width + width + 2 * key_dim + heads * value_dim * units + units


class AttentionModel(nn.Module):
    """Predicts the next token at every position.

    attention False replaces the attention block by a feed-forward block with as many parameters: the twin.
    The Dense layer shares its weights with the embedding (Press and Wolf 2017).
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_dim: int,
        lstm_units: int,
        attention_heads: int,
        *,
        key_dim: int = 32,
        value_dim: int = 64,
        dropout: float = 0.0,
        attention: bool = True,
    ) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        nn.init.normal_(self.embedding.weight, std=embedding_dim**-0.5)
        self.lstm = nn.LSTM(embedding_dim, lstm_units, batch_first=True)
        self.norm = nn.LayerNorm(lstm_units)
        self.attention: CausalAttention | None = None
        self.feed_forward: nn.Sequential | None = None
        if attention:
            self.attention = CausalAttention(lstm_units, attention_heads, key_dim, value_dim)
        else:
            parameters = CausalAttention.size(lstm_units, attention_heads, key_dim, value_dim)
            width = round((parameters - lstm_units) / (2 * lstm_units + 1))
            self.feed_forward = nn.Sequential(nn.Linear(lstm_units, width), nn.GELU(), nn.Linear(width, lstm_units))
        self.last_norm = nn.LayerNorm(lstm_units)
        self.to_embedding = nn.Linear(lstm_units, embedding_dim)
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Tensor, states: States | None = None, attention_mask: Tensor | None = None) -> tuple[Tensor, States]:
        """Logits for the token after each of the inputs, and the states to go on from.

        inputs: (B, T) token ids. attention_mask: (B, S) or (B, T, S), True where a token may be looked at (padding is not); a
        position always has one key left if its own is allowed. Returns (B, T, N) and States; no earlier state is computed again.
        """
        features, states = self.features(inputs, states, attention_mask)
        return F.linear(features, self.embedding.weight, self.bias), states

    def last(self, inputs: Tensor, states: States | None = None) -> tuple[Tensor, States]:
        """Logits after the last of the inputs only, (B, N), and the states: what writing needs."""
        features, states = self.features(inputs, states)
        return F.linear(features[:, -1], self.embedding.weight, self.bias), states

    def features(self, inputs: Tensor, states: States | None = None, attention_mask: Tensor | None = None) -> tuple[Tensor, States]:
        """What the Dense layer reads, (B, T, E), and the states to go on from."""
        embedded = self.dropout(self.embedding(inputs))  # (B, T, E)
        recurrent, hidden, cell = self._recur(embedded, states)  # (B, T, U)
        normed = self.norm(recurrent)
        if self.attention is not None:
            past = None if states is None else (states.keys, states.values)
            block, (keys, values) = self.attention(normed, past, attention_mask)
        else:
            assert self.feed_forward is not None
            block = self.feed_forward(normed)
            keys = values = hidden.new_zeros(0)
        mixed = self.last_norm(recurrent + self.dropout(block))
        return self.dropout(self.to_embedding(mixed)), States(hidden, cell, keys, values)

    def _recur(self, embedded: Tensor, states: States | None) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs (B, T, U), hidden state and cell of the LSTM. One token takes the cell alone, a quarter of nn.LSTM's time for it."""
        if states is not None and embedded.shape[1] == 1:
            hidden, cell = torch.lstm_cell(embedded[:, 0], (states.hidden[0], states.cell[0]), *self.lstm.parameters())
            return hidden[:, None], hidden[None], cell[None]
        recurrent, (hidden, cell) = self.lstm(embedded, None if states is None else (states.hidden, states.cell))
        return recurrent, hidden, cell
