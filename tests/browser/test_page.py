"""The page in a real browser: what a visitor does, and what a clumsy or hostile one does."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

import generators
from generators.base import Card, Variant
from page.runs import UNEXPECTED
from tests.browser.conftest import Server, Visit

TEXT: Card = next(card for card in generators.cards() if "text" in card.accepts and card.produces == "text")
PICTURE: Card = next(card for card in generators.cards() if "seed" in card.accepts and card.produces == "picture")
PAINTERS = [card for card in generators.cards() if card.accepts == ("text",) and card.produces == "picture"]
DESCRIBERS = [card for card in generators.cards() if "picture" in card.accepts and card.produces == "text"]
LANGUAGES = ("en", "zh")
DEADLINE = 20.0


def short(card: Card, variant: Variant | None = None) -> dict[str, str]:
    """The part of an address that asks for a quick run of a generator."""
    variant = variant or card.variants[0]
    settings = {"length": 12} if any(each.name == "length" for each in card.settings_of(variant.name)) else {}
    return {"generator": card.name, "variant": variant.name, "settings": json.dumps(settings)}


QUICK: dict[str, Any] = json.loads(short(TEXT)["settings"])


def view(page: Page) -> Any:
    return page.locator(".attention-view")


def chip(page: Page, card: Card) -> Any:
    """The chip of a generator's first variant."""
    return page.locator(f"[data-variant='{card.name}/{card.default}']")


def run_of(page: Page) -> str:
    return str(view(page).get_attribute("data-run"))


def done(page: Page, other_than: str | None = None) -> str:
    """Wait until a run has ended; its id."""
    page.wait_for_function(
        """before => { const view = document.querySelector(".attention-view");
        return view?.dataset.done === "true" && view.dataset.run !== before }""",
        arg=other_than,
    )
    return run_of(page)


def generate(page: Page, prompt: str) -> str:
    before = run_of(page)
    page.get_by_role("textbox", name=re.compile("Prompt|提示")).fill(prompt)
    page.get_by_role("button", name=re.compile("^(Generate|生成)$")).click()
    return done(page, before)


def output(page: Page) -> dict[str, Any]:
    """Steps that the view holds, as the server sent them."""
    return dict(page.evaluate("window.attentionLab.state()"))


# Opening


def test_the_page_opens_with_a_stored_run(visit: Visit) -> None:
    page = visit()
    assert done(page).startswith("example:")
    assert page.locator(".chip[aria-checked=true]").count() == 1
    assert "example" in parse_qs(urlsplit(page.url).query)


def test_a_tap_shows_another_example(visit: Visit) -> None:
    page = visit()
    before = done(page)
    other = page.locator(".examples button[aria-pressed=false]").first
    name = other.inner_text()
    other.click()
    page.wait_for_function(
        """(before) => { const view = document.querySelector(".attention-view");
        return view.dataset.run !== before && view.dataset.done === "true"; }""",
        arg=before,
    )
    assert page.locator(".examples button[aria-pressed=true]").inner_text() == name


