"""Writes a tale or a poem with an LSTM that looks back over its own states: the article's text model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from generators import tokens
from generators.base import BadInput, Generator, NotReady, Request
from generators.edits import Kind
from generators.lstm.card import CARD
from generators.lstm.prompt import read_prompt
from generators.sampling import draw, ranked
from generators.stoplist import completes
from generators.trace import Attention, Choice, Detail, Step, Tokens, Words

if TYPE_CHECKING:
    from generators.attention import Heard
    from generators.lstm.model import AttentionModel, States

SHOWN = 8  # candidates of a step
LONGEST = 256  # tokens of a run, whatever the settings say
SECONDS = 60.0  # of computing, for one run


class Run(Generator):
    """A trained model and its twin. One layer, named ("self", 0); a run's step reads one token and chooses the next."""

    card = CARD

    def __init__(
        self, vocabulary: tokens.Characters | tokens.Pieces, model: AttentionModel, twin: AttentionModel | None, *, verse: bool
    ) -> None:
        self.vocabulary, self.verse = vocabulary, verse
        self._models = {True: model.eval(), False: twin.eval() if twin else None}
        self._never = _never(vocabulary)

    @classmethod
    def load(cls, folder: Path) -> Self:
        from generators.lstm.model import AttentionModel
        from generators.training import read_json, read_weights

        config = read_json(folder / "config.json")
        vocabulary = tokens.load(folder)

        def model(name: str, attention: bool) -> AttentionModel:
            weights = read_weights(folder / f"{name}.safetensors")
            try:
                built = AttentionModel(**config["model"], attention=attention)
                built.load_state_dict(weights)
            except (KeyError, TypeError, RuntimeError):
                raise NotReady(
                    f"The weights {folder.name}/{name}.safetensors do not fit their config.json.",
                    f"权重文件 {folder.name}/{name}.safetensors 与 config.json 不符。",
                ) from None
            return built

        twin = model("without", False) if (folder / "without.safetensors").is_file() else None
        return cls(vocabulary, model("weights", True), twin, verse=bool(config.get("verse")))

    @classmethod
    def tiny(cls) -> Self:
        import torch

        from generators.lstm.model import AttentionModel

        vocabulary = tokens.Characters([chr(code) for code in range(32, 127)])
        with torch.random.fork_rng(devices=[]):  # the dice of others stay as they are
            torch.manual_seed(0)
            model, twin = (AttentionModel(len(vocabulary.pieces), 16, 24, 2, attention=each) for each in (True, False))
            for weight in (*model.parameters(), *twin.parameters()):
                weight.data *= 2  # so that the weights of random heads differ
        return cls(vocabulary, model, twin, verse=False)

    def has(self, attention: bool) -> bool:
        """Whether the model with or without attention is there."""
        return self._models[attention] is not None

    def model(self, attention: bool) -> AttentionModel:
        """The model, or its twin. Raises BadInput if there is none."""
        model = self._models[attention]
        if model is None:
            raise BadInput("This model has no twin without attention.", "这个模型没有不带注意力的对照模型。")
        return model

    def generate(self, request: Request) -> Iterator[Step]:
        model = self.model(request.attention)
        prompt = read_prompt(request.text, request.settings, self.vocabulary, self.verse)
        before = tokens.decode(self.vocabulary, prompt.ids)
        self._check_forced(request.forced, before)
        notes = prompt.notes + (_TWIN_EDITED if request.edits and not request.attention else ())
        return _Course(self, model, request, prompt.ids, min(prompt.room, LONGEST), notes, before).steps()

    def _check_forced(self, forced: tuple[int, ...], text: str) -> None:
        """Raises BadInput for a token outside the vocabulary, and for a word that is not written here. text: before the first of them."""
        reader = tokens.Reader(self.vocabulary, self.verse)
        for token in forced[:LONGEST]:
            if token >= len(self.vocabulary.pieces):
                raise BadInput(
                    f"Tokens are numbered from 0 to {len(self.vocabulary.pieces) - 1}.",
                    f"词元的编号从 0 到 {len(self.vocabulary.pieces) - 1}。",
                )
            added = reader.read(token)
            if completes(text, added):
                raise BadInput("The chosen tokens make a word that is not written here.", "所选的词元组成了这里不写的词。")
            text += added


