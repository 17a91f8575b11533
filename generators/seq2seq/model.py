"""The translator of Bahdanau, Cho and Bengio (2015): a bidirectional GRU reads, a GRU writes and looks back at what was read.

The twin is the plain encoder–decoder (Cho et al. 2014): what was read is one vector of a fixed size, given to every step of the writer.

Letters: B batch, K source tokens, T target tokens, E embedding, U units of the reader in each direction, S units of the writer,
A features of a score, C features of what the writer is given (2U with attention), N target vocabulary.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from generators.attention import attend_additive


class GRUGates(torch.autograd.Function):
    """The gates of a GRU and its new state, with their gradients: all of a step but its products with weights.

    r = σ(xᵣ + hᵣ), z = σ(x_z + h_z), n = tanh(xₙ + r·hₙ), h′ = n + z·(h − n), as torch.nn.GRU has them. States are float32.
    tanh(a) = 2σ(2a) − 1: on a CPU torch's sigmoid takes a tenth of the time of its tanh.
    """

    @staticmethod
    def forward(ctx: Any, given: Tensor, recurrent: Tensor, hidden: Tensor) -> Tensor:
        """given: (…, 3S), input's part. recurrent: (…, 3S), state's part. hidden: (…, S). Returns (…, S)."""
        size = hidden.shape[-1]
        both = (given[..., : 2 * size].float() + recurrent[..., : 2 * size]).sigmoid_()
        reset, update = both[..., :size], both[..., size:]
        drive = recurrent[..., 2 * size :].float()
        new = torch.addcmul(given[..., 2 * size :].float(), reset, drive).mul_(2).sigmoid_().mul_(2).sub_(1)
        ctx.save_for_backward(reset, update, new, drive, hidden)
        ctx.kinds = given.dtype, recurrent.dtype
        return torch.lerp(new, hidden, update)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        reset, update, new, drive, hidden = ctx.saved_tensors
        to_state = gradients[0]
        to_hidden = to_state * update
        to_new = (to_state - to_hidden) * (1 - new.square())
        to_update = (hidden - new).mul_(to_hidden).mul_(1 - update)
        to_drive = to_new * reset
        to_reset = (to_drive * drive).mul_(1 - reset)
        given_kind, recurrent_kind = ctx.kinds
        to_given = torch.cat([to_reset, to_update, to_new], -1).to(given_kind)
        to_recurrent = torch.cat([to_reset, to_update, to_drive], -1).to(recurrent_kind)
        return to_given, to_recurrent, to_hidden


class AdditiveScores(torch.autograd.Function):
    """Scores vᵀ tanh(W s + U h) of one query with every key, for training: `generators.attention.additive_relevance`, only faster."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, direction: Tensor) -> Tensor:
        """query: (B, A). key: (B, K, A). direction: (A,). Returns (B, K)."""
        bent = (query[:, None] + key).mul_(2).sigmoid_().mul_(2).sub_(1)  # tanh; (B, K, A)
        ctx.save_for_backward(bent, direction)
        return torch.mv(bent.flatten(0, 1), direction).view(bent.shape[:2])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        bent, direction = ctx.saved_tensors
        to_scores = gradients[0]  # (B, K)
        to_direction = torch.mv(bent.flatten(0, 1).T, to_scores.flatten())
        to_key = bent.square_().neg_().add_(1).mul_(direction).mul_(to_scores[..., None])
        return to_key.sum(1), to_key, to_direction


