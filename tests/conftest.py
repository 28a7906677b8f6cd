"""What tests in every folder share."""

import contextlib
import os
import secrets
import socket
import time
from collections.abc import Callable

import pytest


@pytest.fixture(autouse=True)
def _clean_environment(  # pyright: ignore[reportUnusedFunction]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A developer's own MLflow settings must not reach a test."""
    for name in os.environ:
        if name.startswith(("MLFLOW_", "TRACKSTACK_")):
            monkeypatch.delenv(name)


@pytest.fixture
def free_port() -> int:
    """A port that was free a moment ago."""
    return find_free_port()


def find_free_port() -> int:
    """From below the range in which the kernel takes ports for connections: it stays free."""
    while True:
        port = 12_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until ``condition`` is true; fails the test that waits for ``what`` for too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
        time.sleep(0.2)
