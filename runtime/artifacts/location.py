"""Where artifacts are: the one reader of what a row, a request or a setting says about it.

An artifact location is a client's text. Whether it lies in a destination is decided by exact text
alone: a known beginning, and plain names behind it. What a text might mean besides, however it is
written, is for what must be kept.

Of the file system nothing is asked but where symbolic links lead.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from runtime.artifacts.tree import OWN_FOLDER
from runtime.paths import local_path

_PROXIED = "mlflow-artifacts:"
# Behind this, a URI of http(s) has what follows `mlflow-artifacts:`.
_PROXY_ROUTE = "/mlflow-artifacts/artifacts"
# One name between slashes. What has a meaning in a URI is in no name that MLflow makes.
_NAME = re.compile(r"[^/?#%;\\\x00-\x1f\x7f]+")
# Where a reader of URIs may take the rest for something else.
MAY_BE_CUT = re.compile("[?#;]")
LINKED = "leads elsewhere by a symbolic link"


class NotOwnError(ValueError):
    """A location that is not provably the entity's own; the message says why, with its text."""

    def __init__(self, location: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{printable(location)} {reason}")


class Destination:
    """Where a store's artifacts are: ``uri``, and ``default_root`` where a server has another.

    A place is where a location leads: a path without symbolic links, or an artifact store's URI.
    What is ``proxied`` by the server lies here, too.
    """

    def __init__(self, uri: str, default_root: str | None = None, *, proxied: bool = True) -> None:
        self.uri = uri
        roots = _roots(uri)
        self._top = next(iter(roots.values()))
        if proxied:
            roots[_PROXIED] = self._top
        if default_root and default_root.startswith(f"{_PROXIED}/"):
            below = default_root.removeprefix(_PROXIED).strip("/")
            roots[default_root.rstrip("/")] = f"{self._top}/{below}".rstrip("/")
        elif default_root:
            roots |= _roots(default_root)
        # The longest first: one may lie in another.
        self._roots = {text: roots[text] for text in sorted(roots, key=len, reverse=True)}

    def folder(self, experiment: int, workspace: str, location: str) -> str:
        """The place of an experiment's own folder; raises NotOwnError where it has none."""
        place = self.place(location)
        root = location.removesuffix(f"/workspaces/{workspace}/{experiment}")
        if not self.is_numbered(location, experiment) and root not in self._roots:
            raise NotOwnError(location, "was chosen by who made the experiment")
        return place

    def is_numbered(self, location: str, experiment: int) -> bool:
        """Whether a location is the text that a server gives the experiment by itself."""
        return any(location == f"{root}/{experiment}" for root in self._roots)

    def place_of_all(self, location: str) -> str:
        """As ``place``, and the destination's own where the location is all of it."""
        return self._roots.get(location) or self.place(location)

    def place(self, location: str) -> str:
        """The place of a location that is plainly written and lies strictly below the destination.

        Raises NotOwnError for any other.
        """
        for root, at in self._roots.items():
            if location.startswith(f"{root}/"):
                below = location[len(root) + 1 :]
                names = below.split("/")
                if not all(_NAME.fullmatch(name) and name not in (".", "..") for name in names):
                    raise NotOwnError(location, "is not plainly written")
                place = f"{at}/{below}"
                if is_local(place) and os.path.realpath(place) != place:
                    raise NotOwnError(location, LINKED)
                return place
        raise NotOwnError(location, f"is outside of {self.uri}")

    def is_own_folder(self, place: str) -> bool:
        """Whether a place is, or lies in, what Trackstack keeps for itself in the destination."""
        return f"{place}/".startswith(f"{self._top}/{OWN_FOLDER}/")

    def holds(self, text: str) -> bool:
        """Whether all that a text may mean is the destination's or lies in it.

        But for what Trackstack keeps there for itself.
        """
        try:
            return not self.is_own_folder(self.place_of_all(text))
        except NotOwnError:
            # The known beginning means what it is; the rest is whatever somebody wrote.
            begun = (root for root in self._roots if text.startswith(f"{root}/"))
            root = next(begun, "")
            places = list(self.meant(self._roots[root] + text[len(root) :] if root else text))
        tops = tuple(f"{top}/" for top in self._roots.values())
        return bool(places) and all(
            f"{place}/".startswith(tops) and not self.is_own_folder(place) for place in places
        )

    def may_hold(self, place: str) -> bool:
        """Whether a place is the destination's, lies in it or contains it."""
        one, other = f"{place}/", f"{self._top}/"
        return one.startswith(other) or other.startswith(one)

    def beginnings(self) -> list[str]:
        """What plainly written locations below begin with."""
        return [f"{root}/" for root in self._roots]

    def meant(self, text: str) -> Iterator[str]:
        """Every place that a text may mean, however it is written.

        For what must be kept: here a text that is no location at all does no harm.
        """
        spellings = {text, fully_unquoted(text)}
        spellings |= {MAY_BE_CUT.split(spelling)[0] for spelling in spellings}
        for spelling in spellings:
            try:
                yield self._meant(spelling)
            except ValueError:
                continue

    def _meant(self, text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme == _PROXIED[:-1]:
            return _normal(f"{self._top}/{parts.path}")
        if parts.scheme in ("http", "https") and _PROXY_ROUTE in parts.path:
            return _normal(f"{self._top}/{parts.path.partition(_PROXY_ROUTE)[2]}")
        if parts.scheme == "file":
            return os.path.realpath(parts.path)
        return _normal(text) if parts.scheme else os.path.realpath(text)


def _roots(uri: str) -> dict[str, str]:
    """The texts that locations below a destination begin with, and the place of each."""
    path = local_path(uri)
    if path is None:
        return {uri.rstrip("/"): uri.rstrip("/")}
    real = os.path.realpath(path)
    plain = (real, str(Path(path).absolute()))
    texts = {form for each in plain for form in (each, f"file://{each}", Path(each).as_uri())}
    return {text.rstrip("/"): real.rstrip("/") for text in texts}


def is_local(place: str) -> bool:
    return place.startswith("/")


def printable(text: str) -> str:
    """What a client wrote, fit for a line of a log."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def fully_unquoted(text: str) -> str:
    """A text without percent escapes, and without those that are escaped themselves."""
    while (plain := unquote(text)) != text:
        text = plain
    return text


def _normal(place: str) -> str:
    """A path, or a URI's path, without ``.``, ``..`` and empty names."""
    store, separator, path = place.rpartition("://")
    if not separator:
        return os.path.normpath(path)
    bucket, _, names = path.partition("/")
    return f"{store}://{bucket}{os.path.normpath(f'/{names}')}".rstrip("/")
