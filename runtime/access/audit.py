"""The audit log: who did what, when, as JSON lines. It never holds a token or a query's values."""

import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_STDOUT, _STDERR = 1, 2


class _Standard:
    """Where lines go that no file is named for."""

    descriptor = _STDOUT


def take_stdout() -> None:
    """Keep what is now stdout for the audit log alone, and have all else go to stderr.

    That is also what MLflow, a library or a child process prints.
    """
    if _Standard.descriptor == _STDOUT:
        # A child process does not get it.
        _Standard.descriptor = os.dup(_STDOUT)
        os.dup2(_STDERR, _STDOUT)


def is_worth_noting(method: str, status: int, *, reads: bool, writes: bool) -> bool:
    """Whether a request belongs in the log: what changes something, and what was refused."""
    return reads or writes or method not in _SAFE or status in (401, 403, 413, 429)


class AuditLog:
    """Writes each line at once and whole, so that several workers share one file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._descriptor = _Standard.descriptor if path is None else -1

    def write(self, entry: dict[str, Any]) -> None:
        """Add a line; ``time`` (UTC, ISO 8601) is added to ``entry``."""
        if self._descriptor < 0 and self._path:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            self._descriptor = os.open(self._path, flags, 0o600)
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        line = json.dumps({"audit": {"time": now, **entry}}, ensure_ascii=True)
        os.write(self._descriptor, f"{line}\n".encode())
