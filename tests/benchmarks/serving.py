"""The page as everybody starts it, and a browser to look at it with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.serving import PATIENCE, Server, launch
from tests.serving import serving as server_of

__all__ = ["PATIENCE", "Server", "browsing", "percentile", "serving"]


@contextmanager
def serving() -> Iterator[Server]:
    """`python app.py` on a free port, ended with the block. Raises RuntimeError with its log if it does not come up."""
    with tempfile.TemporaryDirectory() as folder, server_of(Path(folder) / "log.txt", "app.py") as server:
        yield server


@contextmanager
def browsing(width: int = 1440, height: int = 900, *, touch: bool = False) -> Iterator[Page]:
    """A page of a real Chromium. touch: whether it has a touchscreen."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        try:
            yield browser.new_page(viewport={"width": width, "height": height}, has_touch=touch)
        finally:
            browser.close()


def percentile(values: Iterable[float], share: float) -> float:
    """The value below or at which that share of the values lies: percentile(…, 0.95)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
