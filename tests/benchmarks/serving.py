"""The page in a process of its own, and a browser to look at it with."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

HOME = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@dataclass(frozen=True)
class Server:
    """A page that serves. seconds: from the start of the process to its first answer."""

    url: str
    seconds: float
    pid: int


@contextmanager
def serving() -> Iterator[Server]:
    """`python app.py` on a free port, ended with the block. Raises RuntimeError with its log if it does not come up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1", "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryFile() as log:
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "app.py"], cwd=HOME, env={**os.environ, **settings}, stdout=log, stderr=log)
        try:
            while not _answers(url):
                if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                    log.seek(0)
                    raise RuntimeError(f"the page does not serve: {log.read().decode(errors='replace')[-2000:]}")
                time.sleep(0.02)
            yield Server(url, time.perf_counter() - began, process.pid)
        finally:
            process.terminate()
            process.wait(10)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def browsing(width: int = 1440, height: int = 900) -> Iterator[Page]:
    """A page of a real Chromium: the one on the PATH, else Playwright's own."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


def percentile(values: list[float], share: float) -> float:
    """The value below or at which that share of the values lies: percentile(…, 0.95)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
