"""Waiting for what takes its time."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until ``condition`` is true; raises TimeoutError, naming ``what``, after ``seconds``.

    It is asked ever more seldom: to ask in a container costs a third of a core.
    """
    begun = time.monotonic()
    while not condition():
        waited = time.monotonic() - begun
        if waited > seconds:
            raise TimeoutError(f"waited {seconds:g} s for: {what}")
        time.sleep(min(1, max(0.2, waited / 10)))
