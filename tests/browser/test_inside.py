"""Inside one step in a real browser: part by part with the keys, the model's own numbers, and a worksheet to take along."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.test_page import barriers, done


def opened(page: Page) -> Page:
    """With the panel open and its numbers there."""
    done(page)
    page.keyboard.press("i")
    page.wait_for_selector(".av-inside[data-of]:not([data-of=''])")
    return page


def lit(page: Page) -> str:
    return str(page.locator(".av-inside-part.av-lit .av-inside-name").text_content())


def test_one_walks_along_the_article_s_three_components(visit: Visit) -> None:
    page = opened(visit(generator="lstm", variant="tales_en", lang="zh", pin="20", head="0"))
    names = page.locator(".av-inside-name").all_text_contents()
    assert [name for name in names if name.startswith("关注性")] == ["关注性计算", "关注性权重", "关注性加权求和"]
    assert lit(page) == names[0]
    for name in names[1:]:
        page.keyboard.press("ArrowRight")
        assert lit(page) == name
    expect(page.get_by_role("button", name="下一部分")).to_be_disabled()
    page.keyboard.press("ArrowLeft")
    assert lit(page) == names[-2]


def test_its_weights_are_those_of_the_map(visit: Visit) -> None:
    page = opened(visit(generator="gpt", pin="30", head="1"))
    page.wait_for_function("attentionLab.exact(30) && attentionLab.inside().length")
    shown, told = (page.evaluate(f"attentionLab.{name}") for name in ("exact(30)", "inside()"))
    assert len(told) == 31 and told == pytest.approx(shown, abs=1e-5)
    assert told == pytest.approx(page.evaluate("attentionLab.row(30)"), abs=0.005), "the map has a byte for each"
    expect(page.locator(".av-inside-weights .av-inside-text")).to_contain_text(f"{100 * max(told):.1f}")
    page.locator(".av-inside-weights .av-inside-strip").hover(position={"x": 130, "y": 20})
    page.wait_for_function("Number.isInteger(attentionLab.state().lit)")  # the stage lights the same word


@pytest.mark.parametrize(("language", "task"), [("en", "Attention scores"), ("zh", "关注性计算")])
def test_a_worksheet_says_the_task_and_the_solution(visit: Visit, tmp_path: Path, language: str, task: str) -> None:
    page = opened(visit(generator="seq2seq", variant="sound_en", lang=language))
    texts = []
    for kind in ("HTML", "Markdown"):
        with page.expect_download() as given:
            page.get_by_role("button", name=kind, exact=True).click()
        given.value.save_as(tmp_path / kind)
        texts.append((tmp_path / kind).read_text(encoding="utf-8"))
    assert given.value.suggested_filename.endswith("-worksheet.md")
    assert all(task in text for text in texts) and texts[0].startswith("<!doctype html>") and "<script" not in texts[0]
    rows = [line.strip("| ").split(" | ") for line in texts[1].split("---\n\n# ")[-1].splitlines() if line.startswith("|")]
    numbers = [[float(each.replace("−", "-")) if each else None for each in row[1:]] for row in rows[2:]]
    for *column, total in zip(*numbers, strict=True):
        assert total is None or sum(column) == pytest.approx(total, abs=1e-9), "a column is what its numbers add up to"


def test_a_face_on_a_phone_has_its_gamma_and_no_barrier(visit: Visit) -> None:
    page = opened(visit(generator="gan", size=(390, 844), dark=True))
    assert page.locator(".av-inside-part").last.locator(".av-inside-name").text_content() == "Times γ"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not barriers(page)
