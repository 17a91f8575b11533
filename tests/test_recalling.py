"""A name asked for later: what is asked, and what counts as remembered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from generators import recalling
from generators.data import Document
from generators.recalling import FRAMES, NAMES, Prompt
from generators.tokens import END, TEXT

TALE = "A fox ran. It was late!\nJack slept. He was cold and wet. Good.\nThe end."


class Letters:
    """A token each letter, but names are one piece."""

    pieces = tuple(bytes([each]) for each in range(256))
    bytewise = True

    def encode(self, text: str) -> list[int]:
        known = {f" {name}": 300 + index for index, name in enumerate(NAMES)}
        return [known[text]] if text in known else [ord(letter) for letter in text]

    def save(self, folder: Path) -> None:
        raise NotImplementedError


class Blurred(Letters):
    """Cannot tell Jack from John."""

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text.strip()]


def speaker(name_of: Callable[[str], str]) -> Callable[[Tensor], Tensor]:
    """A model whose most probable name after a text is name_of(that text); after any other place it is the last of NAMES."""

    def predict(ids: Tensor) -> Tensor:
        logits = torch.zeros(*ids.shape, 400)
        logits[..., 300 + len(NAMES) - 1] = 1
        for row, tokens in enumerate(ids.tolist()):
            text = "".join(chr(token) for token in tokens[1:] if token != END)
            assert tokens[0] == TEXT
            logits[row, len(text), 300 + NAMES.index(name_of(text))] = 2
            logits[row, len(text), 0] = 9  # what is no name does not count
        return logits

    return predict


def first_name(text: str) -> str:
    return min((name for name in NAMES if name in text), key=text.index)


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        (4, ["A fox ran.", "It was late!"]),
        (8, ["A fox ran. It was late!", "He was cold and wet. Good."]),
        (5, ["Good.\nThe end."]),
        (300, []),
    ],
)
def test_stretches_are_whole_sentences_without_a_name(distance: int, expected: list[str]) -> None:
    assert recalling.stretches(TALE, distance) == expected


def test_every_name_is_asked_for_once_a_round() -> None:
    prompts = recalling.compose([Document(TALE)], 8, rounds=2)
    assert [prompt.name for prompt in prompts] == [*range(len(NAMES))] * 2
    between = {"A fox ran. It was late!", "He was cold and wet. Good."}
    for place, prompt in enumerate(prompts):
        introduced, stretch, asked = prompt.text.split("\n")
        first, last = FRAMES[place // len(NAMES)]
        assert (introduced, asked) == (first.format(NAMES[prompt.name]), last)
        assert stretch in between
    assert prompts == recalling.compose([Document(TALE)], 8, rounds=2)
    assert recalling.compose([Document(TALE)], 300) == []


def test_only_the_most_probable_name_counts() -> None:
    prompts = [Prompt(f"{name} was there.", index) for index, name in enumerate(NAMES)] + [Prompt("Alice, then Jack, then came", 0)]
    firsts = [300 + index for index in range(len(NAMES))]
    right = recalling.recalled(speaker(first_name), prompts, Letters(), firsts, batch=3)
    assert right.tolist() == [True] * len(NAMES) + [False]
    assert not recalling.recalled(speaker(lambda text: "Hans"), [prompts[0]], Letters(), firsts).any()


def test_evaluate_sets_one_side_beside_the_other() -> None:
    def predict(attention: bool) -> Callable[[Tensor], Tensor]:
        return speaker(first_name if attention else lambda text: "Mary")

    words = " ".join(["and"] * 15) + "."
    found = recalling.evaluate(predict, [True, False], Letters(), [Document(words)], rounds=1)
    assert set(found) == {"copied_name_16"}  # no stretch is longer
    row = found["copied_name_16"]
    assert (row["with"], row["without"], row["floor"], row["n"]) == (1.0, 1 / len(NAMES), 1 / len(NAMES), len(NAMES))
    assert (row["unit"], row["better"]) == ("share", "higher")
    assert recalling.evaluate(predict, [True], Letters(), [Document(words)])["copied_name_16"]["without"] is None
    assert recalling.evaluate(predict, [True], Blurred(), [Document(words)]) == {}
