"""Runs that no model made, for the tests of the attention view: every weight is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from generators.trace import Attention, Beam, Choice, Grid, Region, Step, Tokens, Trace, Unknown

HEADS = 3
HOSTILE = ("<img src=x onerror=alert(1)>", "${alert(1)}", "{{value}}", "C:\\users", "</script>", "\u202eback", "ok")
WORDS = tuple(" Once upon a time there was a king who had a golden ball .".replace(" ", "| ").split("|")[1:])


def written(labels: tuple[str, ...], prompt: int, **request: Any) -> Trace:
    """A run in which head 0 looks at the token before, head 1 at the first, head 2 anywhere."""
    dice = np.random.default_rng(len(labels))

    def rows(first: int, end: int) -> np.ndarray:  # (H, Q, K)
        found = np.zeros((HEADS, end - first, end), np.float32)
        for place in range(first, end):
            found[0, place - first, max(0, place - 1)] = 1
            found[1, place - first, 0] = 1
            found[2, place - first, : place + 1] = dice.dirichlet(np.ones(place + 1))
        return found

    trace = Trace("writer", "tales", {"text": "".join(labels[:prompt]), "seed": 7, "edits": [], "attention": True, **request})
    for index in range(len(labels) - prompt):
        first, end = (0, prompt) if index == 0 else (prompt + index - 1, prompt + index)
        part = Attention("self", 0, rows(first, end), Tokens(labels[first:end]), Tokens(labels[:end]), first)
        choices = (Choice(100 + index, labels[prompt + index], 0.6), Choice(7, " queen", 0.3), Choice(8, "\n", 0.1))
        stop = "length" if prompt + index == len(labels) - 1 else ""
        parts = () if request.get("attention") is False else (part,)
        trace.add(Step(index, parts, choices[0].label, labels[:prompt] if index == 0 else (), choices[0], choices, stop=stop))
    return trace


def painted(seed: int) -> Trace:
    """A picture of four colours whose 8×8 cells look at the 4×4 cells of their own quarter."""
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:16, :16], picture[:16, 16:], picture[16:, :16], picture[16:, 16:] = (
        (220, seed % 255, 60),
        (60, 180, 90),
        (70, 90, 200),
        (240, 220, 90),
    )
    rows, columns = np.divmod(np.arange(64), 8)
    key_rows, key_columns = np.divmod(np.arange(16), 4)
    own = (rows[:, None] // 4 == key_rows // 2) & (columns[:, None] // 4 == key_columns // 2)
    trace = Trace("painter", "faces", {"text": "", "seed": seed, "edits": [], "attention": True})
    trace.add(Step(0, (Attention("self", 0, (own / 4)[None], Grid(8, 8), Grid(4, 4)),), picture=picture, facts={"gamma": 0.5}, stop="end"))
    return trace


def portrait(seed: int, size: int = 64) -> np.ndarray:
    """A drawn face (size, size, 3) uint8: ground, hair, skin, eyes and a mouth in the colours of the seed."""
    dice = np.random.default_rng(seed)
    ground, hair = dice.integers(90, 250, 3), dice.integers(10, 140, 3)
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    picture = np.broadcast_to(ground, (size, size, 3)).copy()
    for colour, inside in (
        (hair, np.hypot((x - 0.5) / 0.40, (y - 0.46) / 0.42) < 1),
        (np.array((236, 188, 150)), np.hypot((x - 0.5) / 0.30, (y - 0.56) / 0.34) < 1),
        (np.array((30, 30, 40)), (np.hypot(x - 0.38, y - 0.52) < 0.045) | (np.hypot(x - 0.62, y - 0.52) < 0.045)),
        (np.array((190, 60, 70)), (np.hypot((x - 0.5) / 0.13, (y - 0.70) / 0.07) < 1) & (y > 0.70)),
    ):
        picture[inside] = colour
    return picture.astype(np.uint8)


def redrawn(hidden: tuple[int, ...] = (), side: int = 16, layers: int = 2, heads: int = 4, **request: Any) -> Trace:
    """A portrait made from a portrait, a little darker. Cells look at cells near them: those read, those made, and, where some are hidden,
    those made at those that can be seen; head h looks (h + 1) cells wide.
    """
    source = portrait(3)
    picture = np.clip(source * 0.9 + np.random.default_rng(1).normal(0, 6, source.shape), 0, 255).astype(np.uint8)
    cell = len(source) // side
    for each in hidden:
        row, column = divmod(each, side)
        source[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = 128
    rows, columns = np.divmod(np.arange(side**2), side)
    away = np.hypot(rows[:, None] - rows, columns[:, None] - columns)
    near = np.stack([np.exp(-((away / (head + 1)) ** 2)) for head in range(heads)]).astype(np.float32)  # (H, Q, K)
    seen = near.copy()
    seen[..., list(hidden)] = 0
    near, seen = near / near.sum(-1, keepdims=True), seen / np.maximum(seen.sum(-1, keepdims=True), 1e-12)
    lost = seen.sum(-1) < 0.5
    seen[lost] = np.isin(np.arange(side**2), hidden, invert=True) / (side**2 - len(hidden))
    axis = Grid(side, side)
    maps = [Attention("encoder", layer, seen, axis, axis) for layer in range(layers)]
    maps += [Attention("cross", 0, seen, axis, axis)] if hidden else []
    maps += [Attention("self", layer, near, axis, axis) for layer in range(layers)]
    trace = Trace("redrawer", "faces", {"text": "", "seed": 0, "edits": [], "hidden": list(hidden), "attention": True, **request})
    facts = {"psnr": 24.81, **({"hidden": len(hidden)} if hidden else {})}
    trace.add(Step(0, tuple(maps), picture=picture, source=source, facts=facts, stop="end"))
    return trace


def painted_well(seed: int, side: int = 16, heads: int = 4) -> Trace:
    """A portrait from a seed, whose cells look at cells like themselves."""
    picture, (rows, columns) = portrait(seed), np.divmod(np.arange(side**2), side)
    colours = picture[rows * 4 + 2, columns * 4 + 2].astype(np.float32)
    alike = np.exp(-np.abs(colours[:, None] - colours).sum(-1) / 40)
    away = np.hypot(rows[:, None] - rows, columns[:, None] - columns)
    weights = np.stack([alike * np.exp(-away / (2 * head + 1)) for head in range(heads)]).astype(np.float32)
    part = Attention("self", 0, weights / weights.sum(-1, keepdims=True), Grid(side, side), Grid(side, side))
    trace = Trace("painter", "faces", {"text": "", "seed": seed, "edits": [], "attention": True})
    trace.add(Step(0, (part,), picture=picture, facts={"gamma": 0.38, "seed": seed}, stop="end"))
    return trace


def translated(source: tuple[str, ...], written: tuple[str, ...], *, beams: int = 0, **request: Any) -> Trace:
    """A run whose every word looks at the place of the source that lies as far along, and a little at its neighbours."""
    trace = Trace("translator", "english", {"text": "".join(source), "seed": 0, "edits": [], "attention": True, **request})
    text = ""
    for index, word in enumerate(written):
        away = np.abs(np.arange(len(source)) - index * (len(source) - 1) / max(1, len(written) - 1))
        row = np.exp(-3 * away) / np.exp(-3 * away).sum()
        part = Attention("cross", 0, row[None, None].astype(np.float32), Tokens((word,)), Tokens(source), index)
        choices = (Choice(100 + index, word, 0.7), Choice(7, " other", 0.2), Choice(8, " else", 0.1))
        text += word
        texts = [text, *(f"{text.rsplit(' ', 1)[0]} other{each}" for each in range(1, beams))][:beams]
        kept = [Beam(each, -0.4 * (index + 1) - 0.8 * place, chosen=not place) for place, each in enumerate(texts)]
        trace.add(
            Step(
                index,
                () if request.get("attention") is False else (part,),
                word,
                source if index == 0 else (),
                choices[0],
                choices,
                beams=tuple(kept),
                stop="end" if index == len(written) - 1 else "",
            )
        )
    return trace


def layered(tokens: int, prompt: int, layers: int, heads: int, kept: int = 0) -> Trace:
    """A run in which head h of layer l looks at the token l·H + h + 1 places back; of rows longer than `kept` only so many keys stay."""
    labels = tuple(f" word{i % 97}" for i in range(tokens))
    trace = Trace("transformer", "tales", {"text": "".join(labels[:prompt]), "seed": 7, "edits": [], "attention": True})
    for index in range(tokens - prompt):
        first, end = (0, prompt) if index == 0 else (prompt + index - 1, prompt + index)
        parts = []
        for layer in range(layers):
            weights = np.zeros((heads, end - first, end), np.float32)
            for place in range(first, end):
                weights[:, place - first, : place + 1] = 0.4 / (place + 1)
                for head in range(heads):
                    weights[head, place - first, max(0, place - layer * heads - head - 1)] += 0.6
            part = Attention("self", layer, weights, Tokens(labels[first:end]), Tokens(labels[:end]), first)
            parts.append(part.strongest(kept) if kept else part)
        chosen = Choice(100, labels[prompt + index], 0.6)
        stop = "length" if prompt + index == tokens - 1 else ""
        trace.add(Step(index, tuple(parts), chosen.label, labels[:prompt] if index == 0 else (), chosen, (chosen,), stop=stop))
    return trace


def scenery(first: str, second: str, size: int = 32) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A picture (size, size, 3) uint8 of a disc left of a disc on a yellow ground, and where each is: name → (size, size) bool."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    picture = np.broadcast_to(np.array((244, 205, 84)), (size, size, 3)).astype(np.uint8)
    places, masks = ((first, 0.28, 0.52, 0.2), (second, 0.74, 0.46, 0.16)), {}
    colours = {"fox": (214, 96, 40), "owl": (120, 92, 70), "red apple": (200, 30, 52)}
    for name, left, top, radius in places:
        masks[name] = np.hypot(x - left, y - top) < radius
        picture[masks[name]] = colours.get(name, (70, 120, 190))
        picture[np.hypot(x - left + 0.06, y - top + 0.05) < radius / 4] = (250, 244, 230)
        picture[np.hypot(x - left - 0.07, y - top + 0.05) < radius / 6] = (40, 30, 30)
    return picture, masks


PROMPT = ("twemoji ", "a ", "fox ", "to the left of ", "a ", "red apple ", "on a ", "yellow ", "background", "∅")
GRIDS = (8, 8, 8, 16)


def forming(labels: tuple[str, ...] = PROMPT, steps: int = 20, heads: int = 4, **request: Any) -> Trace:
    """A picture that forms out of noise in `steps`: cells of things look at their word, more so the later the step and the higher the
    head; all others at the ground, the style and nothing. Layer 3 has the finer grid.
    """
    things = tuple(label.strip() for label in (labels[2], labels[5]))
    finished, masks = scenery(*things)
    dice = np.random.default_rng(11)
    noise, at = dice.normal(128, 70, finished.shape), {label.strip(): place for place, label in enumerate(labels)}
    text = "".join(labels[1:-1])
    settings = {"style": "twemoji", "steps": steps, "guidance": 3.0}
    given = {"text": text, "seed": 7, "settings": settings, "edits": [], "attention": True, **request}
    trace = Trace("mixer", "scenes", given)
    for step in range(steps):
        time = step / steps
        maps = []
        for layer, side in enumerate(GRIDS):
            scores = dice.normal(0, 0.4, (heads, side * side, len(labels)))
            for name, mask in masks.items():
                inside = mask.reshape(side, 32 // side, side, 32 // side).mean((1, 3)).ravel()  # (cells,)
                scores[..., at[name]] += (1 + 3 * time) * (0.6 + 0.3 * np.arange(heads))[:, None] * inside
            ground = 1 - sum(mask for mask in masks.values()).reshape(side, 32 // side, side, 32 // side).mean((1, 3)).ravel()
            scores[..., at["yellow"]] += 1.8 * ground
            scores[..., -1] += 0.8
            weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
            maps.append(Attention("cross", layer, weights.astype(np.float32), Grid(side, side), Tokens(labels)))
        blurred = finished.mean((0, 1)) * (1 - time) + finished * time
        believed = np.clip(blurred + dice.normal(0, 30 * (1 - time), finished.shape), 0, 255).astype(np.uint8)
        heard = np.clip(finished * time + noise * (1 - time), 0, 255).astype(np.uint8)
        last = step == steps - 1
        trace.add(
            Step(
                step,
                tuple(maps) if given["attention"] else (),
                prompt=labels if step == 0 else (),
                picture=finished if last else believed,
                source=heard,
                facts={"time": time, **({"seed": given["seed"]} if last else {})},
                unknown=(Unknown("dragn", ("dragon", "wagon")),) if step == 0 and "dragn" in text else (),
                regions=tuple(Region(name, (at[name],), mask) for name, mask in masks.items()) if last else (),
                stop="end" if last else "",
            )
        )
    return trace


def described(written: tuple[str, ...], *, beams: int = 0, **request: Any) -> Trace:
    """A picture of two discs put into words: names look at their thing, all others at the ground; the gate is open for names."""
    small, masks = scenery("fox", "red apple")
    picture, ground = small.repeat(2, 0).repeat(2, 1), 1.0 - sum(mask for mask in masks.values())
    places = {" fox": "fox", "a fox": "fox", " red apple": "red apple", " a red apple": "red apple"}
    trace = Trace("teller", "scenes", {"text": "", "seed": 0, "edits": [], "attention": True, **request})
    text = ""
    for index, word in enumerate(written):
        thing = places.get(word)
        inside = (masks[thing] if thing else ground).reshape(8, 4, 8, 4).mean((1, 3)).ravel() + 0.02
        part = Attention("cross", 0, (inside / inside.sum())[None, None].astype(np.float32), Tokens((word,)), Grid(8, 8), index)
        choices = (Choice(100 + index, word, 0.9), Choice(7, " dog", 0.06), Choice(8, " cat", 0.04))
        text += "" if word.startswith("⟨") else word
        texts = [text, *(f"{text.rsplit(' ', 1)[0]} other{each}" for each in range(1, beams))][:beams]
        last = index == len(written) - 1
        regions = [
            Region(name, tuple(i for i, each in enumerate(written) if places.get(each) == name), mask) for name, mask in masks.items()
        ]
        trace.add(
            Step(
                index,
                () if request.get("attention") is False else (part,),
                "" if last else word,
                chosen=choices[0],
                candidates=choices,
                beams=tuple(Beam(each, -0.2 * (index + 1) - 0.9 * place, chosen=not place) for place, each in enumerate(texts)),
                source=picture if index == 0 else None,
                facts={"gate": 0.92 if thing else 0.31},
                regions=tuple(replace(each, mask=each.mask.repeat(2, 0).repeat(2, 1)) for each in regions) if last else (),
                stop="end" if last else "",
            )
        )
    return trace


CAPTION = ("a fox", " to the left of", " a red apple", " on a", " yellow", " background", "⟨end⟩")
ENGLISH = ("The", " little", " cat", " sleeps", " on", " the", " old", " chair", ".", "⟨end⟩")
FRENCH = ("Le", " petit", " chat", " dort", " sur", " la", " vieille", " chaise", ".", "⟨end⟩")

HOLE = tuple(row * 16 + column for row in range(6, 11) for column in range(4, 9))

TRACES = {
    "pair": translated(ENGLISH, FRENCH, beams=4),
    "pairtwin": translated(ENGLISH, FRENCH, attention=False),
    "spoken": translated(tuple("thoroughly"), (" TH", " ER", " OW", " L", " IY", "⟨end⟩")),
    "couplet": translated(tuple("海阔凭鱼跃"), tuple("天高任鸟飞")),
    "sentence": translated(tuple(f" word{i}" for i in range(34)), tuple(f" mot{i}" for i in range(38))),
    "layers": layered(40, 6, 4, 4),
    "longrow": layered(300, 280, 2, 2, kept=32),
    "words": written(WORDS, 6),
    "branch": written((*WORDS[:8], " queen", "."), 6),
    "long": written(tuple(f" word{i}" for i in range(256)), 6),
    "hostile": written((*HOSTILE, *HOSTILE), len(HOSTILE)),
    "poem": written(tuple("白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。\n"), 6),
    "twin": written(WORDS, 6, attention=False),
    "face": painted(5),
    "read": redrawn(),
    "fill": redrawn(HOLE),
    "memory": painted_well(5),
    "scene": forming(),
    "swapped": forming(("twemoji ", "an ", "owl ", *PROMPT[3:])),
    "unknown": forming(("twemoji ", "a ", "fox ", "and ", "dragn ", "red apple ", *PROMPT[6:])),
    "scenetwin": forming(attention=False),
    "caption": described(CAPTION, beams=3),
    "captiontwin": described(CAPTION, attention=False),
}
