"""Waiting for what takes its time."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until ``condition`` is true; raises TimeoutError, naming ``what``, after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for: {what}")
        time.sleep(0.2)
