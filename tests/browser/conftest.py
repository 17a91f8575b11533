"""A server and a Chromium that belong to the tests.

server    address of `python app.py`, started once on a free port; its log stands in the failure
visit     open the page as a visitor does: a new context, ready when the view shows something
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.serving import PATIENCE, launch
from tests.serving import serving as server_of

HOME = Path(__file__).parents[2]
MISSING = "The browser tests need a Chromium: `apt-get install chromium`, or `.venv/bin/python -m playwright install chromium`."

Visit = Callable[..., Page]
Server = tuple[str, Path]
"""Address and log."""


@contextmanager
def serving(log: Path, *command: str) -> Iterator[Server]:
    """A server that a Python file starts, from when it answers until the end of the block."""
    with server_of(log, *command) as started:
        yield f"{started.url}/", log


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page as everybody starts it."""
    with serving(tmp_path_factory.mktemp("server") / "log.txt", "app.py") as server:
        yield server


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page with random models that take their time; see slow.py."""
    with serving(tmp_path_factory.mktemp("slow") / "log.txt", "tests/browser/slow.py") as server:
        yield server


@pytest.fixture(scope="session")
def server(served: Server) -> str:
    return served[0]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests: from PATH, else Playwright's own."""
    with sync_playwright() as playwright:
        try:
            launched = launch(playwright)
        except Error as error:
            pytest.fail(f"{MISSING}\n{error}", pytrace=False)
        yield launched
        launched.close()


@pytest.fixture
def visit(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Visit]:
    """visit(lang="zh", prompt="…", size=(390, 844), dark=True) → a page that shows something; of `server` if no address is given.

    At the end: no error on any of the pages, and no request to anywhere else.
    """
    contexts: list[Any] = []
    wrong: list[str] = []

    def open_page(address: str = "", *, size: tuple[int, int] = (1440, 900), dark: bool = False, **query: str) -> Page:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            locale="en-US",
            permissions=["clipboard-read", "clipboard-write"],
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: wrong.append(f"error on the page: {error}"))
        page.on("console", lambda message: message.type == "error" and wrong.append(f"console: {message.text}"))
        page.on("request", lambda request: None if at_home(request.url) else wrong.append(f"foreign request: {request.url}"))
        page.goto(f"{address or request.getfixturevalue('server')}?{urlencode(query)}")
        shows = ", ".join(f".attention-view[data-state={state}]" for state in ("done", "running", "error"))
        page.wait_for_selector(shows, timeout=1000 * PATIENCE)  # the first visitor waits for the models
        return page

    def at_home(url: str) -> bool:
        return url.startswith(("http://127.0.0.1:", "http://localhost:", "data:", "blob:"))

    yield open_page
    for context in contexts:
        context.close()
    # Gradio ends its own stream when its page is left, and says so twice: that alone is no error of the page.
    ended = {i for i, line in enumerate(wrong) if line.startswith("console: AbortError: signal is aborted without reason")}
    told = {i + 1 for i in ended if wrong[i + 1 : i + 2] == ["console: Unexpected error Connection errored out. "]}
    errors = [line for i, line in enumerate(wrong) if i not in ended | told]
    assert not errors, errors


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    for name in ("served", "slow", "painting"):
        used = getattr(item, "funcargs", {}).get(name)
        if report.failed and used:
            report.sections.append((f"log of {name}", used[1].read_text(encoding="utf-8")[-4000:]))
    return report
