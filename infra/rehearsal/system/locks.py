"""Locks between processes of this checkout, which run side by side."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager

from infra.place import ROOT

_FOLDER = ROOT / ".trackstack" / "locks"


@contextmanager
def one_at_a_time(what: str) -> Generator[None]:
    """Wait until no other process of this checkout does ``what``; a killed one leaves no lock."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / what).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
