"""The attention view in a real browser, with runs that no model made: what is shown is what was sent."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import HOME, Visit, serving
from tests.browser.view_runs import CAPTION, HOLE, HOSTILE, PROMPT, TRACES

ROW_OF_KING = 6  # " a" at place 6 chose " king" at place 7


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the view alone."""
    with serving(tmp_path_factory.mktemp("view") / "log.txt", "tests/browser/view_app.py") as (address, _):
        yield address


@pytest.fixture
def show(alone: str, visit: Visit) -> Any:
    """show("words", how="stream") → the page when all of the run is painted."""

    def showing(trace: str, **query: Any) -> Page:
        page = visit(alone, trace=trace, **query)
        page.wait_for_function("n => Number(document.querySelector('.attention-view').dataset.t) === n", arg=len(TRACES[trace].steps))
        return page

    return showing


def strings(language: str) -> dict[str, str]:
    return dict(json.loads((HOME / "assets" / "strings" / f"view.{language}.json").read_text(encoding="utf-8")))


def root(page: Page) -> Any:
    return page.locator(".attention-view")


def sentence(page: Page) -> Any:
    return page.locator(".av-sentence")


def token(page: Page, text: str, nth: int = 0) -> Any:
    return page.locator(".av-token", has_text=re.compile(f"^{re.escape(text)}$")).nth(nth)


def state(page: Page) -> dict[str, Any]:
    return dict(page.evaluate("attentionLab.state()"))


def told(page: Page, part: str) -> dict[str, Any]:
    """What the view told the server, when it has `part`."""
    page.wait_for_function("part => document.querySelector('#told').textContent.includes(part)", arg=part)
    keys = page.evaluate("window.toldLast ?? null")
    assert keys is not None
    return dict(keys)


def listen(page: Page) -> None:
    """Keeps the last event that left the page, as it left."""
    page.evaluate(
        """() => { const send = window.fetch; window.fetch = (url, options) => {
            const event = String(url).includes("queue/join") && JSON.parse(options.body).event_data;
            if (event) window.toldLast = event;
            return send(url, options); } }"""
    )


# Words


def test_an_output_word_shows_the_row_that_chose_it(show: Any) -> None:
    page = show("words")
    page.get_by_role("radio", name=re.compile("Head 1")).click()
    token(page, "king").hover()
    expect(sentence(page)).to_have_text("Standing at “a”, choosing “king”: 100\u202f% on “was”.")
    expect(token(page, "king")).to_have_class(re.compile("av-query"))
    expect(token(page, "a", 1)).to_have_class(re.compile("av-stood"))
    token(page, "time").hover()  # a word of the prompt chose nothing
    expect(sentence(page)).to_have_text("Standing at “time”: 100\u202f% on “a”.")


def test_what_is_shown_is_what_was_sent(show: Any) -> None:
    page = show("words")
    for place in (0, 5, 9):
        sent = page.evaluate("([place, head]) => attentionLab.row(place, head)", [place, 2])
        exact = TRACES["words"].map("self", 0, 2)[place, : place + 1]
        assert max(abs(a - float(b)) for a, b in zip(sent, exact, strict=True)) < 0.005


def test_a_click_pins_and_the_address_and_exact_numbers_follow(show: Any) -> None:
    page = show("words")
    token(page, "king").click()
    expect(root(page)).to_have_attribute("data-pin", str(ROW_OF_KING))
    expect(page.locator(".av-scores .av-note")).to_contain_text("from")
    page.wait_for_url(re.compile(f"pin={ROW_OF_KING}"))
    token(page, "golden").click(modifiers=["Shift"])
    expect(root(page)).to_have_attribute("data-pin", "6,10")
    expect(sentence(page)).to_contain_text("2 places averaged")


def test_the_address_brings_back_pin_and_head(show: Any) -> None:
    page = show("words", pin="6", head="0")
    expect(root(page)).to_have_attribute("data-pin", "6")
    expect(page.get_by_role("radio", name=re.compile("Head 1"))).to_have_attribute("aria-checked", "true")


def test_all_by_keyboard(show: Any) -> None:
    page = show("words")
    page.locator(".av-token[tabindex='0']").focus()
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    expect(sentence(page)).to_contain_text("choosing “king”")
    page.keyboard.press("Enter")
    expect(root(page)).to_have_attribute("data-pin", str(ROW_OF_KING))
    page.keyboard.press("]")
    expect(root(page)).to_have_attribute("data-pin", str(ROW_OF_KING + 1))
    page.keyboard.press("[")
    expect(root(page)).to_have_attribute("data-pin", str(ROW_OF_KING))
    page.locator(".av-head[aria-checked='true']").focus()
    page.keyboard.press("ArrowRight")
    assert state(page)["head"] == "max"
    page.keyboard.press("p")
    expect(page.locator("body.presenting")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("body.presenting")).to_have_count(0)


def test_who_looked_at_me(show: Any) -> None:
    page = show("words", head="1")  # all look at the first token
    page.get_by_role("button", name="Who looked at me").click()
    token(page, "Once").hover()
    expect(sentence(page)).to_contain_text("“Once” was looked at: 100\u202f%")
    token(page, "king").hover()
    expect(sentence(page)).to_have_text("Nobody looked at “king” yet.")


def test_another_candidate_is_asked_for(show: Any) -> None:
    page = show("words")
    token(page, "king").click()
    listen(page)
    page.locator(".av-list-candidates button", has_text="queen").click()
    assert told(page, "step") == {"run": "words", "step": 1, "id": 7}