@pytest.mark.parametrize("size", [(1440, 900), (1366, 768)], ids=str)
@pytest.mark.parametrize("card", generators.cards(), ids=lambda card: card.name)
def test_everything_is_in_one_frame(visit: Visit, size: tuple[int, int], card: Card) -> None:
    page = visit(size=size, generator=card.name)
    done(page)
    bottom = page.evaluate("document.querySelector('.attention-view').getBoundingClientRect().bottom")
    assert bottom <= size[1], f"the view ends at {bottom}"
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("card", generators.cards(), ids=lambda card: card.name)
def test_a_phone_scrolls_one_way_only(visit: Visit, card: Card) -> None:
    page = visit(size=(390, 844), generator=card.name)
    done(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    button = page.get_by_role("button", name="Generate").bounding_box()
    assert button and 844 - 100 < button["y"] + button["height"] <= 844, "Generate sticks to the bottom"


# Making


def test_text_comes_into_being(visit: Visit) -> None:
    page = visit(**short(TEXT))
    done(page)
    run = generate(page, "Once upon a time")
    assert not run.startswith("example:")
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["prompt"] == ["Once upon a time"] and asked["generator"] == [TEXT.name]


def test_a_name_gives_a_face(visit: Visit) -> None:
    page = visit(generator=PICTURE.name)
    done(page)
    ada = generate(page, "Ada")
    bob = generate(page, "Bob")
    assert ada != bob
    assert generate(page, "Ada") == ada, "the same name, the same run"


def test_enter_and_control_enter_generate(visit: Visit) -> None:
    page = visit(**short(TEXT))
    before = done(page)
    page.get_by_role("textbox", name="Prompt").fill("A king")
    page.keyboard.press("Enter")
    before = done(page, before)
    page.get_by_role("textbox", name="Prompt").fill("A queen")
    page.keyboard.press("Control+Enter")
    done(page, before)


def test_a_new_seed_makes_another_run(visit: Visit) -> None:
    page = visit(**short(TEXT), prompt="A king")
    before = done(page)
    page.get_by_role("button", name="New seed").click()
    done(page, before)


def test_try_this_runs_and_says_what_to_look_for(visit: Visit) -> None:
    page = visit(generator=TEXT.name)
    before = done(page)
    suggestion = TEXT.variants[0].tries[0]
    page.get_by_role("button", name=suggestion.question["en"]).click()
    expect(page.get_by_role("status").filter(has_text=suggestion.look_for["en"])).to_be_visible()
    done(page, before)


def test_stop_stops_and_keeps_what_is_there(visit: Visit, slow: Server) -> None:
    page = visit(slow[0], generator=TEXT.name, prompt="A king", seed="1")
    page.wait_for_function("Number(document.querySelector('.attention-view').dataset.t) > 3")
    page.get_by_role("button", name="Stop").click()
    done(page)
    expect(page.get_by_role("button", name="Generate")).to_be_visible()
    shown = int(str(view(page).get_attribute("data-t")))
    assert 3 < shown < 100
    page.wait_for_timeout(300)
    assert int(str(view(page).get_attribute("data-t"))) == shown


def test_escape_stops(visit: Visit, slow: Server) -> None:
    page = visit(slow[0], generator=TEXT.name, prompt="A king", seed="2")
    page.wait_for_function("Number(document.querySelector('.attention-view').dataset.t) > 3")
    page.get_by_role("textbox", name="Prompt").focus()
    page.keyboard.press("Escape")
    done(page)


def test_generate_while_one_runs_replaces_it(visit: Visit, slow: Server) -> None:
    page = visit(slow[0], generator=TEXT.name, prompt="A king", seed="3")
    page.wait_for_function("Number(document.querySelector('.attention-view').dataset.t) > 3")
    old = run_of(page)
    page.get_by_role("textbox", name="Prompt").fill("A queen")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "old => { const { run, t } = document.querySelector('.attention-view').dataset; return run !== old && Number(t) > 8 }", arg=old
    )
    assert run_of(page) != old
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    done(page, old)


def test_a_closed_tab_ends_its_run_within_two_seconds(visit: Visit, slow: Server) -> None:
    page = visit(slow[0], generator=TEXT.name, prompt="A king", seed="4")
    page.wait_for_function("Number(document.querySelector('.attention-view').dataset.t) > 3")
    before = slow[1].read_text(encoding="utf-8").count("closed")
    page.close()
    deadline = time.monotonic() + 2
    while slow[1].read_text(encoding="utf-8").count("closed") == before:
        assert time.monotonic() < deadline, "the run goes on for nobody"
        time.sleep(0.05)


def test_missing_weights_are_marked_and_said(visit: Visit, slow: Server) -> None:
    card = generators.cards()[-1]
    variant = card.variants[-1]
    page = visit(slow[0], generator=card.name, variant=variant.name, prompt="x")
    expect(page.get_by_text(f"The weights of {variant.name} are cut short.").first).to_be_visible()
    expect(page.get_by_role("radio", name=re.compile("cannot run now"))).to_be_visible()
    page.locator(".chip").first.click()
    done(page, "")


# Clumsy and hostile visitors

HOSTILE = [
    "",
    "<img src=x onerror=window.__ran=1>",
    "${window.__ran=1}",
    "{{value}}",
    "C:\\users",
    "\u202eright to left \u0007 and \u0000 control",
    "שלום 👩‍👩‍👧 ཨོཾ",
    "x" * 100_000,
    "</script><script>window.__ran=1</script>",
]


@pytest.mark.parametrize("card", [TEXT, PICTURE, *PAINTERS], ids=lambda card: card.name)
def test_hostile_prompts_are_text(visit: Visit, card: Card) -> None:
    page = visit(**short(card), prompt="start")
    done(page)
    for prompt in HOSTILE:
        page.get_by_role("textbox", name="Prompt").fill(prompt)
        before = view(page).evaluate("view => view.dataset.run")
        page.keyboard.press("Enter")
        page.wait_for_function(
            """before => { const { run, done, state } = document.querySelector(".attention-view").dataset;
            return state === "error" || (done === "true" && run !== before) }""",
            arg=before,
        )
        assert view(page).get_attribute("data-state") == "done", prompt[:40]
        assert not page.evaluate("window.__ran"), prompt
        assert page.locator(".attention-view img[src=x]").count() == 0
    generate(page, "Once")


