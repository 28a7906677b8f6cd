"""Where callers other than administrators may have artifacts. Pure but for symbolic links.

MLflow takes any place: with `file:///etc` the server itself would write there, and in a bucket that
only the server's own identity may open it would do so for everybody.
"""

import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Any, cast
from urllib.parse import unquote, urlparse, urlunparse

from runtime.access.rules.roles import plain
from runtime.artifacts.location import Destination, NotOwnError
from runtime.artifacts.tree import OWN_FOLDER
from runtime.settings import RuntimeSettings

LARGEST_BODY = 1 << 20
_CREATION = "/api/2.0/mlflow/experiments/create"
_VERSION = "/api/2.0/mlflow/model-versions/create"
_TRACE = re.compile(r"/api/[23]\.0/mlflow/traces/[^/]+(/tags)?")
_ARTIFACT = re.compile(r"/api/2\.0/mlflow-artifacts/(?:artifacts|mpu/\w+)/(.*)", re.DOTALL)
# MLflow looks these up, and checks whether they are the run's or the model's of the request.
_LOOKED_UP = ("runs:/", "models:/")
_PROXIED = "mlflow-artifacts:"
# What MLflow's own clients send as the source of a prompt, which has no artifacts.
PROMPT_SOURCES = frozenset(("dummy-source", "prompt-template"))
_OF_TRACE = "mlflow.artifactLocation"
REFUSAL = (
    "this needs the role admin: artifacts lie below the server's own destination, or where the "
    "stack's artifactLocations say, plainly written, without '..', '?', '#' and '%'; an experiment "
    "made without an artifact_location gets a place of its own"
)
UNOPENED = (
    "is opened by no request: this server opens artifacts below its own destination and where the "
    "stack's artifactLocations (TRACKSTACK_ARTIFACT_LOCATIONS) say; whoever answers for the stack "
    "may add the place there"
)
OWN_FOLDER_REFUSAL = (
    f"{OWN_FOLDER} says whose the artifacts are; nobody writes there, or deletes all at once"
)


class Allowed:
    """Below ``destination`` (and ``default_root``), or in one of ``others``: paths or URIs."""

    def __init__(
        self, destination: str, default_root: str | None = None, others: Iterable[str] = ()
    ) -> None:
        self._own = Destination(destination, default_root)
        self._others = [Destination(other, proxied=False) for other in others]

    def has(self, location: str) -> bool:
        """Whether artifacts may lie at ``location``."""
        location = location.rstrip("/")
        try:
            place = self._own.place(location)
        except NotOwnError:
            return any(_is_within(other, location) for other in self._others)
        return not self._own.is_own_folder(place)

    def may_open(self, location: str) -> bool:
        """Whether the server opens a location that a row has, by its own identity.

        However it is written: rows are older than this rule. What it stands for elsewhere, such as
        a run, is asked again.
        """
        if location.startswith((*_LOOKED_UP, _PROXIED)):
            return True
        places = (self._own, *self._others)
        return any(place.holds(location) for place in places)

    def allows(self, path: str, body: bytes) -> bool:
        """Whether a request to ``path`` says no other place. MLflow may not understand it either.

        ``path`` is one of `may_say`.
        """
        return all(self.has(location) for location in _said(plain(path), body))


def of_stack(settings: RuntimeSettings) -> Allowed:
    """What a server with these settings allows."""
    root = settings.default_artifact_root
    return Allowed(settings.artifacts_destination, root, settings.artifact_locations)


def may_say(method: str, path: str) -> bool:
    """Whether a request is one in which a caller says where artifacts lie."""
    path = plain(path)
    if method == "PATCH":
        return bool(_TRACE.fullmatch(path))
    return method == "POST" and path in (_CREATION, _VERSION)


def is_own_folder(method: str, path: str) -> bool:
    """Whether a request writes where Trackstack keeps what is its own among the artifacts.

    So does one that deletes all of them.
    """
    route = _ARTIFACT.fullmatch(plain(path))
    if method in ("GET", "HEAD", "OPTIONS") or not route:
        return False
    try:
        below = posixpath.normpath(f"/{_read(route[1])}")
    except ValueError:
        # MLflow cannot read it either, and fails.
        return True
    return below.lstrip("/").split("/")[0] in ("", OWN_FOLDER)


def _read(path: str) -> str:
    """What MLflow, and a store after it, make of an artifact's path.

    It loses its escapes, and what a URI loses when it is taken apart: blanks and control characters
    before it, tabs and ends of lines within, a `?`, `;` or `#` behind it.
    """
    while (read := urlunparse(urlparse(unquote(path)))) != path:
        path = read
    return path


def _is_within(other: Destination, location: str) -> bool:
    try:
        other.place_of_all(location)
    except NotOwnError:
        return False
    return True


def _said(path: str, body: bytes) -> Iterator[str]:
    """The locations that MLflow will read in a body."""
    fields = _fields(body)
    if path == _CREATION:
        yield from _texts(fields, "artifact_location", "artifactLocation")
    elif path == _VERSION:
        for source in _texts(fields, "source"):
            if not (source.startswith(_LOOKED_UP) or source in PROMPT_SOURCES):
                yield source
    else:
        listed = fields.get("tags")
        tags = cast("list[Any]", listed) if isinstance(listed, list) else []
        for tag in (fields, *tags):
            if isinstance(tag, dict) and cast("dict[str, Any]", tag).get("key") == _OF_TRACE:
                yield from _texts(cast("dict[str, Any]", tag), "value")


def _texts(fields: dict[str, Any], *names: str) -> list[str]:
    given = (fields.get(name) for name in names)
    return [value for value in given if isinstance(value, str) and value]


def _fields(body: bytes) -> dict[str, Any]:
    """A body's fields, as MLflow reads them: also from JSON within JSON."""
    try:
        content = json.loads(body)
        if isinstance(content, str):
            content = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", content) if isinstance(content, dict) else {}
