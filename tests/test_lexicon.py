"""What prompts and captions say: pieces, meanings, and what is offered for a word that is not known."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.base import BadInput, NotReady
from generators.lexicon import Lexicon, Meaning, meant, normal
from tests import emoji


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory):
    return Lexicon.of(emoji.write(tmp_path_factory.mktemp("lexicon") / "data"))


def pieces(lexicon, text):
    return [(piece.text, piece.id) for piece in lexicon.read(text)]


def test_phrases_are_one_piece_and_the_longest_wins(lexicon):
    assert pieces(lexicon, "a fox to the left of a red apple on a blue background") == [
        ("a ", "a"),
        ("fox ", "fox"),
        ("to the left of ", "to the left of"),
        ("a ", "a"),
        ("red apple ", "red apple"),
        ("on a ", "on a"),
        ("blue ", "blue"),
        ("background", "background"),
    ]
    assert pieces(lexicon, "a hot dog") == [("a ", "a"), ("hot dog", "hot dog")]


def test_chinese_has_the_same_ids(lexicon):
    assert pieces(lexicon, "蓝色背景上，狐狸在红苹果的左边") == [
        ("蓝色", "blue"),
        ("背景上", "背景上"),
        ("，", "，"),
        ("狐狸", "fox"),
        ("在", "在"),
        ("红苹果", "red apple"),
        ("的", "的"),
        ("左边", "to the left of"),
    ]
    assert [piece for _, piece in pieces(lexicon, "有一个猫脸")] == [piece for _, piece in pieces(lexicon, "一只猫")] == ["有一个", "cat"]


@pytest.mark.parametrize("said", ["Fox", "FOXES", "🦊", "🦊\ufe0f", "狐狸"])
def test_case_plural_and_picture_do_not_matter(lexicon, said):
    assert [piece.id for piece in lexicon.read(said)] == ["fox"]


def test_words_are_whole(lexicon):
    assert [piece.id for piece in lexicon.read("foxglove catty book")] == [None, None, "books"]
    assert pieces(lexicon, "fox在cat的left") == [("fox", "fox"), ("在", "在"), ("cat", "cat"), ("的", "的"), ("left", None)]


def test_what_is_unknown_is_a_piece_of_its_own(lexicon):
    read = lexicon.read("独木舟在horse 上面")
    assert [(piece.text, piece.kind) for piece in read] == [
        ("独木舟", "unknown"),
        ("在", "function"),
        ("horse ", "unknown"),
        ("上面", "relation"),
    ]


@given(st.text(st.sampled_from("aA fox猫脸在的红苹果，🦊\n.é左边0-"), max_size=30))
def test_pieces_join_to_the_text(lexicon, text):
    assert "".join(piece.text for piece in lexicon.read(text)) == (text if text.strip() else "")
    assert all((piece.id is None) == (piece.kind == "unknown") for piece in lexicon.read(text))


def test_known_ones_are_offered_for_an_unknown_word(lexicon):
    assert lexicon.nearest("apple") == ("red apple", "green apple")
    assert lexicon.nearest("苹果") == ("红苹果", "青苹果")
    assert lexicon.nearest("ocotpus") == ("octopus",)
    assert lexicon.nearest("Things", n=2) == ("fox", "cat")  # what brings them to mind
    assert lexicon.nearest("wolf")[0] == "fox" and lexicon.nearest("狼") == ("狐狸",), "its kin"
    assert len(lexicon.nearest("xyzzy")) == 3, "never nothing"


@pytest.mark.parametrize(
    "text",
    [
        "a fox to the left of a cat on a blue background",
        "a cat to the right of a fox on a blue background",
        "to the right of a fox is a cat, on blue",
        "蓝色背景上，狐狸在猫脸的左边",
        "蓝色背景上，猫在狐狸的右边",
        "狐狸的右边是猫，蓝色背景",
    ],
)
def test_the_same_said_in_other_words_means_the_same(lexicon, text):
    assert lexicon.meaning(text) == Meaning(("fox", "cat"), "to the left of", "blue")


def test_meanings_of_less(lexicon):
    assert lexicon.meaning("猫") == Meaning(("cat",), None, None)
    assert lexicon.meaning("an octopus and a fox") == Meaning(("fox", "octopus"), None, None)
    assert lexicon.meaning("") == Meaning((), None, None)
    assert normal("fox", "below", "cat", "pink") == Meaning(("cat", "fox"), "above", "pink")


def test_captions_mean_what_the_scene_shows(lexicon):
    composer, dice = emoji.composer(), np.random.default_rng(0)
    for _ in range(100):
        scene = composer.compose(dice)
        assert lexicon.meaning(scene.caption()) == lexicon.meaning(scene.caption_zh(composer.names)) == meant(scene)


def test_it_is_kept(lexicon, tmp_path):
    lexicon.save(tmp_path / "vocabulary.json")
    again = Lexicon.load(tmp_path / "vocabulary.json")
    assert again.words == lexicon.words and again.ids == lexicon.ids
    (tmp_path / "vocabulary.json").write_text('{"words": [3]}', encoding="utf-8")
    with pytest.raises(NotReady, match=r"vocabulary\.json"):
        Lexicon.load(tmp_path / "vocabulary.json")
    with pytest.raises(BadInput, match=r"vocabulary\.tsv"):
        Lexicon.of(tmp_path)


def test_it_needs_no_torch():
    code = "import sys, generators.lexicon, generators.truth; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
