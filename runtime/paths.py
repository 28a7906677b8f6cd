"""Local directories behind artifact URIs."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

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
