"""Local directories behind artifact URIs."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from runtime.errors import UserError

_ESCAPED = re.compile("[%?#]")


def local_path(uri: str) -> str | None:
    """The path that a path or a ``file:`` URI names; None for any other store."""
    if uri.startswith("file:///") and not _ESCAPED.search(uri):
        # As nearly all are, by the hundred thousand.
        return uri[7:]
    parts = urlsplit(uri)
    if parts.scheme == "":
        return uri
    return unquote(parts.path) if parts.scheme == "file" else None


def local_directory(uri: str) -> Path | None:
    """``local_path`` as a Path."""
    path = local_path(uri)
    return None if path is None else Path(path)


def for_mlflow(uri: str) -> str:
    """``uri`` as MLflow takes it: to MLflow even a plain path has escapes, such as ``%20``."""
    path = local_path(uri)
    return Path(path).absolute().as_uri() if path and "%" in path else uri


def unwritable(path: Path, owner: int, user: int, *, read_only: bool) -> str:
    """What is wrong with a place that ``user`` cannot write to, and what to do. Pure."""
    if read_only:
        return (
            f"{path} is on a read-only mount, and the server keeps its data there: take `:ro` off "
            "the mount, or mount a volume there"
        )
    return (
        f"{path} cannot be written by user {user}, it belongs to user {owner}: give what is "
        f"mounted there to that user (sudo chown -R {user} FOLDER, on the host), or start as its "
        f"owner (--user {owner}:{owner}); a named volume (-v trackstack:/data) needs neither"
    )


def make_private(directory: Path, *, is_written: bool = True) -> None:
    """Make a directory for the owner alone, where it is missing.

    Raises UserError where it cannot be made, or ``is_written`` and this user cannot write to it.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        there = next(path for path in (directory, *directory.parents) if path.exists())
        if there.is_dir():
            raise _cannot_write(there) from None
        raise UserError(f"{directory} cannot be made: {error.strerror}") from None
    if is_written and not os.access(directory, os.W_OK | os.X_OK):
        raise _cannot_write(directory)


def _cannot_write(directory: Path) -> UserError:
    read_only = bool(os.statvfs(directory).f_flag & os.ST_RDONLY)
    return UserError(
        unwritable(directory, directory.stat().st_uid, os.geteuid(), read_only=read_only)
    )