def test_the_first_token_set_aside_says_what_it_held(show: Any) -> None:
    page = show("words", head="1")
    page.get_by_role("button", name="More").click()
    expect(page.locator(".av-more .av-note")).to_have_text("The first token, “Once”, holds 100\u202f% of this row.")
    expect(page.locator(".av-table tbody tr").first).to_contain_text("Once")
    page.get_by_role("button", name="Set the first token aside").click()
    expect(sentence(page)).not_to_contain_text("100")


def test_heads_say_what_they_do(show: Any) -> None:
    heads = show("words").locator(".av-head small")
    expect(heads.nth(0)).to_have_text("100\u202f% token before")
    expect(heads.nth(1)).to_have_text("100\u202f% first token")


# Two texts


def test_a_written_word_shows_what_it_drew_on_and_a_read_one_what_came_of_it(show: Any) -> None:
    page = show("pair")
    token(page, "chat").hover()
    expect(sentence(page)).to_have_text(re.compile("^Choosing “chat”: 91\u202f% on “cat”"))
    expect(token(page, "chat")).to_have_class(re.compile("av-query"))
    token(page, "cat").hover()
    expect(sentence(page)).to_have_text(re.compile("^“cat” was looked at: 91\u202f% from “chat”"))
    expect(token(page, "cat")).to_have_class(re.compile("av-key"))
    above, below = token(page, "cat").bounding_box(), token(page, "chat").bounding_box()
    assert above["y"] + above["height"] + 30 <= below["y"], "the source stands above"


def test_words_of_both_texts_can_be_pinned(show: Any) -> None:
    page = show("pair")
    token(page, "dort").click()
    expect(root(page)).to_have_attribute("data-pin", "3")
    expect(page.locator(".av-scores .av-note")).to_contain_text("from")
    expect(page.locator(".av-scores .av-formula")).to_contain_text("tanh")
    token(page, "cat").click()
    page.mouse.move(2, 2)
    expect(sentence(page)).to_contain_text("“cat” was looked at")
    expect(token(page, "cat")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Who looked at me")).to_have_attribute("aria-pressed", "true")
    token(page, "dort").click()
    page.mouse.move(2, 2)
    expect(sentence(page)).to_contain_text("Choosing “dort”")
    listen(page)
    page.locator(".av-list-candidates button", has_text="other").click()
    assert told(page, "step") == {"run": "pair", "step": 3, "id": 7}


def test_both_texts_by_keyboard(show: Any) -> None:
    page = show("pair")
    page.locator(".av-token[tabindex='0']").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(sentence(page)).to_contain_text("“cat” was looked at")
    page.keyboard.press("ArrowDown")
    expect(sentence(page)).to_contain_text("Choosing “")
    before = str(root(page).get_attribute("data-pin"))
    page.keyboard.press("Enter")
    expect(root(page)).not_to_have_attribute("data-pin", before)  # it shows with the next paint
    pinned = int(str(root(page).get_attribute("data-pin")))
    page.keyboard.press("]")
    expect(root(page)).to_have_attribute("data-pin", str(pinned + 1))


def test_what_the_search_kept_is_listed_with_its_word(show: Any) -> None:
    page = show("pair")
    token(page, "chat").click()
    kept = page.locator(".av-list-beams li")
    expect(kept).to_have_count(4)
    expect(kept.first).to_contain_text("−1.20")
    expect(kept.first.locator("button")).to_have_class(re.compile("av-marked"))
    expect(kept.first.locator("button")).to_have_accessible_name("Le petit chat: log-probability -1.20, chosen in the end")


def test_two_texts_arrive_word_by_word(show: Any) -> None:
    page = show("pair", how="stream")
    assert state(page)["tokens"] == list(TRACES["pair"].tokens)
    for place in (0, 4, 9):
        sent = page.evaluate("place => attentionLab.row(place)", place)
        exact = TRACES["pair"].map("cross", 0, 0)[place]
        assert max(abs(a - float(b)) for a, b in zip(sent, exact, strict=True)) < 0.005


def test_the_twin_of_two_texts_keeps_both(show: Any) -> None:
    page = show("pairtwin")
    expect(sentence(page)).to_contain_text("without attention")
    expect(token(page, "cat")).to_be_visible()
    token(page, "chat").click()
    expect(page.locator(".av-list-candidates button").first).to_contain_text("chat")
    expect(page.locator(".av-map")).to_be_hidden()
    expect(page.locator(".av-curves")).to_be_visible()


def test_figures_by_length_stand_beside_the_run(show: Any) -> None:
    page = show("pair")
    curves = page.locator(".av-curves")
    expect(curves.locator("h3")).to_have_text("BLEU by words in the source")
    expect(curves.locator(".av-curve-told")).to_have_text("This run: 8. 5–8 words in the source: 41.3 with, 30.2 without")
    expect(page.locator(".av-claim")).to_contain_text("Bahdanau")
    expect(curves.locator("table tr")).to_have_count(5)
    slider = curves.get_by_role("slider")
    slider.focus()
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "13+ words in the source: 27.2 with, 10.4 without")
    slider.hover(position={"x": 50, "y": 40})
    expect(curves.locator(".av-curve-told")).to_contain_text("1–4 words in the source: 52.1 with, 47 without")
    assert show("words").locator(".av-curves").is_hidden()


# Several layers


