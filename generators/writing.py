"""Writing token by token: what every text generator with a vocabulary of its own shares.

A generator says how its model reads new tokens and what it remembers (`Writer.read`); prompt, dice, forced tokens, stop list,
candidates, rows and caps are here.

Letters: N vocabulary, T new tokens, H heads, Q queries, K tokens so far.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from operator import sub
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import numpy as np

from generators import tokens
from generators.base import BadInput, Generator, NotReady, Request, Setting, check_only
from generators.edits import Kind
from generators.prompts import Prompt, read_prompt
from generators.sampling import draw, ranked
from generators.stoplist import completes
from generators.trace import Attention, Choice, Detail, Step, Tokens, Words

if TYPE_CHECKING:
    from torch import Tensor, nn

    from generators.attention import Heard

SHOWN = 8  # candidates of a step
KEPT = 256  # keys of a row; of a longer one the strongest are kept, the others summed
SECONDS = 60.0  # of computing, for one run
PROBE = 4  # steps of a run that are timed before a long one

Model = TypeVar("Model", bound="nn.Module")
Memory = TypeVar("Memory")


class Paired(Generator, Generic[Model]):
    """A trained model and its twin without attention."""

    def __init__(self, model: Model, twin: Model | None) -> None:
        self._models = {True: model.eval(), False: twin.eval() if twin is not None else None}

    def has(self, attention: bool) -> bool:
        """Whether the model with or without attention is there."""
        return self._models[attention] is not None

    def model(self, attention: bool) -> Model:
        """The model, or its twin. Raises BadInput if there is none."""
        model = self._models[attention]
        if model is None:
            raise BadInput("This model has no twin without attention.", "这个模型没有不带注意力的对照模型。")
        return model


class Writer(Paired[Model], Generic[Model, Memory]):
    """Goes on with a text. Step 0 reads the prompt; every step chooses one token, which the next one reads.

    longest: tokens of a run, longest_prompt: tokens of a prompt, whatever the settings say.
    """

    longest: int = 256
    longest_prompt: int = 160

    def __init__(self, vocabulary: tokens.Vocabulary, model: Model, twin: Model | None, *, verse: bool) -> None:
        super().__init__(model, twin)
        self.vocabulary, self.verse = vocabulary, verse
        self._never = _never(vocabulary)

    @abstractmethod
    def read(self, model: Model, new: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        """Logits (N,) for the token after the new ones (1, T), and what the model remembers of all so far (None: nothing yet)."""

    def room(self, prompt: Prompt) -> int:
        """How many tokens may follow the prompt."""
        return min(prompt.room, self.longest)

    def generate(self, request: Request) -> Iterator[Step]:
        model, prompt = self.model(request.attention), self.prompt(request)
        before = tokens.decode(self.vocabulary, prompt.ids)
        self._check_forced(request.forced, before)
        room, notes = self.room(prompt), prompt.notes
        if room < prompt.room:
            notes += ({"en": f"At most {room:,} tokens can follow this prompt.", "zh": f"在这个提示之后最多再写 {room:,} 个词元。"},)
        if request.edits and not request.attention:
            notes += TWIN_EDITED
        return _Course(self, model, request, prompt.ids, room, notes, before).steps()

    def forecast(self, request: Request) -> tuple[Words, ...]:
        """Where rows may grow longer than KEPT keys: tokens, seconds as a few steps in the middle of such a run take now, megabytes."""
        prompt = self.prompt(request)
        first, last = len(prompt.ids), len(prompt.ids) + self.room(prompt)
        if last <= KEPT or not request.attention:
            return ()
        request = replace(request, forced=(tokens.TEXT,) * PROBE)
        probe = _Course(self, self.model(True), request, (tokens.TEXT,) * ((first + last) // 2), PROBE, (), "").steps()
        heads = sum(each.heads for each in next(probe).attentions)  # of all layers
        taken = [time.perf_counter()] + [time.perf_counter() for _ in probe]
        seconds = min(SECONDS, median(map(sub, taken[1:], taken)) * (last - first))
        megabytes = heads * sum(_row_bytes(keys) for keys in range(1, last + 1)) / 2**20
        return (
            {
                "en": f"This run may come to {last:,} tokens: about {max(1, round(seconds))} s and {max(1, round(megabytes))} MB. "
                f"Of rows longer than {KEPT} keys the strongest {KEPT} are kept, the others as one sum.",
                "zh": f"这次运行可能达到 {last:,} 个词元：约 {max(1, round(seconds))} 秒、{max(1, round(megabytes))} MB。"
                f"超过 {KEPT} 个键的行只保留最强的 {KEPT} 个，其余合为一项。",
            },
        )

    def prompt(self, request: Request) -> Prompt:
        """What the model reads first."""
        return read_prompt(request.text, request.settings, self.vocabulary, verse=self.verse, longest=self.longest_prompt)

    def replay(self, request: Request, query: int) -> tuple[Detail, ...]:
        """As of every generator; prompt and chosen tokens up to that position are read at one go."""
        step = max(0, query + 1 - len(self.prompt(request).ids))
        return super().replay(replace(request, only=step), query)

    def _check_forced(self, forced: tuple[int, ...], text: str) -> None:
        """Raises BadInput for a token outside the vocabulary, and for a word that is not written here. text: before the first of them."""
        reader = tokens.Reader(self.vocabulary, self.verse)
        for token in forced[: self.longest]:
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
class _Course(Generic[Model, Memory]):
    """One run: everything that changes from step to step."""

    run: Writer[Model, Memory]
    model: Model
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
        new, memory, position, seconds = list(self.prompt), None, 0, 0.0
        check_only(request.only, self.room)
        first = self._first()
        if first:  # nothing is drawn before the step that is wanted: what was chosen is read at one go
            new += request.forced[:first]
            dice.random(first)
            for token in request.forced[:first]:
                added = reader.read(token)
                self.labels.append(reader.label(token, added))
                self.text += added
        for index in range(first, self.room):
            began = time.perf_counter()
            logits, memory, attentions, details = self._read(new, memory, index, position)
            position += len(new)
            ids, probabilities = ranked(logits + self.run._never, **settings, at_least=SHOWN)
            place, probabilities = draw(ids, probabilities, dice.random(), lambda token: completes(self.text, reader.peek(token)), SHOWN)
            token = request.forced[index] if index < len(request.forced) else int(ids[place])
            candidates = likeliest(ids, probabilities, token, reader)
            added = reader.read(token)
            self.text += added
            chosen = next(each for each in candidates if each.id == token)
            seconds += time.perf_counter() - began
            stop = "end" if token == tokens.END else "length" if index + 1 == self.room or seconds > SECONDS else ""
            if request.only in (None, index):
                yield Step(
                    index,
                    attentions=attentions,
                    text=added,
                    prompt=tuple(self.labels) if index == 0 else (),
                    odds=odds_of(logits) if request.only is not None else None,
                    chosen=chosen,
                    candidates=candidates,
                    notes=self.notes if index == 0 else (),
                    details=details,
                    stop=stop,
                )
            if stop and request.only not in (None, index):
                check_only(request.only, index + 1)
            if stop or request.only == index:
                return
            self.labels.append(chosen.label)
            new = [token]

    def _first(self) -> int:
        """The first step that is computed: the one that is wanted where all before it is known, and no change is of some steps only."""
        only, forced = self.request.only, self.request.forced
        if not only or len(forced) < only or any(edit.steps is not None for edit in self.request.edits):
            return 0
        if tokens.END in forced[:only]:
            check_only(only, forced.index(tokens.END) + 1)
        return only

    def _read(
        self, new: list[int], memory: Memory | None, index: int, position: int
    ) -> tuple[np.ndarray, Memory, tuple[Attention, ...], tuple[Detail, ...]]:
        """Logits (N,) after the new tokens; memory; rows and details that this step shows. position: of the first new token."""
        import torch

        from generators.attention import watch

        request, read = self.request, self.run.read
        pinned = request.pin is not None and position <= request.pin < position + len(new)
        with torch.inference_mode():
            inputs = torch.tensor([new])
            if not (request.watched or request.edits or pinned):
                logits, memory = read(self.model, inputs, memory)
                return logits.numpy(), memory, (), ()
            with watch(request.edits, step=index, first_query=position, detail=request.pin) as watcher:
                logits, memory = read(self.model, inputs, memory)
            attentions = self._rows(watcher.heard) if request.watched else ()
            details = tuple(detail_of(each) for each in watcher.heard if each.inside is not None) if pinned else ()
            return logits.numpy(), memory, attentions, details

    def _rows(self, heard: list[Heard]) -> tuple[Attention, ...]:
        """The new rows of every layer; all name the same tokens."""
        key = Tokens(tuple(self.labels))
        query = None
        rows = []
        for each in heard:
            weights = each.weights.numpy()[0]  # (H, Q, K)
            if query is None:
                query = Tokens(key.labels[each.first_query : each.first_query + weights.shape[1]])
            used = None if each.used is None else each.used.numpy()
            whole = Attention(cast(Kind, each.name[0]), each.name[1], weights, query, key, each.first_query, used)
            rows.append(whole.strongest(KEPT))
        return tuple(rows)


def likeliest(ids: np.ndarray, probabilities: np.ndarray, token: int, reader: tokens.Reader) -> tuple[Choice, ...]:
    """The most likely tokens, most likely first, `token` among them."""
    order = np.argsort(-probabilities, kind="stable")[:SHOWN]
    likely = dict(zip(ids[order].tolist(), probabilities[order].tolist(), strict=True))
    if token not in likely:
        likely.pop(next(reversed(likely)))
        found = np.flatnonzero(ids == token)
        likely[token] = float(probabilities[found[0]]) if len(found) else 0.0
    return tuple([Choice(each, reader.label(each, reader.peek(each)), chance) for each, chance in likely.items()])


def detail_of(heard: Heard) -> Detail:
    """The three components of the pinned query, in numpy."""
    inside = heard.inside
    assert inside is not None
    kind, layer = cast(Kind, heard.name[0]), heard.name[1]
    key, value, direction = inside.key.numpy(), inside.value.numpy(), None if inside.direction is None else inside.direction.numpy()
    scores, weights, context = inside.scores.numpy(), inside.weights.numpy(), inside.context.numpy()
    return Detail(kind, layer, inside.query_index, inside.query.numpy(), key, value, scores, weights, context, direction, inside.scale)


def odds_of(logits: np.ndarray) -> np.ndarray:
    """(N,) float32 chances of all tokens, before settings and stop list. logits: (N,)."""
    shares: np.ndarray = np.exp(logits - logits.max(), dtype=np.float32)
    shares /= shares.sum()
    return shares


def _never(vocabulary: tokens.Vocabulary) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(N,) −inf for tokens that are not chosen: specials but the end; bytes of rare characters, which a model of characters garbles."""
    never = np.zeros(len(vocabulary.pieces), np.float32)
    specials = len(tokens.SPECIALS)
    never[tokens.END + 1 : specials] = -np.inf
    if vocabulary.bytewise:
        never[specials : specials + 256] = -np.inf
    return never


