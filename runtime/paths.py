"""Local directories behind artifact URIs."""

from pathlib import Path
from urllib.parse import unquote, urlsplit


def local_directory(uri: str) -> Path | None:
    """The directory that a path or a ``file:`` URI names; None for any other store."""
    parts = urlsplit(uri)
    if parts.scheme == "":
        return Path(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
