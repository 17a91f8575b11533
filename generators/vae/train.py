"""Learn to code and redraw faces, look at the result, and measure it.

    python -m generators train vae --data shared/data/train --minutes 25
    python -m generators test vae
    python -m generators evaluate vae --data shared/data/held_out

First encoder and decoder: the negative ELBO with a likelihood of 8-bit levels whose scale is learned for every subpixel, the KL
counted BETA-fold so that codes lie wide enough for a prior to hit them, and the plain differences of pixels. Those are needed: a
scale learned for every subpixel calls rare and small things, as glasses, noise, and the code never learns of them. For the same reason
the scale's floor sinks slowly: at first all pixels pull alike. Then the prior learns from the codes of the training pictures, in as
many steps; it is kept as it was where it knew the pictures set aside best.

Letters: B pictures of a batch, M pictures of the data, Z numbers of the code.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from generators import card, chance, features, folders, judging, training
from generators.base import BadInput, Request
from generators.chance import mean_of
from generators.data import CREDITS, STYLES, Avatars, read_avatars, split_pictures
from generators.metrics import psnr
from generators.pictures import as_picture, compact, noise, to_signed, write_sheet
from generators.trace import Trace, save_series
from generators.training import (
    EMA,
    Clock,
    adamw,
    autocast,
    device,
    length,
    load_state,
    read_json,
    read_weights,
    save_state,
    say,
    schedule,
    write_card,
    write_json,
    write_weights,
)
from generators.training import seed as set_seed
from generators.vae import Run, read_network
from generators.vae.card import CHOICES, REACH, SLIDERS
from generators.vae.goals import Goal
from generators.vae.model import SMALLEST, SUREST, Config, Network, divergence, log_likelihood
from generators.vae.sliders import labels_of, parts_of

ROOT = Path(__file__).parents[2]
EXAMPLES: dict[str, dict[str, Any]] = {
    "ada": {"text": "Ada"},
    "hugo": {"text": "Hugo", "settings": {"skin": 2.0, "hair_tone": -2.0}},
    "lily": {"text": "Lily", "settings": {"wears": "sunglasses", "mood": 2.0}},
    "mei": {"text": "Mei", "settings": {"dye": "blue", "ground": "yellow"}},
    "nora": {"text": "Nora"},
    "sara": {"text": "Sara", "settings": {"other": "Hugo", "between": 0.5}},
    "wangfang": {"text": "王芳", "settings": {"hair_length": 2.0}},
}
"""File → what is asked of the stored run."""

BATCH = 32
RATE = 4e-3  # of Muon, for matrices and kernels
OTHER_RATE = 2e-3  # of AdamW, for all else
BETA = 4.0
WARM = 0.5  # share of the steps over which the KL comes in
FIRST_FLOOR = math.log(0.1)  # of the scale; at the last step it is SUREST
SQUARES = 50.0  # weight of the squared differences: as much as a normal distribution of deviation 0.1 would pull
OUTLINES = 10.0  # weight of the absolute differences, of pixels and of the steps between neighbours
MINUTES = 25.0
SHARE = 0.9  # of the minutes, for encoder and decoder; the rest is the prior's
VALIDATION = 0.05
FINE = 20_000  # weights smaller than that are kept in 16 bits: those near the pixels count
PRIOR_BATCH = 256
PRIOR_RATE = 3e-3
CHECKS = 10  # of the prior on the pictures set aside
REPORT_EVERY = 50  # steps
SAVE_EVERY = 180.0  # seconds
SHEET = 64  # faces of a sample sheet
SHEET_TRUNCATION = 0.8
LEARNING_BITS = 6  # of a weight in the stored learning
PART = 64  # pictures at one go
JUDGED = 200  # faces on which a slider is judged


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
    """Train a variant on the pictures of `data` into the folder `out`. Progress goes to stderr; Ctrl-C saves.

    steps: of encoder and decoder, and as many of the prior. resume goes on from the training's own state, or from the weights that
    ship. The twin (attention False) takes as many steps as the model with attention did. config: other measures than those that fit
    the pictures. Raises BadInput.
    """
    if text is not None:
        raise BadInput("The vae learns from pictures, not from a text.", "vae 从图片学习，不用文本。")
    if data is None:
        raise BadInput("The vae needs a data folder with avatars.", "vae 需要含有 avatars 的数据文件夹。")
    variant = card("vae").variant(variant).name
    drawn = read_avatars(data, STYLES.get(variant, STYLES[card("vae").default]))
    out = out or folders("vae")[variant]
    file = "weights" if attention else "without"
    work = ROOT / "runs" / "vae" / out.name / file
    minutes, steps = length(out, minutes, steps, attention=attention, usual=MINUTES)
    config = replace(config or fitting(drawn.images.shape[1]), parts=parts_of(drawn.attributes), attention=attention)
    set_seed(seed)
    learner = Learner(config, device())
    parameters = sum(weight.numel() for weight in learner.network.parameters())
    say(f"{variant}: {len(drawn.images):,} pictures, {parameters:,} parameters, on {device()}")
    if dry_run:
        say(f"would train for {minutes or '∞'} minutes or {steps or '∞'} steps into {out}")
        return
    first, before = learner.resume(work / "state.pt", folders("vae")[variant] / f"{file}.safetensors") if resume else (0, 0.0)
    clock = Clock(minutes and minutes * SHARE, steps, before)
    aside = split_pictures(drawn.images, VALIDATION)
    done = learn(learner, drawn.images[~aside], clock, work, seed, first)
    network = learner.averaged
    nats = fit(network, drawn, aside, done, seed)
    whole = [name for name, weight in network.state_dict().items() if weight.numel() < FINE]
    write_weights(out / f"{file}.safetensors", network.state_dict(), bits=8, whole=whole)
    write_json(out / "config.json", replace(config, attention=True).to_dict())
    write_sheet(work / "sheet.png", faces(network, range(SHEET), SHEET_TRUNCATION))
    facts = {
        "steps": done,
        "pictures_per_step": BATCH,
        "minutes": round(clock.seconds / 60, 1),
        "threads": torch.get_num_threads(),
        "device": device().type,
        "learning_rates": {"muon": RATE, "adamw": OTHER_RATE, "prior": PRIOR_RATE},
        "likelihood": "logistic over 256 levels, its scale learned for every subpixel",
        "beta": BETA,
        "helper_losses": f"{SQUARES:g} × squared and {OUTLINES:g} × absolute difference of pixels, the latter also of neighbours' steps",
        "seed": seed,
        "nats_of_a_code_set_aside": round(nats, 2),
    }
    write_card(out, **{"training" if attention else "training_without": facts})
    if attention:
        write_card(out, parameters=parameters, data={**CREDITS.get(variant, {}), "count": len(drawn.images)})
        record(variant, out, work / "snapshots")
    say(f"wrote {out.name}/{file}.safetensors after {done} steps")


def learn(learner: Learner, pictures: np.ndarray, clock: Clock, work: Path, seed: int, first: int = 0) -> int:
    """The loop of encoder and decoder, until the clock says stop; keeps snapshots, sheets and the state in `work`. Returns the steps done.

    The dice for the pictures depend on seed and step only, so a training that goes on sees what it would have seen.
    """
    step, saved = first, clock.seconds
    try:
        while not clock.over(step):
            if is_snapshot(step):
                write_weights(work / "snapshots" / f"{step:07d}.safetensors", learner.averaged.state_dict())
            steps = clock.expected(step) if step > first + 5 else 10**9
            chosen = np.random.default_rng([seed, step]).integers(0, len(pictures), BATCH)
            seen = to_signed(pictures[chosen]).to(learner.where)
            report = learner.step(seen, min(1.0, step / steps), schedule(step, steps))
            step += 1
            if step % REPORT_EVERY == 0:
                say(f"step {step} of {steps}: {report}")
            if clock.seconds - saved > SAVE_EVERY:
                learner.save(work / "state.pt", step, clock.seconds)
                write_sheet(work / "sheets" / f"{step:07d}.png", beside(learner.averaged, pictures[:32]))
                saved = clock.seconds
    except KeyboardInterrupt:
        say("stopped; --resume goes on from here")
    learner.save(work / "state.pt", step, clock.seconds)
    return step


def is_snapshot(step: int) -> bool:
    """Whether learning is recorded here: at 0, 40, 80, 160 …, whatever the budget."""
    return step == 0 or (step % 40 == 0 and math.log2(step / 40).is_integer())


class Learner:
    """The network, its optimisers and its running average."""

    def __init__(self, config: Config, where: torch.device) -> None:
        self.where = where
        self.network = Network(config).to(where)
        self.average = EMA(self.network, decay=0.998)
        self.averaged = cast(Network, self.average.copy)
        self.kernels, others = parted(self.network)
        self.flat = [kernel.detach().flatten(1) for kernel in self.kernels]  # views: Muon takes matrices only
        self.muon = torch.optim.Muon([nn.Parameter(each) for each in self.flat], lr=RATE, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
        self.adamw = torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True)

    def step(self, pictures: Tensor, progress: float, factor: float) -> str:
        """One step. pictures: (B, 3, S, S) in −1 … 1. progress: share of the training that is done. factor: of the learning rates."""
        network = self.network
        with autocast(self.where):
            mean, doubt = network.encoder(pictures)
            z = mean + doubt.exp() * torch.randn_like(mean)
            middle, scale = network.decoder(z)
        nats = -log_likelihood(pictures, middle, scale, FIRST_FLOOR + (SUREST - FIRST_FLOOR) * progress).mean()
        kl = divergence(mean, doubt).sum() / pictures.numel()
        off = outlines(pictures, middle)
        helpers = SQUARES * (pictures - middle).square().mean() + OUTLINES * off
        (nats + BETA * min(1.0, progress / WARM) * kl + helpers).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        for kernel, flat in zip(self.kernels, self.muon.param_groups[0]["params"], strict=True):
            flat.grad = None if kernel.grad is None else kernel.grad.flatten(1)
        for optimizer, rate in ((self.muon, RATE), (self.adamw, OTHER_RATE)):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
            optimizer.step()
        self.network.zero_grad(set_to_none=True)
        self.average.update(self.network)
        bits = nats.item() / math.log(2)
        return f"{bits:.3f} bits, KL {kl.item() * pictures[0].numel():.1f} nats, off by {off.item() * 127.5:.2f} levels"

    def save(self, path: Path, step: int, seconds: float) -> None:
        """All that `resume` needs."""
        state = {part: getattr(self, part).state_dict() for part in ("network", "muon", "adamw")}
        average = {"weights": self.average.copy.state_dict(), "updates": self.average.updates}
        save_state(path, step=step, seconds=seconds, average=average, **state)

    def resume(self, path: Path, shipped: Path) -> tuple[int, float]:
        """Load the saved state, else the weights that ship. Returns the step and the seconds at which it stands."""
        if not path.is_file():
            self.network.load_state_dict(read_weights(shipped))
            self.average.copy.load_state_dict(self.network.state_dict())
            return 0, 0.0
        state = load_state(path)
        for part in ("network", "muon", "adamw"):
            getattr(self, part).load_state_dict(state[part])
        self.average.copy.load_state_dict(state["average"]["weights"])
        self.average.updates = state["average"]["updates"]
        return state["step"], state["seconds"]


def parted(network: Network) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(Kernels and matrices for Muon, all else but the prior)."""
    named = [(name, weight) for name, weight in network.named_parameters() if not name.startswith("prior.")]
    inner = [w for name, w in named if name.endswith(".weight") and w.dim() > 1 and "paint" not in name]
    taken = {id(each) for each in inner}
    return inner, [w for _, w in named if id(w) not in taken]


