"""A second run beside the first on the real page: by the menu, by a link, with a prompt of its own; and what all of it is good for."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlparse

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.test_page import barriers

BOTH = "document.querySelectorAll('.attention-view[data-done=true]').length === 2"


def names(page: Page) -> list[str]:
    return page.locator(".av-seat-name").all_text_contents()


def address(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlparse(page.url).query)


def test_a_link_holds_both_and_the_cell_is_the_same(visit: Visit) -> None:
    page = visit(generator="gan", prompt="Ada", compare=json.dumps({"without": True}))
    page.wait_for_function(BOTH)
    assert names(page) == ["With attention", "Trained without attention"]
    expect(page.locator(".av-seat").nth(1)).to_contain_text(
        "this cell depends on 9 of 256 cells", timeout=20_000
    )  # the first asks of a cold model
    page.locator(".av-seat").first.locator(".av-frame").first.click(position={"x": 20, "y": 20})
    place = "row 1, column 1"
    expect(page.locator(".av-seat").first.locator(".av-sentence")).to_contain_text(place)
    expect(page.locator(".av-seat").nth(1).locator(".av-sentence")).to_contain_text(f"{place}: this cell depends on 4 of 256 cells")


def test_the_menu_puts_another_beside_it_and_takes_it_away(visit: Visit) -> None:
    page = visit(generator="lstm", variant="tales_en")
    prompt = page.locator("#controls .prompt").input_value()
    page.get_by_role("button", name="Compare").click()
    page.locator("#controls .kinds [data-kind='twin']").click()
    page.wait_for_function(BOTH)
    assert names(page)[1] == "Trained without attention" and json.loads(address(page)["compare"][0]) == {"without": True}
    assert page.locator("#controls .prompt").input_value() == prompt or prompt == ""
    page.get_by_role("button", name="End the comparison").first.click()
    expect(page.locator(".av-seat")).to_have_count(1)
    assert "compare" not in address(page)


def test_of_all_models_it_is_said_whether_attention_helps(visit: Visit) -> None:
    page = visit(read="helps", lang="zh", size=(390, 844))
    expect(page.get_by_role("dialog")).to_contain_text("注意力有帮助吗？")
    assert page.locator("#about .lesson-zh.helps tbody tr.better").count() > 5
    assert page.evaluate("document.getElementById('about').scrollWidth") <= 390
    assert not barriers(page)
    page.keyboard.press("Escape")
    expect(page.locator("#about")).to_be_hidden()
    assert "read" not in address(page)
