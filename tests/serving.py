"""The page, or another server, in a process of its own, and the Chromium to look at it with: what browser tests and benchmarks share."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Playwright

HOME = Path(__file__).parents[1]
PATIENCE = 60.0  # seconds that it may take on a machine that also trains
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ("background-networking", "component-update", "sync", "quic", "gpu")  # what a Chromium shall do without


@dataclass(frozen=True)
class Server:
    """One that answers. url: without a slash at its end. seconds: from the start of the process to its first answer."""

    url: str
    seconds: float
    pid: int


@contextmanager
def serving(log: Path, *command: str) -> Iterator[Server]:
    """A server that a Python file of the house starts, on a free port, until the end of the block.

    Raises RuntimeError with the end of its log if it does not come up.
    """
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    own = {"PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1", "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(HOME)}
    with log.open("wb") as file:
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, *command], cwd=HOME, env={**os.environ, **own}, stdout=file, stderr=file)
    try:
        while not _answers(url):
            if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                raise RuntimeError(f"{command[0]} does not serve: {log.read_text(encoding='utf-8', errors='replace')[-4000:]}")
            time.sleep(0.02)
        yield Server(url, time.perf_counter() - began, process.pid)
    finally:
        process.terminate()
        process.wait(10)


def launch(playwright: Playwright) -> Browser:
    """A real Chromium: the one on the PATH, else Playwright's own. Raises playwright's Error if there is none."""
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    return playwright.chromium.launch(
        executable_path=found, args=["--no-sandbox", "--no-first-run", *(f"--disable-{each}" for each in QUIET)]
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False
