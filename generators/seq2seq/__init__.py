"""Says a word, translates a sentence, answers a verse: the encoder–decoder that first had attention (Bahdanau, Cho, Bengio 2015)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from generators.base import BadInput, Request, check_only
from generators.edits import Kind
from generators.sampling import draw, ranked
from generators.seq2seq.card import CARD
from generators.seq2seq.prompt import Prompt, read_source
from generators.stoplist import completes
from generators.trace import Attention, Beam, Choice, Step, Tokens
from generators.writing import SECONDS, SHOWN, TWIN_EDITED, Paired, detail_of, fitted, likeliest, odds_of

if TYPE_CHECKING:
    from torch import Tensor

    from generators.attention import Heard
    from generators.searching import Hypothesis
    from generators.seq2seq.model import EncoderDecoder, Source
    from generators.seq2seq.tokens import Languages

LONGEST = 100  # tokens of a run, whatever the settings say


class Run(Paired["EncoderDecoder"]):
    """A trained model and its twin. One attention, named ("cross", 0): row p belongs to output word p, its keys are the source's tokens."""

    card = CARD

    def __init__(self, languages: Languages, model: EncoderDecoder, twin: EncoderDecoder | None) -> None:
        for each in filter(None, (model, twin)):
            each.requires_grad_(False)
        super().__init__(model, twin)
        self.languages = languages
        self.never, self.never_first = _never(languages, first=False), _never(languages, first=True)

    @classmethod
    def load(cls, folder: Path) -> Self:
        from generators.seq2seq.model import EncoderDecoder
        from generators.seq2seq.tokens import Languages
        from generators.training import read_json

        config = read_json(folder / "config.json")
        languages = Languages.load(folder)

        def model(name: str, attention: bool) -> EncoderDecoder:
            def build(weights: dict[str, Tensor]) -> EncoderDecoder:
                built = EncoderDecoder(**config["model"], attention=attention)
                built.load_state_dict(weights)
                return built

            return fitted(folder, name, build)

        twin = model("without", False) if (folder / "without.safetensors").is_file() else None
        return cls(languages, model("weights", True), twin)

    @classmethod
    def tiny(cls) -> Self:
        import torch

        from generators.seq2seq.model import EncoderDecoder
        from generators.seq2seq.tokens import Languages, Symbols

        letters, sounds = Symbols([*"'abcdefghijklmnopqrstuvwxyz"]), Symbols([" AA", " B", " D", " IY", " K", " S", " T", " UW"])
        languages = Languages(letters, sounds)
        with torch.random.fork_rng(devices=[]):  # the dice of others stay as they are
            torch.manual_seed(0)
            sizes = len(letters.pieces), len(sounds.pieces), 12, 16, 8
            model, twin = (EncoderDecoder(*sizes, attention=each) for each in (True, False))
            for weight in (*model.parameters(), *twin.parameters()):
                weight.data *= 3  # so that rows differ from letter to letter
        return cls(languages, model, twin)

    def generate(self, request: Request) -> Iterator[Step]:
        model = self.model(request.attention)
        self._check_forced(request.forced)
        return _Course(self, model, request, read_source(request.text, self.languages, request.seed)).steps()

    def refused(self, written: tuple[int, ...], token: int) -> bool:
        """Whether the token would complete a word that is not written here."""
        from generators.seq2seq.tokens import Reader

        reader = Reader(self.languages.target)
        text = "".join(reader.read(each) for each in written)
        return completes(text, reader.read(token))

    def _check_forced(self, forced: tuple[int, ...]) -> None:
        """Raises BadInput for a token that is not in the vocabulary or never written, and for a word that is not written here."""
        last = len(self.never) - 1
        for index, token in enumerate(forced[:LONGEST]):
            if token > last or np.isneginf((self.never if index else self.never_first)[token]):
                raise BadInput(f"Tokens are numbered from 0 to {last}.", f"词元的编号从 0 到 {last}。")
            if self.refused(forced[:index], token):
                raise BadInput("The chosen tokens make a word that is not written here.", "所选的词元组成了这里不写的词。")