def test_heads_stand_by_layer_and_say_what_they_were_measured_to_do(show: Any) -> None:
    page = show("layers")
    expect(page.locator(".av-layer-row")).to_have_count(4)
    cells = page.locator(".av-cell")
    expect(cells).to_have_count(16)
    expect(cells.nth(0)).to_have_text("62\u202f%before")
    expect(cells.nth(0)).to_have_accessible_name("Layer 1, head 1: 62\u202f% on the token before")
    expect(cells.nth(10)).to_have_text("Head 3")  # nothing that it does is worth a name
    cells.nth(3).click()
    assert state(page)["map"] == "self:0" and state(page)["head"] == 3
    expect(page.locator(".av-does")).to_contain_text("Layer 1, head 4: 52\u202f% on the token after an earlier copy")
    token(page, "word20").hover()
    expect(sentence(page)).to_contain_text("on “word15”")  # layer 1, head 4 looks 4 back from where it stands


def test_layers_and_heads_by_keyboard(show: Any) -> None:
    page = show("layers")
    page.keyboard.press("h")
    assert state(page)["head"] == 0
    page.keyboard.press("l")
    page.keyboard.press("Shift+H")
    assert (state(page)["map"], state(page)["head"]) == ("self:1", 3)
    page.locator(".av-cell[aria-checked='true']").focus()
    page.keyboard.press("ArrowDown")
    assert (state(page)["map"], state(page)["head"]) == ("self:2", 3)
    page.keyboard.press("ArrowRight")
    assert (state(page)["map"], state(page)["head"]) == ("self:3", 0)
    page.wait_for_url(re.compile("layer=self%3A3"))


def test_attention_rolls_out_through_all_layers(show: Any) -> None:
    page = show("layers")
    page.get_by_role("radio", name="Rollout").click()
    place = 30
    token(page, f"word{place + 1}").click()
    shown = page.evaluate("place => Array.from(attentionLab.rolled(place))", place)
    row = np.eye(place + 1)[place]
    for layer in reversed(range(4)):
        mean = TRACES["layers"].map("self", layer).mean(0)[: place + 1, : place + 1]
        row = row @ (0.5 * np.eye(place + 1) + 0.5 * mean)
    assert np.abs(np.array(shown) - row).max() < 0.01 and abs(sum(shown) - 1) < 0.02
    expect(page.locator(".av-does")).to_contain_text("all 4 layers")
    assert show("words").get_by_role("radio", name="Rollout").count() == 0


def test_what_was_not_kept_of_a_long_row_is_one_key(show: Any) -> None:
    page = show("longrow")
    page.locator(".av-cell").first.click()
    place = 290
    page.locator(".av-token").nth(place + 1).dispatch_event("pointerover", {"bubbles": True})
    exact = TRACES["longrow"].map("self", 0, 0)[place]
    others = f"{100 * exact[-1]:.0f}\u202f%"
    expect(sentence(page)).to_contain_text(f"{others} on “⟨others⟩”")
    expect(page.locator(".av-list-keys li", has_text="⟨others⟩")).to_contain_text(others)
    sent = page.evaluate("place => attentionLab.row(place, 0)", place)
    assert max(abs(a - float(b)) for a, b in zip(sent, exact[: place + 1], strict=True)) < 0.005


# Changing the attention


def test_edits_are_sent_as_the_generators_read_them(show: Any) -> None:
    page = show("words", head="1")
    token(page, "king").click()
    page.get_by_role("button", name="Change the attention").click()
    listen(page)
    page.get_by_role("button", name="Hide “Once”").click()
    assert told(page, "hide") == {"run": "words", "edits": [{"action": "hide", "keys": [0]}]}
    page.get_by_role("radio", name="this place").click()
    page.get_by_role("radio", name="this head").click()
    page.get_by_role("button", name="Make equal").click()
    assert told(page, "uniform") == {"run": "words", "edits": [{"action": "uniform", "heads": [1], "queries": [ROW_OF_KING]}]}
    sharp = page.get_by_role("slider", name="Sharpness")
    sharp.fill("2.5")
    sharp.dispatch_event("change")
    assert told(page, "sharpness")["edits"][0]["value"] == 2.5


def test_a_drawn_row_is_sent(show: Any) -> None:
    page = show("words", head="1")
    token(page, "king").click()
    page.get_by_role("button", name="Change the attention").click()
    page.get_by_role("button", name="Draw it").click()
    listen(page)
    box = page.locator(".av-weights .av-strip").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 70)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 10)
    page.mouse.up()
    (edit,) = told(page, "paint")["edits"]
    (((row,),), queries) = (edit["rows"], edit["queries"]) if len(edit["rows"]) == 1 else ((), ())
    assert queries == [ROW_OF_KING] and len(row) == ROW_OF_KING + 1 and abs(sum(row) - 1) < 1e-3 and max(row[2:5]) > 0.3


# Messages


@pytest.mark.parametrize("how", ["stream", "hole"])
def test_steps_come_one_by_one_and_what_is_missing_is_fetched(show: Any, how: str) -> None:
    page = show("words", how=how)
    expect(root(page)).to_have_attribute("data-done", "true")
    assert state(page)["tokens"] == list(TRACES["words"].tokens)


def test_a_forecast_is_read_while_one_waits(show: Any) -> None:
    page = show("words")
    page.evaluate(
        "message => attentionLab.receive(message)",
        {
            "run": "next",
            "first": 0,
            "count": 0,
            "steps": [],
            "done": False,
            "head": {"notes": [{"en": "This takes 9 seconds.", "zh": "9 秒"}]},
        },
    )
    expect(root(page)).to_have_attribute("data-state", "waiting")
    expect(page.get_by_text("This takes 9 seconds.")).to_be_visible()
    expect(token(page, "king")).to_be_visible()  # the run before stays until there is something to see