def _row_bytes(keys: int) -> int:
    """Of one row of one head: float32 weights, and the places of the strongest where it is cut."""
    return 4 * keys if keys <= KEPT else 4 * (KEPT + 1) + 2 * KEPT


TWIN_EDITED: tuple[Words, ...] = (
    {
        "en": "The model without attention has nothing to edit: the changes have no effect.",
        "zh": "不带注意力的模型没有可改之处：修改不起作用。",
    },
)


def fitted(folder: Path, name: str, build: Callable[[dict[str, Tensor]], Model]) -> Model:
    """The model that `build` makes of the weights in NAME.safetensors.

    Raises NotReady, one sentence, if they are missing, damaged or do not fit what the folder's config.json says.
    """
    from generators.training import read_weights

    weights = read_weights(folder / f"{name}.safetensors")
    try:
        return build(weights)
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise NotReady(
            f"The weights {folder.name}/{name}.safetensors do not fit their config.json.",
            f"权重文件 {folder.name}/{name}.safetensors 与 config.json 不符。",
        ) from None


def settings(longest: int, *, prose: tuple[str, ...], verse: tuple[str, ...]) -> tuple[Setting, ...]:
    """How the next token is drawn and what the prompt is. prose: variants that have a length; verse: those that have a form."""
    return (
        Setting(
            name="temperature",
            kind="float",
            default=0.6,
            low=0.0,
            high=2.0,
            step=0.05,
            label={"en": "Temperature", "zh": "温度"},
            help={
                "en": "Low: what is likely becomes more likely. 0: always the most likely token. Above 1: bolder, and soon nonsense.",
                "zh": "低：可能的更可能；0：总取最可能的词元；高于 1：更大胆，很快会不知所云。",
            },
        ),
        Setting(
            name="top_k",
            kind="int",
            default=40,
            low=0,
            high=200,
            label={"en": "Top k", "zh": "前 k 个"},
            help={"en": "Only the k most likely tokens may follow. 0: all.", "zh": "只从最可能的 k 个词元中选；0 表示全部。"},
        ),
        Setting(
            name="top_p",
            kind="float",
            default=0.95,
            low=0.05,
            high=1.0,
            step=0.05,
            label={"en": "Top p", "zh": "累计概率 p"},
            help={
                "en": "Only the most likely tokens that together reach this probability may follow.",
                "zh": "只从累计概率达到此值的最可能的词元中选。",
            },
        ),
        Setting(
            name="length",
            kind="int",
            default=128,
            low=1,
            high=longest,
            label={"en": "Length", "zh": "长度"},
            help={"en": "At most so many tokens are written.", "zh": "最多写这么多个词元。"},
            variants=prose,
        ),
        Setting(
            name="form",
            kind="choice",
            default="auto",
            label={"en": "Characters in a line", "zh": "每句字数"},
            help={
                "en": "Four lines of five or of seven characters. Auto: as many as the opening's first line has, else seven.",
                "zh": "四句，每句五字或七字。自动：与开头第一句相同，否则七字。",
            },
            choices={"auto": {"en": "Auto", "zh": "自动"}, "5": {"en": "Five", "zh": "五言"}, "7": {"en": "Seven", "zh": "七言"}},
            variants=verse,
        ),
        Setting(
            name="start",
            kind="choice",
            default="opening",
            label={"en": "The prompt is", "zh": "提示是"},
            help={
                "en": "An opening, which the text goes on from, or a title, which the text follows.",
                "zh": "开头：接着往下写；标题：按标题来写。",
            },
            choices={"opening": {"en": "An opening", "zh": "开头"}, "title": {"en": "A title", "zh": "标题"}},
        ),
    )
