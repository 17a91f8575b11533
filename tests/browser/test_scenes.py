"""Words and pictures in a real browser: a prompt put together by tapping, words that are not known, the line, describing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from gradio_client import Client
from playwright.sync_api import Page, expect

import generators
from tests.browser.conftest import Server, Visit, serving
from tests.browser.test_page import barriers, done, run_of

PROMPT = "a fox to the left of a bee on a blue background"
SCENER = {"generator": "scener", "prompt": PROMPT}
PHONE = (390, 844)


@pytest.fixture(scope="session")
def scening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page with one who paints words, one who says what it sees, and a painter of faces; see scening.py."""
    with serving(tmp_path_factory.mktemp("scening") / "log.txt", "tests/browser/scening.py") as server:
        yield server


def prompt(page: Page) -> str:
    return page.locator(".prompt").input_value()


def tap(page: Page, name: str, role: str = "radio") -> None:
    page.locator(".slots").get_by_role(role, name=name, exact=True).click()  # type: ignore[arg-type]


def choose(page: Page, slot: int, name: str) -> None:
    """An object from the palette."""
    page.locator(".object").nth(slot).click()
    page.locator(".palette .phrase", has_text=re.compile(f"{name}$")).click()
    expect(page.locator(".palette")).to_be_hidden()


# Phrases


def test_tapping_changes_one_phrase_of_the_prompt(visit: Visit, scening: Server) -> None:
    page = visit(scening[0], **SCENER)
    done(page)
    tap(page, "above")
    assert prompt(page) == "a fox above a bee on a blue background"
    tap(page, "pink")
    choose(page, 1, "red apple")
    assert prompt(page) == "a fox above a red apple on a pink background"
    page.get_by_role("button", name="Leave out: red apple").click()
    assert prompt(page) == "a fox on a pink background"
    choose(page, 1, "owl")
    assert prompt(page) == "a fox above an owl on a pink background", "what stood there before stands there again"
    tap(page, "round")
    before = run_of(page)
    page.get_by_role("button", name="Generate").click()
    done(page, before)
    assert "round" in page.url and "above+an+owl" in page.url


def test_a_sentence_of_ones_own_gives_way_and_comes_back(visit: Visit, scening: Server) -> None:
    page = visit(scening[0], **SCENER)
    done(page)
    page.locator(".prompt").fill("something else entirely")
    expect(page.locator(".object.empty")).to_have_count(2)
    choose(page, 0, "car")
    assert re.fullmatch("a car on a (white|pink|blue) background", prompt(page))
    tap(page, "Back to the prompt before", "button")
    assert prompt(page) == "something else entirely"
    choose(page, 0, "car")
    page.locator(".prompt").press("Control+z")
    assert prompt(page) == "something else entirely"


def test_the_prompt_is_put_together_in_the_language_of_the_page(visit: Visit, scening: Server) -> None:
    page = visit(scening[0], **SCENER, lang="zh")
    done(page)
    assert page.locator(".object").first.inner_text().strip().startswith("🦊")
    tap(page, "上面")
    assert prompt(page) == "蓝色背景上，狐狸在蜜蜂的上面"
    page.get_by_role("button", name="EN", exact=True).click()
    tap(page, "below")
    assert prompt(page) == "a fox below a bee on a blue background"


def test_the_palette_is_used_by_keyboard(visit: Visit, scening: Server) -> None:
    page = visit(scening[0], **SCENER)
    done(page)
    slot = page.locator(".object").first
    slot.press("Enter")
    expect(page.locator(".sieve")).to_be_focused()
    page.keyboard.type("do")
    expect(page.locator(".palette .phrase")).to_have_text([re.compile("dog"), re.compile("dolphin")])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert prompt(page).startswith("a dolphin to the left of")
    expect(slot).to_be_focused()
    slot.press("Enter")
    page.keyboard.press("Escape")
    expect(slot).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert prompt(page).startswith("a dolphin to the right of")


def test_on_a_phone_phrases_are_a_sheet(visit: Visit, scening: Server) -> None:
    page = visit(scening[0], size=PHONE, **SCENER)
    done(page)
    expect(page.locator(".slots")).to_be_hidden()
    page.get_by_role("button", name="More").first.click()
    page.get_by_role("button", name="Put the prompt together").click()
    expect(page.locator(".settings")).to_be_hidden()
    choose(page, 0, "grapes")
    assert prompt(page).startswith("a grapes to the left of a bee")
    seed = page.get_by_role("textbox", name="Seed: a number or a name")
    expect(seed).to_be_visible()
    button = page.get_by_role("button", name="Generate").bounding_box()
    assert button and button["y"] + button["height"] <= PHONE[1]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_a_seed_stands_beside_the_prompt_and_may_be_a_name(visit: Visit, scening: Server) -> None:
    page = visit(scening[0], **SCENER)
    before = done(page)
    seed = page.get_by_role("textbox", name="Seed: a number or a name")
    seed.fill("Ada")
    seed.press("Enter")
    named = done(page, before)
    assert seed.input_value() == "Ada" and parse_qs(urlsplit(page.url).query)["seed"] == ["Ada"]
    page.get_by_role("button", name="New seed").click()
    done(page, named)
    assert seed.input_value().isdecimal() and prompt(page) == PROMPT