def test_an_error_is_one_sentence_and_the_run_stays(show: Any) -> None:
    page = show("words", how="error")
    expect(root(page)).to_have_attribute("data-state", "error")
    expect(page.get_by_role("alert")).to_have_text("That went wrong.")
    expect(token(page, "king")).to_be_visible()


def test_the_old_branch_stays(show: Any) -> None:
    page = show("words")
    page.locator("#branch").click()
    expect(root(page)).to_have_attribute("data-run", "branch")
    page.locator(".av-branches .av-chip").first.click()
    expect(root(page)).to_have_attribute("data-run", "words")
    expect(token(page, "king")).to_be_visible()


def test_it_can_be_watched_while_it_learned(show: Any) -> None:
    page = show("words")
    page.get_by_role("button", name="See it learn").click()
    slider = page.get_by_role("slider", name="While it learned")
    expect(page.locator(".av-learn")).to_contain_text("after 100 steps")
    slider.fill("0")
    expect(page.locator(".av-learn")).to_contain_text("after 1 steps")
    expect(token(page, "queen")).to_be_visible()
    page.get_by_role("button", name="Back to the run").click()
    expect(root(page)).to_have_attribute("data-run", "words")


def test_the_twin_says_that_it_looks_nowhere(show: Any) -> None:
    page = show("twin")
    expect(sentence(page)).to_contain_text("without attention")
    token(page, "king").click()
    expect(page.locator(".av-list-candidates button").first).to_contain_text("king")
    expect(page.locator(".av-map")).to_be_hidden()


def test_hostile_labels_are_text(show: Any) -> None:
    page = show("hostile")
    for label in HOSTILE:
        expect(token(page, label)).to_have_count(1) if label == "" else expect(token(page, label).first).to_be_visible()
        token(page, label, 1).hover()
        token(page, label, 1).click()
    page.locator("#branch").click()  # the hostile run becomes the name of a chip
    assert page.locator(".attention-view img, .attention-view script").count() == 0
    page.locator(".av-branches .av-chip").first.click()
    drawn = page.evaluate("attentionLab.exportSvg()")
    assert not [each for each in ElementTree.fromstring(drawn).iter() if each.tag.endswith(("script", "img", "foreignObject"))]


# Pictures


def test_a_cell_shows_where_it_looked(show: Any) -> None:
    page = show("face")
    box = page.locator(".av-frame").first.bounding_box()
    assert box
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    expect(root(page)).to_have_attribute("data-pin", "0")
    expect(sentence(page)).to_contain_text("From row 1, column 1: half of its look rests on 2 of 16 cells")
    shares = page.locator(".av-crops li")
    expect(shares).to_have_count(4)
    expect(shares.first).to_contain_text("25")
    expect(page.locator(".av-facts")).to_contain_text("8×8 cells → 4×4 cells")


def test_a_dragged_rectangle_is_averaged(show: Any) -> None:
    page = show("face")
    box = page.locator(".av-frame").first.bounding_box()
    assert box
    cell = box["width"] / 8
    page.mouse.move(box["x"] + cell * 3.5, box["y"] + cell * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + cell * 4.5, box["y"] + cell * 1.5, steps=4)
    page.mouse.up()
    expect(root(page)).to_have_attribute("data-pin", "3,4,11,12")
    expect(sentence(page)).to_contain_text("4 cells averaged")
    assert page.locator(".av-crops li").count() == 6