@dataclass
class _Course:
    """One run: everything that changes from step to step."""

    run: Run
    model: AttentionModel
    request: Request
    prompt: tuple[int, ...]
    room: int
    notes: tuple[Words, ...]
    text: str  # so far, the prompt's words before it
    labels: list[str] = field(default_factory=list)  # of all tokens so far

    def steps(self) -> Iterator[Step]:
        request, vocabulary = self.request, self.run.vocabulary
        settings = {name: request.settings[name] for name in ("temperature", "top_k", "top_p") if name in request.settings}
        dice = np.random.default_rng(request.seed)
        reader = tokens.Reader(vocabulary, self.run.verse)
        self.labels = [reader.label(token, reader.read(token)) for token in self.prompt]
        reader = tokens.Reader(vocabulary, self.run.verse)  # an opening may end within a character; what follows starts anew
        new, states, position, seconds = list(self.prompt), None, 0, 0.0
        for index in range(self.room):
            began = time.perf_counter()
            logits, states, attentions, details = self._read(new, states, index, position)
            position += len(new)
            ids, probabilities = ranked(logits + self.run._never, **settings, at_least=SHOWN)
            place, probabilities = draw(ids, probabilities, dice.random(), lambda token: completes(self.text, reader.peek(token)), SHOWN)
            token = request.forced[index] if index < len(request.forced) else int(ids[place])
            candidates = self._candidates(ids, probabilities, token, reader)
            added = reader.read(token)
            self.text += added
            chosen = next(each for each in candidates if each.id == token)
            seconds += time.perf_counter() - began
            stop = "end" if token == tokens.END else "length" if index + 1 == self.room or seconds > SECONDS else ""
            yield Step(
                index,
                attentions=attentions,
                text=added,
                prompt=tuple(self.labels) if index == 0 else (),
                chosen=chosen,
                candidates=candidates,
                notes=self.notes if index == 0 else (),
                details=details,
                stop=stop,
            )
            if stop:
                return
            self.labels.append(chosen.label)
            new = [token]

    def _read(
        self, new: list[int], states: States | None, index: int, position: int
    ) -> tuple[np.ndarray, States, tuple[Attention, ...], tuple[Detail, ...]]:
        """Logits (N,) after the new tokens; states; rows and details that this step shows. position: of the first new token."""
        import torch

        from generators.attention import watch

        request = self.request
        pinned = request.pin is not None and position <= request.pin < position + len(new)
        with torch.inference_mode():
            inputs = torch.tensor([new])
            if not (request.watched or request.edits or pinned):
                logits, states = self.model.last(inputs, states)
                return logits[0].numpy(), states, (), ()
            with watch(request.edits, step=index, first_query=position, detail=request.pin) as watcher:
                logits, states = self.model.last(inputs, states)
            attentions = tuple([self._rows(each) for each in watcher.heard]) if request.watched else ()
            details = tuple(_detail(each) for each in watcher.heard if each.inside is not None) if pinned else ()
            return logits[0].numpy(), states, attentions, details

    def _rows(self, heard: Heard) -> Attention:
        weights = heard.weights.numpy()[0]  # (H, Q, K)
        first, keys = heard.first_query, tuple(self.labels)
        query = Tokens(keys[first : first + weights.shape[1]])
        used = None if heard.used is None else heard.used.numpy()
        return Attention(cast(Kind, heard.name[0]), heard.name[1], weights, query, Tokens(keys), first, used)

    def _candidates(self, ids: np.ndarray, probabilities: np.ndarray, token: int, reader: tokens.Reader) -> tuple[Choice, ...]:
        """The most likely tokens, most likely first, `token` among them."""
        order = np.argsort(-probabilities, kind="stable")[:SHOWN]
        likely = {int(ids[place]): float(probabilities[place]) for place in order}
        if token not in likely:
            likely.pop(next(reversed(likely)))
            found = np.flatnonzero(ids == token)
            likely[token] = float(probabilities[found[0]]) if len(found) else 0.0
        return tuple(Choice(each, reader.label(each, reader.peek(each)), chance) for each, chance in likely.items())


_TWIN_EDITED: tuple[Words, ...] = (
    {
        "en": "The model without attention has nothing to edit: the changes have no effect.",
        "zh": "不带注意力的模型没有可改之处：修改不起作用。",
    },
)


def _never(vocabulary: tokens.Characters | tokens.Pieces) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(N,) −inf for tokens that are not chosen: specials but the end; bytes of rare characters, which a model of characters garbles."""
    never = np.zeros(len(vocabulary.pieces), np.float32)
    specials = len(tokens.SPECIALS)
    never[tokens.END + 1 : specials] = -np.inf
    if isinstance(vocabulary, tokens.Characters):
        never[specials : specials + 256] = -np.inf
    return never


def _detail(heard: Heard) -> Detail:
    """The three components of the pinned query, in numpy."""
    inside = heard.inside
    assert inside is not None
    parts = (inside.query, inside.key, inside.value, inside.scores, inside.weights, inside.context)
    return Detail(cast(Kind, heard.name[0]), heard.name[1], inside.query_index, *(part.numpy() for part in parts))
