"""Reading the data sets: what is cut, what is kept, what falls on which side."""

import json

import pytest

from generators.base import BadInput
from generators.data import Document, read_books, read_poems, read_tales, read_text, split_off, without_lines_of

LONG = "There was once a king who had a very great many things to say about his garden. " * 3


@pytest.fixture
def folder(tmp_path):
    """A data folder with a book of two chapters, a tale and a poem."""
    books, poems = tmp_path / "story_books_en", tmp_path / "poems_zh"
    books.mkdir()
    poems.mkdir()
    (books / "books.txt").write_text(
        f"THE BRONZE RING\n\n{LONG}\n\nSecond paragraph.\n\n[Illustration]\n\nCHAPTER II\n\nStill the same.\n\nTHE FOX'S TALE\n\n{LONG}\n",
        encoding="utf-8",
    )
    row = {"title": "The Fox", "source": "x", "text": "One.\nTwo."}
    (books / "fairy_tales.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (poems / "tang_regular.tsv").write_text(
        "dynasty\tform\ttitle\tauthor\ttext\n唐\t五绝\t登鹳雀楼\t王之涣\t白日依山尽，黄河入海流。\n", encoding="utf-8"
    )
    return tmp_path


def test_books_are_cut_at_their_headings(folder):
    first, second = read_books(folder)
    assert (first.title, second.title) == ("The Bronze Ring", "The Fox's Tale")
    assert first.text == f"{LONG.strip()}\nSecond paragraph.\nStill the same."
    assert "Illustration" not in first.text


def test_tales_and_poems_keep_their_titles_and_forms(folder):
    assert read_tales(folder) == [Document("One.\nTwo.", "The Fox")]
    assert read_poems(folder, "tang_regular") == [Document("白日依山尽，黄河入海流。", "登鹳雀楼", "五绝")]


def test_a_folder_without_the_data_is_one_sentence(tmp_path):
    for read in (read_tales, read_books, lambda place: read_poems(place, "song_regular")):
        with pytest.raises(BadInput, match="data folder has no"):
            read(tmp_path)


def test_any_text_file_is_read(tmp_path):
    path = tmp_path / "own.txt"
    path.write_bytes("\ufeffOne\r\nTwo\r\n".encode())
    assert read_text(path) == [Document("One\nTwo")]
    for content in (b"", b" \n", b"\xff\xfe\x00"):
        path.write_bytes(content)
        with pytest.raises(BadInput):
            read_text(path)
    with pytest.raises(BadInput):
        read_text(tmp_path / "nowhere.txt")


def test_the_same_text_always_falls_on_the_same_side():
    documents = [Document(f"tale {number}") for number in range(2000)]
    rest, chosen = split_off(documents, 0.1)
    assert len(rest) + len(chosen) == 2000 and 150 < len(chosen) < 250
    assert split_off(reversed(documents), 0.1)[1] == chosen[::-1]


def test_lines_of_validation_texts_leave_the_books():
    line = "A sentence long enough to be known again anywhere."
    books = [Document(f"{line.upper()}\nShort.\nAnother sentence, long enough and not shared."), Document(line)]
    (kept,) = without_lines_of(books, [Document(f"{line}\nShort.")])
    assert kept.text == "Short.\nAnother sentence, long enough and not shared."
