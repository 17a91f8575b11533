"""What every test stands on: one thread, no network, no models of the visitor's, no deadlines."""

from __future__ import annotations

import os

# Before torch is imported, and for the servers that tests start: sums come out in the same order on every machine.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.pop("LAB_MODELS_DIR", None)

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "lab",
    deadline=None,  # a machine that also trains is slow at times
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("lab")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: their driver leaves an event loop running in this thread, beside which asyncio.run refuses to work."""
    items.sort(key=lambda item: "browser" in item.path.parts)
