"""Where callers other than administrators may put artifacts. Pure but for symbolic links.

MLflow takes any place: with `file:///etc` the server itself would write there, and a place that is
another one than it looks like would later be deleted as the experiment's own.
"""

import json
import os
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from runtime import paths

CREATION = "/api/2.0/mlflow/experiments/create"
LARGEST_BODY = 1 << 20
# Stores of objects that MLflow has a client for, here as everywhere. Any other scheme may be a
# path on the server's own disk (a single letter is a drive), or lead to another server or row.
_OBJECT_STORES = frozenset(
    ("mlflow-artifacts", "s3", "gs", "wasbs", "abfss", "oci", "r2", "b2", "hdfs", "viewfs")
)
REFUSAL = (
    "this needs the role admin: an artifact_location is below the server's own artifacts or in an "
    "object store, without '..', '?' and '#'; leave it out for a place of the experiment's own"
)


def may_create(body: bytes, destination: str) -> bool:
    """Whether an experiment may be made by this request's body.

    ``destination`` is where the server keeps artifacts, a path or a URI. What MLflow will not
    understand either may pass.
    """
    return all(is_allowed(location, destination) for location in _locations(body))


def is_allowed(location: str, destination: str) -> bool:
    """Whether an experiment's artifacts may lie at ``location``, a path or a URI."""
    plain = _decoded(location)
    if "?" in plain or "#" in plain or not plain.isprintable() or plain != plain.strip():
        return False
    if ".." in plain.replace("\\", "/").split("/"):
        return False
    try:
        parts = urlsplit(plain)
    except ValueError:
        return False
    if parts.scheme not in ("", "file"):
        return parts.scheme in _OBJECT_STORES
    root = paths.local_path(destination)
    if root is None or parts.netloc:
        return False
    path, root = os.path.realpath(parts.path), os.path.realpath(root)
    return path != root and os.path.commonpath((path, root)) == root


def _decoded(text: str) -> str:
    while (further := unquote(text)) != text:
        text = further
    return text


def _locations(body: bytes) -> list[str]:
    """What MLflow will read as the location: under both names, and from JSON within JSON."""
    try:
        content = json.loads(body)
        if isinstance(content, str):
            content = json.loads(content)
    except (ValueError, RecursionError):
        return []
    if not isinstance(content, dict):
        return []
    fields = cast("dict[str, Any]", content)
    given = (fields.get("artifact_location"), fields.get("artifactLocation"))
    return [value for value in given if isinstance(value, str) and value]