class BiGRU(nn.Module):
    """A GRU in each direction. (B, K, E) -> annotations (B, K, 2U): each holds its token and what stands around it.

    Both directions advance in one loop; the weights of the two lie side by side.
    """

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.units = units
        self.project = nn.Linear(inputs, 6 * units)
        self.weight = nn.Parameter(torch.empty(2, units, 3 * units))
        self.bias = nn.Parameter(torch.zeros(2, 1, 3 * units))
        for matrix in self.weight.unflatten(-1, (3, units)).unbind(-2):
            for each in matrix:
                nn.init.orthogonal_(each.data)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """mask: (B, K) True at tokens, which padding follows; the states stand still over padding.

        Returns annotations (B, K, 2U) and the last states of both directions (B, 2U).
        """
        batch, length, _ = inputs.shape
        ahead, behind = self.project(inputs).view(batch, length, 2, -1).permute(2, 1, 0, 3)  # (K, B, 3U)
        given = torch.stack([ahead, behind.flip(0)], 1)  # (K, 2, B, 3U), in the order of reading
        moves = None if mask is None else torch.stack([mask.T, mask.T.flip(0)], 1)[..., None]  # (K, 2, B, 1)
        hidden = inputs.new_zeros(2, batch, self.units, dtype=torch.float32)
        states: list[Tensor] = []
        for step, each in enumerate(given.unbind(0)):
            new = GRUGates.apply(each, torch.baddbmm(self.bias, hidden, self.weight), hidden)
            hidden = new if moves is None else torch.where(moves[step], new, hidden)
            states.append(hidden)
        ahead, behind = torch.stack(states, 2).unbind(0)  # (B, K, U)
        return torch.cat([ahead, behind.flip(1)], -1), torch.cat(hidden.unbind(0), -1)


class Source(NamedTuple):
    """What was read, ready to be looked at."""

    start: Tensor  # (B, S) the writer's first state
    annotations: Tensor  # (B, K, C); for the twin (B, 1, C), the fixed vector
    keys: Tensor  # (B, K, A) U·h; for the twin (B, 1, 0)
    mask: Tensor | None  # (B, K) False at padding

    def repeat(self, rows: Tensor) -> Source:
        """The same with its batch rows taken in that order, as a beam search needs."""
        return Source(self.start[rows], self.annotations[rows], self.keys[rows], None if self.mask is None else self.mask[rows])


