"""What tests in every folder share."""

import os
import sys
from collections.abc import Generator

import pytest

from infra.rehearsal.system.ports import find_free_port


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
