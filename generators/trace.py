"""What a run leaves behind: axes, attention maps, steps, and the trace that holds them. numpy only.

Letters: H heads, Q queries (the new rows only), K keys.

A text is a sequence of tokens: first those of the prompt (`Step.prompt`, step 0), then the chosen ones (`Step.chosen`, one
a step). The row of query position p was computed standing at token p, and chose token p + 1; rows before the prompt's last chose
nothing. In an encoder–decoder, a cross row belongs to the word it chose: query position p of a cross map is output word p.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from lzma import LZMAError
from pathlib import Path
from typing import Any
from zipfile import ZIP_LZMA, BadZipFile, ZipFile, ZipInfo

import numpy as np

from generators.edits import Kind

Words = Mapping[str, str]
"""One sentence or name in every language of the page: {"en": …, "zh": …}."""

LIVE_TOLERANCE = 1e-4
STORED_TOLERANCE = 1e-2  # float16 rows
FORMAT = 2
FEW = 64  # rows


class TraceError(ValueError):
    """Numbers that do not fit their axes, or a file that is no trace; the message is one sentence."""


@dataclass(frozen=True)
class Tokens:
    """An axis of tokens; a label is the text that the token adds, spaces and line breaks included."""

    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def to_dict(self) -> dict[str, Any]:
        return {"tokens": list(self.labels)}


@dataclass(frozen=True)
class Grid:
    """An axis of picture cells, row by row from the top left."""

    height: int
    width: int

    def __len__(self) -> int:
        return self.height * self.width

    def to_dict(self) -> dict[str, Any]:
        return {"grid": [self.height, self.width]}


Axis = Tokens | Grid


def read_axis(given: Mapping[str, Any]) -> Axis:
    """The axis that `to_dict` described."""
    return Tokens(tuple(given["tokens"])) if "tokens" in given else Grid(*given["grid"])


@dataclass(frozen=True)
class Attention:
    """The rows of one map that one step computed.

    weights: (H, Q, K) float, each row sums to 1. query: names the Q rows. key: names the K keys.
    first_query: position of the first row on the whole query axis.
    used: (H, Q) bool, False where the row was computed but its weighted sum switched off; None: all used.
    places: of rows too long to keep whole, (H, Q, C) integers: the keys of the first C weights of each row, the strongest of it;
    weights is then (H, Q, C + 1), the last one the sum of all others. None: every key has its weight.
    """

    kind: Kind
    layer: int
    weights: np.ndarray
    query: Axis
    key: Axis
    first_query: int = 0
    used: np.ndarray | None = None
    tolerance: float = LIVE_TOLERANCE
    places: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = self.weights.shape
        keys = len(self.key) if self.places is None else self.places.shape[-1] + 1
        if len(shape) != 3 or shape[1:] != (len(self.query), keys):
            raise TraceError(f"{self.kind}: weights are {shape}, axes say (H, {len(self.query)}, {keys})")
        if self.places is not None:
            self._check_places(self.places)
        if self.used is not None and self.used.shape != shape[:2]:
            raise TraceError(f"{self.kind}: used is {self.used.shape}, weights say {shape[:2]}")
        sums = np.add.reduce(self.weights, axis=-1, dtype=np.float32)
        if not sums.size:
            return
        # Every step of every run comes here, most with a few rows: of those a list is quicker.
        rows = sums.ravel().tolist() if sums.size <= FEW else (sums.min(), sums.max())
        if max(rows) <= 1 + self.tolerance and min(rows) >= 1 - self.tolerance and np.minimum.reduce(self.weights, axis=None) >= 0:
            return
        if not np.isfinite(sums).all() or (self.weights < 0).any():
            raise TraceError(f"{self.kind}: weights must be finite and not negative")
        raise TraceError(f"{self.kind}: a row of weights sums to {sums.flat[np.abs(sums - 1).argmax()]:.5f}, not 1")

    def _check_places(self, places: np.ndarray) -> None:
        if places.shape[:2] != self.weights.shape[:2] or not np.issubdtype(places.dtype, np.integer):
            raise TraceError(f"{self.kind}: places are {places.dtype} {places.shape}, weights say {self.weights.shape[:2]}")
        if places.size and not 0 <= int(places.min()) <= int(places.max()) < len(self.key):
            raise TraceError(f"{self.kind}: places go from {places.min()} to {places.max()}, there are {len(self.key)} keys")

    @property
    def heads(self) -> int:
        return int(self.weights.shape[0])

    def strongest(self, count: int) -> Attention:
        """The same with only the `count` strongest keys of each row, the others summed; itself where it has no more keys than that."""
        if self.places is not None or len(self.key) <= count:
            return self
        order = np.argpartition(self.weights, -count, axis=-1)
        places, others = order[..., -count:], order[..., :-count]  # (H, Q, C), (H, Q, K − C)
        rest = np.take_along_axis(self.weights, others, -1).sum(-1, keepdims=True)
        kept = np.concatenate([np.take_along_axis(self.weights, places, -1), rest], -1)
        return replace(self, weights=kept, places=places.astype(np.uint16 if len(self.key) <= 2**16 else np.uint32))

    def dense(self) -> np.ndarray:
        """(H, Q, K) weights by key; where only the strongest were kept (H, Q, K + 1), the last the sum of the others."""
        if self.places is None:
            return self.weights
        whole = np.zeros((*self.weights.shape[:2], len(self.key) + 1), self.weights.dtype)
        np.put_along_axis(whole, self.places.astype(np.int64), self.weights[..., :-1], -1)
        whole[..., -1] = self.weights[..., -1]
        return whole


@dataclass(frozen=True)
class Choice:
    """A token that could follow, with its probability under the settings of the run."""

    id: int
    label: str
    probability: float


@dataclass(frozen=True)
class Detail:
    """The three components for one query in one attention: the model's own numbers.

    query: (H, D). key: (H, K, D). value: (H, K, V). scores: (H, K), -inf where it may not look. weights: (H, K).
    context: (H, V), the weighted sum. direction: (D,), v of an additive score vᵀ tanh(q + k); None: the score is q·k times scale.
    scale: mostly 1/√D; None in an example that was stored without it.
    key and value are None in a stored example, of which they would be most: a replay has them.
    """

    kind: Kind
    layer: int
    query_index: int
    query: np.ndarray
    key: np.ndarray | None
    value: np.ndarray | None
    scores: np.ndarray
    weights: np.ndarray
    context: np.ndarray
    direction: np.ndarray | None = None
    scale: float | None = None


@dataclass(frozen=True)
class Beam:
    """One of the hypotheses that a beam search kept: its text so far and the logarithm (base e) of its probability.

    chosen: whether the run's own text begins with it. ended: whether it is complete.
    """

    text: str
    score: float
    chosen: bool = False
    ended: bool = False


@dataclass(frozen=True)
class Unknown:
    """A piece of the prompt that the generator does not know, and known ones that are near to it."""

    text: str
    offers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Region:
    """Where in the picture a word's thing is, found apart from any attention: what a map of that word can be held against.

    positions: of the word on the axis of tokens (keys of a painter, queries of a describer). mask: (S, S) bool.
    """

    label: str
    positions: tuple[int, ...]
    mask: np.ndarray


@dataclass(frozen=True)
class Step:
    """What one turn of a generator made.

    text: the piece of output text that became whole with this step. prompt: labels of what was read (step 0).
    chosen, candidates: the next token, and those that could have been (most likely first, the chosen one among them).
    beams: the hypotheses after this step, best first, where a beam search runs.
    picture: (height, width, 3) uint8, what it made. source: likewise, the picture it was given, as the model sees it (step 0; of a
    picture that forms from noise every step's).
    state: what a painter's step began with, float32: it lets that step be repeated alone (`Request.state`); never sent, never stored.
    odds: (N,) float32, how likely every token of the vocabulary was before settings and stop list; where one step alone was asked for.
    unknown: pieces of the prompt that are not known (step 0). regions: where the named things are in the picture (the last step).
    facts: named numbers of this step, as SAGAN's γ. notes: sentences for the visitor.
    stop: why the run ended: "length", "end", "stopped"; empty while it goes on.
    """

    index: int
    attentions: tuple[Attention, ...] = ()
    text: str = ""
    prompt: tuple[str, ...] = ()
    chosen: Choice | None = None
    candidates: tuple[Choice, ...] = ()
    picture: np.ndarray | None = None
    facts: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[Words, ...] = ()
    details: tuple[Detail, ...] = ()
    stop: str = ""
    beams: tuple[Beam, ...] = ()
    source: np.ndarray | None = None
    state: np.ndarray | None = None
    odds: np.ndarray | None = None
    unknown: tuple[Unknown, ...] = ()
    regions: tuple[Region, ...] = ()


@dataclass
class Trace:
    """All steps of a run, with the request that repeats it."""

    generator: str
    variant: str
    request: dict[str, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    half: bool = False  # weights were rounded to float16

    def add(self, step: Step) -> None:
        if step.index != len(self.steps):
            raise TraceError(f"step {step.index} after {len(self.steps)} steps")
        self.steps.append(step)

    @property
    def done(self) -> bool:
        return bool(self.steps) and bool(self.steps[-1].stop)

    @property
    def tokens(self) -> tuple[str, ...]:
        """Labels of the whole sequence: the prompt's, then the chosen ones."""
        prompt = self.steps[0].prompt if self.steps else ()
        return (*prompt, *(step.chosen.label for step in self.steps if step.chosen is not None))

    @property
    def forced(self) -> tuple[int, ...]:
        """Ids of the chosen tokens: given as `Request.forced` they repeat the run whatever the dice say."""
        return tuple(step.chosen.id for step in self.steps if step.chosen is not None)

    @property
    def text(self) -> str:
        """The output text, without the prompt."""
        return "".join(step.text for step in self.steps)

    @property
    def source(self) -> np.ndarray | None:
        """The picture that was given, as the model saw it."""
        return self.steps[0].source if self.steps else None

    @property
    def seed(self) -> int:
        """The seed that was used: the request's, or a word's hash where the prompt is the seed."""
        return int(self.steps[-1].facts.get("seed", self.request.get("seed", 0))) if self.steps else int(self.request.get("seed", 0))

    @property
    def picture(self) -> np.ndarray | None:
        """The last picture."""
        return next((step.picture for step in reversed(self.steps) if step.picture is not None), None)

    def maps(self) -> list[tuple[Kind, int]]:
        """Kinds and layers in the order in which they were first heard."""
        return list(dict.fromkeys((each.kind, each.layer) for step in self.steps for each in step.attentions))

    def describe_maps(self) -> list[dict[str, Any]]:
        """Kind, layer, heads and the whole axes of every map, an axis as {"tokens": how many} or {"grid": [height, width]}."""
        rows = []
        for kind, layer in self.maps():
            last = next(each for s in reversed(self.steps) for each in reversed(s.attentions) if (each.kind, each.layer) == (kind, layer))
            sizes = ((last.query, last.first_query + len(last.query)), (last.key, len(last.key)))
            query, key = ({"tokens": size} if isinstance(axis, Tokens) else axis.to_dict() for axis, size in sizes)
            rows.append({"kind": kind, "layer": layer, "heads": last.heads, "query": query, "key": key})
        return rows

    def map(self, kind: Kind, layer: int, head: int | None = None, step: int | None = None) -> np.ndarray:
        """One whole map, its rows gathered from the steps.

        Returns (H, Q, K), or (Q, K) for one head; a row with fewer keys than the last ends in zeros. Where a step computed rows
        anew (diffusion), the later ones count; `step` takes that step's alone. Where only the strongest keys of long rows were kept
        there is one column more, the sum of the others. Raises TraceError if there is none.
        """
        steps = self.steps if step is None else self.steps[step : step + 1]
        parts = [each for s in steps for each in s.attentions if (each.kind, each.layer) == (kind, layer)]
        if not parts:
            raise TraceError(f"there is no {kind} map of layer {layer}")
        queries = max(part.first_query + part.weights.shape[1] for part in parts)
        keys = max(len(part.key) for part in parts)
        whole = np.zeros((parts[0].heads, queries, keys + any(part.places is not None for part in parts)), np.float32)
        for part in parts:
            rows, length = slice(part.first_query, part.first_query + part.weights.shape[1]), len(part.key)
            dense = part.dense()
            whole[:, rows] = 0
            whole[:, rows, :length] = dense[..., :length]
            if part.places is not None:
                whole[:, rows, -1] = dense[..., -1]
        if head is None:
            return whole
        if not 0 <= head < whole.shape[0]:
            raise TraceError(f"the {kind} map of layer {layer} has heads 0 to {whole.shape[0] - 1}")
        return whole[head]

    def rounded(self) -> Trace:
        """The same with float16 weights, for keeping."""
        steps = [
            replace(s, attentions=tuple(replace(a, weights=a.weights.astype(np.float16), tolerance=STORED_TOLERANCE) for a in s.attentions))
            for s in self.steps
        ]
        return Trace(self.generator, self.variant, self.request, steps, half=True)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that it holds."""
        arrays = (array for s in self.steps for a in s.attentions for array in (a.weights, a.places) if array is not None)
        pictures = (picture for s in self.steps for picture in (s.picture, s.source, s.state) if picture is not None)
        return sum(array.nbytes for array in arrays) + sum(picture.nbytes for picture in pictures)

    def save(self, path: Path | str) -> None:
        """Write as .npz: weights in float16, the rest as JSON; no pickles."""
        save_series(path, {0: self})

    @classmethod
    def load(cls, path: Path | str) -> Trace:
        """Read what `save` wrote; weights in float32. Raises TraceError if it is no such file."""
        return next(iter(load_series(path).values()))


def save_series(path: Path | str, traces: Mapping[int, Trace]) -> None:
    """Write several traces as one .npz, by number: as one example while its model learned, by training step."""
    joined = _Joined()
    meta = {"format": FORMAT, "traces": [[number, _pack(trace, joined)] for number, trace in traces.items()]}
    written = json.dumps(meta, ensure_ascii=False).encode()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(path, "w") as archive:
        for name, array in {"meta": np.frombuffer(written, np.uint8), **joined.arrays()}.items():
            whole = BytesIO()
            np.lib.format.write_array(whole, array, allow_pickle=False)
            # Maps take a sixth less than deflated, which is all that numpy itself writes. The same trace makes the same file: no date.
            archive.writestr(ZipInfo(f"{name}.npy"), whole.getbuffer(), ZIP_LZMA)


def load_series(path: Path | str) -> dict[int, Trace]:
    """Read what `save_series` wrote. Raises TraceError if it is no such file."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:  # numpy leaves a broken file open
            arrays = {name: archive[name] for name in archive.files}
        meta = json.loads(arrays["meta"].tobytes())
        if not 1 <= meta["format"] <= FORMAT:
            raise TraceError(f"{Path(path).name} has format {meta['format']}, this program reads 1 to {FORMAT}")
        return {number: _unpack(packed, arrays) for number, packed in meta["traces"]}
    except TraceError:
        raise
    except (OSError, KeyError, IndexError, TypeError, ValueError, EOFError, RuntimeError, BadZipFile, LZMAError) as error:
        raise TraceError(f"{Path(path).name} is not a stored run") from error


Place = list[Any]
"""Where an array lies in a file: the name of its type, the place of its first number among all of that type, its shape."""


class _Joined:
    """The arrays of a file, all of a type in one: a run of text has thousands of small ones, and each would bring a header."""

    def __init__(self) -> None:
        self._parts: dict[str, list[np.ndarray]] = {}
        self._sizes: dict[str, int] = {}

    def add(self, array: np.ndarray, kind: Any = None) -> Place:
        """kind: the type to keep it as; None: as it is."""
        part = array if kind is None else array.astype(kind)
        name = part.dtype.name
        self._parts.setdefault(name, []).append(part.ravel())
        first = self._sizes.get(name, 0)
        self._sizes[name] = first + part.size
        return [name, first, *part.shape]

    def arrays(self) -> dict[str, np.ndarray]:
        """By the name of their type, each (N,)."""
        return {name: np.concatenate(parts) for name, parts in self._parts.items()}


def _at(place: Place | str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The array that lies there; format 1 gave each a name."""
    if isinstance(place, str):
        return arrays[place]
    name, first, *shape = place
    return arrays[name][first : first + math.prod(shape)].reshape(shape)


_DETAIL_ARRAYS = ("query", "key", "value", "scores", "weights", "context", "direction")


def _pack(trace: Trace, joined: _Joined) -> dict[str, Any]:
    """The trace as JSON types; its arrays are added to `joined`, and their places told."""
    tokens, keep = trace.tokens, joined.add

    def axis(given: Axis) -> Any:
        """Token keys are the sequence so far: where that holds, only their number is kept."""
        return len(given) if isinstance(given, Tokens) and given.labels == tokens[: len(given)] else given.to_dict()

    def attention(given: Attention) -> dict[str, Any]:
        return {
            "kind": given.kind,
            "layer": given.layer,
            "query": given.query.to_dict(),
            "key": axis(given.key),
            "first_query": given.first_query,
            "weights": keep(given.weights, np.float16),
            "used": None if given.used is None else keep(given.used),
            **({} if given.places is None else {"places": keep(given.places)}),
        }

    def detail(given: Detail) -> dict[str, Any]:
        parts = [part for part in _DETAIL_ARRAYS if getattr(given, part) is not None]
        arrays_of = {part: keep(getattr(given, part), np.float16) for part in parts}
        scale = {} if given.scale is None else {"scale": given.scale}
        return {"kind": given.kind, "layer": given.layer, "query_index": given.query_index, **arrays_of, **scale}

    steps = [
        {
            "text": step.text,
            "prompt": list(step.prompt),
            "chosen": _choice(step.chosen),
            "candidates": [_choice(each) for each in step.candidates],
            "picture": None if step.picture is None else keep(step.picture),
            "facts": dict(step.facts),
            "notes": [dict(each) for each in step.notes],
            "stop": step.stop,
            "attentions": [attention(each) for each in step.attentions],
            "details": [detail(each) for each in step.details],
            **({} if step.source is None else {"source": keep(step.source)}),
            **({"unknown": [[each.text, list(each.offers)] for each in step.unknown]} if step.unknown else {}),
            **({"regions": [[each.label, list(each.positions), keep(each.mask)] for each in step.regions]} if step.regions else {}),
            **({"beams": [[beam.text, beam.score, beam.chosen, beam.ended] for beam in step.beams]} if step.beams else {}),
        }
        for step in trace.steps
    ]
    return {"generator": trace.generator, "variant": trace.variant, "request": trace.request, "steps": steps}


def _choice(choice: Choice | None) -> list[Any] | None:
    return None if choice is None else [choice.id, choice.label, choice.probability]


def _unpack(packed: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Trace:
    given = packed["steps"]
    prompt = given[0]["prompt"] if given else ()
    tokens = (*prompt, *(step["chosen"][1] for step in given if step["chosen"]))

    def attention(a: Mapping[str, Any]) -> Attention:
        return Attention(
            kind=a["kind"],
            layer=a["layer"],
            weights=_at(a["weights"], arrays).astype(np.float32),
            query=read_axis(a["query"]),
            key=Tokens(tokens[: a["key"]]) if isinstance(a["key"], int) else read_axis(a["key"]),
            first_query=a["first_query"],
            used=None if a["used"] is None else _at(a["used"], arrays),
            tolerance=STORED_TOLERANCE,
            places=_at(a["places"], arrays) if "places" in a else None,
        )

    def detail(d: Mapping[str, Any]) -> Detail:
        parts: dict[str, Any] = {part: _at(d[part], arrays).astype(np.float32) if part in d else None for part in _DETAIL_ARRAYS}
        return Detail(kind=d["kind"], layer=d["layer"], query_index=d["query_index"], scale=d.get("scale"), **parts)

    steps = [
        Step(
            index=index,
            attentions=tuple(attention(each) for each in step["attentions"]),
            text=step["text"],
            prompt=tuple(step["prompt"]),
            chosen=Choice(*step["chosen"]) if step["chosen"] else None,
            candidates=tuple(Choice(*each) for each in step["candidates"]),
            picture=None if step["picture"] is None else _at(step["picture"], arrays),
            facts=step["facts"],
            notes=tuple(step["notes"]),
            details=tuple(detail(each) for each in step["details"]),
            stop=step["stop"],
            beams=tuple(Beam(*each) for each in step.get("beams", ())),
            source=_at(step["source"], arrays) if "source" in step else None,
            unknown=tuple(Unknown(text, tuple(offers)) for text, offers in step.get("unknown", ())),
            regions=tuple(Region(label, tuple(at), _at(mask, arrays)) for label, at, mask in step.get("regions", ())),
        )
        for index, step in enumerate(given)
    ]
    return Trace(packed["generator"], packed["variant"], packed["request"], steps, half=True)
