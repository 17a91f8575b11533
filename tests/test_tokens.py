"""Ways to cut a text into tokens: nothing is lost, labels join to the text, files go to disk and back."""

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st

from generators import tokens
from generators.base import NotReady

TALE = "Once upon a time there was a cat, who ate a mouse.\nThe mouse said: “Thank you.”\n"
PIECES = tokens.Pieces.learn([TALE] * 20, 320)
CHARACTERS = tokens.Characters("，。日月山水")
KINDS = {"pieces": PIECES, "characters": CHARACTERS, "shared pieces": tokens.Shared.of(PIECES), "shared": tokens.Shared.of(CHARACTERS)}


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text())
def test_no_text_is_lost(kind, text):
    vocabulary = KINDS[kind]
    read = vocabulary.encode(text)
    assert all(len(tokens.SPECIALS) <= each < len(vocabulary.pieces) for each in read)
    text = text.encode("utf-8", "replace").decode()
    assert tokens.decode(vocabulary, read) == text
    reader = tokens.Reader(vocabulary)
    assert "".join(reader.read(each) for each in read) == text


@pytest.mark.parametrize("text", [TALE, "日月é🦊", "⟨end⟩", "<0x41>", " two  spaces "])
def test_tokens_that_are_shared_keep_their_ids(text):
    for vocabulary in (PIECES, CHARACTERS):
        shared = tokens.Shared.of(vocabulary)
        assert shared.encode(text) == vocabulary.encode(text)
        assert list(shared.pieces) == list(vocabulary.pieces) and shared.bytewise == vocabulary.bytewise
        assert tokens.Shared.of(shared) is shared


def test_a_token_that_is_looked_at_beforehand_is_not_read():
    reader = tokens.Reader(CHARACTERS)
    assert [reader.peek(CHARACTERS.encode("山")[0]) for _ in range(2)] == ["山", "山"]


def test_bytes_are_joined_to_whole_characters():
    reader = tokens.Reader(CHARACTERS)
    assert [reader.read(each) for each in CHARACTERS.encode("山é日")] == ["山", "", "é", "日"]


def test_a_line_of_verse_ends_with_its_punctuation():
    reader = tokens.Reader(CHARACTERS, verse=True)
    assert [reader.read(each) for each in CHARACTERS.encode("日，月。")] == ["日", "，\n", "月", "。\n"]


@pytest.mark.parametrize("kind", KINDS)
def test_vocabularies_go_to_disk_and_back(tmp_path, kind):
    vocabulary = KINDS[kind]
    vocabulary.save(tmp_path)
    again = tokens.load(tmp_path)
    assert type(again) is type(vocabulary) and list(again.pieces) == list(vocabulary.pieces)
    (tmp_path / vocabulary.file).write_text("{", encoding="utf-8")
    with pytest.raises(NotReady):
        tokens.load(tmp_path)


@pytest.mark.parametrize("vocabulary", [PIECES, CHARACTERS], ids=["pieces", "characters"])
def test_transformers_reads_the_same_tokens(tmp_path, vocabulary):
    tokens.Shared.of(vocabulary).save(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = "Once there was 山水, é."
    assert tokenizer(text)["input_ids"] == vocabulary.encode(text)
    assert tokenizer.decode(vocabulary.encode(text)) == text
    assert tokenizer.eos_token_id == tokens.END and tokenizer.convert_tokens_to_ids("⟨text⟩") == tokens.TEXT
