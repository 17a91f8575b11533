"""The command line: one JSON object, one sentence for bad input, the right exit status."""

import json
import subprocess
import sys

import numpy as np
import pytest

import generators
from generators.__main__ import main
from generators.base import read_seed
from generators.trace import Trace

PAINTER = next(name for name in generators.names() if any(each.name == "steps" for each in generators.find(name).card.settings))
TEXT = next(name for name in generators.names() if generators.find(name).card.writes)
PICTURE = next(card.name for card in generators.cards() if card.produces == "picture" and "seed" in card.accepts)
TAKER = next(card.name for card in generators.cards() if any(variant.grid for variant in card.variants))


@pytest.fixture
def command(capsys):
    """Run a command in this process: (exit status, stdout, stderr)."""

    def run(*arguments):
        status = main([str(each) for each in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_list_tells_every_generator(command):
    status, out, _ = command("list", "--json")
    rows = json.loads(out)
    assert status == 0 and [row["name"] for row in rows] == list(generators.names())
    for row in rows:
        assert set(row) == {"name", "variants", "default", "accepts", "produces", "settings", "ready", "error"}
        assert row["ready"] is True and row["error"] is None and row["default"] in row["variants"]


def test_run_prints_one_object(command, tmp_path):
    place = tmp_path / "trace.npz"
    status, out, _ = command("run", TEXT, "--prompt", "Once", "--seed", "Ada", "--set", "length=6", "--out", place, "--json")
    result = json.loads(out)
    assert status == 0 and len(out.splitlines()) == 1
    assert set(result) == {"name", "variant", "seed", "settings", "output", "steps", "attentions", "seconds"}
    trace = Trace.load(place)
    assert result["settings"]["length"] == 6 and result["steps"] == len(trace.steps) and result["output"] == trace.text
    size = {"tokens": len(trace.tokens) - 1}
    assert result["attentions"] == [
        {"kind": kind, "layer": layer, "heads": len(trace.map(kind, layer)), "query": size, "key": size} for kind, layer in trace.maps()
    ]


def test_run_takes_the_prompt_by_itself_and_says_what_it_does_not_know(command, tmp_path):
    place = tmp_path / "scene.png"
    status, out, said = command("run", PAINTER, "a wug above a red apple", "--set", "steps=4", "--picture-out", place)
    assert status == 0 and out.strip() == str(place) and place.is_file()
    assert "Not known: wug" in said and "apple" not in said


def test_run_writes_a_picture(command, tmp_path):
    from PIL import Image

    place = tmp_path / "face.png"
    status, out, _ = command("run", PICTURE, "--prompt", "Ada", "--picture-out", place, "--json")
    result = json.loads(out)
    assert status == 0 and result["output"] == str(place)
    assert result["seed"] == read_seed("Ada")
    (face,) = result["attentions"]
    with Image.open(place) as picture:
        assert picture.size[0] >= 32 and np.asarray(picture).std() > 5
    assert face["kind"] == "self" and len(face["query"]["grid"]) == 2


def test_a_hole_is_filled(command, tmp_path):
    from PIL import Image

    given, whole, filled = (tmp_path / f"{name}.png" for name in ("given", "whole", "filled"))
    Image.new("RGB", (300, 200), (170, 210, 240)).save(given)
    for place, hide in ((whole, ()), (filled, ("--hide", "0,16-31"))):
        status, out, _ = command("run", TAKER, "--picture", given, "--picture-out", place, "--json", *hide)
        result = json.loads(out)
        assert status == 0 and result["output"] == str(place)
        assert any(each["kind"] == "cross" for each in result["attentions"]) == bool(hide)
    assert whole.read_bytes() != filled.read_bytes()


def test_an_edit_changes_the_run(command):
    plain, edited = (
        json.loads(command("run", TEXT, "--prompt", "Once upon a time", "--set", "length=20", "--json", *edit)[1])["output"]
        for edit in ((), ("--edit", '{"action": "off"}'))
    )
    assert plain != edited


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("explode",),
        ("run", "nobody"),
        ("run", TEXT, "--variant", "klingon"),
        ("run", TEXT, "--seed", "-1"),
        ("run", TEXT, "--seed", "0.5"),
        ("run", TEXT, "--seed", "1e30"),
        ("run", TEXT, "--set", "length"),
        ("run", TEXT, "--set", "length=100000"),
        ("run", TEXT, "--set", "colour=red"),
        ("run", TEXT, "--edit", "{"),
        ("run", TEXT, "--edit", '{"action": "explode"}'),
        ("run", TEXT, "--picture", "nowhere.png"),
        ("run", PICTURE, "--prompt", "-1"),
        ("run", PICTURE, "--hide", "3"),
        ("run", TAKER, "--picture", "nowhere.png"),
        ("run", TAKER, "--picture", __file__),
        ("run", TAKER, "--hide", "x"),
        ("run", TAKER, "--hide", "99999"),
        ("run", TAKER, "--code", "0=1"),
        ("run", TAKER, "--code", "0"),
        ("train", TEXT, "--steps", "0"),
        ("train", TEXT, "--data", "nowhere"),
        ("train", TEXT, "--steps", "1", "--minutes", "1"),
        ("test", TEXT, "--text", "nowhere.txt"),
        ("evaluate", TEXT),
        ("evaluate", TEXT, "--data", "nowhere"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(command, arguments):
    status, out, err = command(*arguments)
    assert status == 2 and out == ""
    assert len(err.strip().splitlines()) == 1 and err.strip().endswith(".") and "Traceback" not in err


def test_missing_weights_are_a_failure_with_a_sentence(command, monkeypatch, tmp_path):
    monkeypatch.setattr(generators, "ASSETS", tmp_path)
    monkeypatch.setattr(generators, "_loaded", {})
    status, _, err = command("run", TEXT)
    assert status == 1 and len(err.strip().splitlines()) == 1
    status, out, _ = command("list", "--json")
    assert status == 0 and all(row["ready"] is False and row["error"] for row in json.loads(out))


def test_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "generators", "run", PICTURE, "--seed", "-1"], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("A seed is a whole number")


def test_own_models_appear(command, monkeypatch, tmp_path):
    """A folder under LAB_MODELS_DIR is a variant of its own, with the settings of the default one."""
    first = generators.find(TEXT).card.default
    source, mine = generators.folders(TEXT)[first], tmp_path / TEXT / "mine"
    mine.mkdir(parents=True)
    for path in source.iterdir():
        if path.is_file():
            (mine / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv("LAB_MODELS_DIR", str(tmp_path))
    (row,) = (row for row in json.loads(command("list", "--json")[1]) if row["name"] == TEXT)
    assert "mine" in row["variants"] and row["ready"]
    outputs = [
        json.loads(command("run", TEXT, "--variant", each, "--prompt", "Once", "--set", "length=6", "--json")[1])["output"]
        for each in (first, "mine")
    ]
    assert outputs[0] == outputs[1]
