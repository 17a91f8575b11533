"""Reads the data sets that generators learn from.

A data folder has `story_books_en/`, `poems_zh/`, …; `train` is for learning, `held_out` has the same layout and is for figures only.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from zipfile import BadZipFile

import numpy as np

from generators.base import BadInput

FORMS = {"五绝": (5, 4), "五律": (5, 8), "七绝": (7, 4), "七律": (7, 8)}
"""Form of regular verse → characters in a line, lines."""


@dataclass(frozen=True)
class Document:
    """A text with its title, "" if it has none; a poem also has its form, a key of FORMS."""

    text: str
    title: str = ""
    form: str = ""


def read_tales(folder: Path) -> list[Document]:
    """`story_books_en/fairy_tales.jsonl`: tales with titles, one paragraph a line."""
    with _opened(folder / "story_books_en" / "fairy_tales.jsonl") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return [Document(row["text"], row["title"]) for row in rows]


def read_books(folder: Path) -> list[Document]:
    """`story_books_en/books.txt`, cut into chapters at headings in capitals, one paragraph a line.

    Chapter numbers, page and picture marks of the printed books are left out.
    """
    with _opened(folder / "story_books_en" / "books.txt") as file:
        paragraphs = re.split(r"\n\s*\n", file.read())
    documents: list[Document] = []
    title = ""
    lines: list[str] = []

    def close() -> None:
        if sum(map(len, lines)) >= 200:
            documents.append(Document("\n".join(lines), title))

    for paragraph in paragraphs:
        paragraph = " ".join(paragraph.split())
        if _is_heading(paragraph):
            if not _is_number(paragraph):
                close()
                title, lines = _as_title(paragraph), []
        elif paragraph and not re.search(r"[{}|\[\]_=\\]", paragraph):
            lines.append(paragraph)
    close()
    return documents


def read_poems(folder: Path, name: str) -> list[Document]:
    """`poems_zh/NAME.tsv`, NAME being "tang_regular" or "song_regular"."""
    with _opened(folder / "poems_zh" / f"{name}.tsv") as file:
        rows = [line.rstrip("\n").split("\t") for line in file][1:]
    return [Document(text, title, form) for _, form, title, _, text in rows]


def read_text(path: Path) -> list[Document]:
    """Any text file, as one document. Raises BadInput if it is missing, empty or not UTF-8."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise BadInput(f"{path.name} is not a readable UTF-8 text file.", f"{path.name} 不是可读的 UTF-8 文本文件。") from None
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise BadInput(f"{path.name} is empty.", f"{path.name} 是空的。")
    return [Document(text)]


def split_off(documents: Iterable[Document], share: float) -> tuple[list[Document], list[Document]]:
    """(rest, about that share of them), chosen by their content, so that the same text always falls on the same side."""
    rest: list[Document] = []
    chosen: list[Document] = []
    for document in documents:
        number = int.from_bytes(hashlib.sha256(document.text.encode()).digest()[:4], "big") / 2**32
        (chosen if number < share else rest).append(document)
    return rest, chosen


def without_lines_of(documents: Iterable[Document], others: Iterable[Document], shortest: int = 40) -> list[Document]:
    """The documents without the lines, of at least `shortest` characters, that stand in the others."""
    taken = {_letters(line) for other in others for line in other.text.split("\n") if len(line) >= shortest}
    kept = []
    for document in documents:
        lines = [line for line in document.text.split("\n") if len(line) < shortest or _letters(line) not in taken]
        if lines:
            kept.append(Document("\n".join(lines), document.title, document.form))
    return kept


def _opened(path: Path) -> TextIO:
    if not path.is_file():
        name = "/".join(path.parts[-2:])
        raise BadInput(f"The data folder has no {name}.", f"数据文件夹里没有 {name}。")
    return path.open(encoding="utf-8")


def _letters(line: str) -> str:
    return re.sub(r"\W", "", line).lower()


def _is_heading(paragraph: str) -> bool:
    letters = [each for each in paragraph if each.isalpha()]
    return len(letters) >= 3 and len(paragraph) <= 80 and not any(each.islower() for each in letters)


def _is_number(heading: str) -> bool:
    return bool(re.match(r"(CHAPTER|BOOK|PART|CANTO|VOLUME|FOOTNOTE|NOTE|THE END|[IVXLC]+\b)", heading))


def _as_title(heading: str) -> str:
    words = re.sub(r"^[\divxlcIVXLC]+\. ", "", heading).strip(" .").title()
    return re.sub(r"(['’])(S|T|Ll|Re|Ve|D|M)\b", lambda match: match[1] + match[2].lower(), words)