@pytest.mark.parametrize("seed", ["-1", "1e30", "0.5"])
def test_a_seed_that_is_none_gets_one_sentence(visit: Visit, seed: str) -> None:
    page = visit(**short(TEXT))
    done(page)
    page.get_by_role("button", name="More").first.click()
    page.get_by_role("textbox", name="Seed").fill(seed)
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_text("A seed is a whole number from 0").first).to_be_visible()
    page.get_by_role("textbox", name="Seed").fill("7")
    generate(page, "Once")
    expect(page.get_by_text("A seed is a whole number from 0").first).to_be_hidden()


@pytest.mark.parametrize(
    "query",
    [
        {"generator": "nobody"},
        {"generator": "../../etc"},
        {"generator": TEXT.name, "variant": "none"},
        {"generator": TEXT.name, "settings": "{broken"},
        {"generator": TEXT.name, "settings": '{"length": 1e99, "nothing": []}'},
        {"generator": TEXT.name, "edits": '[{"action": "explode"}]'},
        {"generator": TEXT.name, "forced": "1,2,x"},
        {"generator": TEXT.name, "seed": "-5"},
        {"generator": TEXT.name, "prompt": "long " * 2000, "settings": '{"length": 4}'},
        {"generator": TEXT.name, "example": "../../secret"},
        {"lang": "<b>", "pin": "1e9", "layer": "-4", "head": "x"},
    ],
    ids=lambda query: json.dumps(query)[:50],
)
def test_a_tampered_link_still_opens_the_page(visit: Visit, query: dict[str, str]) -> None:
    page = visit(**query)
    expect(page.get_by_role("button", name="Generate")).to_be_visible()
    assert "Traceback" not in page.content()
    before = run_of(page)
    chip(page, PICTURE).click()
    done(page, before)


# Language, brightness, links


def test_the_language_changes_at_once(visit: Visit) -> None:
    page = visit()
    done(page)
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("button", name="生成", exact=True)).to_be_visible()
    expect(chip(page, TEXT)).to_contain_text(TEXT.variants[0].title["zh"])
    assert page.evaluate("document.documentElement.lang").startswith("zh")
    assert "lang=zh" in page.url
    page.get_by_role("button", name="EN", exact=True).click()
    expect(page.get_by_role("button", name="Generate")).to_be_visible()


def test_the_address_and_the_browser_choose_the_language(visit: Visit) -> None:
    page = visit(lang="zh")
    expect(page.get_by_role("button", name="生成", exact=True)).to_be_visible()


def test_dark_follows_the_system_and_the_button(visit: Visit) -> None:
    page = visit(dark=True)
    done(page)
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(20, 22, 26)"
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(ground) == "rgb(250, 250, 247)"


def test_a_link_repeats_the_run(visit: Visit) -> None:
    page = visit(**short(TEXT), prompt="A king", seed="41", lang="zh")
    first = done(page)
    page.get_by_role("button", name="复制链接").click()
    expect(page.get_by_text("链接已复制。")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    query = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    assert query["prompt"] == "A king" and query["seed"] == "41" and query["lang"] == "zh"
    again = visit(**query)
    assert done(again) == first, "the same request is the same run"


def test_without_attention_is_in_the_link(visit: Visit) -> None:
    page = visit(**short(TEXT), prompt="A king")
    before = done(page)
    page.get_by_role("radio", name="without").click()
    after = done(page, before)
    assert "without=1" in page.url
    page.reload()
    assert done(page) == after


def test_about_opens_links_and_closes(visit: Visit) -> None:
    page = visit()
    done(page)
    page.get_by_role("button", name="About").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", level=1)).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="About").click()
    dialog.locator("a[href*='generator=']:visible").last.click()
    expect(dialog).to_be_hidden()
    done(page)


# Accessible


def barriers(page: Page) -> str:
    """What axe holds serious or critical, one a line."""
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}}).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    return "\n".join(f"{each['id']}: {each['help']}: {[node['html'][:160] for node in each['nodes'][:3]]}" for each in serious)


@pytest.mark.parametrize("scene", ["light", "dark", "phone"])
@pytest.mark.parametrize("card", [TEXT, PICTURE, *PAINTERS, *DESCRIBERS], ids=lambda card: card.name)
def test_no_serious_barrier(visit: Visit, scene: str, card: Card) -> None:
    page = visit(size=(390, 844) if scene == "phone" else (1440, 900), dark=scene == "dark", generator=card.name)
    done(page)
    page.get_by_role("button", name="More").first.click()
    assert not barriers(page)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_serious_barrier_in_about(visit: Visit, dark: bool) -> None:
    page = visit(dark=dark)
    done(page)
    page.get_by_role("button", name="About").click()
    assert not barriers(page)


