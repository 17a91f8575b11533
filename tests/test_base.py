"""Settings, seeds, requests: what is accepted, and the one sentence for what is not."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import generators
from generators.base import BadInput, Card, Pin, Request, Setting, Variant, read_seed

HEAT = Setting("heat", "float", 0.8, {"en": "Heat", "zh": "温度"}, {"en": "h", "zh": "h"}, 0.1, 2.0, 0.1)
COUNT = Setting("count", "int", 8, {"en": "Count", "zh": "数量"}, {"en": "h", "zh": "h"}, 1, 16, variants=("two",))
SHAPE = Setting(
    "shape", "choice", "round", {"en": "Shape", "zh": "形状"}, {"en": "h", "zh": "h"}, choices={"round": {"en": "r", "zh": "圆"}}
)
WORDS = {"en": "x", "zh": "某"}
VARIANTS = tuple(Variant(name, WORDS, "▣", WORDS, Pin("self", 0)) for name in ("one", "two"))
CARD = Card("toy", WORDS, WORDS, ("text", "seed"), "text", VARIANTS, (HEAT, COUNT, SHAPE), ((WORDS, True),), twin=False)


def sentence(call, *args, **kwargs):
    with pytest.raises(BadInput) as refusal:
        call(*args, **kwargs)
    words = refusal.value.words
    assert set(words) == {"en", "zh"} and all(words.values()) and "\n" not in words["en"] + words["zh"]
    return words["en"]


@pytest.mark.parametrize(("given", "value"), [(0.1, 0.1), (2, 2.0), ("1.5", 1.5)])
def test_a_float_setting_takes_its_range(given, value):
    assert HEAT.check(given) == value


@pytest.mark.parametrize("given", [0.0, 2.1, "hot", None, True, float("nan"), float("inf"), [], 10**400])
def test_a_float_setting_refuses_the_rest(given):
    assert sentence(HEAT.check, given) == "Heat is between 0.1 and 2."


def test_int_and_choice_settings():
    assert COUNT.check("3") == 3 and isinstance(COUNT.check(3.0), int)
    assert sentence(COUNT.check, 2.5) == "Count is a whole number between 1 and 16."
    assert SHAPE.check("round") == "round"
    assert sentence(SHAPE.check, "square") == "Shape is one of round."


def test_settings_belong_to_variants():
    assert CARD.check_settings("one", {}) == {"heat": 0.8, "shape": "round"}
    assert CARD.check_settings("two", {"count": 2}) == {"heat": 0.8, "count": 2, "shape": "round"}
    assert sentence(CARD.check_settings, "one", {"count": 2}) == "The settings of one are heat, shape."
    assert sentence(CARD.variant, "three") == "The variants of toy are one, two."


@pytest.mark.parametrize(("given", "seed"), [(0, 0), ("7", 7), (2**32 - 1, 2**32 - 1), (" 12 ", 12), ("", 0), (None, 0), (3.0, 3)])
def test_a_number_is_its_own_seed(given, seed):
    assert read_seed(given) == seed


@pytest.mark.parametrize("given", [-1, "-1", 1e30, "1e30", 0.5, "0.5", 2**32, float("nan"), float("inf"), True, []])
def test_a_number_that_is_no_seed_is_refused(given):
    assert sentence(read_seed, given).startswith("A seed is a whole number")


@given(st.text())
def test_any_word_is_a_seed(word):
    if not any(character.isdigit() for character in word):
        assert 0 <= read_seed(word) < 2**32
        assert read_seed(word) == read_seed(word.strip())


@pytest.mark.parametrize("name", ["Nan", "inf", "1st", "Louis 14", "٣"])
def test_a_name_is_no_number(name):
    assert 0 <= read_seed(name) < 2**32


def test_a_name_gives_the_same_seed_whatever_its_case():
    assert read_seed("Ada") == read_seed("ada ") != read_seed("Bob")


def test_request_round_trip():
    request = Request.check(CARD, variant="two", text="hi", seed="Ada", settings={"heat": 1}, edits=[{"action": "off"}], forced=[1, 2])
    assert Request.from_dict(CARD, json.loads(json.dumps(request.to_dict()))) == request


@pytest.mark.parametrize(
    "given",
    [
        {"variant": "three"},
        {"text": 7},
        {"seed": -1},
        {"settings": {"heat": 9}},
        {"edits": "{"},
        {"forced": "12"},
        {"forced": [-1]},
        {"attention": False},
    ],
)
def test_a_bad_request_is_one_sentence(given):
    sentence(Request.check, CARD, **given)


@pytest.mark.parametrize("name", ["nobody", "", "../gan", "__pycache__", "base", "a b"])
def test_an_unknown_generator_is_refused(name):
    assert sentence(generators.find, name).startswith("The generators are ")


TAKER = Card(
    "taker",
    WORDS,
    WORDS,
    ("picture",),
    "picture",
    (Variant("one", WORDS, "▣", WORDS, Pin("self", 0), size=8, grid=2, axes=3),),
    (),
    ((WORDS, True),),
)
NAME = Setting("other", "word", "", WORDS, WORDS)


def test_a_request_carries_its_picture_holes_and_code():
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    request = Request.check(TAKER, picture=picture, hidden=[3, 0, 3], code={"2": 1.5, "0": 0})
    assert np.array_equal(request.picture, picture) and request.hidden == (0, 3) and request.code == {2: 1.5}
    given = json.loads(json.dumps(request.to_dict()))
    again = Request.from_dict(TAKER, given)
    assert np.array_equal(again.picture, picture) and again.hidden == (0, 3) and again.code == {2: 1.5} and again.to_dict() == given
    assert not {"picture", "hidden", "code"} & set(Request.check(TAKER).to_dict())


@pytest.mark.parametrize("hidden", [[4], [-1], [True], ["0"], 3, "01", [0, 1, 2, 3], [0.0]])
def test_holes_that_are_none(hidden):
    sentence(Request.check, TAKER, hidden=hidden)


@pytest.mark.parametrize("code", [{"3": 1}, {"-1": 1}, {0: 9}, {0: "x"}, {0: float("nan")}, {"a": 1}, [1], {True: 1}, {"٣": 1}, {0: True}])
def test_codes_that_are_none(code):
    sentence(Request.check, TAKER, code=code)


def test_who_takes_no_picture_says_so():
    picture = np.zeros((8, 8, 3), np.uint8)
    assert sentence(Request.check, CARD, picture=picture) == "toy takes no picture."
    assert sentence(Request.check, CARD, hidden=[0]) == "Nothing can be rubbed out of a picture of toy."
    assert sentence(Request.check, CARD, code={0: 1.0}) == "toy has no code that can be shifted."


def test_a_word_setting():
    assert NAME.check("Bo") == "Bo" and NAME.check(12) == "12"
    for wrong in ("x" * 41, None, True, ["a"], 1.5):
        assert sentence(NAME.check, wrong) == "x is a text of at most 40 characters."
