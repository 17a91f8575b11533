"""The page with the generators of tests/sceners.py and a painter of faces; `scener` takes its time."""

from __future__ import annotations

from tests.browser.painting import serve
from tests.painters import Painter
from tests.sceners import Scener, Teller

STEP = 0.03  # seconds

if __name__ == "__main__":
    Scener.seconds = STEP
    serve({"teller": Teller, "painter": Painter, "scener": Scener})