# Programs


def test_programs_generate_and_look(server: str) -> None:
    client = Client(server, verbose=False)
    made = client.predict(generator=TEXT.name, prompt="A king", seed="7", settings=QUICK, api_name="/generate")
    assert made["name"] == TEXT.name and made["seed"] == 7 and made["steps"] and QUICK.items() <= made["settings"].items()
    assert made["attentions"] and set(made["attentions"][0]) == {"kind", "layer", "heads", "query", "key"}
    row = client.predict(run=made["run"], query=1, api_name="/row")
    for head in row["details"][0]["weights"]:
        assert sum(head) == pytest.approx(1, abs=1e-3)
    again = client.predict(generator=TEXT.name, prompt="A king", seed="7", settings=QUICK, api_name="/generate")
    assert again["output"] == made["output"]
    face = client.predict(generator=PICTURE.name, prompt="Ada", api_name="/generate")
    assert face["picture"].startswith("data:image/png;base64,")
    stored = client.predict(generator=TEXT.name, api_name="/examples")
    assert stored and {"variant", "id", "label", "request"} <= set(stored[0])


@pytest.mark.parametrize(
    "given",
    [
        {"generator": "nobody"},
        {"generator": TEXT.name, "variant": "none"},
        {"generator": TEXT.name, "seed": "-1"},
        {"generator": TEXT.name, "seed": "1e30"},
        {"generator": TEXT.name, "seed": "0.5"},
        {"generator": TEXT.name, "settings": {"length": -3}},
        {"generator": TEXT.name, "settings": {"nothing": 1}},
        {"generator": TEXT.name, "edits": [{"action": "explode"}]},
        {"generator": TEXT.name, "prompt": 5},
        {"generator": TEXT.name, "settings": [1]},
    ],
    ids=json.dumps,
)
def test_programs_get_one_sentence(server: str, given: dict[str, Any]) -> None:
    with pytest.raises(AppError) as error:
        Client(server, verbose=False).predict(**given, api_name="/generate")
    assert 5 < len(str(error.value)) < 300 and "\n" not in str(error.value) and str(error.value) != UNEXPECTED["en"]


def test_programs_may_send_what_visitors_may(server: str) -> None:
    client = Client(server, verbose=False)
    for prompt in HOSTILE:
        assert client.predict(generator=TEXT.name, prompt=prompt, settings=QUICK, api_name="/generate")["steps"]
    with pytest.raises(AppError, match="expired"):
        client.predict(run="gone", query=0, api_name="/row")


def test_the_page_is_guarded_and_described(server: str) -> None:
    answer = httpx.get(server)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "http" not in policy
    described = httpx.get(f"{server}gradio_api/info").json()["named_endpoints"]
    assert set(described) == {"/generate", "/row", "/examples"}
    parameters = {each["parameter_name"]: each for each in described["/generate"]["parameters"]}
    asked = ["generator", "variant", "prompt", "seed", "settings", "edits", "attention", "picture", "hidden", "code"]
    assert list(parameters) == asked
    assert [name for name, each in parameters.items() if not each["parameter_has_default"]] == ["generator"]


FUNCTIONS = {"attention-view": ("fetch", "row", "learning", "film", "gallery"), "controls": ("live", "stored")}


@pytest.mark.parametrize("part", FUNCTIONS)
def test_server_functions_survive_rubbish(server: str, part: str) -> None:
    components = httpx.get(f"{server}config").json()["components"]
    (number,) = (each["id"] for each in components if each["props"].get("elem_id") == part)
    for name in FUNCTIONS[part]:
        for data in (None, 5, "x", [], {}, {"run": {}}, {"run": "x" * 10_000, "query": 1e99}, {"generator": ["x"], "seed": "\x00"}):
            body = {"data": data, "component_id": number, "fn_name": name, "session_hash": "rubbish"}
            answer = httpx.post(f"{server}gradio_api/component_server", json=body)
            assert answer.status_code == 200 and set(answer.json()["error"]) == set(LANGUAGES), (name, data, answer.text[:200])


def test_nothing_on_the_server_is_open(server: str) -> None:
    for path in ("gradio_api/file=app.py", "gradio_api/file=README.md", "monitoring/summary", "gradio_api/file=/etc/passwd"):
        answer = httpx.get(f"{server}{path}")
        assert answer.status_code in (403, 404) or ("root:" not in answer.text and "def main" not in answer.text), path


def test_the_shipped_files_are_whole() -> None:
    """What the page fetches on a tap stays small."""
    for card in generators.cards():
        for folder in generators.folders(card.name).values():
            for example in Path(folder, "examples").glob("*.npz"):
                assert example.stat().st_size <= 500_000, example.name
