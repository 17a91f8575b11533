"""Learn to say what is in a picture, look at the result, and measure it.

    python -m generators train captioner --data shared/data/train --minutes 20
    python -m generators test captioner
    python -m generators evaluate captioner --data shared/data/held_out

Every picture is composed anew and seen once. Half of them are made soft, as if they had been painted at half the size, all get a little
grain and another light. The loss is the mean cross-entropy of the words and, with attention, the doubly stochastic penalty: over a whole
caption every cell should be looked at about as much as any other (Xu et al. 2015, section 4.2.1); besides, to look costs a little. Where
the things are is never told.

Letters: B pictures of a batch, N pictures, S pixels a side, K cells, T words.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

import generators
from generators import card, chance, folders, recording, training
from generators.attention import watch
from generators.base import BadInput, Request
from generators.captioner import LONGEST, PICTURES, Run
from generators.captioner.model import Config, Describer
from generators.captioner.tokens import ENDS, LANGUAGES, Phrases, end_of, start
from generators.chance import Figure, mean_of
from generators.lexicon import Lexicon, Meaning
from generators.metrics import bleu_counts, bleu_of
from generators.pictures import read_picture, to_signed
from generators.scenes import Composer, Reference, Scene, halved, read_scenes
from generators.tokens import END
from generators.training import (
    IGNORED,
    Clock,
    Keeper,
    device,
    length,
    read_json,
    read_weights,
    say,
    schedule,
    write_card,
    write_json,
    write_weights,
)
from generators.training import seed as set_seed
from generators.truth import Choice, Truth, enlarged

ROOT = Path(__file__).parents[2]

BATCH = 64
SOFT = 0.5  # share of the pictures that are made soft
LIGHT, GRAIN = 0.05, 0.06  # greatest strengths of another light and of grain, in −1 … 1
EVEN = 0.05  # weight of the doubly stochastic penalty
LOOKING = 0.02  # what it costs to open the gate for a word: so it shuts where nothing need be seen
RATE = 4e-3
OUTER = 0.25  # vectors, embeddings and the first layer learn at that share of the rate
MINUTES = 20.0
CHECKED = 128  # scenes of a line of progress
JUDGED = 400  # scenes, composed for nothing else, by which the threshold of maps and what is strange are chosen
ASIDE = 2**32 - 1  # instead of a step's number: of the dice that compose them
BLUR = 0.5  # cells: of 0 to 1.25, what serves the maps of training scenes best
UNUSUAL = 0.01  # share of such scenes whose captions are as unsure as what is called "outside what it learned"


@dataclass(frozen=True)
class Batch:
    """pictures: (B, S, S, 3) uint8. inputs, targets: (B, T), targets one step ahead, IGNORED after the end.

    silhouettes: (B, S, S), 0 the ground, i the i-th object; only those who judge look at them.
    """

    pictures: np.ndarray
    inputs: Tensor
    targets: Tensor
    scenes: tuple[Scene, ...]
    silhouettes: np.ndarray


def train(
    variant: str | None,
    *,
    data: Path | None = None,
    text: Path | None = None,
    out: Path | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    attention: bool = True,
    seed: int = 0,
    resume: bool = False,
    dry_run: bool = False,
    config: Config | None = None,
) -> None:
    """Train a variant on scenes composed from the emoji of `data`, into the folder `out`. Progress goes to stderr; Ctrl-C saves.

    resume goes on from the training's own state, or from the weights that ship. The twin (attention False) takes as many steps
    as the model with attention did. config: other measures than the usual. Raises BadInput.
    """
    if text is not None:
        raise BadInput("The captioner learns from pictures, not from a text.", "看图说话从图片学习，不用文本。")
    if data is None:
        raise BadInput("The captioner needs a data folder with emoji.", "看图说话需要含有 emoji 的数据文件夹。")
    known = card("captioner").variant(variant)
    out = out or folders("captioner")[known.name]
    file = "weights" if attention else "without"
    minutes, steps = length(out, minutes, steps, attention=attention, usual=MINUTES)
    lesson = Lesson(Composer.read(data), Phrases(Lexicon.of(data)), replace(config or Config(words=0), attention=attention), seed)
    network = lesson.new_network()
    say(f"{known.name}: {len(lesson.phrases.pieces)} phrases, {lesson.parameters(network):,} parameters, on {device()}")
    if dry_run:
        say(f"would train for {minutes or '∞'} minutes or {steps or '∞'} steps into {out}")
        return
    work = ROOT / "runs" / "captioner" / out.name / file
    state = Keeper.state(work) if resume else None
    optimizers = new_optimizers(network)
    clock = Clock(minutes, steps, float(state["seconds"]) if state else 0.0)
    checked = lesson.batch(np.random.default_rng([seed, ASIDE]), CHECKED)
    keeper = Keeper(work, network, optimizers, clock, lambda: lesson.validate(network, checked))
    if state:
        keeper.go_on(state)
    elif resume:
        network.load_state_dict(read_weights(folders("captioner")[known.name] / f"{file}.safetensors"))
    keeper.snapshot()
    try:
        lesson.learn(network, optimizers, clock=clock, first_step=keeper.step, report=keeper)
    except KeyboardInterrupt:
        say("stopped; --resume goes on from here")
    keeper.save()
    keeper.snapshot()
    write_weights(out / f"{file}.safetensors", network.state_dict(), bits=8)
    lesson.phrases.save(out)
    network.load_state_dict(read_weights(out / f"{file}.safetensors"))  # as it ships
    write_config(out, lesson, network)
    write_card(out, **{"training" if attention else "training_without": lesson.facts(network, keeper.step, clock.seconds)})
    if attention:
        write_card(out, **ABOUT, parameters=lesson.parameters(network))
    say(f"wrote {out.name}/{file}.safetensors after {keeper.step} steps")


ABOUT: Mapping[str, Any] = {
    "data": "emoji scenes without end, composed of 103 objects in four styles (Noto, Fluent 3D, Fluent Flat, Twemoji) on six grounds",
    "data_licence": "Noto Emoji Apache-2.0 (Google); Fluent Emoji MIT (Microsoft); Twemoji CC BY 4.0 (Twitter and contributors); "
    "names Unicode-3.0 (CLDR)",
    "licence": "Apache-2.0",
}


def write_config(folder: Path, lesson: Lesson, network: Describer) -> None:
    """The measures; below what likelihood of its captions this side is outside what it learned; the threshold of its maps."""
    path = folder / "config.json"
    known = read_json(path) if path.is_file() else {}
    side = "with" if network.config.attention else "without"
    judged = lesson.batch(np.random.default_rng([lesson.seed, ASIDE]), JUDGED)
    pictures = judged.pictures.copy()
    pictures[::2] = [read_picture(small, pictures.shape[1]) for small in halved(pictures[::2])]  # soft, as it learned them, too
    found = describe(network, pictures, judged.inputs[:, 0].tolist())
    strangest = {**known.get("strangest", {}), side: round(float(np.quantile(found.likely, UNUSUAL)), 3)}
    choice = {name: known[name] for name in ("choice",) if name in known}
    if network.config.attention:
        maps, masks = looks(lesson.phrases, found, judged.scenes, judged.silhouettes)
        truth = Truth()
        truth.add([maps], masks, pictures=JUDGED)
        choice["choice"] = asdict(truth.choice())
    write_json(path, {**replace(network.config, attention=True).to_dict(), "strangest": strangest, **choice})


class Lesson:
    """One training: what learns from what."""

    def __init__(self, composer: Composer, phrases: Phrases, config: Config | None = None, seed: int = 0) -> None:
        """config: other measures than the usual; the size of the vocabulary is that of the phrases."""
        self.composer, self.phrases, self.seed = composer, phrases, seed
        self.config = replace(config or Config(words=0), words=len(self.phrases.pieces))

    def new_network(self) -> Describer:
        set_seed(self.seed)
        return Describer(self.config).to(device())

    def batch(self, dice: np.random.Generator, count: int = BATCH) -> Batch:
        """Scenes composed by the dice, each with its caption in one of the languages."""
        scenes = tuple(self.composer.compose(dice) for _ in range(count))
        painted = [self.composer.paint(scene) for scene in scenes]
        rows = []
        for scene in scenes:
            language = LANGUAGES[dice.integers(len(LANGUAGES))]
            end = ENDS[dice.integers(len(ENDS))] if scene.relation is None else end_of(scene.relation)
            rows.append([start(language, end), *self.phrases.encode(self.phrases.caption(scene, language))])
        longest = max(map(len, rows)) - 1
        inputs = torch.tensor([(row[:-1] + [END] * longest)[:longest] for row in rows])
        targets = torch.tensor([(row[1:] + [IGNORED] * longest)[:longest] for row in rows])
        return Batch(np.stack([each[0] for each in painted]), inputs, targets, scenes, np.stack([each[1] for each in painted]))

    @torch.no_grad()
    def validate(self, network: Describer, batch: Batch) -> float:
        """The loss on scenes that were composed for it."""
        network.eval()
        loss = loss_of(network, batch).item()
        network.train()
        return loss

    @staticmethod
    def parameters(network: Describer) -> int:
        return sum(weight.numel() for weight in network.parameters())

    def facts(self, network: Describer, steps: int, seconds: float) -> dict[str, Any]:
        """What the card says of the training."""
        return {
            "parameters": self.parameters(network),
            "steps": steps,
            "pictures_per_step": BATCH,
            "pictures_seen": steps * BATCH,
            "minutes": round(seconds / 60, 1),
            "threads": torch.get_num_threads(),
            "device": device().type,
            "learning_rates": {"muon": RATE, "adamw": OUTER * RATE},
            "seed": self.seed,
            "loss": "cross-entropy of the words"
            + (f", {EVEN:g} times the doubly stochastic penalty, {LOOKING:g} times the mean gate" if self.config.attention else ""),
        }

    def learn(
        self,
        network: Describer,
        optimizers: Mapping[str, torch.optim.Optimizer],
        *,
        clock: Clock,
        first_step: int = 0,
        report: Callable[[int, float], None] = lambda step, loss: None,
    ) -> int:
        """Learn until the clock says stop. report(steps done, loss). Returns the number of steps done.

        The dice depend on seed and step only, so a training that goes on sees what it would have seen.
        """
        network.train()
        step = first_step
        while not clock.over(step):
            now = schedule(step, clock.expected(step), lowest=0.01)
            for group in (group for optimizer in optimizers.values() for group in optimizer.param_groups):
                group["lr"] = group["highest"] * now
            dice = np.random.default_rng([self.seed, step])
            loss = loss_of(network, self.batch(dice), dice)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            for optimizer in optimizers.values():
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            step += 1
            report(step, loss.item())
        return step


def new_optimizers(network: Describer) -> dict[str, torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for matrices, its steps as long as AdamW's; AdamW for the first layer, words, biases, norms, places."""
    ends = ("eye.look", "words", "to_gate")
    inner = {name: weight for name, weight in network.named_parameters() if weight.dim() == 2 and not name.startswith(ends)}
    rest = [weight for name, weight in network.named_parameters() if name not in inner]
    return {
        "muon": torch.optim.Muon([{"params": [*inner.values()], "highest": RATE}], weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
        "adamw": torch.optim.AdamW([{"params": rest, "highest": OUTER * RATE}], betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    }


def loss_of(network: Describer, batch: Batch, dice: np.random.Generator | None = None) -> Tensor:
    """Mean loss of a batch; its pictures are worn where there are dice."""
    where = next(network.parameters()).device
    pictures = to_signed(batch.pictures).to(where)
    if dice is not None:
        pictures = worn(pictures, dice)
    inputs, targets = batch.inputs.to(where), batch.targets.to(where)
    listens = watch() if network.config.attention else nullcontext()
    with listens as watcher:
        logits, gates = network(pictures, inputs)
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)
    if watcher is None:
        return loss
    weights = torch.cat([each.weights[:, 0] for each in watcher.heard], 1)  # (B, T, K)
    written = targets != IGNORED
    return loss + EVEN * unevenness(weights, written) + LOOKING * gates[written].mean()


def unevenness(weights: Tensor, written: Tensor) -> Tensor:
    """Mean of (1 − K/T Σ α)² over cells: 0 where a whole caption looks at all cells alike. weights: (B, T, K). written: (B, T) bool.

    Xu et al. 2015, equation 14; there are fewer words than cells here, so that the sums are taken relative to their mean.
    """
    looked = (weights * written[..., None]).sum(1) * (weights.shape[-1] / written.sum(1, keepdim=True))  # (B, K)
    return (1 - looked).square().mean()


def worn(pictures: Tensor, dice: np.random.Generator) -> Tensor:
    """Some of the pictures soft, all with a little grain and in another light. pictures: (B, 3, S, S) in −1 … 1."""
    count, size = len(pictures), pictures.shape[-1]

    def some(share: float) -> Tensor:
        return torch.from_numpy(dice.random((count, 1, 1, 1)) < share).to(pictures.device)

    def uniform(reach: float, *shape: int) -> Tensor:
        return torch.from_numpy(dice.uniform(-reach, reach, (count, *shape)).astype(np.float32)).to(pictures.device)

    matrix = softener(size).to(pictures.device)
    pictures = torch.where(some(SOFT), matrix @ pictures @ matrix.T, pictures)
    pictures = pictures * (1 + uniform(LIGHT, 3, 1, 1)) + uniform(LIGHT, 3, 1, 1)
    grain = torch.from_numpy(dice.standard_normal(pictures.shape, np.float32)).to(pictures.device) * uniform(GRAIN, 1, 1, 1)
    return (pictures + grain).clamp(-1, 1).contiguous(memory_format=torch.channels_last)


@lru_cache
def softener(size: int) -> Tensor:
    """(size, size): a column of pixels, halved and enlarged again as `pictures.read_picture` does it."""
    whole = Image.fromarray(np.eye(size, dtype=np.float32))
    half = whole.resize((size, size // 2), Image.Resampling.BOX)
    return torch.from_numpy(np.array(half.resize((size, size), Image.Resampling.BICUBIC)))


@dataclass(frozen=True)
class Told:
    """Captions of many pictures. rows: of each (T, K), the twin's (T, 0). likely: of each the mean logarithm of its tokens' probability."""

    captions: tuple[tuple[int, ...], ...]
    rows: tuple[np.ndarray, ...]
    likely: tuple[float, ...]


@torch.inference_mode()
def describe(network: Describer, pictures: np.ndarray, begins: Sequence[int], part: int = 100) -> Told:
    """Say what is in many pictures, always the likeliest token. pictures: (N, S, S, 3) uint8. begins: N tokens to begin with."""
    network.eval()
    captions: list[tuple[int, ...]] = []
    rows: list[np.ndarray] = []
    likely: list[float] = []
    for first in range(0, len(pictures), part):
        token = torch.tensor(begins[first : first + part])
        seen = network.read(to_signed(pictures[first : first + part]), token)
        state, written, sure = seen.start, torch.empty(len(token), 0, dtype=torch.long), torch.empty(len(token), 0)
        with watch() as watcher:
            while written.shape[1] < LONGEST and not bool((written == END).any(1).all()):
                logits, state = network.step(token, state, seen)
                best, token = logits.log_softmax(-1).max(-1)
                written, sure = torch.cat([written, token[:, None]], 1), torch.cat([sure, best[:, None]], 1)
        looked = [each.weights[:, 0] for each in watcher.heard] or [torch.zeros(*written.shape, 0)]
        weights = torch.cat(looked, 1).numpy()  # (B, T, K)
        for ids, row, logs in zip(written.tolist(), weights, sure.numpy(), strict=True):
            length = ids.index(END) + 1 if END in ids else len(ids)
            captions.append(tuple(ids[:length]))
            rows.append(row[:length])
            likely.append(float(logs[:length].mean()))
    return Told(tuple(captions), tuple(rows), tuple(likely))


def looks(phrases: Phrases, told: Told, scenes: Sequence[Scene], silhouettes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The maps of all rightly named things, drawn as large as the picture, (W, 1, 1, S, S), and where those are, (W, S, S) bool.

    silhouettes: (N, S, S), 0 the ground, i the i-th object of its scene.
    """
    maps, masks = [], []
    for caption, rows, scene, silhouette in zip(told.captions, told.rows, scenes, silhouettes, strict=True):
        number_of = {place.word: number for number, place in enumerate(scene.objects, 1)}
        for token, row in zip(caption, rows, strict=True):
            number = number_of.get(phrases.word_of.get(token, ""))
            if number is not None:
                maps.append(row)
                masks.append(silhouette == number)
    grid = math.isqrt(told.rows[0].shape[-1])
    drawn = smooth(np.array(maps, np.float32).reshape(-1, 1, 1, grid, grid), silhouettes.shape[-1])
    return drawn, np.array(masks, bool).reshape(-1, *silhouettes.shape[1:])


def smooth(maps: np.ndarray, side: int) -> np.ndarray:
    """(…, g, g) → (…, side, side): enlarged, then blurred by a Gaussian of BLUR cells, as Xu et al. 2015, section 5.4, draw their maps."""
    cells = np.arange(side) * (maps.shape[-1] / side)
    reach = np.exp(-0.5 * ((cells[:, None] - cells) / BLUR) ** 2)
    reach = (reach / reach.sum(1, keepdims=True)).astype(np.float32)
    return reach @ enlarged(maps, side) @ reach.T


PAINTINGS: tuple[tuple[str, str, int], ...] = (
    ("a fox to the left of a red apple on a blue background", "noto", 11),
    ("a panda above a pizza on a green background", "fluent_3d", 2),
    ("an octopus to the right of a rocket on a white background", "twemoji", 3),
    ("a sunflower on a yellow background", "noto", 4),
    ("a castle below a rainbow on a pink background", "fluent_flat", 5),
    ("a robot to the left of a guitar on a gray background", "fluent_3d", 6),
    ("an owl on a blue background", "fluent_flat", 7),
    ("a bee above a tulip on a white background", "twemoji", 8),
)
"""Prompt, style and seed of the pictures that are described where none is given: painted by the Lab's own diffusion model."""

EXAMPLES: Mapping[str, tuple[int, Mapping[str, Any]]] = {
    "fox-and-apple": (0, {}),
    "panda-above-pizza": (1, {"beams": 4}),
    "octopus-and-rocket": (2, {"begin": "far"}),
    "sunflower": (3, {}),
    "castle-and-rainbow": (4, {}),
    "robot-and-guitar": (5, {"language": "zh"}),
    "owl": (6, {"language": "zh"}),
    "bee-above-tulip": (7, {"beams": 4}),
}
"""Stored runs: file name → which of the pictures, and the settings. The first is the one that is seen learning."""


def keep_pictures(folder: Path) -> None:
    """Write `pictures.npz`, what a run describes where no picture is given."""
    painter = generators.load("diffusion")
    made = [
        painter.picture(Request.check(painter.card, text=text, seed=dice, settings={"style": style})) for text, style, dice in PAINTINGS
    ]
    np.savez_compressed(folder / PICTURES, pictures=np.stack(made))


def finish(variant: str = "scenes") -> None:
    """What ships beside trained weights: pictures of the Lab's own, stored examples, and one of them while the model learned."""
    folder = folders("captioner")[variant]
    keep_pictures(folder)
    run = Run.load(folder)
    size = run.model(True).config.size
    examples = {
        name: {"picture": read_picture(run.pictures[number], size), "settings": settings} for name, (number, settings) in EXAMPLES.items()
    }
    recording.record(run, variant, examples, folder, ROOT / "runs" / "captioner" / variant / "weights" / "snapshots")


def test(variant: str | None, *, text: Path | None = None) -> dict[str, Any]:
    """Describe the stored pictures in both languages, and say how long one took."""
    if text is not None:
        raise BadInput("The captioner is tested on its pictures, not on a text.", "看图说话用自己的图片测试，不用文本。")
    variant = card("captioner").variant(variant).name
    run = generators.load("captioner", variant)
    assert isinstance(run, Run)
    began = time.perf_counter()
    captions = {
        language: [
            run.trace(Request.check(run.card, variant=variant, seed=seed, settings={"language": language})).text
            for seed in range(len(run.pictures))
        ]
        for language in LANGUAGES
    }
    seconds = time.perf_counter() - began
    return {
        "variant": variant,
        "captions": captions,
        "milliseconds_per_caption": round(1000 * seconds / sum(map(len, captions.values())), 1),
    }


test.__test__ = False  # type: ignore[attr-defined]  # pytest is not meant


def evaluate(variant: str | None, *, data: Path, limit: int | None = None) -> dict[str, dict[str, Any]]:
    """Every reference scene of `data`, described in English, with and without attention. Writes nothing.

    exact: share of captions that name the same objects, relation and ground, from either end. object: the same objects. relation: of
    the pictures with two objects, those with the same relation, and no object on the other's side. background: the same ground. bleu4:
    sacreBLEU, the reference said from either end counts. pointing: share of the rightly named objects whose silhouette holds the most
    looked-at pixel of their word's map; iou: how far map and silhouette cover each other, above a threshold that was chosen on
    composed scenes.
    """
    known = card("captioner").variant(variant)
    run = generators.load("captioner", known.name)
    assert isinstance(run, Run)
    reference = read_scenes(data)
    reference = Reference(reference.scenes[:limit], reference.pictures[:limit], reference.silhouettes[:limit])
    sides: dict[bool, dict[str, tuple[Figure, str, int]]] = {True: {}, False: {}}
    for attention, found in sides.items():
        if run.has(attention):
            told = describe(run.model(attention), reference.pictures, [start("en", "near")] * len(reference.pictures))
            found |= said_right(run.vocabulary, told, reference.scenes)
            if attention:
                truth = looked_right(known.name, run.vocabulary, told, reference)
    rows = {
        name: chance.row(figure, sides[False].get(name, (None,))[0], unit, "higher", [count])
        for name, (figure, unit, count) in sides[True].items()
    }
    alone = {"without": None, "unit": "share", "better": "higher", "n": truth.words}
    return rows | {name: {"with": value, **alone} for name, value in truth.figures().items() if name in ("pointing", "iou")}


def said_right(phrases: Phrases, told: Told, scenes: Sequence[Scene]) -> dict[str, tuple[Figure, str, int]]:
    """Name → (figure, unit, how many it is of): how far captions say what is so."""
    captions = [phrases.decode(ids) for ids in told.captions]
    references = [scene.caption() for scene in scenes]
    pairs = [(phrases.lexicon.meaning(one), phrases.lexicon.meaning(other)) for one, other in zip(captions, references, strict=True)]
    shares = {
        "exact": [said == meant for said, meant in pairs],
        "object": [sorted(said.objects) == sorted(meant.objects) for said, meant in pairs],
        "relation": [related(said, meant) for said, meant in pairs if meant.relation is not None],
        "background": [said.ground == meant.ground for said, meant in pairs],
    }
    found: dict[str, tuple[Figure, str, int]] = {
        name: (mean_of(np.array(rights)), "share", len(rights)) for name, rights in shares.items() if rights
    }
    counts = bleu_counts(captions, [[text, turned(text)] for text in references])
    return found | {"bleu4": (lambda drawn: bleu_of(drawn @ counts), "BLEU", len(captions))}


def looked_right(variant: str, phrases: Phrases, told: Told, reference: Reference) -> Truth:
    """How far the maps of rightly named things lie on them, by the choice that was made on composed scenes."""
    truth = Truth(Choice(**read_json(folders("captioner")[variant] / "config.json")["choice"]))
    maps, masks = looks(phrases, told, reference.scenes, reference.silhouettes)
    truth.add([maps], masks, pictures=len(reference.scenes))
    return truth


def related(said: Meaning, meant: Meaning) -> bool:
    """Whether the relation is the one that is meant, and no object stands on the other's side."""
    return said.relation == meant.relation and not any(a == b for a, b in zip(said.objects, reversed(meant.objects), strict=False))


OPPOSITE = {"to the left of": "to the right of", "to the right of": "to the left of", "above": "below", "below": "above"}


def turned(caption: str) -> str:
    """The same said from the other end; itself where there is one object."""
    what, ground = caption.rsplit(" on a ", 1)
    for relation, opposite in OPPOSITE.items():
        first, between, second = what.partition(f" {relation} ")
        if between:
            return f"{second} {opposite} {first} on a {ground}"
    return caption


def write_metrics(variant: str, data: Path) -> None:
    """Measure the model that ships on a held-out folder, and keep the figures, and what they say of its maps, in its card."""
    folder, run, reference = folders("captioner")[variant], generators.load("captioner", variant), read_scenes(data)
    assert isinstance(run, Run)
    told = describe(run.model(True), reference.pictures, [start("en", "near")] * len(reference.pictures))
    training.write_metrics(folder, evaluate(variant, data=data), truth=looked_right(variant, run.vocabulary, told, reference).card())
