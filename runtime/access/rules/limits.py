"""Limits: how often a client may be wrong, and how large a request may be."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable

from runtime.access.rules.roles import plain, rule_of
from runtime.tokens.store import Role

# Failed attempts that an address may make at once, and how fast it gets more, a second. A token
# has 256 bits: this does not keep it from being guessed, but from filling log and database.
_BURST, _REFILL = 20.0, 0.5
_ADDRESSES = 10_000

# Where MLflow takes an upload piece by piece: exactly as its own router spells it. Anything else,
# another spelling of it too, goes through a bridge that holds the whole body in memory.
_STREAMED = re.compile(r"/(ajax-)?api/2\.0/mlflow-artifacts/artifacts/.*")
# Bytes for methods that need no body: MLflow's old clients read with one, and records of a dataset
# are deleted by a list of some ten thousand names.
_OF_READING, _OF_DELETING = 64 << 10, 1 << 20
# Bytes for what asks by POST, such as a search of some ten thousand experiments by their ids: read,
# JSON takes some thirty times as many.
_OF_ASKING = 2 << 20
# Bytes that an object, a list and each further value of JSON take at most once they are read; how
# many times of a request's own bytes they may be, which of usual values are two to five times; and
# what they may be in any case.
_OBJECT, _LIST, _VALUE, _TIMES, _LIGHT = 200, 60, 60, 6, 64 << 20
# What is kept or taken as bytes, whatever is in it.
_NO_JSON = frozenset({"/api/2.0/mlflow/upload-artifact", "/v1/traces"})


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


class LineLimit:
    """One line a second an address, in bounded memory; each worker counts by itself."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Address -> when its last line was, and how many were left out since.
        self._last: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, address: str) -> int | None:
        """How many lines were left out before this one; None where this is left out too."""
        now = self._clock()
        last, left_out = self._last.pop(address, (float("-inf"), 0))
        is_due = now - last >= 1
        self._last[address] = (now, 0) if is_due else (last, left_out + 1)
        if len(self._last) > _ADDRESSES:
            self._last.popitem(last=False)
        return left_out if is_due else None


def is_streamed(path: str) -> bool:
    """Whether uploads to and downloads from ``path`` are never held in memory."""
    return _STREAMED.fullmatch(path) is not None


def largest(method: str, path: str, *, request: int, artifact: int) -> int:
    """Bytes that a request may have; 0 for any number.

    ``request`` and ``artifact`` are the limits that the deployment sets, 0 for none.
    """
    if method == "PUT" and is_streamed(path):
        return artifact
    if method in ("POST", "PUT", "PATCH"):
        rule = rule_of(method, path)
        if rule is None or rule.role is not Role.READ:
            return request
        small = _OF_ASKING
    else:
        small = _OF_DELETING if method == "DELETE" else _OF_READING
    return min(small, request) if request else small


def heaviest(method: str, path: str, *, request: int) -> int:
    """What `weight` of a request's JSON may be; 0 for any. ``request`` as `largest` has it."""
    is_bytes = (method == "PUT" and is_streamed(path)) or plain(path) in _NO_JSON
    return 0 if is_bytes or not request else max(_TIMES * request, _LIGHT)


def weight(piece: bytes) -> int:
    """Bytes that JSON may take in memory beside its texts: thirty times its own, if it means harm.

    Told by its signs, also those within texts, so that nothing is read for it.
    """
    objects, lists, values = (piece.count(sign) for sign in (b"{", b"[", b","))
    return objects * _OBJECT + lists * _LIST + values * _VALUE