class EncoderDecoder(nn.Module):
    """Writes a target for a source. attention False is the twin: the fixed vector, of the size that makes the parameters equal."""

    def __init__(
        self,
        sources: int,
        targets: int,
        embedding_dim: int,
        units: int,
        score_dim: int = 128,
        *,
        attention: bool = True,
        shared: bool = False,
        dropout: float = 0.0,
    ) -> None:
        """sources, targets: sizes of the vocabularies. units: of the writer; the reader has half as many in each direction.

        shared: both vocabularies are one, and so are their embeddings.
        """
        super().__init__()
        annotation = 2 * (units // 2)
        self.embed_source = nn.Embedding(sources, embedding_dim)
        self.embed_target = None if shared else nn.Embedding(targets, embedding_dim)
        self.reader = BiGRU(embedding_dim, units // 2)
        self.to_start = nn.Linear(units // 2, units)
        self.keep = 1 - dropout
        context = annotation
        self.fix: nn.Linear | None = None
        if attention:
            self.to_query = nn.Linear(units, score_dim)
            self.to_key = nn.Linear(annotation, score_dim, bias=False)
            self.direction = nn.Parameter(torch.randn(score_dim) * score_dim**-0.5)
        else:
            per_feature = annotation + 1 + 3 * units + 2 * embedding_dim
            freed = (units + 1 + annotation + 1) * score_dim + annotation * (3 * units + 2 * embedding_dim)
            context = round(freed / per_feature)
            self.fix = nn.Linear(annotation, context)
        self.from_token = nn.Linear(embedding_dim, 3 * units)
        self.from_context = nn.Linear(context, 3 * units, bias=False)
        self.from_state = nn.Linear(units, 3 * units)
        self.readout = nn.Linear(embedding_dim + units + context, 2 * embedding_dim)
        self.bias = nn.Parameter(torch.zeros(targets))
        nn.init.normal_(self.embed_source.weight, std=embedding_dim**-0.5)
        nn.init.normal_(self.words.weight, std=embedding_dim**-0.5)
        for matrix in self.from_state.weight.data.chunk(3):
            nn.init.orthogonal_(matrix)

    @property
    def words(self) -> nn.Embedding:
        """Of the target's tokens: what the writer reads of its own, and the output layer's weights (Press and Wolf 2017)."""
        return self.embed_source if self.embed_target is None else self.embed_target

    def read(self, tokens: Tensor, mask: Tensor | None = None) -> Source:
        """tokens: (B, K). mask: (B, K), False at padding, which follows the tokens; None: there is none."""
        annotations, last = self.reader(self._drop(self.embed_source(tokens)), mask)
        start = torch.tanh(self.to_start(annotations[:, 0, annotations.shape[-1] // 2 :])).float()
        if self.fix is not None:
            fixed = self._drop(torch.tanh(self.fix(last)).float()[:, None])  # (B, 1, C)
            return Source(start, fixed, fixed[..., :0], None)
        annotations = self._drop(annotations)
        return Source(start, annotations, self.to_key(annotations).float(), mask)

    def look(self, state: Tensor, source: Source) -> Tensor:
        """What the writer takes from the source at this step: cᵢ, (B, C). state: (B, S), sᵢ₋₁."""
        if self.fix is not None:
            return source.annotations[:, 0]
        query = self.to_query(state).float()  # (B, A)
        if self.training:
            scores = AdditiveScores.apply(query, source.keys, self.direction)
            if source.mask is not None:
                scores = scores.masked_fill(~source.mask, -torch.inf)
            return (scores.softmax(-1)[..., None] * source.annotations).sum(1)
        mask = None if source.mask is None else source.mask[:, None]
        return attend_additive(query[:, None], source.keys, source.annotations, self.direction, name=("cross", 0), mask=mask)[:, 0]

    def step(self, token: Tensor, state: Tensor, source: Source) -> tuple[Tensor, Tensor]:
        """Logits (B, N) of the next token, and the state (B, S) that made them. token: (B,), yᵢ₋₁. state: (B, S), sᵢ₋₁.

        Bahdanau, Cho and Bengio 2015, appendix A.2.2.
        """
        embedded = self.words(token)
        context = self.look(state, source)
        state = GRUGates.apply(self.from_token(embedded) + self.from_context(context), self.from_state(state), state)
        features = self._read_out(embedded, state, context)
        return F.linear(features, self.words.weight, self.bias), state

    def features(self, tokens: Tensor, source: Source) -> Tensor:
        """What the output layer reads, (B, T, E), for all of a known target at once. tokens: (B, T), the inputs."""
        embedded = self._drop(self.words(tokens))
        given = self.from_token(embedded)
        state, states, contexts = source.start, [], []
        if self.fix is not None:  # the same at every step
            fixed = source.annotations.expand(-1, tokens.shape[1], -1)
            given = given + self.from_context(source.annotations)
        for each in given.unbind(1):
            if self.fix is None:
                contexts.append(self.look(state, source))
                each = each + self.from_context(contexts[-1])
            state = GRUGates.apply(each, self.from_state(state), state)
            states.append(state)
        return self._read_out(embedded, torch.stack(states, 1), torch.stack(contexts, 1) if contexts else fixed)

    def forward(self, sources: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits (B, T, N) of the token after each of `targets` (B, T). sources: (B, K). mask: (B, K)."""
        return F.linear(self.features(targets, self.read(sources, mask)), self.words.weight, self.bias)

    def _read_out(self, embedded: Tensor, state: Tensor, context: Tensor) -> Tensor:
        """A layer of pairs of which the larger counts (maxout). (…, E), (…, S), (…, C) -> (…, E)."""
        pairs = self.readout(torch.cat([embedded, state.to(embedded.dtype), context.to(embedded.dtype)], -1))
        return self._drop(torch.maximum(*pairs.chunk(2, -1)))

    def _drop(self, features: Tensor) -> Tensor:
        """Dropout, in training, of the same features at every position of a row (Gal and Ghahramani 2016). features: (B, T, F)."""
        if not self.training or self.keep == 1:
            return features
        mask = torch.rand(features.shape[0], 1, features.shape[2], device=features.device) < self.keep
        return features * (mask / self.keep).to(features.dtype)
