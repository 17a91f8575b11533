"""The painter: what it reads of a prompt, how noise becomes a picture, what is kept of its maps, how it is judged."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from generators.base import BadInput, Pin, Request
from generators.detector import Found, Thing
from generators.diffusion import VOCABULARY, Run, figures, read_network, stored
from generators.diffusion.card import CARD, EXAMPLES
from generators.diffusion.model import EMPTY, Config, Network
from generators.diffusion.prompt import LONGEST, MOST_UNKNOWN, phrases, read_prompt
from generators.diffusion.sampler import Listen, believe, both, moments, noise, onwards
from generators.edits import Edit
from generators.lexicon import FUNCTIONS, Lexicon, Word
from generators.scenes import STYLES, is_unseen
from generators.trace import Attention, Grid, Region, Step, Tokens, Trace, load_series
from generators.training import read_json, write_card, write_json, write_weights
from generators.truth import THRESHOLDS, Choice, Truth

WORDS = [
    Word("fox", "object", "fox", "狐狸", "🦊"),
    Word("duck", "object", "duck", "鸭子", "🦆"),
    Word("red apple", "object", "red apple", "红苹果", "🍎"),
    Word("owl", "object", "owl", "猫头鹰", "🦉"),
    Word("blue", "ground", "blue", "蓝色"),
    Word("to the left of", "relation", "to the left of", "左边"),
    Word("above", "relation", "above", "上面"),
    *(Word(name, "function", name if name.isascii() else "", "" if name.isascii() else name) for name in FUNCTIONS),
]


@pytest.fixture(scope="module")
def lexicon():
    return Lexicon(WORDS)


@pytest.fixture(scope="module")
def run():
    return Run.tiny()


def ask(text="fox", **given):
    return Request.check(CARD, text=text, **{"seed": 5, **given, "settings": {"steps": 5, **given.get("settings", {})}})


# What it reads


def test_a_phrase_is_one_key_and_keys_join_to_the_text(lexicon):
    text = "a fox to the left of a red apple on a blue background"
    prompt = read_prompt(text, "twemoji", lexicon)
    assert prompt.labels[0] == "twemoji " and prompt.labels[-1] == "∅"
    assert "".join(prompt.labels[1:-1]) == text
    assert prompt.labels[3] == "to the left of " and prompt.things == {"fox": (2,), "red apple": (5,)}
    assert len(prompt.ids) == len(prompt.labels) - 2 and EMPTY not in prompt.ids
    assert not prompt.notes and not prompt.unknown


def test_both_languages_read_the_same_things(lexicon):
    en, zh = (read_prompt(text, "noto", lexicon) for text in ("a fox on a blue background", "蓝色背景上有一个狐狸"))
    names = [{lexicon.ids[i - 1] for i in each.ids} for each in (en, zh)]
    assert names[0] & names[1] == {"fox", "blue"} and zh.things == {"fox": (4,)}


def test_an_unknown_word_is_marked_and_not_read(lexicon):
    prompt = read_prompt("a dunk on a blue background, Dunk", "noto", lexicon)
    assert [each.text for each in prompt.unknown] == ["Dunk"] and "duck" in prompt.unknown[0].offers
    assert "dunk" not in "".join(prompt.labels).lower() and not prompt.notes
    assert len(read_prompt(" ".join(f"w{i}q" for i in range(50)), "noto", lexicon).unknown) == MOST_UNKNOWN


@pytest.mark.parametrize(
    ("text", "says"), [("", "empty"), ("the wug", "is known"), ("fox duck owl", "one or two"), ("fox " * 99, "too long")]
)
def test_what_is_unusual_is_said_in_one_sentence(lexicon, text, says):
    notes = read_prompt(text, "noto", lexicon).notes
    assert len(notes) == 1 and says in notes[0]["en"] and notes[0]["zh"].endswith("。")
    assert len(read_prompt(text, "noto", lexicon).ids) <= LONGEST


def test_an_unseen_combination_is_said(lexicon):
    pairs = [(a, b) for a in ("fox", "duck", "owl", "red apple") for b in ("fox", "duck", "owl", "red apple") if a != b]
    for relation in ("to the left of", "above"):
        for first, second in pairs:
            notes = read_prompt(f"a {first} {relation} a {second} on a blue background", "noto", lexicon).notes
            assert bool(notes) == is_unseen(first, relation, second)


def test_phrases_write_prompts_that_are_known(lexicon):
    offered = phrases(lexicon)
    groups = {group["name"]: group for group in offered["groups"]}
    assert list(groups) == ["object", "relation", "ground", "style"] and groups["style"]["setting"] == "style"
    for language, templates in offered["templates"].items():
        for template in templates:
            for number in range(2):
                filled = template
                for name in ("object", "relation", "ground"):
                    for phrase in groups[name]["phrases"][number:]:
                        filled = filled.replace(f"{{{name}}}", phrase.get("write", phrase)[language], 1)
                    filled = filled.replace(f"{{{name}}}", groups[name]["phrases"][0].get("write", phrase)[language])
                assert "{" not in filled and not read_prompt(filled, "noto", lexicon).unknown
    assert groups["ground"]["phrases"][0]["glyph"] == "#bedcf5"
    assert {each["write"]["en"] for each in groups["object"]["phrases"]} == {"a fox", "a duck", "a red apple", "an owl"}


def test_examples_are_enough_and_of_both_languages():
    assert len(EXAMPLES) >= 12
    assert {given.get("settings", {}).get("style", "noto") for given in EXAMPLES.values()} == set(STYLES)
    assert sum(not given["text"].isascii() for given in EXAMPLES.values()) >= 3


# From noise to a picture


def network(attention=True, words=20, **given) -> Network:
    torch.manual_seed(0)
    config = Config(
        words=words, **{"size": 16, "fine": 16, "coarse": 16, "text": 16, "condition": 16, "heads": 2, **given}, attention=attention
    )
    return Network(config).eval().requires_grad_(False)


def test_moments_go_from_noise_to_picture():
    times = moments(4)
    assert (times[0], times[-1], len(times)) == (0, 1, 5) and times[1] - times[0] < times[-1] - times[-2]


def test_a_step_keeps_as_much_noise_as_its_time_says():
    picture, x = torch.rand(4, 3, 32, 32), noise(range(4), 0, 32)
    for step, (time, following) in enumerate(pairwise(moments(7))):
        x = onwards(x, picture, time, following, noise(range(4), step + 1, 32))
        assert (x - following * picture).std() == pytest.approx(1 - following, abs=0.02)
    assert torch.allclose(x, picture)


def test_noise_hangs_on_seed_and_step_alone():
    assert torch.equal(noise([3, 5], 2, 8)[1:], noise([5], 2, 8)) and not torch.equal(noise([5], 1, 8), noise([5], 2, 8))


def test_guidance_goes_from_the_wordless_belief_to_that_of_the_words_and_beyond():
    net, x = network(), torch.randn(2, 3, 16, 16)
    net.leave.weight *= 0.1  # far from the ends, beyond which nothing is believed
    prompts = both(net, torch.tensor([[3, 4], [5, EMPTY]]), torch.tensor([0, 1]))
    without, told, halfway = (believe(net, x, 0.5, prompts, guidance)[0] for guidance in (0.0, 1.0, 0.5))
    assert not torch.allclose(without, told, atol=1e-3)
    assert torch.allclose(halfway, (without + told) / 2, atol=1e-5)
    assert believe(net, x, 0.5, prompts, 999.0)[0].abs().max() == 1


def test_a_batch_paints_what_each_prompt_paints_alone():
    net, x = network(), torch.randn(3, 3, 16, 16)
    ids, style = torch.tensor([[3, 4, 9], [5, EMPTY, EMPTY], [EMPTY] * 3]), torch.tensor([0, 1, 2])
    together = believe(net, x, 0.3, both(net, ids, style), 2.0)[0]
    for row, length in enumerate((3, 1, 0)):
        alone = believe(net, x[row : row + 1], 0.3, both(net, ids[row : row + 1, :length], style[row : row + 1]), 2.0)[0]
        assert torch.allclose(alone[0], together[row], atol=1e-4)


def test_painted_rows_reach_the_pass_that_hears_the_words_only():
    net, x = network(), torch.randn(1, 3, 16, 16)
    prompts = both(net, torch.tensor([[3, 4]]), torch.tensor([0]))
    plain, heard = believe(net, x, 0.5, prompts, 2.0, Listen())
    edits = tuple(Edit("paint", rows=each.weights[0].numpy(), map=each.name[0], layers=(each.name[1],)) for each in heard)
    again, _ = believe(net, x, 0.5, prompts, 2.0, Listen(edits))
    assert torch.allclose(plain, again, atol=1e-5)
    assert [each.weights.shape[0] for each in heard] == [2] * len(heard), "both passes are one batch"


# A run


def test_every_step_shows_what_it_was_given_and_what_it_believes(run):
    trace = run.trace(ask("fox on blue"))
    assert [step.facts["time"] for step in trace.steps] == moments(5)[:-1]
    assert all(step.picture.shape == step.source.shape == (16, 16, 3) and step.state.dtype == np.float32 for step in trace.steps)
    assert np.abs(trace.steps[0].state).max() > 2 and trace.seed == 5 and trace.steps[-1].stop == "end"
    assert trace.steps[0].prompt == ("noto ", "fox ", "blue", "∅") and trace.steps[0].unknown[0].text == "on"
    assert {(rows.kind, len(rows.key)) for step in trace.steps for rows in step.attentions} == {("cross", 4)}
    grids = {rows.query for rows in trace.steps[0].attentions}
    assert grids == {Grid(4, 4), Grid(8, 8)}, "grids differ between layers"


def test_words_styles_guidance_and_seeds_change_the_picture(run):
    asked = [
        ask(),
        ask("duck"),
        ask(seed=6),
        ask(settings={"style": "twemoji"}),
        ask(settings={"guidance": 1}),
        ask(settings={"guidance": 0}),
    ]
    assert len({run.picture(each).tobytes() for each in asked}) == len(asked)
    nothing = [run.picture(ask(text, settings={"guidance": 0})) for text in ("fox", "duck")]
    assert np.array_equal(*nothing), "without guidance the words are not heard"


def test_one_step_again_is_what_it_was_with_the_maps_of_every_kind(run):
    request = ask("fox on blue", edits=[{"action": "sharpness", "value": 3}])
    trace = run.trace(request)
    for given in ({"state": trace.steps[3].state}, {}):
        (step,) = run.generate(replace(request, only=3, pin=7, **given))
        assert step.index == 3 and np.array_equal(step.picture, trace.steps[3].picture)
        assert {rows.kind for rows in step.attentions} == {"cross", "self"}
        again = {(rows.kind, rows.layer): rows.weights for rows in step.attentions}
        assert all(np.array_equal(trace.map(*each, step=3), again[each]) for each in trace.maps())
        assert Counter(each.kind for each in step.details) == {"cross": 4, "self": 2}
        assert all(each.query_index == 7 for each in step.details)
    assert {each.layer for each in run.replay(request, 60)} == {3}, "only the finest grid has that cell"
    assert run.replay(replace(request, only=2), 5)[0].weights[0] == pytest.approx(trace.map("cross", 0, step=2)[0, 5], abs=1e-6)


def test_what_the_run_has_not_is_refused(run):
    wrong = np.zeros((3, 8, 8), np.float32)
    for given in ({"only": 5}, {"only": -1}, {"only": 1, "state": wrong}, {"pin": 64}):
        with pytest.raises(BadInput):
            next(run.generate(replace(ask(), **given)))


def test_without_looking_at_the_words_they_do_not_matter(run):
    off = [{"action": "off", "map": "cross"}]
    assert np.array_equal(run.picture(ask("fox", edits=off)), run.picture(ask("duck", edits=off)))
    late = [{"action": "off", "map": "cross", "steps": [4]}]
    assert not np.array_equal(run.picture(ask("fox", edits=late)), run.picture(ask("duck", edits=late)))


def test_the_twin_hears_the_prompt_as_one_vector(run):
    fox, duck = (run.trace(replace(ask(text), attention=False)) for text in ("fox", "duck"))
    assert fox.maps() == [] and not np.array_equal(fox.picture, duck.picture)
    (step,) = run.generate(replace(ask(), attention=False, only=1))
    assert {rows.kind for rows in step.attentions} == {"self"}


def test_the_twin_is_of_nearly_equal_size():
    sizes = [sum(weight.numel() for weight in Network(Config(121, attention=each)).parameters()) for each in (True, False)]
    assert max(sizes) <= 3_000_000 and abs(sizes[0] - sizes[1]) < 0.15 * sizes[0]


def test_regions_name_the_words_that_are_seen():
    tiny = Run.tiny()
    mask = np.zeros((16, 16), bool)
    mask[2:5, 3:6] = True
    looked = []

    def detect(pictures):
        looked.append(pictures)
        return [Found((Thing("fox", mask, 0.1), Thing("duck", mask, 0.1)), "blue", 0.0)]

    seeing = Run(tiny._network, tiny._without, tiny._lexicon, detect)
    trace = seeing.trace(ask("blue fox fox"))
    (region,) = trace.steps[-1].regions
    assert (region.label, region.positions) == ("fox", (2, 3)) and region.mask is mask
    assert len(looked) == 1 and np.array_equal(looked[0][0], trace.picture)
    assert not any(step.regions for step in trace.steps[:-1]) and not seeing.trace(ask("blue")).steps[-1].regions


# What is kept


def test_stored_rows_are_whole_levels_that_sum_to_one():
    weights = np.random.default_rng(0).dirichlet(np.full(9, 0.3), (2, 50)).astype(np.float32)
    kept = stored.shared_out(weights, 64)
    assert np.array_equal(kept.sum(-1), np.ones((2, 50))) and np.array_equal(kept * 64, np.round(kept * 64))
    assert np.abs(kept - weights).max() < 1 / 64


def test_the_pinned_cell_looks_at_the_thing_that_it_paints():
    weights = np.full((2, 16, 3), [0.2, 0.1, 0.7], np.float32)  # 4×4 cells, the words "a", "fox" and ∅
    weights[:, 9], weights[:, 15] = [0.1, 0.6, 0.3], [0.0, 1.0, 0.0]  # the second is not of the fox
    rows = Attention("cross", 3, weights, Grid(4, 4), Tokens(("a", "fox", "∅")))
    mask = np.zeros((8, 8), bool)
    mask[4:6, 0:6] = True  # cells 8, 9 and 10
    trace = Trace("diffusion", "scenes", {}, [Step(0, attentions=(rows,), regions=(Region("fox", (1,), mask),))])
    assert stored.telling(trace, Pin("cross", 3)) == 9
    trace.steps[0] = replace(trace.steps[0], regions=())
    assert stored.telling(trace, Pin("cross", 3)) == 10, "the middle, where nothing is found"


def test_noise_is_kept_in_few_levels_and_a_picture_in_all():
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    assert len(np.unique(stored.coarse(picture, 0.0))) < 12
    assert np.array_equal(stored.coarse(picture, 0.97), picture)


@pytest.fixture
def place(tmp_path, monkeypatch, lexicon):
    """A model of the visitor's own with its twin, and a data folder of four scenes."""
    folder = tmp_path / "models" / "diffusion" / "mine"
    for file, attention in (("weights", True), ("without", False)):
        made = network(attention, words=len(lexicon.ids), size=32)
        write_weights(folder / f"{file}.safetensors", made.state_dict())
    write_json(folder / "config.json", made.config.to_dict() | {"attention": True})
    lexicon.save(folder / VOCABULARY)
    monkeypatch.setenv("LAB_MODELS_DIR", str(tmp_path / "models"))
    dice = np.random.default_rng(0)
    for name in ("train", "held_out"):
        data = tmp_path / name / "emoji_scenes"
        data.mkdir(parents=True)
        rows = [
            {"caption": "a fox on a blue background", "style": "noto", "background": "blue", "boxes": [["fox", 9, 8, 48]]},
            {
                "caption": "a duck above an owl on a blue background",
                "style": "twemoji",
                "background": "blue",
                "boxes": [["duck", 0, 1, 30], ["owl", 2, 33, 28]],
            },
        ] * 2
        (data / "scenes64.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        images = dice.integers(0, 256, (4, 64, 64, 3), np.uint8)
        np.savez(data / "scenes64.npz", images=images, silhouettes=np.zeros((4, 64, 64), np.uint8))
    return SimpleNamespace(folder=folder, train=tmp_path / "train", held_out=tmp_path / "held_out")


class Eye:
    """Sees a duck above an owl on blue wherever it looks."""

    def __call__(self, pictures):
        masks = np.zeros((2, 32, 32), bool)
        masks[0, 2:12, 4:20], masks[1, 18:30, 8:24] = True, True
        things = tuple(Thing(word, mask, float(mask.mean())) for word, mask in zip(("duck", "owl"), masks, strict=True))
        return [Found(things, "blue", 0.0)] * len(pictures)

    def features(self, pictures):
        return pictures.reshape(len(pictures), -1)[:, :4].astype(np.float32)


@pytest.fixture
def eye(monkeypatch):
    monkeypatch.setattr("generators.detector.load", Eye)


def test_every_caption_and_as_many_unseen_ones_are_judged(place, eye):
    write_card(place.folder, parameters=1)
    assert "pointing" not in figures.evaluate("mine", data=place.held_out)
    figures.write_metrics("mine", place.held_out)
    card = read_json(place.folder / "card.json")
    found = card["metrics"]
    assert found["object"]["with"] == 0.5 and found["place"] == found["place"] | {"with": 1, "without": 1, "n": 2}
    assert found["background"]["n"] == 4 and found["all"]["without"] == 0.5 and found["all_unseen"]["with"] < 1
    assert found["frechet"]["better"] == "lower" and found["frechet"]["without"] > 0
    assert found["pointing"]["without"] is None and 0 <= found["pointing"]["with"] <= 1
    assert card["truth"]["steps"] == 20 and card["truth"]["n"] == 4 and card["truth"]["words"] == 4
    assert set(card["truth"]["best"]) == {"layer", "head", "step", "threshold", "threshold_mean"}
    again = figures.evaluate("mine", data=place.held_out)
    assert again == found and figures.evaluate("mine", data=place.held_out, limit=2)["all"]["n"] == 2
    with pytest.raises(BadInput):
        figures.evaluate("mine", data=place.folder)


def test_unseen_captions_are_unseen_and_always_the_same(lexicon):
    said = figures.unseen(lexicon, 30)
    assert said == figures.unseen(lexicon, 30) and len({each.caption for each in said}) > 10
    for each in said:
        things = [piece.id for piece in lexicon.read(each.caption) if piece.kind == "object"]
        relation = next(
            piece.text.strip()
            for piece in lexicon.read(each.caption.replace("right", "left").replace("below", "above"))
            if piece.kind == "relation"
        )
        assert len(things) == 2 and relation in ("to the left of", "above") and each.style in STYLES


def test_columns_are_those_of_the_named_things(lexicon):
    prompts = [read_prompt(text, "noto", lexicon) for text in ("a fox above a duck", "blue owl owl")]
    weights = torch.rand(4, 2, 16, 7)  # both passes
    columns = figures.columns_of(weights, prompts)
    assert columns.shape == (3, 2, 4, 4)
    assert np.allclose(columns[1].reshape(2, 16), weights[0, ..., 5])
    assert np.allclose(columns[2].reshape(2, 16), weights[1, ..., [2, 3]].mean(-1))


def test_only_what_was_painted_counts_for_the_maps(lexicon):
    prompts = [read_prompt(text, "noto", lexicon) for text in ("a fox above a duck", "an owl")]
    maps = [np.random.default_rng(0).random((3, 2, 5, 4, 4), np.float32)]
    truth = Truth(Choice(0, None, 2, THRESHOLDS[0], THRESHOLDS[1]))
    found = Eye()(np.zeros((2, 1)))
    figures.add(truth, prompts, maps, [found[0], Found((), "blue", 0.0)])
    assert (truth.words, truth.pictures) == (1, 2)


def test_examples_and_learning_are_written_from_the_weights(place, eye, monkeypatch):
    given = {"fox": {"text": "a fox on a blue background"}, "duck": {"text": "鸭子", "seed": 2, "settings": {"steps": 6}}}
    monkeypatch.setattr(stored, "EXAMPLES", given)
    write_card(place.folder, training={"steps": 100})
    snapshots = place.folder / "snapshots"
    for step in (0, 40, 80):
        write_weights(snapshots / f"{step:07d}.safetensors", network(words=len(WORDS), size=32).state_dict())
    stored.record(place.folder, snapshots)
    assert {path.stem for path in (place.folder / "examples").iterdir()} == set(given)
    trace, live = Trace.load(place.folder / "examples" / "duck.npz"), Run.load(place.folder)
    again = live.trace(Request.from_dict(CARD, {**trace.request, "variant": None}))
    assert np.array_equal(trace.picture, again.picture) and len(trace.steps) == 6 and trace.steps[-1].details[0].key is None
    assert np.abs(trace.map("cross", 3) - again.map("cross", 3)).max() < 1 / stored.LAST_LEVELS + 5e-4
    assert np.abs(trace.map("cross", 3, step=0) - again.map("cross", 3, step=0)).max() < 1 / stored.LEVELS + 1e-3
    assert trace.steps[0].source is not None and trace.steps[0].state is None
    series = load_series(place.folder / "learning.npz")
    assert list(series) == [0, 40, 100] and len(series[0].steps) == stored.LEARNING_STEPS


def test_a_network_lies_in_memory_as_convolutions_like_it(place):
    made = read_network(place.folder)
    assert made.enter.weight.is_contiguous(memory_format=torch.channels_last) and not made.training
