"""Pictures as they come in: any size and mode, or one sentence."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from generators import pictures
from generators.base import BadInput, Request
from generators.pictures import compact, grid_mask, noise, read_picture, read_prompt, sheet_of, to_png
from generators.trace import Attention, Detail, Grid, Step, Trace

RED, BLUE = (200, 30, 40), (20, 40, 220)


def file_of(image: Image.Image, kind: str = "PNG", **how) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def sentence(given) -> str:
    with pytest.raises(BadInput) as refusal:
        read_picture(given, 8)
    words = refusal.value.words
    assert set(words) == {"en", "zh"} and "\n" not in words["en"]
    return words["en"]


def test_the_middle_square_counts():
    wide = Image.new("RGB", (90, 30), BLUE)
    wide.paste(RED, (30, 0, 60, 30))
    for given in (file_of(wide), to_png(np.asarray(wide)), np.asarray(wide), base64.b64encode(file_of(wide)).decode()):
        seen = read_picture(given, 10)
        assert seen.shape == (10, 10, 3) and seen.dtype == np.uint8 and (seen == RED).all()


def test_a_picture_of_the_right_size_stays_as_it_is():
    exact = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    assert np.array_equal(read_picture(to_png(exact), 8), exact) and np.array_equal(read_picture(exact, 8), exact)


@pytest.mark.parametrize(
    ("mode", "colour", "seen"),
    [
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("P", 0, (0, 0, 0)),
        ("RGBA", (*RED, 255), RED),
        ("RGBA", (*RED, 0), (255, 255, 255)),
        ("LA", (10, 0), (255, 255, 255)),
    ],
)
def test_every_mode_is_read(mode, colour, seen):
    assert (read_picture(file_of(Image.new(mode, (20, 20), colour)), 4) == seen).all()


def test_cmyk_animation_sixteen_bits_and_one_pixel_are_read():
    ink = read_picture(file_of(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), "JPEG"), 4)
    assert ink[..., 0].min() > 180 and ink[..., 1:].max() < 90
    frames = [Image.new("RGB", (9, 9), colour) for colour in (RED, BLUE)]
    moving = read_picture(file_of(frames[0], "GIF", save_all=True, append_images=frames[1:]), 4)
    assert np.abs(moving.astype(int) - RED).max() < 8
    deep = read_picture(file_of(Image.fromarray(np.tile(np.linspace(0, 60_000, 16, dtype=np.uint16), (16, 1)))), 16)
    assert deep[0, 0, 0] == 0 and deep[0, -1, 0] == 255
    assert (read_picture(file_of(Image.new("RGB", (1, 1), RED)), 8) == RED).all()
    assert read_picture(file_of(Image.new("RGB", (1, 4000), RED)), 8).shape == (8, 8, 3)


def test_a_photograph_on_its_side_is_set_upright():
    lying = Image.new("RGB", (40, 40), BLUE)
    lying.paste(RED, (0, 0, 20, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right: what is left comes to the top
    seen = read_picture(file_of(lying, "PNG", exif=exif), 4)
    assert (seen[0] == RED).all() and (seen[-1] == BLUE).all()


def test_what_is_no_picture_is_refused_in_a_sentence(monkeypatch):
    good = file_of(Image.new("RGB", (64, 64), RED))
    assert sentence(b"hello") == sentence(b"%PDF-1.4") == "This is no picture that can be read."
    assert sentence(good[:20]) == sentence(good[:120]) == "This picture is damaged."
    assert sentence("data:image/png;base64,???") == sentence(b"") == sentence(3) == sentence({"a": 1}) == "This is no picture."
    assert (
        sentence(np.zeros((4, 4), np.uint8))
        == sentence(np.zeros((0, 4, 3), np.uint8))
        == "A picture is an array of height × width × 3 bytes."
    )
    monkeypatch.setattr(pictures, "MOST_PIXELS", 1000)
    assert sentence(good) == "A picture may have 40 million pixels at most."
    monkeypatch.setattr(pictures, "MOST_BYTES", 100)
    assert sentence(good) == "A picture file may have 0 MB at most."


def test_a_bomb_is_refused_before_it_is_unpacked():
    assert sentence(file_of(Image.new("1", (20_000, 20_000)))) == "A picture may have 40 million pixels at most."


def test_a_name_is_a_seed_and_says_so():
    assert read_prompt(Request("v", seed=7)) == (7, ())
    assert read_prompt(Request("v", text="12")) == (12, ())
    seed, notes = read_prompt(Request("v", text="Ada"))
    assert notes == ({"en": f"“Ada” is seed {seed}.", "zh": f"“Ada”对应种子 {seed}。"},)


def test_noise_hangs_on_the_seed_alone():
    whole = noise([3, 4, 5], 6)
    assert np.array_equal(noise([4], 6)[0], whole[1]) and np.allclose(noise([4], 6, 0.5), whole[1] / 2)
    assert noise([], 6).shape == (0, 6)


def test_hidden_cells_by_number():
    mask = grid_mask([0, 5, 5], Grid(2, 3))
    assert mask.tolist() == [[True, False, False], [False, False, True]]
    for wrong in ([6], [-1], range(6)):
        with pytest.raises(BadInput):
            grid_mask(wrong, Grid(2, 3))


def test_a_sheet_goes_row_by_row():
    whole = sheet_of(np.stack([np.full((2, 2, 3), level, np.uint8) for level in (1, 2, 3)]), columns=2)
    assert whole[::2, ::2, 0].tolist() == [[1, 2], [3, 255]]


def test_what_is_stored_of_a_map_is_near_and_small():
    weights = np.random.default_rng(0).dirichlet(np.ones(9), (2, 9)).astype(np.float32)
    grid = Grid(3, 3)
    detail = Detail("self", 0, 4, *(np.ones(shape, np.float32) for shape in ((2, 5), (2, 9, 5), (2, 9, 5), (2, 9), (2, 9), (2, 5))))
    source = np.full((6, 6, 3), 9, np.uint8)
    trace = Trace(
        "g", "v", {}, [Step(0, (Attention("self", 0, weights, grid, grid),), picture=source, source=source, details=(detail,), stop="end")]
    )
    kept = compact(trace)
    assert np.abs(kept.map("self", 0) - weights).max() <= 0.001
    assert kept.steps[0].details[0].key is None and kept.steps[0].details[0].query is not None


def test_a_stored_run_keeps_the_picture_it_was_given(tmp_path):
    source = np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)
    Trace("g", "v", {}, [Step(0, picture=255 - source, source=source, stop="end")]).save(tmp_path / "a.npz")
    again = Trace.load(tmp_path / "a.npz")
    assert np.array_equal(again.source, source) and np.array_equal(again.picture, 255 - source)