def test_cells_by_keyboard_and_from_the_other_side(show: Any) -> None:
    page = show("face")
    page.locator(".av-frame").first.focus()
    for key in ("ArrowLeft", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    pinned = int(root(page).get_attribute("data-pin"))
    assert 0 <= pinned < 64
    other = page.locator(".av-frame").nth(1)
    other.hover(position={"x": 5, "y": 5})
    expect(sentence(page)).to_contain_text("The cell in row 1, column 1 was looked at most, with 25")


def test_the_film_gives_the_next_face(show: Any) -> None:
    page = show("face")
    expect(page.locator(".av-film button")).to_have_count(7)
    listen(page)
    page.get_by_role("button", name="The face of seed 6").click()
    assert told(page, "seed") == {"run": "face", "seed": 6}


# Pictures made from pictures


def frame(page: Page, nth: int) -> dict[str, float]:
    """Box of a picture: 0 in, 1 out, 2 difference."""
    return dict(page.locator(".av-frame").nth(nth).bounding_box() or {})


def press(page: Page, nth: int, cell: int, side: int = 16) -> None:
    box, (row, column) = frame(page, nth), divmod(cell, side)
    page.mouse.click(box["x"] + box["width"] * (column + 0.5) / side, box["y"] + box["height"] * (row + 0.5) / side)


def test_a_click_on_any_cell_shows_the_map_that_starts_there(show: Any) -> None:
    page = show("read")
    assert state(page)["map"] == "self:0" and [round(frame(page, i)["width"]) for i in (1, 2)] == [round(frame(page, 0)["width"])] * 2
    press(page, 0, 37)
    expect(root(page)).to_have_attribute("data-pin", "37")
    assert state(page)["map"] == "encoder:0"
    expect(sentence(page)).to_contain_text("Reading row 3, column 6: half of its look rests on")
    page.get_by_role("radio", name="Out → out").click()
    page.locator(".av-cell").nth(6).click()
    press(page, 0, 40)
    press(page, 1, 200)
    assert (state(page)["map"], state(page)["head"], state(page)["pins"]) == ("self:1", 2, [200])  # the layer last shown there
    expect(page.locator("figcaption").nth(2)).to_have_text(re.compile(r"^Mean difference: 1\d\.\d of 255$"))


def test_a_filled_cell_shows_what_it_drew_on(show: Any) -> None:
    page = show("fill")
    assert state(page)["map"] == "cross:0"
    expect(sentence(page)).to_contain_text("The filled cell in row 9, column 7 draws on what can be seen: half on")
    press(page, 0, 0)
    assert state(page)["map"] == "encoder:0"
    press(page, 0, HOLE[7])  # what is rubbed out reads nothing: it is filled
    expect(root(page)).to_have_attribute("data-pin", str(HOLE[7]))
    assert state(page)["map"] == "cross:0"
    row = page.evaluate("cell => attentionLab.row(cell, 0)", HOLE[7])
    assert max(row[cell] for cell in HOLE) == 0 and abs(sum(row) - 1) < 0.02
    page.locator(".av-frame").first.hover(position={"x": 3, "y": 3})
    expect(sentence(page)).to_contain_text("In the picture read, row 1, column 1 was drawn on most")


def test_a_stroke_rubs_out_and_the_run_is_made_again(show: Any) -> None:
    page = show("read")
    page.get_by_role("button", name="Rub out").click()
    page.get_by_role("radio", name="1 by 1 cells").click()
    listen(page)
    box = frame(page, 0)
    page.mouse.move(box["x"] + box["width"] * 2.5 / 16, box["y"] + box["height"] * 1.5 / 16)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 5.5 / 16, box["y"] + box["height"] * 1.5 / 16)  # a quick one leaves no gaps
    expect(root(page)).to_have_attribute("data-hidden", "18,19,20,21")
    assert page.evaluate("window.toldLast ?? null") is None
    page.mouse.up()
    assert told(page, "hidden") == {"run": "read", "hidden": [18, 19, 20, 21]}
    expect(root(page)).to_have_attribute("data-run", "rubbed-18-19-20-21")
    expect(sentence(page)).to_contain_text("The filled cell in row 2")
    page.get_by_role("button", name="Restore").click()
    expect(root(page)).to_have_attribute("data-run", "rubbed-")
    expect(root(page)).to_have_attribute("data-hidden", "")


def test_rubbing_out_by_keyboard(show: Any) -> None:
    page = show("read", pin="119")
    page.get_by_role("button", name="Rub out").click()
    page.locator(".av-frame").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    cells = [row * 16 + column for row in (6, 7, 8) for column in (7, 8, 9)]
    expect(root(page)).to_have_attribute("data-hidden", ",".join(map(str, cells)))
    expect(root(page)).to_have_attribute("data-run", "rubbed-" + "-".join(map(str, cells)))
    page.keyboard.press("Space")
    expect(root(page)).to_have_attribute("data-run", "rubbed-")


def test_a_preview_is_painted_until_the_run_comes(show: Any) -> None:
    page = show("read")
    red = "data:image/svg+xml," + quote(
        '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8" fill="red"/></svg>'
    )
    corner = (
        "() => { const c = document.querySelectorAll('.av-frame canvas')[1]; return [...c.getContext('2d').getImageData(3, 3, 1, 1).data] }"
    )
    page.evaluate("url => attentionLab.preview(url)", red)
    expect(root(page)).to_have_class(re.compile("av-previewing"))
    page.wait_for_function(f"() => ({corner})()[0] === 255")
    page.get_by_role("button", name="Rub out").click()
    press(page, 0, 17)
    expect(root(page)).not_to_have_class(re.compile("av-previewing"))
    page.wait_for_function(f"() => ({corner})()[1] > 20")


def test_a_picture_can_be_sent_to_who_takes_one(show: Any) -> None:
    page = show("memory")
    page.evaluate(
        """() => { attentionLab.takers = (from) => [{ target: "vae/faces", label: { en: `VAE from ${from}`, zh: "" } }];
            attentionLab.send = (...given) => { window.sent = given; }; attentionLab.refresh(); }"""
    )
    page.get_by_role("button", name="Send this picture to VAE from painter/faces").click()
    picture, target, source = page.evaluate("window.sent")
    assert picture.startswith("data:image/png") and target == "vae/faces"
    assert (source["generator"], source["seed"], source["pictured"]) == ("painter", 5, False)


# Many seeds, memory, figures


def test_sixteen_faces_stand_in_a_sheet_and_one_opens(show: Any) -> None:
    page = show("memory")
    page.get_by_role("button", name="16 faces").click()
    expect(root(page)).to_have_attribute("data-gallery", "open")
    expect(page.locator(".av-face img")).to_have_count(16)
    expect(page.get_by_role("button", name="The face of seed 5", exact=True)).to_be_focused()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="The face of seed 11")).to_be_focused()
    listen(page)
    page.keyboard.press("Enter")
    assert told(page, "seed") == {"run": "memory", "seed": 11, "without": False}
    expect(page.locator(".av-gallery")).to_be_hidden()


def test_twins_stand_sheet_beside_sheet(show: Any) -> None:
    page = show("memory")
    page.get_by_role("button", name="16 faces").click()
    page.get_by_role("button", name="With | without attention").click()
    expect(page.locator(".av-sheet")).to_have_count(2)
    expect(page.locator(".av-face img")).to_have_count(32)
    expect(page.locator(".av-sheet figcaption")).to_have_text(["With attention", "Without attention"])
    expect(page.locator(".av-gallery > .av-note")).to_contain_text("not face with face")
    page.get_by_role("button", name="16 more").click()
    expect(page.locator(".av-gallery h3")).to_have_text("16 faces, seeds 21 to 36")
    page.keyboard.press("Escape")
    expect(page.locator(".av-grid .av-panes")).to_be_visible()
    expect(page.get_by_role("button", name="16 faces")).to_be_focused()
    page.evaluate("attentionLab.compare()")  # as the controls do
    expect(page.locator(".av-face img")).to_have_count(32)


