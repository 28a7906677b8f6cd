"""Limits: how often a client may be wrong, and how large a request may be."""

import time
from collections import OrderedDict
from collections.abc import Callable

# Failed attempts that an address may make at once, and how fast it gets more, a second. A token
# has 256 bits: this does not keep it from being guessed, but from filling log and database.
_BURST, _REFILL = 20.0, 0.5
_ADDRESSES = 10_000

_ARTIFACT_PATHS = (
    "/api/2.0/mlflow-artifacts/",
    "/ajax-api/2.0/mlflow-artifacts/",
    "/api/3.0/mlflow-artifacts/",
    "/ajax-api/3.0/mlflow-artifacts/",
    "/get-artifact",
    "/model-versions/get-artifact",
)


class FailureLimit:
    """A token bucket an address for failed sign-ins, in bounded memory.

    What is presented rightly is never limited, so that one client's failures do not lock out the
    others behind the same address. Each worker counts by itself.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def fail(self, address: str) -> int:
        """Count a failure; the seconds to wait where there were too many, else 0."""
        now = self._clock()
        left, since = self._left.pop(address, (_BURST, now))
        left = min(_BURST, left + (now - since) * _REFILL) - 1
        self._left[address] = (max(left, 0.0), now)
        if len(self._left) > _ADDRESSES:
            self._left.popitem(last=False)
        return 0 if left >= 0 else int(1 / _REFILL) + 1


def is_artifact(path: str) -> bool:
    """Whether a route streams an artifact instead of holding its request in memory."""
    return path.startswith(_ARTIFACT_PATHS)


def largest(path: str, *, request: int, artifact: int) -> int:
    """Bytes that a request to ``path`` may have; 0 for any number."""
    return artifact if is_artifact(path) else request