def outlines(pictures: Tensor, middle: Tensor) -> Tensor:
    """Mean absolute difference of pixels, and of the steps between neighbours, which are the outlines. Both (B, 3, S, S)."""
    off = pictures - middle
    return off.abs().mean() + off.diff(dim=2).abs().mean() + off.diff(dim=3).abs().mean()


# The prior and the sliders


def fit(network: Network, drawn: Avatars, aside: np.ndarray, steps: int, seed: int = 0) -> float:
    """Teach prior and sliders of a network whose encoder is done. aside: (M,) bool, pictures that only check.

    The prior is kept as it was where it knew the codes set aside best. Returns their mean of −ln p, in nats.
    """
    mean, doubt = posteriors(network, drawn.images)
    dice = torch.Generator().manual_seed(seed)
    codes = sampled(mean, doubt, dice)
    network.prior.settle(codes, network.sliders.fit(codes, labels_of(drawn.attributes, network.config.parts)))
    learned, checked = np.flatnonzero(~aside), np.flatnonzero(aside) if aside.any() else np.arange(len(aside))
    unseen = sampled(mean[checked], doubt[checked], dice)
    prior = network.prior.requires_grad_(True)
    optimizer = adamw(prior)
    best, kept = math.inf, {name: each.clone() for name, each in prior.state_dict().items()}
    for step in range(steps):
        chosen = torch.from_numpy(learned[np.random.default_rng([seed, step]).integers(0, len(learned), PRIOR_BATCH)])
        for group in optimizer.param_groups:
            group["lr"] = PRIOR_RATE * schedule(step, steps)
        prior.train()
        loss = -prior.log_density(sampled(mean[chosen], doubt[chosen], dice)).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(prior.parameters(), 5.0)
        optimizer.step()
        if (step + 1) % max(1, steps // CHECKS) == 0:
            prior.eval()
            with torch.no_grad():
                nats = -prior.log_density(unseen).mean().item()
            say(f"prior, step {step + 1} of {steps}: {loss.item():.2f} nats a code, {nats:.2f} for those set aside")
            if nats < best:
                best, kept = nats, {name: each.clone() for name, each in prior.state_dict().items()}
    prior.load_state_dict(kept)
    prior.eval().requires_grad_(False)
    return best


@torch.inference_mode()
def posteriors(network: Network, pictures: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mean and ln deviation of each picture's code. pictures: (M, S, S, 3) uint8. Returns (M, Z) each, on the CPU."""
    where = network.prior.centre.device
    parts = [network.encoder(to_signed(pictures[first : first + PART]).to(where)) for first in range(0, len(pictures), PART)]
    mean, doubt = (torch.cat(each).cpu() for each in zip(*parts, strict=True))
    return mean.clone(), doubt.clone()


def sampled(mean: Tensor, doubt: Tensor, dice: torch.Generator) -> Tensor:
    """Codes from their posteriors. mean, doubt: (B, Z). Returns the same shape."""
    return mean + doubt.exp() * torch.randn(mean.shape, generator=dice)


# Looking


@torch.inference_mode()
def faces(network: Network, seeds: Sequence[int], truncation: float = 1.0) -> np.ndarray:
    """(N, S, S, 3) uint8."""
    where, numbers = network.prior.centre.device, 2 * network.config.latent
    parts = [torch.from_numpy(noise(seeds[first : first + PART], numbers)).to(where) for first in range(0, len(seeds), PART)]
    return np.concatenate([as_picture(network.decoder(network.prior.draw(each, truncation))[0]) for each in parts])


@torch.inference_mode()
def redrawn(network: Network, pictures: np.ndarray) -> np.ndarray:
    """Pictures through the code. (M, S, S, 3) uint8 to the same."""
    mean, _ = posteriors(network, pictures)
    parts = mean.to(network.prior.centre.device).split(PART)
    return np.concatenate([as_picture(network.decoder(each)[0]) for each in parts])


def beside(network: Network, pictures: np.ndarray) -> np.ndarray:
    """Rows of eight pictures, each with the redrawn ones under it."""
    rows = zip(
        np.split(pictures, range(8, len(pictures), 8)), np.split(redrawn(network, pictures), range(8, len(pictures), 8)), strict=True
    )
    return np.concatenate([each for row in rows for each in row])


def fitting(size: int) -> Config:
    """The measures for pictures of 16, 32 or 64 pixels a side. Raises BadInput for others."""
    whole = Config()
    for levels in range(2, len(whole.paint_widths) + 1):
        config = replace(whole, paint_widths=whole.paint_widths[:levels])
        if config.size == size:
            grid = min(whole.grid, size // 2)
            return replace(config, grid=grid, read_widths=whole.read_widths[-(grid // SMALLEST).bit_length() :])
    raise BadInput("The vae learns from square pictures of 16, 32 or 64 pixels.", "vae 只学习边长为 16、32 或 64 像素的方形图片。")


def record(variant: str, folder: Path, snapshots: Path) -> None:
    """Write the stored examples, and how the first face was redrawn while the model learned."""
    run = Run.load(folder)
    known = card("vae")
    pin = min(known.variant(variant).pin.query, run.cells - 1)
    for file, asked in EXAMPLES.items():
        request = replace(Request.check(known, variant=variant, **asked), pin=pin)
        compact(run.trace(request)).save(folder / "examples" / f"{file}.npz")
    name = next(iter(EXAMPLES.values()))["text"]
    drawn = run.picture(Request.check(known, variant=variant, text=name))
    shown = Request.check(known, variant=variant, text=name, picture=drawn)
    last = read_json(folder / "card.json")["training"]["steps"]
    steps = sorted((int(each.stem), each) for each in snapshots.glob("*.safetensors") if is_snapshot(int(each.stem)))
    series = {step: Run(read_snapshot(folder, path)).trace(shown) for step, path in steps if step < last}
    series[last] = run.trace(shown)
    save_series(folder / "learning.npz", {step: compact(painting(trace), LEARNING_BITS) for step, trace in series.items()})


def painting(trace: Trace) -> Trace:
    """The same with the decoder's map alone: half the file."""
    steps = [replace(step, attentions=tuple(each for each in step.attentions if each.kind == "self")) for step in trace.steps]
    return replace(trace, steps=steps)


def read_snapshot(folder: Path, path: Path) -> Network:
    """The network with the weights of one moment of its training."""
    network = Network(Config.from_dict(read_json(folder / "config.json")))
    network.load_state_dict(read_weights(path))
    return network.eval().requires_grad_(False)


def test(variant: str | None, *, text: Path | None = None) -> dict[str, Any]:
    """Paint faces, keep them as a sheet, and say how long one took."""
    if text is not None:
        raise BadInput("The vae is tested on noise, not on a text.", "vae 用噪声测试，不用文本。")
    variant = card("vae").variant(variant).name
    network = read_network(folders("vae")[variant])
    sheet = ROOT / "runs" / "vae" / variant / "test.png"
    write_sheet(sheet, faces(network, range(SHEET), SHEET_TRUNCATION))
    began = time.perf_counter()
    for seed in range(10):
        faces(network, range(seed, seed + 1))
    return {
        "variant": variant,
        "faces": SHEET,
        "sheet": os.path.relpath(sheet, ROOT),
        "milliseconds_per_face": round((time.perf_counter() - began) * 100, 1),
    }


# Measuring


def evaluate(variant: str | None, *, data: Path, limit: int | None = None) -> dict[str, dict[str, Any]]:
    """How well it knows all drawn faces of `data`, and how those it makes compare with them. Writes nothing."""
    return judged(variant, data, limit)[0]


def write_metrics(variant: str, data: Path) -> None:
    """Put figures, memory and sliders on the card. data: faces that the model never saw."""
    metrics, memory = judged(variant, data)
    folder = folders("vae")[variant]
    training.write_metrics(folder, metrics, memory=memory, sliders=judged_sliders(Run.load(folder)))


def judged(variant: str | None, data: Path, limit: int | None = None) -> tuple[dict[str, dict[str, Any]], dict[str, Any] | None]:
    """(Metrics, memory), as a card has them."""
    known = card("vae").variant(variant)
    style = STYLES[known.like or known.name]
    folder = folders("vae")[known.name]
    drawn = read_avatars(data, style).images[:limit]
    sides = {"with": read_network(folder)}
    if (folder / "without.safetensors").is_file():
        sides["without"] = read_network(folder, attention=False)
    bits = {side: {name: mean_of(values) for name, values in known_bits(network, drawn).items()} for side, network in sides.items()}
    metrics = {
        name: chance.row(bits["with"][name], bits.get("without", {}).get(name), unit, better, [len(drawn)])
        for name, (unit, better) in UNITS.items()
    }
    made = {side: judging.sampled(partial(faces, network)) for side, network in sides.items()}
    compared, memory = judging.figures(made, data, style, limit)
    return {**metrics, **compared}, memory


UNITS = {
    "bits_per_dim": ("bits per subpixel, at most (negative ELBO)", "lower"),
    "reconstruction_bits": ("bits per subpixel for the picture, its code known", "lower"),
    "kl_bits": ("bits per subpixel for the code", "lower"),
    "psnr": ("dB, faces through the code", "higher"),
}


@torch.inference_mode()
def known_bits(network: Network, pictures: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """The negative ELBO in bits per subpixel with its two parts, one code a picture drawn by a seed, and PSNR by the mean code.

    −E ln p(x|z) and E[ln q(z|x) − ln p(z)]. pictures: (M, S, S, 3) uint8. Returns (M,) each.
    """
    dice = torch.Generator().manual_seed(seed)
    mean, doubt = posteriors(network, pictures)
    noise_of = torch.randn(mean.shape, generator=dice)
    z = mean + doubt.exp() * noise_of
    coded = -(noise_of.square() / 2 + doubt + math.log(2 * math.pi) / 2).sum(1) - network.prior.log_density(z)  # (M,) nats
    drawn = [
        -log_likelihood(to_signed(pictures[first : first + PART]), *network.decoder(z[first : first + PART])).double().flatten(1).sum(1)
        for first in range(0, len(pictures), PART)
    ]
    unit = math.log(2) * pictures[0].size
    reconstruction, kl = (each.numpy() / unit for each in (torch.cat(drawn), coded.double()))  # (M,)
    level = psnr(redrawn(network, pictures), pictures)
    return {"bits_per_dim": reconstruction + kl, "reconstruction_bits": reconstruction, "kl_bits": kl, "psnr": level}


def judged_sliders(run: Run, faces: int = JUDGED) -> dict[str, dict[str, float]]:
    """Of each slider's end: how often the classifier of `features` then sees its goal, and how often each other part as before.

    Setting and its end ("skin +2", "ground pink") → {"does": share, "spares": share}, on the faces of the first seeds.
    """
    look = features.load()
    request = Request.check(run.card)

    def seen(**settings: Any) -> dict[str, np.ndarray]:
        made = judging.sampled(lambda seeds: run.sheet(replace(request, settings={**request.settings, **settings}), seeds), faces)
        return {part: shares.argmax(-1) for part, shares in look.shares(made).items()}

    before = seen()
    ends: list[tuple[str, Any, Goal]] = [(name, end, goal) for name, each in CHOICES.items() for end, goal in each.items()]
    ends += [(name, end, goal) for name, each in SLIDERS.items() for end, goal in zip((-REACH, REACH), each, strict=True)]
    found = {}
    for name, end, goal in ends:
        after = seen(**{name: end})
        does = after[goal.part] == look.names[goal.part].index(goal.value)
        spares = [after[part] == before[part] for part in look.names if part != goal.part]
        label = f"{name} {end:+g}" if isinstance(end, float) else f"{name} {end}"
        found[label] = {"does": round(float(does.mean()), 3), "spares": round(float(np.mean(spares)), 3)}
    return found
