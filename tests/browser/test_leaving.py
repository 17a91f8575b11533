"""Leaving one out in a real browser: what is drawn and said, what is asked of the server, and that one can stop."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Visit
from tests.browser.test_page import barriers, done

SCRIPT = (Path(__file__).parents[2] / "assets" / "view" / "leaving.js").read_text(encoding="utf-8")
ASKING = re.compile("component_server")


def opened(page: Page) -> Page:
    """With the panel open, and all that it asks answered."""
    done(page)
    page.keyboard.press("t")
    finished(page)
    return page


def finished(page: Page) -> None:
    page.wait_for_selector(".av-leaving-body:not([hidden])")
    page.wait_for_selector(".av-leaving-running", state="hidden")


def said(page: Page) -> str:
    return str(page.locator(".av-leaving-texts").text_content())


def test_spearman_is_what_it_should_be(visit: Visit) -> None:
    page = visit()

    def call(code: str) -> Any:
        return page.evaluate(f"() => {{ const TICKS = []; {SCRIPT}; return {code}; }}")

    assert call("spearman([1, 2, 3, 4, 5], [2, 4, 8, 16, 32])") == 1
    assert call("spearman([1, 2, 3, 4, 5], [5, 4, 3, 2, 1])") == -1
    assert call("spearman([1, 2, 2, 3], [1, 3, 2, 4])") == pytest.approx(4.5 / 22.5**0.5)  # ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4
    assert call("spearman([106, 86, 100, 101, 99, 103, 97, 113, 112, 110], [7, 0, 27, 50, 28, 29, 20, 12, 6, 17])") == pytest.approx(
        -29 / 165
    )
    assert call("spearman([1, 2, 3], [4, 4, 4])") is None
    readings = "[[0.9, 4], [0.7, 63], [0.4, 63], [0.1, 63], [0.5, 9], [-0.5, 63]].map(([rho, n]) => readingOf(rho, n, [1]))"
    assert call(readings) == ["few", "high", "middling", "none", "chance", "negative"]
    assert call("[readingOf(null, 9, [0, 0]), readingOf(null, 9, [0, 1])]") == ["flat", "even"]


def test_every_key_has_its_weight_and_its_change(visit: Visit) -> None:
    page = opened(visit(generator="gpt", pin="30", head="0"))
    expect(page.locator(".av-rho")).to_contain_text(re.compile(r"ρ = −?\d\.\d\d over 31 words"))
    expect(page.locator(".av-leaving table tbody tr")).to_have_count(31)
    assert "One input is no proof" in said(page) and page.locator(".av-leaving a").count() == 2
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.post_data or "") if ASKING.search(request.url) else None)
    before = page.locator(".av-rho b").text_content()
    page.evaluate("document.activeElement.blur()")
    for _ in range(3):
        page.keyboard.press("h")
        if page.locator(".av-rho b").text_content() != before:
            break
    else:
        pytest.fail("another head has other weights")
    assert not any("leave_out" in each for each in asked), "what was measured is compared with any head here"
    page.locator(".av-leaving-bars").focus()
    page.keyboard.press("End")
    word = page.evaluate("attentionLab.state().tokens[30]").strip()
    expect(page.locator(".av-leaving-pointed")).to_contain_text(f"{word}: weight")
    assert page.evaluate("attentionLab.state().lit") == 30, "the stage lights the same word"
    told = str(page.locator(".av-leaving-pointed").text_content())
    expect(page.locator(".av-leaving-bars")).to_have_attribute("aria-valuetext", told)


def test_stop_asks_no_more_and_one_can_go_on(visit: Visit) -> None:
    page = visit(generator="gpt", pin="80")
    done(page)
    asked = 0

    def slowly(route: Route) -> None:
        nonlocal asked
        if "leave_out" in (route.request.post_data or ""):
            asked += 1
            time.sleep(0.2)
        route.continue_()

    page.route(ASKING, slowly)
    page.get_by_role("button", name="Is the map true here?").click()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.wait_for_selector(".av-leaving-running", state="hidden")
    page.wait_for_timeout(500)
    once = asked
    page.wait_for_timeout(600)
    assert asked == once, "nothing is asked after Stop"
    if page.get_by_role("button", name=re.compile("Go on|Leave each out")).is_visible():
        page.get_by_role("button", name=re.compile("Go on|Leave each out")).click()
    finished(page)
    expect(page.locator(".av-rho")).to_contain_text("over 81 words")


def test_of_a_picture_regions_stand_in_two_maps(visit: Visit) -> None:
    page = opened(visit(generator="gan", size=(390, 844), dark=True))
    expect(page.locator(".av-rho")).to_contain_text("over 16 regions")
    at_the_mark = said(page)
    page.get_by_role("radio", name="Whole picture").click()
    assert said(page) != at_the_mark
    page.locator(".av-leaving-map").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".av-leaving-pointed")).to_contain_text(re.compile(r"^[A-D][1-4]: weight .+ change .+ grey levels$"))
    assert not barriers(page)


def test_it_is_said_where_nothing_can_be_asked(visit: Visit) -> None:
    page = visit(generator="gpt", pin="0", lang="zh")
    done(page)
    page.keyboard.press("t")
    expect(page.locator(".av-leaving-obstacle")).to_contain_text("没有选出什么")
    assert page.locator(".av-leaving-body").is_hidden()
