"""Two runs beside each other in a real browser: what they are called, what is shown in both, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit, serving

BOTH = """() => { const views = [...document.querySelectorAll(".attention-view")];
    return views.length === 2 && views.every((each) => each.dataset.done === "true"); }"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the view alone."""
    with serving(tmp_path_factory.mktemp("panes") / "log.txt", "tests/browser/view_app.py") as (address, _):
        yield address


@pytest.fixture
def show(alone: str, visit: Visit) -> Any:
    """show("words,twin") → the page when both are painted."""

    def showing(pair: str, **query: Any) -> Page:
        page = visit(alone, pair=pair, **query)
        page.wait_for_function(BOTH)
        return page

    return showing


def pane(page: Page, nth: int) -> Locator:
    return page.locator(".av-seat").nth(nth)


def state(page: Page, name: str) -> dict[str, Any]:
    return dict(page.evaluate("name => attentionLab.pane(name).state()", name))


def test_twins_have_their_names_and_cards(show: Any) -> None:
    page = show("words,twin")
    expect(page.locator(".av-seat-name")).to_have_text(["With attention", "Trained without attention"])
    expect(page.locator(".av-unlike")).to_contain_text("never had attention")
    for nth, facts in enumerate((("1.49M", "43 min", "2.03"), ("1.49M", "2.2 h", "2.09"))):
        for fact in (*facts, "1.53M multiply-adds · 1.20 ms"):
            expect(pane(page, nth).locator(".av-card")).to_contain_text(fact)
    expect(page.locator(".av-verdict")).to_have_text(["✓ better"])


def test_a_word_pinned_in_one_is_pinned_in_the_other(show: Any) -> None:
    page = show("words,words")
    for one, other, word in ((0, 1, 4), (1, 0, 7)):
        pane(page, one).locator(".av-token").nth(word).click()
        names = ("a", "b")
        page.wait_for_function(
            "([one, other]) => String(attentionLab.pane(one).state().pins) === String(attentionLab.pane(other).state().pins)",
            arg=[names[one], names[other]],
        )
        assert len(state(page, names[other])["pins"]) == 1
    pane(page, 0).locator(".av-token").nth(5).hover()
    page.wait_for_function("() => attentionLab.pane('b').state().over?.word === 5")


def test_a_cell_pinned_in_one_is_pinned_in_the_other(show: Any) -> None:
    page = show("face,face")
    frame = pane(page, 0).locator(".av-frame").first
    frame.click(position={"x": 30, "y": 40})
    pins = state(page, "a")["pins"]
    assert len(pins) == 1 and state(page, "b")["pins"] == pins


def test_one_stays_when_the_comparison_ends(show: Any) -> None:
    page = show("words,twin")
    page.get_by_role("button", name="Only “Trained without attention”").click()
    expect(page.locator(".attention-view")).to_have_count(1)
    assert page.evaluate("[attentionLab.paired(), attentionLab.state().run]") == [False, "twin"]
    page = show("words,twin")
    page.get_by_role("button", name="End the comparison", exact=False).last.click()
    expect(page.locator(".attention-view")).to_have_count(1)


def test_a_run_of_its_own_ends_the_comparison(alone: str, visit: Visit) -> None:
    page = visit(alone, pair="words,twin", then="face")
    page.wait_for_function("() => !attentionLab.paired() && attentionLab.state().run === 'face'")


@pytest.mark.parametrize(("pair", "size", "dark"), [("words,twin", (1440, 900), True), ("face,face", (390, 844), False)])
def test_both_fit_and_are_accessible(show: Any, pair: str, size: tuple[int, int], dark: bool) -> None:
    page = show(pair, size=size, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    found = Axe().run(page, ".av-root", options).response["violations"]
    assert not [(each["id"], each["nodes"][0]["html"][:160]) for each in found if each["impact"] in ("serious", "critical")]
