"""What tests in every folder share."""

import os
import sys
from collections.abc import Generator

import pytest

from infra.rehearsal.system.ports import find_free_port
from tests import examples as examples


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is only for the night is slow, too."""
    for item in items:
        if item.get_closest_marker("nightly"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _clean_environment(  # pyright: ignore[reportUnusedFunction]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A developer's own MLflow settings must not reach a test."""
    for name in os.environ:
        if name.startswith(("MLFLOW_", "TRACKSTACK_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _with_stack() -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    """Dynamic providers that fail leave Python without stacks, which the engine's SDK reads."""
    yield
    if hasattr(sys, "tracebacklimit"):
        del sys.tracebacklimit


@pytest.fixture
def free_port() -> int:
    """A port that was free a moment ago."""
    return find_free_port()