# Words that are not known


def test_an_unknown_word_gives_way_at_one_press(visit: Visit, scening: Server) -> None:
    page = visit(scening[0], **SCENER | {"prompt": "a fox to the left of a dragoon on a blue background"})
    before = done(page)
    expect(page.locator(".told")).to_contain_text("“dragoon” is not known:")
    page.locator(".told").get_by_role("button", name="dog in place of dragoon").click()
    assert prompt(page) == "a fox to the left of a dog on a blue background"
    done(page, before)
    expect(page.locator(".told")).to_be_hidden()


def test_a_hostile_word_is_text(visit: Visit, scening: Server) -> None:
    page = visit(scening[0], **SCENER | {"prompt": "a fox <img/src=x/onerror=document.title=1> ${document.title=2}"})
    done(page)
    expect(page.locator(".told")).to_contain_text("“<img/src=x/onerror=document.title=1>” is not known")
    assert page.title() not in ("1", "2") and page.locator("img[src='x']").count() == 0


# The line


def test_who_waits_is_told_the_place(visit: Visit, scening: Server) -> None:
    page = visit(scening[0], **SCENER)
    before = done(page)
    program = Client(scening[0], verbose=False)
    jobs = [program.submit("scener", "", PROMPT, str(seed), {"steps": 50}, api_name="/generate") for seed in range(100, 108)]
    page.get_by_role("button", name="New seed").click()
    expect(page.locator(".told")).to_contain_text(re.compile(r"You are number \d in line"))
    done(page, before)
    expect(page.locator(".told")).to_be_hidden()
    assert all(job.result()["steps"] == 50 for job in jobs)


# Describing


def test_what_was_painted_is_described_in_one_press(visit: Visit, scening: Server) -> None:
    page = visit(scening[0], **SCENER, seed="5")
    before = done(page)
    page.get_by_role("button", name=re.compile("Describe")).last.click()
    caption = done(page, before)
    assert page.evaluate("window.attentionLab.state().tokens").__len__() == 2
    source = parse_qs(urlsplit(page.url).query)["source"][0]
    assert '"prompt":"a fox to the left of a bee on a blue background"' in source and '"seed":"5"' in source.replace(":5", ':"5"')
    page.reload()
    assert done(page) == caption, "the link paints it again, or finds it painted"


def test_who_describes_is_offered_what_there_is(visit: Visit, scening: Server) -> None:
    page = visit(scening[0], generator="teller")
    before = done(page)
    page.get_by_role("button", name="Another picture").click()
    after = done(page, before)
    page.locator(".thumb").click()
    expect(page.locator(".faces .face").first).to_be_visible()
    page.locator(".faces .face").nth(2).click()
    done(page, after)


def test_what_is_said_is_said_in_the_language_of_the_page(visit: Visit, scening: Server) -> None:
    page = visit(scening[0], generator="teller", lang="zh")
    done(page)
    assert not "".join(page.evaluate("window.attentionLab.state().tokens")).isascii()


# Accessible


@pytest.mark.parametrize(("size", "dark"), [((1440, 900), False), ((1366, 768), True), (PHONE, False)], ids=str)
def test_no_serious_barrier_with_phrases(visit: Visit, scening: Server, size: tuple[int, int], dark: bool) -> None:
    page = visit(scening[0], size=size, dark=dark, **SCENER | {"prompt": "a fox on a blue dragoon"})
    done(page)
    assert not barriers(page)
    if size == PHONE:
        page.get_by_role("button", name="Put the prompt together").click()
    page.locator(".object").first.click()
    expect(page.locator(".palette")).to_be_visible()
    assert not barriers(page)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_all_chips_stand_in_one_row(visit: Visit, lang: str) -> None:
    """On the real page, whichever is chosen."""
    page = visit(size=(1440, 900), lang=lang)
    done(page)
    for card in generators.cards():
        page.locator(f"[data-variant='{card.name}/{card.default}']").click()
        for width in (1440, 1366):
            page.set_viewport_size({"width": width, "height": 768})
            wide, room = page.evaluate("(({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth])(document.querySelector('.chips'))")
            assert wide <= room, f"{card.name} at {width}: {wide} in {room}"
