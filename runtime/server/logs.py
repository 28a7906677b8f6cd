"""The server's log: whatever MLflow prints, no text of a user can look like a line of ours.

MLflow prints what users sent as they sent it, with its line ends. So all that this process writes
goes through here: of each thing that is written only the first line begins at the margin, and none
with a brace, as the audit log's do. Or each line is a JSON object, where a text stays a text.
"""

import io
import json
import logging
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import TextIO

# What stands before a line that does not begin what was written.
_MARGIN = "    "


def text_lines(text: str, *, at_start: bool) -> str:
    """``text`` as it may be written; ``at_start`` where a line begins with it. Pure."""
    first, *others = text.splitlines(keepends=True) or [""]
    if at_start and first.lstrip().startswith("{"):
        first = f" {first}"
    return first + "".join(f"{_MARGIN}{line}" for line in others)


def json_line(level: str, logger: str, message: str) -> str:
    """One line of the log as JSON; times are UTC, ISO 8601."""
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    entry = {"time": now, "level": level.lower(), "logger": logger, "message": message}
    return json.dumps({"log": entry}, ensure_ascii=True) + "\n"


class JsonFormatter(logging.Formatter):
    """A record, with its traceback, as one line."""

    def format(self, record: logging.LogRecord) -> str:
        return json_line(record.levelname, record.name, super().format(record)).rstrip("\n")


class Guarded(io.TextIOBase):
    """Stands for ``sys.stdout`` or ``sys.stderr``."""

    def __init__(self, raw: TextIO, name: str, *, as_json: bool) -> None:
        self.raw = raw
        self._name, self._as_json, self._pending = name, as_json, ""
        self._is_new = True

    def write(self, text: str, /) -> int:
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            # As a stream of texts says it: click tries which kind it has.
            raise TypeError("write() takes a text")
        if self._as_json:
            *whole, self._pending = (self._pending + text).split("\n")
            lines = (json_line("info", self._name, line) for line in whole if line.strip())
            self.raw.write("".join(lines))
        elif text:
            self.raw.write(text_lines(text, at_start=self._is_new))
            self._is_new = text.endswith(("\n", "\r"))
        return len(text)

    def flush(self) -> None:
        self.raw.flush()

    def fileno(self) -> int:
        return self.raw.fileno()

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True


def guard(*, as_json: bool) -> None:
    """Have all that this process writes go through the guard; once."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, Guarded):
            setattr(sys, name, Guarded(stream, name, as_json=as_json))


def use_json() -> None:
    """Have all loggers that there are write JSON; those that came since the last call too."""
    raw = sys.stderr.raw if isinstance(sys.stderr, Guarded) else sys.stderr
    for handler in _handlers():
        handler.setFormatter(JsonFormatter())
        handler.setStream(raw)


def _handlers() -> Iterator["logging.StreamHandler[TextIO]"]:
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            is_stream = isinstance(handler, logging.StreamHandler)
            if is_stream and not isinstance(handler, logging.FileHandler):
                yield handler
