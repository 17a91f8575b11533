"""Show, Attend and Tell: its equations, its phrases, its search, pictures in and captions out; a training of two steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import generators
from generators.attention import watch
from generators.base import BadInput, NotReady, Request
from generators.captioner import LONGEST, Run, read_pictures
from generators.captioner import train as lesson
from generators.captioner.model import Config, Describer
from generators.captioner.tokens import ENDS, LANGUAGES, Phrases, Reader, end_of, positions, start
from generators.edits import Edit
from generators.lexicon import Lexicon
from generators.scenes import GROUNDS, RELATIONS, STYLES, Composer, Place, Scene, with_article
from generators.searching import beam_search
from generators.tokens import END
from generators.trace import Grid
from generators.training import IGNORED, read_json, read_weights

NAMES = {"fox": "狐狸", "red apple": "红苹果", "owl": "猫头鹰", "grapes": "葡萄", "bear": "熊", "panda": "熊猫"}
SIZES = Config(words=0, widths=(8, 12, 16), blocks=(1, 1), embedding=12, units=16, score=8)


@pytest.fixture(scope="module")
def phrases(tmp_path_factory) -> Phrases:
    """As they are learned from a data folder."""
    folder = tmp_path_factory.mktemp("data")
    rows = [("word", "cldr_name", "codepoints", "name_zh"), *((name, name, "1f98a", chinese) for name, chinese in NAMES.items())]
    for path, lines in (
        ("emoji_scenes/vocabulary.tsv", rows),
        ("emoji/emoji64_index.tsv", [("codepoints", "keywords_en", "keywords_zh")]),
    ):
        (folder / path).parent.mkdir()
        (folder / path).write_text("".join("\t".join(row) + "\n" for row in lines), encoding="utf-8")
    return Phrases(Lexicon.of(folder))


@pytest.fixture(scope="module")
def composer() -> Composer:
    """Discs of six colours."""
    row, column = np.mgrid[:64, :64] - 31.5
    disc = np.hypot(row, column) < 31
    sprites = {}
    for style in STYLES:
        dice = np.random.default_rng(STYLES.index(style))
        sprites[style] = {
            name: np.dstack([*(disc * dice.integers(0, 200) for _ in range(3)), disc * 255]).astype(np.uint8) for name in NAMES
        }
    return Composer(sprites, NAMES)


@pytest.fixture(scope="module")
def tiny() -> Run:
    return Run.tiny()


def small(phrases: Phrases, attention: bool = True, seed: int = 0) -> Describer:
    torch.manual_seed(seed)
    model = Describer(replace(SIZES, words=len(phrases.pieces), attention=attention)).eval().requires_grad_(False)
    for weight in model.parameters():
        weight.data *= 2
    return model


def ask(run: Run, **given):
    return run.trace(Request.check(run.card, **given))


# Phrases


def test_every_caption_is_its_phrases(phrases):
    for relation in RELATIONS:
        scene = Scene("blue", "noto", (Place("panda", 0, 0, 30), Place("red apple", 32, 32, 30)), relation)
        for caption in (scene.caption(), scene.caption_zh(phrases.names)):
            ids = phrases.encode(caption)
            assert ids[-1] == END and phrases.decode(ids) == caption
            assert [phrases.word_of[token] for token in ids if token in phrases.word_of].count("panda") == 1
    alone = Scene("gray", "noto", (Place("grapes", 0, 0, 50),))
    assert [phrases.pieces[token].decode() for token in phrases.encode(alone.caption())] == [" grapes", " on a", " gray", " background", ""]
    assert [phrases.pieces[token].decode() for token in phrases.encode(alone.caption_zh(NAMES))] == ["灰色", "背景上", "有一个", "葡萄", ""]
    with pytest.raises(ValueError):
        phrases.encode("a dragon on a blue background")


def test_captions_say_from_which_end_they_go(phrases):
    assert [end_of(relation) for relation in RELATIONS] == ["near", "far", "near", "far"]
    assert len({start(language, end) for language in LANGUAGES for end in ENDS} | {END}) == 5


def test_only_the_first_phrase_loses_its_space(phrases):
    reader, fox = Reader(phrases), phrases.encode("a fox on a blue background")[0]
    assert [reader.peek(fox), reader.read(fox), reader.peek(fox), reader.read(fox)] == ["a fox", "a fox", " a fox", " a fox"]
    assert reader.read(END) == "" and reader.label(END, "") == "⟨end⟩"


def test_a_thing_knows_its_words(phrases):
    ids = phrases.encode("a fox above an owl on a pink background")
    assert positions(phrases, ids) == {"fox": (0,), "owl": (2,)}


def test_the_vocabulary_gives_itself_back(phrases, tmp_path):
    phrases.save(tmp_path)
    again = Phrases.load(tmp_path)
    assert again.pieces == phrases.pieces and again.word_of == phrases.word_of
    (tmp_path / "vocabulary.json").write_text("{", encoding="utf-8")
    with pytest.raises(NotReady):
        Phrases.load(tmp_path)


# The network


def test_a_look_is_gated_additive_attention(phrases):
    """z = β Σ αᵢaᵢ, αᵢ the softmax of vᵀ tanh(W h + U aᵢ), β = σ(f(h)): Xu et al. 2015, sections 4.2 and 4.2.1."""
    model = small(phrases)
    seen = model.read(torch.rand(1, 3, 64, 64), torch.tensor([start("en", "near")]))
    hidden = seen.start[0, : SIZES.units]
    query = model.to_query.weight @ hidden + model.to_query.bias
    scores = torch.stack([model.direction @ torch.tanh(query + model.to_key.weight @ cell) for cell in seen.cells[0]])
    gate = torch.sigmoid(model.to_gate.weight @ hidden + model.to_gate.bias)
    with watch() as watcher:
        context = model.look(seen.start, seen)
    assert torch.allclose(context[0], gate * (scores.softmax(0)[:, None] * seen.cells[0]).sum(0), atol=1e-5)
    assert torch.allclose(watcher.heard[0].weights[0, 0, 0], scores.softmax(0), atol=1e-6)
    assert watcher.heard[0].name == ("cross", 0) and model.gate(seen.start)[0] == pytest.approx(float(gate))


def test_the_writer_is_an_lstm(phrases):
    model = small(phrases)
    lstm = torch.nn.LSTMCell(SIZES.embedding + SIZES.widths[-1], SIZES.units)
    lstm.weight_ih.data = torch.cat([model.from_word.weight, model.from_context.weight], 1)[_torch_order()]
    lstm.weight_hh.data, lstm.bias_ih.data = model.from_state.weight[_torch_order()], model.from_word.bias[_torch_order()]
    lstm.bias_hh.data.zero_()
    word, context, state = torch.randn(2, SIZES.embedding), torch.randn(2, SIZES.widths[-1]), torch.randn(2, 2 * SIZES.units)
    expected = torch.cat(lstm(torch.cat([word, context], 1), tuple(state.chunk(2, 1))), 1)
    assert torch.allclose(model._turn(model.from_word(word), context, state), expected, atol=1e-5)


def _torch_order() -> torch.Tensor:
    """Rows of our gates (write, keep, show, new) as torch has them (write, keep, new, show)."""
    return torch.arange(4 * SIZES.units).view(4, -1)[[0, 1, 3, 2]].flatten()


@pytest.mark.parametrize("attention", [True, False])
def test_a_whole_caption_is_its_steps(phrases, attention):
    model = small(phrases, attention)
    pictures = torch.rand(2, 3, 64, 64)
    tokens = torch.tensor([[start("en", "near"), 7, 9], [start("zh", "far"), 20, 8]])
    (whole, gates), seen = model(pictures, tokens), model.read(pictures, tokens[:, 0])
    state = seen.start
    for index, token in enumerate(tokens.unbind(1)):
        assert torch.allclose(gates[:, index], model.gate(state)[:, 0], atol=1e-5)
        logits, state = model.step(token, state, seen)
        assert torch.allclose(whole[:, index], logits, atol=1e-4)


def test_all_that_is_known_of_the_picture_comes_through_the_maps(phrases):
    model, token = small(phrases), torch.tensor([start("en", "near")])
    pictures = torch.rand(2, 3, 64, 64)
    one, other = (model.read(each[None], token) for each in pictures)
    assert torch.equal(one.start, other.start) and not torch.allclose(one.cells, other.cells)


def test_the_twin_sees_one_vector_only_and_is_as_large(phrases):
    twin = small(phrases, False)
    assert twin.read(torch.rand(2, 3, 64, 64), torch.tensor([1, 1])).cells.shape[:2] == (2, 1)
    with watch() as watcher:
        twin(torch.rand(1, 3, 64, 64), torch.tensor([[1, 7]]))
    assert not watcher.heard and twin.gate(torch.rand(3, 2 * SIZES.units)).tolist() == [[1.0]] * 3
    sizes = [sum(weight.numel() for weight in Describer(Config(words=240, attention=each)).parameters()) for each in (True, False)]
    assert abs(sizes[0] - sizes[1]) < 0.005 * sizes[0] < 0.005 * 1.6e6


def test_measures_come_back_from_json():
    assert Config.from_dict(SIZES.to_dict()) == SIZES and SIZES.grid == 8
    with pytest.raises(ValueError):
        Config.from_dict({**SIZES.to_dict(), "widths": [1, 2]})


# The run


def test_a_row_is_a_picture_of_cells(tiny):
    trace = ask(tiny, seed=3)
    assert trace.done and trace.map("cross", 0).shape == (1, len(trace.steps), 64)
    for step in trace.steps:
        assert step.attentions[0].key == Grid(8, 8) and step.attentions[0].first_query == step.index
        assert 0 < step.facts["gate"] < 1 and not step.beams
    assert trace.source.shape == (64, 64, 3)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_stays_in_its_language(tiny, language):
    trace = ask(tiny, seed=1, settings={"language": language})
    own = set(tiny.vocabulary.of_language(language)) | {END}
    assert {each.id for step in trace.steps for each in step.candidates if each.probability} <= own
    other = tiny.vocabulary.of_language("zh" if language == "en" else "en")[0]
    for wrong in (other, start(language, "near"), 10**6):
        with pytest.raises(BadInput):
            ask(tiny, settings={"language": language}, forced=[wrong])
    with pytest.raises(BadInput):
        ask(tiny, settings={"language": language}, forced=[END])


def test_a_caption_depends_on_where_it_begins(tiny):
    first = [ask(tiny, seed=2, settings={"begin": each}).map("cross", 0)[0, 0] for each in ENDS]
    assert not np.allclose(*first)


def test_without_its_sum_it_is_blind(tiny):
    off = [ask(tiny, seed=seed, edits=[{"action": "off"}]) for seed in (1, 2)]
    assert off[0].forced == off[1].forced and ask(tiny, seed=1).forced != ask(tiny, seed=2).forced


def test_a_hidden_cell_is_not_looked_at(tiny):
    request = replace(Request.check(tiny.card, seed=1), edits=(Edit("hide", keys=(9, 10)),))
    assert tiny.trace(request).map("cross", 0)[..., 9:11].max() == 0


def test_beams_are_shown_and_the_chosen_one_is_written(tiny):
    trace = ask(tiny, seed=1, settings={"beams": 4})
    assert trace.steps[-1].beams[0].text == trace.text and trace.steps[-1].beams[0].chosen
    for step in trace.steps:
        assert 1 <= len(step.beams) <= 4 and any(beam.chosen for beam in step.beams)
        assert [beam.score for beam in step.beams] == sorted((beam.score for beam in step.beams), reverse=True) or step.index > 1


def test_a_batch_is_described_as_each_alone(phrases):
    model, pictures = small(phrases, seed=3), np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
    begins = [start("en", "near"), start("zh", "far")] * 2 + [start("en", "far")]
    told = lesson.describe(model, pictures, begins, part=2)
    free = torch.zeros(2, len(phrases.pieces))
    for index in range(5):
        alone = lesson.describe(model, pictures[index : index + 1], begins[index : index + 1])
        assert alone.captions[0] == told.captions[index] and np.allclose(alone.rows[0], told.rows[index], atol=1e-5)
        seen = model.read(lesson.to_signed(pictures[index : index + 1]), torch.tensor(begins[index : index + 1]))
        found = beam_search(model, seen, start=begins[index], beams=1, longest=LONGEST, never=free)[0][0]
        assert found.tokens == told.captions[index]
        assert found.score / len(found.tokens) == pytest.approx(told.likely[index], abs=1e-3)


def test_what_it_is_unsure_of_is_noted(tiny):
    sure = Run(tiny.vocabulary, tiny.model(True), tiny.model(False), tiny.pictures, strangest={True: 1e-9, False: -100.0})
    notes = " ".join(each["en"] for each in ask(sure, seed=1).steps[0].notes)
    assert "Outside what it learned" in notes and "number 2 of 8" in notes
    assert "Outside" not in str(ask(sure, seed=1, attention=False).steps[0].notes + ask(tiny, seed=1).steps[0].notes)


def test_named_things_are_found_in_the_picture(tiny):
    class Thing:
        def __init__(self, word: str) -> None:
            self.word, self.mask = word, np.eye(32, dtype=bool)

    class Found:
        objects = tuple(map(Thing, NAMES))

    run = Run(tiny.vocabulary, tiny.model(True), None, tiny.pictures, detector=lambda pictures: [Found] * len(pictures))
    trace = ask(run, seed=1, forced=tiny.vocabulary.encode("a fox above an owl on a blue background"))
    named = {"fox": (0,), "owl": (2,)}
    assert {region.label: region.positions for region in trace.steps[-1].regions} == named
    for region in trace.steps[-1].regions:
        assert region.mask.shape == (64, 64) and region.mask.sum() == 4 * 32
    chinese = ask(run, seed=1, settings={"language": "zh"}, forced=tiny.vocabulary.encode("白色背景上有一个狐狸"))
    assert [region.label for region in chinese.steps[-1].regions] == ["狐狸"]


def test_pictures_that_are_gone_are_one_sentence(tmp_path):
    with pytest.raises(NotReady):
        read_pictures(tmp_path)


# Training and figures


def test_softened_pictures_are_those_of_a_smaller_painter():
    from PIL import Image

    from generators.pictures import read_picture, to_signed

    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    small = np.array(Image.fromarray(picture).resize((32, 32), Image.Resampling.BOX))
    matrix = lesson.softener(64)
    soft = (matrix @ to_signed(picture[None]) @ matrix.T).clamp(-1, 1)
    assert np.abs(((soft + 1) * 127.5)[0].permute(1, 2, 0).numpy() - read_picture(small, 64)).max() < 3


def test_an_even_caption_has_no_penalty():
    written = torch.tensor([[True, True, False]])
    even = torch.tensor([[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]])
    assert lesson.unevenness(torch.full((1, 3, 4), 0.25), written) == 0
    assert lesson.unevenness(even, written) == pytest.approx(1.0), "two of four cells have all: (1 − 2)² and (1 − 0)²"


def test_a_batch_says_what_is_in_its_pictures(phrases, composer):
    batch = lesson.Lesson(composer, phrases, SIZES).batch(np.random.default_rng(1), 12)
    for scene, inputs, targets in zip(batch.scenes, batch.inputs.tolist(), batch.targets.tolist(), strict=True):
        written = [token for token in targets if token != IGNORED]
        assert phrases.decode(written) in (scene.caption(), scene.caption_zh(NAMES)) and written[-1] == END
        assert inputs[1 : len(written)] == written[:-1] and inputs[0] in {
            start(each, end) for each in LANGUAGES for end in ([end_of(scene.relation)] if scene.relation else ENDS)
        }


def test_figures_take_either_end_and_count_what_is_right(phrases):
    scene = Scene("blue", "noto", (Place("fox", 0, 0, 30), Place("owl", 32, 0, 30)), "to the left of")
    said = {
        "an owl to the right of a fox on a blue background": (1, 1, 1, 1),
        "a fox to the left of a panda on a blue background": (0, 0, 1, 1),
        "an owl to the left of a fox on a pink background": (0, 1, 0, 0),
        "a fox above an owl on a blue background": (0, 1, 0, 1),
    }
    for caption, rights in said.items():
        told = lesson.Told((tuple(phrases.encode(caption)),), (np.zeros((7, 0)),), (0.0,))
        found = lesson.said_right(phrases, told, [scene])
        assert tuple(found[name][0](np.ones(1)) for name in ("exact", "object", "relation", "background")) == rights
        assert (found["bleu4"][0](np.ones(1, np.int64)) > 99) == (rights[0] == 1)
    assert lesson.turned("a fox below an owl on a pink background") == "an owl above a fox on a pink background"
    assert lesson.turned("a fox on a pink background") == "a fox on a pink background"


def test_a_map_is_held_against_the_thing_that_its_word_names(phrases):
    scene = Scene("blue", "noto", (Place("fox", 0, 0, 30), Place("owl", 32, 0, 30)), "to the left of")
    silhouettes = np.zeros((1, 64, 64), np.uint8)
    silhouettes[0, :, 32:] = 2
    caption = phrases.encode("a panda to the left of an owl on a blue background")
    rows = np.eye(64, dtype=np.float32)[: len(caption)]
    maps, masks = lesson.looks(phrases, lesson.Told((tuple(caption),), (rows,), (0.0,)), [scene], silhouettes)
    assert np.array_equal(masks, silhouettes == 2) and maps.shape == (1, 1, 1, 64, 64)
    assert divmod(int(maps.argmax()), 64) in [(row, column) for row in (0, 1) for column in (19, 20)], (
        "the third cell: the panda is not there"
    )


def test_a_map_is_drawn_smooth():
    even, one = np.full((2, 8, 8), 1 / 64, np.float32), np.zeros((8, 8), np.float32)
    assert np.allclose(lesson.smooth(even, 64), 1 / 64)
    one[3:5, 3:5] = 1 / 4
    drawn = lesson.smooth(one, 64)
    assert np.allclose(drawn, drawn.T) and np.allclose(drawn, drawn[::-1], atol=1e-7)
    assert set(np.unravel_index(drawn.argmax(), drawn.shape)) <= {31, 32}


@pytest.fixture
def house(tmp_path, monkeypatch, composer, phrases):
    """Discs for emoji, no assets of ours: everything goes below a folder of the test's."""
    monkeypatch.setenv("LAB_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setattr(lesson, "ROOT", tmp_path)
    monkeypatch.setattr(lesson, "BATCH", 8)
    monkeypatch.setattr(lesson, "JUDGED", 20)
    monkeypatch.setattr(lesson, "CHECKED", 8)
    monkeypatch.setattr(lesson.Composer, "read", classmethod(lambda cls, folder: composer))
    monkeypatch.setattr(lesson.Lexicon, "of", classmethod(lambda cls, folder: phrases.lexicon))
    return tmp_path / "models" / "captioner" / "mine"


def test_two_steps_and_two_more_and_the_twin(house, tmp_path, monkeypatch):
    data = tmp_path / "data"
    lesson.train(None, data=data, out=house, steps=2, config=SIZES)
    after_two = read_weights(house / "weights.safetensors")
    lesson.train(None, data=data, out=house, steps=4, config=SIZES, resume=True)
    after_four = read_weights(house / "weights.safetensors")
    assert any(not torch.equal(after_two[name], after_four[name]) for name in after_two)
    lesson.train(None, data=data, out=house, attention=False, config=SIZES)
    card, config = read_json(house / "card.json"), read_json(house / "config.json")
    assert card["training"]["steps"] == card["training_without"]["steps"] == 4
    assert set(config["strangest"]) == {"with", "without"} and 0 < config["choice"]["threshold"] < 1
    np.savez_compressed(house / "pictures.npz", pictures=np.zeros((2, 32, 32, 3), np.uint8))
    monkeypatch.setattr("generators.detector.load", lambda: None)
    run = Run.load(house)
    assert ask(run, seed=1).done and ask(run, attention=False).done


def test_what_cannot_be_learned_from_is_one_sentence(tmp_path):
    for given in ({"text": tmp_path}, {}):
        with pytest.raises(BadInput):
            lesson.train(None, **given)
    with pytest.raises(BadInput):
        lesson.train("nothing", data=tmp_path)
    with pytest.raises(BadInput):
        lesson.test(None, text=tmp_path)


def test_the_shipped_model_is_sure_of_its_own_pictures():
    run = generators.load("captioner")
    assert isinstance(run, Run)
    for seed in range(len(run.pictures)):
        for language in LANGUAGES:
            trace = ask(run, seed=seed, settings={"language": language})
            meaning = run.vocabulary.lexicon.meaning(trace.text)
            assert trace.steps[-1].stop == "end" and meaning.ground in GROUNDS and meaning.objects
    assert all(with_article(word) for word in run.vocabulary.names)