def test_figures_and_memory_are_said(show: Any) -> None:
    page = show("memory")
    figures = page.locator(".av-figure")
    expect(figures).to_have_text(
        [
            "Fréchet distance 3.12 with attention, 3.91 without (± 0.2 over 3 seeds): better with",
            "Precision 0.71, 0.69 without (± 0.07): undecided",
        ]
    )
    figures.first.focus()
    expect(page.get_by_role("tooltip").first).to_contain_text("Real pictures that no model saw: 0.9.")
    expect(page.locator(".av-memory .av-note")).to_have_text(re.compile(r"14\.2 grey levels away .* 13\.9 .* no sign that it copies\.$"))
    expect(show("words").locator(".av-figures")).to_be_hidden()


# Cells that look at words


def key(page: Page, text: str, nth: int = 0) -> Any:
    return page.locator(".av-key-of", has=page.get_by_text(text, exact=True)).nth(nth)


def mean_of(step: int, layer: int = 3) -> np.ndarray:
    """(Q, K) weights of a step of the scene, the mean of the heads."""
    return np.asarray(TRACES["scene"].steps[step].attentions[layer].weights.mean(0))


def row_at(page: Page, cell: int) -> np.ndarray:
    return np.array(page.evaluate("cell => attentionLab.row(cell)", cell))


def test_a_cell_tints_the_words_it_looks_at(show: Any) -> None:
    page = show("scene")
    expect(root(page)).to_have_attribute("data-stage", "painting")
    box = page.locator(".av-painting-stage .av-frame").last.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 4.5 / 16, box["y"] + box["height"] * 8.5 / 16)  # in the fox
    exact = mean_of(19)[8 * 16 + 4]
    expect(key(page, "fox").locator(".av-key-share")).to_have_text(f"{100 * exact[2]:.0f}\u202f%")
    expect(sentence(page)).to_have_text(re.compile("^Painting row 9, column 5: .* on “fox”"))
    assert np.abs(row_at(page, 8 * 16 + 4) - exact).max() < 0.005
    page.mouse.down()
    page.mouse.up()
    expect(root(page)).to_have_attribute("data-pin", str(8 * 16 + 4))
    expect(page.locator(".av-scores .av-note")).to_contain_text("from")


def test_a_word_shows_from_where_it_is_looked_at_and_how_true_that_is(show: Any) -> None:
    page = show("scene")
    key(page, "red apple").click()
    page.mouse.move(2, 2)
    best = int(mean_of(19)[:, 5].argmax())
    expect(sentence(page)).to_have_text(
        re.compile(f"^“red apple” is looked at most, .* from row {best // 16 + 1}, column {best % 16 + 1};")
    )
    expect(key(page, "red apple")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".av-tile.av-shown")).to_have_text("red apple")
    truth = page.locator(".av-painting-stage .av-truth")
    expect(truth).to_contain_text("of the time on 1,000 held-out pictures; a uniform map would be 14\u202f%")
    column, mask = mean_of(19)[:, 5].reshape(16, 16), TRACES["scene"].steps[19].regions[1].mask
    inside = float(np.einsum("ij,ij->", column, mask.reshape(16, 2, 16, 2).mean((1, 3))) / column.sum())
    told = re.search(r"Here ([\d.]+)", truth.inner_text())
    assert told and abs(float(told[1]) / 100 - inside) < 0.05 and "does, too" in truth.inner_text()
    truth.get_by_role("button", name="Silhouettes").click()
    expect(truth.get_by_role("button", name="Silhouettes")).to_have_attribute("aria-pressed", "true")
    truth.get_by_role("button", name="Best map").click()
    expect(root(page)).to_have_attribute("data-moment", "14")
    assert (state(page)["head"], state(page)["map"]) == (2, "cross:3")
    expect(truth.get_by_role("button", name="Best map")).to_be_hidden()
    key(page, "red apple").click()
    assert state(page)["key"] is None


def test_steps_are_walked_over_and_averaged(show: Any) -> None:
    page = show("scene")
    slider = page.get_by_role("slider", name=re.compile("^Step of the picture"))
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    expect(root(page)).to_have_attribute("data-moment", "9")
    expect(sentence(page)).to_have_text(re.compile("^At step 10: "))
    expect(slider).to_have_attribute("aria-valuetext", "step 10 of 20, time 0.45")
    assert np.abs(row_at(page, 135) - mean_of(9)[135]).max() < 0.005
    page.get_by_role("radio", name="Layer 4, head 3").click()  # whose weights come when they are asked for
    page.wait_for_function(
        "want => Math.abs(attentionLab.row(135)[2] - want) < 0.005", arg=float(TRACES["scene"].steps[9].attentions[3].weights[2, 135, 2])
    )
    page.get_by_role("radio", name="Mean", exact=True).click()
    page.get_by_role("radio", name="Mean over steps").click()
    expect(root(page)).to_have_attribute("data-moment", "mean")
    average = np.mean([mean_of(step)[135] for step in range(20)], 0)
    assert np.abs(row_at(page, 135) - average).max() < 0.005
    page.wait_for_url(re.compile("step=mean"))
    page.keyboard.press("[")
    expect(root(page)).to_have_attribute("data-moment", "18")