@dataclass
class _Course:
    """One run: everything that changes from step to step."""

    run: Run
    model: EncoderDecoder
    request: Request
    prompt: Prompt
    text: str = ""  # written so far
    path: tuple[int, ...] = ()  # what is to be written: as forced, then as the search found
    beams: list[tuple[Beam, ...]] = field(default_factory=list)  # after each step of the search

    def steps(self) -> Iterator[Step]:
        from generators.seq2seq.tokens import START, Reader
        from generators.tokens import END

        request, room = self.request, min(int(self.request.settings.get("length", LONGEST)), LONGEST)
        check_only(request.only, room)
        began = time.perf_counter()
        source = self._read()
        self.path = request.forced[:room]
        if int(request.settings.get("beams", 1)) > 1 and self.path[-1:] != (END,):
            self._search(source, room)
        reader = Reader(self.run.languages.target)
        token, state, seconds = START, source.start, time.perf_counter() - began
        notes = self.prompt.notes + (TWIN_EDITED if request.edits and not request.attention else ())
        for index in range(room):
            began = time.perf_counter()
            logits, state, heard = self._step(token, state, source, index)
            ids, probabilities = ranked(logits + (self.run.never if index else self.run.never_first), at_least=SHOWN)
            place, probabilities = draw(ids, probabilities, 0.0, lambda each: completes(self.text, reader.peek(each)), SHOWN)
            token = self.path[index] if index < len(self.path) else int(ids[place])
            choices = likeliest(ids, probabilities, token, reader)
            chosen = next(each for each in choices if each.id == token)
            added = reader.read(token)
            self.text += added
            seconds += time.perf_counter() - began
            stop = "end" if token == END else "length" if index + 1 == room or seconds > SECONDS else ""
            if request.only not in (None, index):
                if stop:
                    check_only(request.only, index + 1)
                continue
            yield Step(
                index,
                attentions=tuple(self._row(each, chosen) for each in heard) if request.watched else (),
                text=added,
                prompt=self.prompt.labels if index == 0 else (),
                chosen=chosen,
                candidates=choices,
                facts={"source_length": self.prompt.length} if index == 0 else {},
                notes=notes if index == 0 else (),
                details=tuple(detail_of(each) for each in heard if each.inside is not None),
                stop=stop,
                beams=self.beams[index] if index < len(self.beams) else (),
                odds=odds_of(logits) if request.only is not None else None,
            )
            if stop or request.only == index:
                return

    def _read(self) -> Source:
        import torch

        with torch.inference_mode():
            return self.model.read(torch.tensor([self.prompt.ids]))

    def _search(self, source: Source, room: int) -> None:
        """The path that beam search chooses, and its hypotheses on the way."""
        import torch

        from generators.attention import watch
        from generators.searching import beam_search
        from generators.seq2seq.tokens import START, decode

        best, history = beam_search(
            self.model,
            source,
            start=START,
            beams=int(self.request.settings["beams"]),
            longest=room,
            never=torch.from_numpy(np.stack([self.run.never_first, self.run.never])),
            forced=self.path,
            refused=self.run.refused,
            listen=lambda step: watch(self.request.edits, step=step, first_query=step),
        )
        self.path = best[0].tokens

        def shown(found: Hypothesis) -> Beam:
            ours = self.path[: len(found.tokens)] == found.tokens
            return Beam(decode(self.run.languages.target, found.tokens), found.score, ours, found.ended)

        self.beams = [tuple(map(shown, found)) for found in history]

    def _step(self, token: int, state: Tensor, source: Source, index: int) -> tuple[np.ndarray, Tensor, list[Heard]]:
        """Logits (N,) of the word of that index, the state that made them, and what attention used for it."""
        import torch

        from generators.attention import watch

        request = self.request
        with torch.inference_mode():
            wanted = request.only in (None, index)
            if not (request.edits or (wanted and request.watched) or request.pin == index):
                logits, state = self.model.step(torch.tensor([token]), state, source)
                return logits[0].numpy(), state, []
            with watch(request.edits, step=index, first_query=index, detail=request.pin) as watcher:
                logits, state = self.model.step(torch.tensor([token]), state, source)
            return logits[0].numpy(), state, watcher.heard

    def _row(self, heard: Heard, chosen: Choice) -> Attention:
        """The row of the word that it chose."""
        used = None if heard.used is None else heard.used.numpy()
        weights = heard.weights.numpy()[0]  # (1, 1, K)
        kind, layer = cast(Kind, heard.name[0]), heard.name[1]
        return Attention(kind, layer, weights, Tokens((chosen.label,)), Tokens(self.prompt.labels), heard.first_query, used)


def _never(languages: Languages, first: bool) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(N,) −inf for what is not written: special tokens but the end, and the end too as the first of all."""
    from generators.tokens import END, SPECIALS

    never = np.zeros(len(languages.target.pieces), np.float32)
    never[END + (not first) : len(SPECIALS)] = -np.inf
    return never