@dataclass(frozen=True)
class Pair:
    """A source, and every target that is right for it."""

    source: str
    targets: tuple[str, ...]


def read_pronunciations(folder: Path) -> list[Pair]:
    """`cmudict/cmudict.tsv`: words, each with its phonemes (ARPAbet without stress, parted by spaces), all that the dictionary has."""
    with _opened(folder / "cmudict" / "cmudict.tsv") as file:
        rows = [line.rstrip("\n").split("\t") for line in file][1:]
    return _gathered((word, phones) for word, _, phones in rows)


def read_translations(folder: Path, name: str) -> list[Pair]:
    """`nmt_tatoeba/NAME.tsv`, NAME being "eng-fra" or "eng-cmn": sentences, each with all its translations."""
    with _opened(folder / "nmt_tatoeba" / f"{name}.tsv") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    return _gathered((row[0], row[1]) for row in rows)


def read_couplets(folder: Path, dynasty: str) -> list[Pair]:
    """`poems_zh/couplets_DYNASTY.tsv`, "tang" or "song": first lines of regular verse, each with the lines that answer it."""
    with _opened(folder / "poems_zh" / f"couplets_{dynasty}.tsv") as file:
        rows = [line.rstrip("\n").split("\t") for line in file][1:]
    return _gathered((row[0], row[1]) for row in rows)


def read_pairs_file(path: Path) -> list[Pair]:
    """Any text file of lines "source, tab, target". Raises BadInput if it cannot be read or has no such line."""
    rows = [line.split("\t") for line in read_text(path)[0].text.split("\n")]
    pairs = [(row[0].strip(), row[1].strip()) for row in rows if len(row) > 1]
    if not all(map(all, pairs)) or not pairs:
        raise BadInput(f"{path.name} needs lines of a source, a tab and a target.", f"{path.name} 的每一行应是：原文、制表符、译文。")
    return _gathered(pairs)


def split_pairs(pairs: Sequence[Pair], share: float) -> tuple[list[Pair], list[Pair]]:
    """(rest, about that share of them), chosen by their sources, as `split_off` does."""
    taken = {document.text for document in split_off((Document(pair.source) for pair in pairs), share)[1]}
    return [pair for pair in pairs if pair.source not in taken], [pair for pair in pairs if pair.source in taken]


def _gathered(rows: Iterable[tuple[str, str]]) -> list[Pair]:
    """One pair a source, in the order in which sources first come; a target once."""
    targets: dict[str, dict[str, None]] = {}
    for source, target in rows:
        targets.setdefault(source, {})[target] = None
    return [Pair(source, tuple(each)) for source, each in targets.items()]


@dataclass(frozen=True)
class Avatars:
    """Drawn faces. images: (M, S, S, 3) uint8. attributes: of each face, part → which one, as {"hair": "braids", …}."""

    images: np.ndarray
    attributes: tuple[dict[str, str], ...]


STYLES = {"big_smile": "bigSmile64"}
"""Variant of a generator → its faces in the data's folder `avatars/`."""
CREDITS = {
    "big_smile": {
        "pictures": "Big Smile by Ashley Seo, CC BY 4.0; drawn by DiceBear 8 (Florian Körner, MIT)",
        "source": "https://www.figma.com/community/file/881358461963645496",
    },
}
"""Variant → what its card says of its data."""
FACE_PARTS = ("hair", "eyes", "mouth", "accessories", "skinColor", "hairColor", "background_name")
"""Of a drawn face, by the words of the data."""
NONE = "none"  # of a part that a face has not


def read_avatars(folder: Path, style: str) -> Avatars:
    """`avatars/STYLE.npz` and `avatars/STYLE.jsonl`, STYLE as "bigSmile64"."""
    with _opened(folder / "avatars" / f"{style}.jsonl") as file:
        attributes = tuple(json.loads(line) for line in file if line.strip())
    path = folder / "avatars" / f"{style}.npz"
    try:
        with np.load(path, allow_pickle=False) as archive:
            images: np.ndarray = archive["images"]
    except (OSError, KeyError, ValueError, BadZipFile):
        raise BadInput(f"The data folder has no readable avatars/{path.name}.", f"数据文件夹里没有可读的 avatars/{path.name}。") from None
    return Avatars(images, attributes)


def split_pictures(images: np.ndarray, share: float) -> np.ndarray:
    """(M,) bool: about that share of the pictures, chosen by their content, so that the same picture always falls on the same side."""
    numbers = [int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:4], "big") / 2**32 for image in images]
    return np.array([number < share for number in numbers], bool)
