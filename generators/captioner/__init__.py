"""Says what is in a picture, and shows where it looked for every word (Xu et al. 2015)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from generators.base import BadInput, NotReady, Request, check_only
from generators.captioner.card import CARD
from generators.edits import Kind
from generators.sampling import ranked
from generators.trace import Attention, Beam, Choice, Grid, Region, Step, Tokens, Words
from generators.writing import SHOWN, TWIN_EDITED, Paired, detail_of, fitted, likeliest, odds_of

if TYPE_CHECKING:
    from torch import Tensor

    from generators.attention import Heard
    from generators.captioner.model import Describer, Seen
    from generators.captioner.tokens import Phrases
    from generators.detector import Detector
    from generators.searching import Hypothesis

LONGEST = 12  # tokens of a caption
PICTURES = "pictures.npz"
TINY = {"fox": "狐狸", "red apple": "红苹果", "owl": "猫头鹰", "grapes": "葡萄"}


class Run(Paired["Describer"]):
    """A trained model and its twin. One attention, named ("cross", 0): row p belongs to output phrase p, its keys are the picture's cells.

    pictures: (M, n, n, 3) uint8, from which a run takes one if none was given. detector: finds where the named things are; None: nothing
    says so. strangest: side → the mean logarithm (base e) of a token's probability below which only one scene in a hundred stays.
    """

    card = CARD

    def __init__(
        self,
        phrases: Phrases,
        model: Describer,
        twin: Describer | None,
        pictures: np.ndarray,
        detector: Detector | None = None,
        strangest: dict[bool, float] | None = None,
    ) -> None:
        for each in filter(None, (model, twin)):
            each.requires_grad_(False)
        super().__init__(model, twin)
        self.vocabulary, self.pictures, self.detector, self.strangest = phrases, pictures, detector, strangest or {}
        self.never = {language: _never(phrases, language) for language in phrases.phrases}

    @classmethod
    def load(cls, folder: Path) -> Self:
        from generators import detector
        from generators.captioner.model import Config, Describer
        from generators.captioner.tokens import Phrases
        from generators.training import read_json

        config = read_json(folder / "config.json")

        def model(name: str, attention: bool) -> Describer:
            def build(weights: dict[str, Tensor]) -> Describer:
                built = Describer(Config.from_dict({**config, "attention": attention}))
                built.load_state_dict(weights)
                return built

            return fitted(folder, name, build)

        twin = model("without", False) if (folder / "without.safetensors").is_file() else None
        known = config.get("strangest", {})
        strangest = {attention: float(known[side]) for attention, side in ((True, "with"), (False, "without")) if side in known}
        return cls(Phrases.load(folder), model("weights", True), twin, read_pictures(folder), detector.load(), strangest)

    @classmethod
    def tiny(cls) -> Self:
        import torch

        from generators.captioner.model import Config, Describer
        from generators.captioner.tokens import Phrases
        from generators.lexicon import Lexicon, Word

        phrases = Phrases(Lexicon([Word(name, "object", name, chinese) for name, chinese in TINY.items()]))
        with torch.random.fork_rng(devices=[]):  # the dice of others stay as they are
            torch.manual_seed(0)
            sizes = Config(len(phrases.pieces), widths=(8, 12, 16), blocks=(1, 1), embedding=12, units=16, score=8)
            model, twin = (Describer(Config(**{**sizes.to_dict(), "attention": each})) for each in (True, False))
            for weight in (*model.parameters(), *twin.parameters()):
                weight.data *= 3  # so that pictures differ
        return cls(phrases, model, twin, np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8))

    def generate(self, request: Request) -> Iterator[Step]:
        model, never = self.model(request.attention), self.never[str(request.settings["language"])]
        for index, token in enumerate(request.forced[:LONGEST]):
            if token >= never.shape[1] or np.isneginf(never[min(index, 1), token]):
                raise BadInput("These tokens are no caption in this language.", "这些词元不是这种语言的描述。")
        picture, notes = self._given(request)
        if request.edits and not request.attention:
            notes += TWIN_EDITED
        return _Course(self, model, request, picture, never, notes).steps()

    def _given(self, request: Request) -> tuple[np.ndarray, tuple[Words, ...]]:
        """The picture that the model reads, (S, S, 3), and what the visitor should know of it."""
        from generators.pictures import read_picture, read_prompt

        if request.picture is not None:
            return read_picture(request.picture, self.model(True).config.size), ()
        number = read_prompt(request)[0] % len(self.pictures)
        note = {
            "en": f"No picture was given: this is number {number + 1} of {len(self.pictures)} that the Lab painted itself.",
            "zh": f"没有给出图片：这是本实验室自己画的 {len(self.pictures)} 张图片中的第 {number + 1} 张。",
        }
        return read_picture(self.pictures[number], self.model(True).config.size), (note,)


@dataclass
class _Course:
    """One run: everything that changes from step to step."""

    run: Run
    model: Describer
    request: Request
    picture: np.ndarray
    never: np.ndarray  # (2, N)
    notes: tuple[Words, ...]
    beams: list[tuple[Beam, ...]] = field(default_factory=list)  # after each step of the search

    def steps(self) -> Iterator[Step]:
        from generators.captioner.tokens import Reader, start
        from generators.tokens import END

        request = self.request
        token = start(str(request.settings["language"]), str(request.settings["begin"]))
        seen = self._read(token)
        path = self._search(seen, token)
        check_only(request.only, len(path))
        reader = Reader(self.run.vocabulary)
        state = seen.start
        for index, chosen_id in enumerate(path):
            logits, gate, state, heard = self._step(token, state, seen, index)
            ids, probabilities = ranked(logits + self.never[min(index, 1)], at_least=SHOWN)
            token = chosen_id
            choices = likeliest(ids, probabilities, token, reader)
            chosen = next(each for each in choices if each.id == token)
            stop = "end" if token == END else "length" if index + 1 == LONGEST else ""
            added = reader.read(token)
            if request.only not in (None, index):
                continue
            yield Step(
                index,
                attentions=tuple(self._row(each, chosen) for each in heard) if request.watched else (),
                text=added,
                chosen=chosen,
                candidates=choices,
                facts={"gate": gate},
                notes=self.notes if index == 0 else (),
                details=tuple(detail_of(each) for each in heard if each.inside is not None),
                stop=stop,
                beams=self.beams[index] if index < len(self.beams) else (),
                source=self.picture if index == 0 else None,
                regions=self._regions(path) if stop and request.watched else (),
                odds=odds_of(logits) if request.only is not None else None,
            )
            if request.only == index:
                return

    def _read(self, token: int) -> Seen:
        import torch

        from generators.pictures import to_signed

        with torch.inference_mode():
            return self.model.read(to_signed(self.picture[None]), torch.tensor([token]))

    def _search(self, seen: Seen, token: int) -> tuple[int, ...]:
        """What is written: as forced, then as the search goes on; its hypotheses are kept where there are several."""
        import torch

        from generators.attention import watch
        from generators.searching import beam_search
        from generators.tokens import END

        forced, beams = self.request.forced[:LONGEST], int(self.request.settings["beams"])
        if END in forced:
            return forced[: forced.index(END) + 1]
        best, history = beam_search(
            self.model,
            seen,
            start=token,
            beams=beams,
            longest=LONGEST,
            never=torch.from_numpy(self.never),
            forced=forced,
            listen=lambda step: watch(self.request.edits, step=step, first_query=step),
        )
        found = best[0]

        def shown(other: Hypothesis) -> Beam:
            ours = found.tokens[: len(other.tokens)] == other.tokens
            return Beam(self.run.vocabulary.decode(other.tokens), other.score, ours, other.ended)

        if beams > 1:
            self.beams = [tuple(map(shown, each)) for each in history]
        if not forced and not self.request.edits:
            self.notes += self._warned(found.score / len(found.tokens))
        return found.tokens

    def _warned(self, likely: float) -> tuple[Words, ...]:
        usual = self.run.strangest.get(self.request.attention)
        if usual is None or likely >= usual:
            return ()
        share, known = (f"{100 * np.exp(each):.0f}" for each in (likely, usual))
        return (
            {
                "en": f"Outside what it learned: it gives its own words {share} % each, but to 99 of 100 scenes {known} % and more.",
                "zh": f"超出了它所学的范围：它给自己每个词的概率平均只有 {share}%，而 100 个场景中有 99 个达到 {known}% 以上。",
            },
        )

    def _step(self, token: int, state: Tensor, seen: Seen, index: int) -> tuple[np.ndarray, float, Tensor, list[Heard]]:
        """Logits (N,) of the phrase of that index, β, the state that made them, and what attention used for it."""
        import torch

        from generators.attention import watch

        request = self.request
        with torch.inference_mode():
            gate = float(self.model.gate(state))
            wanted = request.only in (None, index)
            if not (request.edits or (wanted and request.watched) or request.pin == index):
                logits, state = self.model.step(torch.tensor([token]), state, seen)
                return logits[0].numpy(), gate, state, []
            with watch(request.edits, step=index, first_query=index, detail=request.pin) as watcher:
                logits, state = self.model.step(torch.tensor([token]), state, seen)
            return logits[0].numpy(), gate, state, watcher.heard

    def _row(self, heard: Heard, chosen: Choice) -> Attention:
        """The row of the phrase that it chose."""
        used = None if heard.used is None else heard.used.numpy()
        side = self.model.config.grid
        kind, layer = cast(Kind, heard.name[0]), heard.name[1]
        return Attention(kind, layer, heard.weights.numpy()[0], Tokens((chosen.label,)), Grid(side, side), heard.first_query, used)

    def _regions(self, path: tuple[int, ...]) -> tuple[Region, ...]:
        """Where the named things are, by the detector, which knows nothing of these maps."""
        from generators.captioner.tokens import positions
        from generators.scenes import halved

        if self.run.detector is None:
            return ()
        phrases = self.run.vocabulary
        named = positions(phrases, path)
        regions = []
        for thing in self.run.detector(halved(self.picture[None]))[0].objects:
            if thing.word in named:
                said = phrases.pieces[path[named[thing.word][0]]].decode()
                label = thing.word if said.endswith(thing.word) else said  # in the caption's language, without an article
                regions.append(Region(label, named[thing.word], thing.mask.repeat(2, 0).repeat(2, 1)))
        return tuple(regions)


def _never(phrases: Phrases, language: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(2, N) −inf for what is not written, as the first of all and later: special tokens but the end, phrases of other languages."""
    from generators.tokens import END

    never = np.full((2, len(phrases.pieces)), -np.inf, np.float32)
    never[:, phrases.of_language(language)] = 0
    never[1, END] = 0
    return never


def read_pictures(folder: Path) -> np.ndarray:
    """`pictures.npz`: (M, n, n, 3) uint8. Raises NotReady, one sentence."""
    try:
        with np.load(folder / PICTURES, allow_pickle=False) as archive:
            pictures: np.ndarray = archive["pictures"]
    except (OSError, KeyError, ValueError):
        raise NotReady(f"The pictures of {folder.name} are missing or damaged.", f"{folder.name} 的图片缺失或已损坏。") from None
    return pictures