def test_words_and_cells_by_keyboard(show: Any) -> None:
    page = show("scene")
    page.locator(".av-key-of[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(sentence(page)).to_have_text(re.compile("^“fox” is looked at"))
    page.keyboard.press("Enter")
    assert state(page)["key"] == 2
    page.locator(".av-painting-stage .av-frame").last.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(root(page)).to_have_attribute("data-pin", "136")
    assert state(page)["key"] == 2, "the word stays"


def test_cells_look_at_cells_when_asked(show: Any) -> None:
    page = show("scene")
    page.get_by_role("radio", name="Cells → cells").click()
    expect(sentence(page)).to_have_text(re.compile("^From row .* of 64 cells"))
    assert state(page)["map"] == "self:0"
    expect(page.locator(".av-tiles")).to_be_hidden()
    page.get_by_role("radio", name="Cells → words").click()
    expect(page.locator(".av-tiles")).to_be_visible()


def test_one_swapped_word_stands_beside_what_was_before(show: Any) -> None:
    page = show("scene", then="swapped")
    expect(root(page)).to_have_attribute("data-run", "swapped")
    expect(page.locator(".av-painting-stage figcaption:visible")).to_contain_text(["Before: “fox”", "Now: “owl”"])
    page.get_by_role("button", name="Put the picture before away").click()
    expect(page.locator(".av-painting-stage .av-frame:visible")).to_have_count(1)
    other = show("scene", then="unknown")  # where more than a word is another
    expect(root(other)).to_have_attribute("data-run", "unknown")
    expect(other.locator(".av-key-of.av-unknown")).to_have_text(re.compile("^dragn"))
    expect(other.locator(".av-painting-stage .av-frame:visible")).to_have_count(1)


def test_it_forms_step_by_step(show: Any) -> None:
    page = show("scene", how="stream")
    expect(root(page)).to_have_attribute("data-done", "true")
    expect(root(page)).to_have_attribute("data-moment", "19")
    assert [each.strip() for each in page.locator(".av-key-word").all_inner_texts()] == [each.strip() for each in PROMPT]
    expect(key(page, "twemoji")).to_contain_text("style")
    expect(key(page, "∅")).to_contain_text("no word")


def test_its_twin_paints_without_maps(show: Any) -> None:
    page = show("scenetwin")
    expect(sentence(page)).to_contain_text("looks nowhere")
    expect(page.locator(".av-painting-stage .av-frame:visible")).to_have_count(1)
    expect(page.locator(".av-tiles")).to_be_hidden()


def test_a_click_on_a_word_or_a_cell_is_painted_at_once(show: Any) -> None:
    page = show("scene")
    page.wait_for_timeout(600)
    before = page.evaluate("attentionLab.times().length")
    for turn in range(12):
        key(page, ("fox", "yellow", "red apple")[turn % 3]).click()
        page.locator(".av-painting-stage .av-frame").last.click(position={"x": 20 + 9 * turn, "y": 40})
    times = sorted(page.evaluate("attentionLab.times()")[before:])
    assert len(times) >= 20 and times[int(0.95 * len(times))] <= 60, times


def test_a_picture_that_formed_can_be_described(show: Any) -> None:
    page = show("scene")
    page.evaluate(
        """() => { attentionLab.takers = () => [{ target: "teller/scenes", label: { en: "Describe", zh: "" } }];
            attentionLab.send = (...given) => { window.sent = given; }; attentionLab.refresh(); }"""
    )
    page.get_by_text("→ Describe").click()
    picture, target, source = page.evaluate("window.sent")
    assert picture.startswith("data:image/png") and target == "teller/scenes"
    assert (source["text"], source["seed"], source["pictured"]) == ("a fox to the left of a red apple on a yellow background", 7, False)


# Words that look at cells


def test_each_word_stands_over_its_own_picture(show: Any) -> None:
    page = show("caption", how="stream")
    expect(root(page)).to_have_attribute("data-stage", "telling")
    frames = page.locator(".av-told-word")
    expect(frames.locator(".av-told-label")).to_have_text([word.strip() for word in CAPTION])
    expect(frames.nth(2)).to_contain_text("β 0.92")
    frames.nth(2).click()
    page.mouse.move(2, 2)
    expect(root(page)).to_have_attribute("data-pin", "2")
    expect(sentence(page)).to_have_text(re.compile("^“a red apple”: half of its look rests on .* The picture counts β = 0.92.$"))
    expect(page.locator(".av-truth:visible")).to_contain_text("In its object 95\u202f% of the time on 1,000")
    expect(page.locator(".av-truth:visible")).to_contain_text("of the weight of “red apple” lies in it")
    expect(page.locator(".av-list-beams")).to_contain_text("other1")
    expect(page.locator(".av-list-candidates")).to_contain_text("dog")


def test_a_part_of_the_picture_says_for_which_words_it_was_looked_at(show: Any) -> None:
    page = show("caption")
    frame = page.locator(".av-telling-stage .av-frame")
    box = frame.bounding_box()
    frame.click(position={"x": box["width"] * 0.28, "y": box["height"] * 0.55})
    expect(sentence(page)).to_have_text(re.compile("^The cell in row 5, column 3 was looked at: .* on “a fox”"))
    page.locator(".av-told-word").first.focus()
    page.keyboard.press("ArrowRight")
    expect(sentence(page)).to_have_text(re.compile("^“to the left of”: half"))
    page.keyboard.press("Enter")
    expect(root(page)).to_have_attribute("data-pin", "1")


def test_the_twin_of_a_describer_keeps_its_words(show: Any) -> None:
    page = show("captiontwin")
    expect(page.locator(".av-told-label")).to_have_text([word.strip() for word in CAPTION])
    expect(sentence(page)).to_contain_text("looks nowhere")


def test_pictures_made_in_one_step_keep_their_stage(show: Any) -> None:
    for trace in ("read", "face"):
        expect(root(show(trace))).to_have_attribute("data-stage", "grid")


# Looks


@pytest.mark.parametrize("trace", ["words", "pair", "face", "fill", "scene", "caption"])
def test_a_figure_can_be_saved(show: Any, trace: str, tmp_path: Path) -> None:
    page = show(trace)
    for name, start in (("Save as PNG", b"\x89PNG"), ("Save as SVG", b"<svg")):
        with page.expect_download() as saving:
            page.get_by_role("button", name=name).click()
        file = tmp_path / saving.value.suggested_filename
        saving.value.save_as(file)
        assert file.read_bytes().startswith(start) and file.stat().st_size > 5000
    drawn = ElementTree.fromstring(file.read_text(encoding="utf-8"))
    text = " ".join(drawn.itertext())
    assert "Writer" in text and "Attention weights" in text and ("one scale" if trace == "scene" else "relative to the row") in text
    assert {"fill": "cells filled", "scene": "to the left of", "caption": "a red apple"}.get(trace, "seed") in text


def test_hovering_256_words_is_fast_and_asks_nobody(show: Any) -> None:
    page = show("long")
    page.wait_for_timeout(600)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    before = page.evaluate("attentionLab.times().length")
    for place in range(215, 255):
        page.locator(".av-token").nth(place).dispatch_event("pointerover", {"bubbles": True})
        page.wait_for_timeout(20)
    times = sorted(page.evaluate("attentionLab.times()")[before:])
    assert len(times) >= 20 and times[len(times) // 2] <= 16, times
    assert not asked


def test_the_language_changes_live(show: Any) -> None:
    page = show("words")
    page.evaluate("document.documentElement.lang = 'zh-CN'")
    expect(sentence(page)).to_contain_text("站在")
    expect(page.get_by_role("button", name="改一改注意力")).to_be_visible()
    page.evaluate("document.documentElement.lang = 'en'")
    expect(sentence(page)).to_contain_text("Standing at")


def test_dark_mode_changes_live(show: Any) -> None:
    page = show("words")
    page.evaluate("document.body.classList.add('dark')")
    expect(page.locator(".av-root")).to_have_css("background-color", "rgb(20, 22, 26)")
    page.evaluate("document.body.classList.remove('dark')")
    expect(page.locator(".av-root")).to_have_css("background-color", "rgb(250, 250, 247)")


@pytest.mark.parametrize(
    "trace", ["words", "poem", "face", "pair", "couplet", "sentence", "layers", "fill", "read", "memory", "scene", "caption"]
)
def test_it_fits(show: Any, trace: str) -> None:
    small = show(trace, size=(1366, 768))
    box = root(small).bounding_box()
    # Pictures grow into the room that there is; texts leave what the controls need.
    pictures = root(small).get_attribute("data-stage") != "text"
    assert box["y"] + box["height"] <= 768 if pictures else box["height"] <= 632
    phone = show(trace, size=(390, 844))
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize(
    ("trace", "size", "dark"),
    [("words", (1440, 900), False), ("long", (1440, 900), True), ("poem", (390, 844), True), ("face", (1440, 900), True)]
    + [("pair", (1440, 900), False), ("couplet", (390, 844), True), ("layers", (1440, 900), True)]
    + [("fill", (1440, 900), False), ("fill", (390, 844), True), ("memory", (1366, 768), True)]
    + [("scene", (1440, 900), False), ("scene", (390, 844), True), ("caption", (1440, 900), True), ("caption", (390, 844), False)],
)
def test_accessible(show: Any, trace: str, size: tuple[int, int], dark: bool) -> None:
    page = show(trace, size=size, dark=dark)
    if dark:
        page.evaluate("document.body.classList.add('dark')")
    for name in ("Change the attention", "More", "Rub out"):
        for button in page.get_by_role("button", name=name).all():
            button.click()
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    found = Axe().run(page, ".attention-view", options).response["violations"]
    grave = [
        (each["id"], [node["html"][:160] for node in each["nodes"]][:3]) for each in found if each["impact"] in ("serious", "critical")
    ]
    assert not grave, json.dumps(grave, indent=1)


# Words of the view


def test_both_languages_say_everything() -> None:
    en, zh = (strings(language) for language in ("en", "zh"))
    assert set(en) == set(zh) and all(en.values()) and all(zh.values())
    for name, sentence_ in en.items():
        assert set(re.findall(r"\{(\w+)\}", sentence_)) == set(re.findall(r"\{(\w+)\}", zh[name])), name


def test_the_script_asks_for_no_sentence_that_is_not_there() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (HOME / "assets" / "view").glob("*.js"))
    asked = set(re.findall(r"""\bt\(\s*"(\w+)"[,)]""", source)) | set(
        re.findall(r"""\bsaid\((?:[^()]|\([^()]*\))*?,\s*"(\w+)"[,)]""", source)
    )
    assert len(asked) > 40 and asked <= set(strings("en"))


def test_no_text_is_written_as_markup() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (HOME / "assets" / "view").glob("*.js"))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment", source)
