"""Pictures in a real browser: given by file, paste, drop, sketch or another generator; sliders while they are dragged; links."""

from __future__ import annotations

import base64
import io
import json
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image
from playwright.sync_api import Page, expect

from generators.pictures import read_picture
from tests.browser.conftest import Server, Visit, serving
from tests.browser.test_page import barriers, done, run_of
from tests.painters import SIZE

COPIER, PAINTER = {"generator": "copier"}, {"generator": "painter"}


@pytest.fixture(scope="session")
def painting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page with two generators of pictures that are plain arithmetic; see painting.py."""
    with serving(tmp_path_factory.mktemp("painting") / "log.txt", "tests/browser/painting.py") as server:
        yield server


def file(colour: tuple[int, ...], size: tuple[int, int] = (120, 90), kind: str = "PNG", **more: Any) -> dict[str, Any]:
    """A picture file of one colour, as playwright takes it."""
    written = io.BytesIO()
    Image.new("RGB" if len(colour) == 3 else "RGBA", size, colour).save(written, kind, **more)
    return {"name": f"picture.{kind.lower()}", "mimeType": f"image/{kind.lower()}", "buffer": written.getvalue()}


def thumb(page: Page) -> np.ndarray:
    """The chosen picture, as the model sees it."""
    return read_picture(str(page.locator(".thumb img").get_attribute("src")), SIZE)


def upload(page: Page, given: dict[str, Any]) -> str:
    """Id of the run of a file."""
    before = run_of(page)
    page.locator(".maker input[type=file]").set_input_files(given)  # type: ignore[arg-type]
    run = done(page, before)
    page.wait_for_function(f"document.querySelector('.thumb img').naturalWidth === {SIZE}")
    return run


# Given


@pytest.mark.parametrize(
    "given",
    [
        file((200, 10, 10)),
        file((200, 10, 10), (50, 400), "JPEG", quality=100),
        file((200, 10, 10), (3000, 2000), "PNG"),
        file((200, 10, 10), (1, 1)),
        file((200, 10, 10), (64, 64), "GIF"),
        file((200, 10, 10), (64, 64), "WEBP", lossless=True),
    ],
    ids=["png", "tall jpeg", "six megapixels", "one pixel", "gif", "webp"],
)
def test_a_file_is_run_as_the_model_sees_it(visit: Visit, painting: Server, given: dict[str, Any]) -> None:
    page = visit(painting[0], **COPIER)
    done(page)
    upload(page, given)
    assert np.abs(thumb(page).astype(int) - (200, 10, 10)).max() <= 3
    expect(page.get_by_text("Your picture, cut to what the model sees")).to_be_visible()
    assert "base64" not in page.url


def test_a_photograph_leaves_the_device_upright_and_small(visit: Visit, painting: Server) -> None:
    upright = Image.new("RGB", (900, 1200), (10, 10, 200))
    upright.paste((200, 10, 10), (0, 0, 900, 600))  # red above blue
    exif = Image.Exif()
    exif[0x0112] = 6  # the file lies on its side: to be turned clockwise
    lying, written = upright.transpose(Image.Transpose.ROTATE_90), io.BytesIO()
    lying.save(written, "JPEG", exif=exif, quality=95)
    page = visit(painting[0], **COPIER)
    done(page)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or "") if "queue/join" in request.url else None)
    upload(page, {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": written.getvalue()})
    seen = thumb(page).astype(int)
    assert np.abs(seen[: SIZE // 2 - 2] - (200, 10, 10)).max() < 12 and np.abs(seen[SIZE // 2 + 2 :] - (10, 10, 200)).max() < 12
    (asked,) = (json.loads(each) for each in sent if "base64" in each)
    url = re.search(r"data:image/png;base64,[\w+/=]+", json.dumps(asked))
    assert url is not None
    width, height = Image.open(io.BytesIO(base64.b64decode(url.group().partition(",")[2]))).size
    assert width == height <= 4 * SIZE


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"}, "This is no picture that can be read."),
        ({"name": "x.svg", "mimeType": "image/svg+xml", "buffer": b"<svg xmlns='http://www.w3.org/2000/svg'/>"}, "This is no picture"),
        ({"name": "x.png", "mimeType": "image/png", "buffer": b"\0" * 20_000_001}, "A picture file may have 20 MB at most."),
        (file((1, 2, 3), (8000, 5001)), "A picture may have 40 million pixels at most."),
    ],
    ids=["damaged", "svg", "many bytes", "many pixels"],
)
def test_what_is_no_picture_gets_one_sentence_at_once(visit: Visit, painting: Server, given: dict[str, Any], says: str) -> None:
    page = visit(painting[0], **COPIER)
    before = done(page)
    page.locator(".maker input[type=file]").set_input_files(given)  # type: ignore[arg-type]
    expect(page.get_by_text(says).first).to_be_visible()
    assert run_of(page) == before, "everything else stays"
    upload(page, file((200, 10, 10)))


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_picture_is_pasted_or_dropped(visit: Visit, painting: Server, way: str) -> None:
    page = visit(painting[0], **COPIER)
    before = done(page)
    page.evaluate(
        """([way, bytes]) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], "x.png", { type: "image/png" }));
        document.dispatchEvent(way === "paste" ? new ClipboardEvent(way, { clipboardData: data, bubbles: true })
          : new DragEvent(way, { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        [way, base64.b64encode(file((10, 10, 200))["buffer"]).decode()],
    )
    done(page, before)
    page.wait_for_function(f"document.querySelector('.thumb img').naturalWidth === {SIZE}")
    assert (thumb(page) == (10, 10, 200)).all()


def test_a_sketch_is_drawn_undone_and_used(visit: Visit, painting: Server) -> None:
    page = visit(painting[0], **COPIER)
    before = done(page)
    page.get_by_role("button", name="Choose a picture").first.click()
    canvas = page.locator(".sketch canvas")
    box = canvas.bounding_box()
    assert box
    expect(page.get_by_role("button", name="Use it")).to_be_disabled()
    page.get_by_role("radio", name="Colour 9").click()
    page.get_by_role("radio", name="Brush 3").click()
    for height in (0.3, 0.7):
        page.mouse.move(box["x"] + 10, box["y"] + height * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 10, box["y"] + height * box["height"], steps=4)
        page.mouse.up()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Use it").click()
    done(page, before)
    page.wait_for_function(f"document.querySelector('.thumb img').naturalWidth === {SIZE}")
    seen = thumb(page)
    row, other = seen[round(0.3 * SIZE), SIZE // 2], seen[round(0.7 * SIZE), SIZE // 2]
    assert row[2] > row[0] and (other == 255).all(), "the first stroke is there, the second was undone"
    expect(page.locator(".maker")).to_be_hidden()


def test_a_stored_face_is_chosen_by_keyboard(visit: Visit, painting: Server) -> None:
    page = visit(painting[0], **COPIER)
    before = done(page)
    page.get_by_role("button", name="Choose a picture").first.press("Enter")
    page.get_by_role("button", name="Picture 3", exact=True).press("Enter")
    done(page, before)
    source = json.loads(parse_qs(urlsplit(page.url).query)["source"][0])
    assert source == {"generator": "painter", "variant": "plain", "seed": 3}
    page.get_by_role("button", name="Choose a picture").first.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator(".maker")).to_be_hidden()


def test_what_one_generator_made_is_sent_to_another(visit: Visit, painting: Server) -> None:
    page = visit(painting[0], **PAINTER, prompt="Ada", settings='{"warmth": 30}')
    before = done(page)
    page.get_by_role("button", name=re.compile("Copy$")).last.click()
    first = done(page, before)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
    assert asked["generator"] == "copier"
    assert json.loads(asked["source"]) == {"generator": "painter", "variant": "plain", "prompt": "Ada", "settings": {"warmth": 30}}
    again = visit(painting[0], **asked)
    assert done(again) == first, "a link makes the picture again"


# Private


def test_a_link_does_not_carry_ones_own_picture(visit: Visit, painting: Server) -> None:
    page = visit(painting[0], **COPIER)
    done(page)
    upload(page, file((200, 10, 10)))
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("The link is copied; your own picture is not in it.")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert "base64" not in link and len(link) < 300
    again = visit(link.partition("?")[0], **{name: values[0] for name, values in parse_qs(urlsplit(link).query).items()})
    expect(again.get_by_text("This link was made with somebody’s own picture")).to_be_visible()
    done(again)


def test_a_closed_page_forgets_its_picture(visit: Visit, painting: Server) -> None:
    page = visit(painting[0], **COPIER)
    done(page)
    run = upload(page, file((200, 10, 10)))
    client = Client(painting[0], verbose=False)
    with pytest.raises(AppError, match="no such position"):
        client.predict(run=run, query=0, api_name="/row")
    page.close()
    for _ in range(50):
        with pytest.raises(AppError) as gone:
            client.predict(run=run, query=0, api_name="/row")
        if "expired" in str(gone.value):
            break
        time.sleep(0.1)
    assert "expired" in str(gone.value)


def test_the_picture_is_taken_away(visit: Visit, painting: Server) -> None:
    page = visit(painting[0], **PAINTER)
    done(page)
    own = upload(page, file((200, 10, 10)))
    page.get_by_role("button", name="Remove the picture").click()
    seeded = done(page, own)
    expect(page.locator(".thumb img")).to_be_hidden()
    upload(page, file((200, 10, 10)))
    page.get_by_role("textbox", name="Prompt").fill("Ada")
    expect(page.locator(".thumb img")).to_be_hidden()
    page.keyboard.press("Enter")
    assert done(page, seeded) != seeded


# Sliders


def test_a_slider_answers_while_it_is_dragged_and_runs_when_it_is_left(visit: Visit, painting: Server) -> None:
    page = visit(painting[0], **PAINTER, prompt="Ada")
    before = done(page)
    slider = page.get_by_role("slider", name="Warmth")
    box = slider.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(box["x"] + box["width"] * (0.5 + step / 20), box["y"] + box["height"] / 2)
    page.wait_for_function("Number(document.querySelector('#controls [data-live]')?.dataset.live) >= 1")
    assert run_of(page) == before, "nothing is run while it is dragged"
    page.mouse.up()
    done(page, before)
    warmth = json.loads(parse_qs(urlsplit(page.url).query)["settings"][0])["warmth"]
    assert 60 <= warmth <= 95
    page.get_by_role("button", name="Warmth: Back to the default").click()
    page.wait_for_function("!location.search.includes('warmth')")


def test_a_slider_moves_by_keys_a_word_is_typed_and_a_choice_made(visit: Visit, painting: Server) -> None:
    page = visit(painting[0], **PAINTER, prompt="Ada")
    before = done(page)
    page.get_by_role("slider", name="Warmth").press("ArrowRight")
    before = done(page, before)
    page.get_by_role("textbox", name="Other name").fill("Bob")
    page.keyboard.press("Enter")
    before = done(page, before)
    page.get_by_role("combobox", name="Tint").select_option("dusk")
    done(page, before)
    assert json.loads(parse_qs(urlsplit(page.url).query)["settings"][0]) == {"warmth": 1, "other": "Bob", "tint": "dusk"}


def test_numbers_of_the_code_are_under_more_and_in_the_link(visit: Visit, painting: Server) -> None:
    page = visit(painting[0], **PAINTER, prompt="Ada")
    before = done(page)
    page.get_by_role("button", name="More").first.click()
    page.get_by_role("slider", name="Number 2").press("ArrowRight")
    first = done(page, before)
    assert json.loads(parse_qs(urlsplit(page.url).query)["code"][0]) == {"1": 0.1}
    page.reload()
    assert done(page) == first


def test_holes_are_in_the_link(visit: Visit, painting: Server) -> None:
    source = json.dumps({"generator": "painter", "seed": 3})
    page = visit(painting[0], **COPIER, source=source, hidden="1-3,7")
    first = done(page)
    assert parse_qs(urlsplit(page.url).query)["hidden"] == ["1-3,7"]
    whole = visit(painting[0], **COPIER, source=source)
    assert done(whole) != first
    visit(painting[0], **COPIER, source="{broken", hidden="x-y")


# Everybody


@pytest.mark.parametrize("size", [(1440, 900), (1366, 768), (390, 844)], ids=str)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_serious_barrier_with_pictures(visit: Visit, painting: Server, size: tuple[int, int], dark: bool) -> None:
    page = visit(painting[0], size=size, dark=dark, **PAINTER, settings='{"warmth": 30}')
    done(page)
    assert not barriers(page)
    page.get_by_role("button", name="Choose a picture").first.click()
    page.wait_for_selector(".face")
    box = page.locator(".maker").bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= size[0] and box["y"] + box["height"] <= size[1]
    assert not barriers(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
