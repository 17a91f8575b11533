"""How a question of the view is answered: what goes wrong becomes one sentence in every language."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from generators.base import BadInput, NotReady
from page.runs import UNEXPECTED


@contextmanager
def sentence() -> Iterator[dict[str, Any]]:
    """An answer to fill; what goes wrong inside becomes its `error`."""
    answer: dict[str, Any] = {}
    try:
        yield answer
    except (BadInput, NotReady) as error:
        answer["error"] = dict(error.words)
    except Exception:
        logging.exception("a question of the view failed")
        answer["error"] = dict(UNEXPECTED)
