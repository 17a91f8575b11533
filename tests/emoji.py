"""A data folder of made-up emoji: eight discs, squares and bars in four styles, with the vocabulary and scenes that go with them."""

import csv
import json
from pathlib import Path

import numpy as np

from generators.scenes import STYLES, Composer, Scene

THINGS = {
    "fox": ("1f98a", "狐狸", (200, 90, 20)),
    "cat": ("1f431", "猫脸", (240, 200, 40)),
    "red apple": ("1f34e", "红苹果", (220, 20, 30)),
    "green apple": ("1f34f", "青苹果", (60, 180, 40)),
    "octopus": ("1f419", "章鱼", (160, 60, 160)),
    "books": ("1f4da", "书", (40, 60, 160)),
    "hot dog": ("1f32d", "热狗", (150, 80, 40)),
    "bus": ("1f68c", "公交车", (30, 120, 200)),
}
"""Word → code point, Chinese name, colour."""


def sprite(word: str, style: str) -> np.ndarray:
    """(64, 64, 4) uint8: by word a colour and a form, by style a border."""
    number, (_, _, colour) = list(THINGS).index(word), THINGS[word]
    rows, columns = np.mgrid[:64, :64] - 31.5
    inside = [np.hypot(rows, columns) < 31, np.maximum(abs(rows), abs(columns)) < 31, abs(rows) + abs(columns) < 31][number % 3]
    made = np.zeros((64, 64, 4), np.uint8)
    made[inside] = (*colour, 255)
    made[inside & (abs(rows) < 2 * (number + STYLES.index(style)))] = (40, 30, 30, 255)
    return made


def composer() -> Composer:
    return Composer({style: {word: sprite(word, style) for word in THINGS} for style in STYLES}, {word: THINGS[word][1] for word in THINGS})


def write(folder: Path, scenes: int = 12, seed: int = 0) -> Path:
    """The folder, as the data's README says."""
    (folder / "emoji").mkdir(parents=True)
    (folder / "emoji_scenes").mkdir()
    rows = [(word, style) for style in (*STYLES, "blob") for word in THINGS]
    np.savez(
        folder / "emoji" / "emoji64_rgba.npz", images=np.stack([sprite(word, style if style in STYLES else "noto") for word, style in rows])
    )
    _table(
        folder / "emoji" / "emoji64_index.tsv",
        ("row", "style", "codepoints", "kind", "name_en", "keywords_en", "name_zh", "keywords_zh"),
        [
            *(
                (row, style, THINGS[word][0], "emoji", word, f"thing|{word.split()[-1]}", THINGS[word][1], "东西")
                for row, (word, style) in enumerate(rows)
            ),
            (0, "noto", "1f43a", "emoji", "wolf", "wolf|fox", "狼", "狼"),
        ],
    )
    _table(
        folder / "emoji_scenes" / "vocabulary.tsv",
        ("word", "cldr_name", "codepoints", "name_zh"),
        [(word, f"{word} face" if word == "cat" else word, point, name) for word, (point, name, _) in THINGS.items()],
    )
    made, dice = composer(), np.random.default_rng(seed)
    composed = [made.compose(dice) for _ in range(scenes)]
    pictures, silhouettes = zip(*map(made.paint, composed))
    lines, kept = zip(*(_kept(scene, silhouette) for scene, silhouette in zip(composed, silhouettes)))
    (folder / "emoji_scenes" / "scenes64.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    np.savez(folder / "emoji_scenes" / "scenes64.npz", images=np.stack(pictures), silhouettes=np.stack(kept))
    return folder


def _kept(scene: Scene, silhouette: np.ndarray) -> tuple[str, np.ndarray]:
    """A line and the silhouette as the reference keeps them: objects from left to right, or from above."""
    places = list(scene.objects)
    if scene.relation in ("to the right of", "below"):
        places.reverse()
        silhouette = np.array([0, 2, 1], np.uint8)[silhouette]
    boxes = [[place.word, place.x, place.y, place.size] for place in places]
    row = {"caption": scene.caption(), "style": scene.style, "background": scene.background, "boxes": boxes}
    return json.dumps(row), silhouette


def _table(path: Path, names: tuple[str, ...], rows: list[tuple]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([names, *rows])
