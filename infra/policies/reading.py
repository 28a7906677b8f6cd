"""How a rule reads a resource's inputs. Pure.

What a preview cannot know yet is UNKNOWN in them, and is judged by the next one.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

Props = Mapping[str, Any]
# The problems with the inputs of one resource.
Check = Callable[[Props], Iterator[str]]
UNKNOWN = object()
ANYWHERE = frozenset({"*", "0.0.0.0/0", "Internet", "::/0"})
# The proxy's, and that of Container Apps' own proxy.
OPEN_PORTS = frozenset({"443", "31443"})
_SECRET_NAME = re.compile(r"(TOKEN|PASSWORD|SECRET|API_KEY|PRIVATE_KEY)$")
_LOGIN_IN_URI = re.compile(r"://[^/@\s:]+:[^/@\s*]+@")


def _of(props: Props, path: str) -> list[Any]:
    """All values at a dotted path, through lists; UNKNOWN where one on the way is."""
    found: list[Any] = [props]
    for name in path.split("."):
        below = [one if one is UNKNOWN else one.get(name) for one in found if one is not None]
        found = [one for value in below for one in _each(value)]
    return [one for one in found if one is not None]


def _each(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def known(props: Props, path: str) -> list[Any]:
    return [one for one in _of(props, path) if one is not UNKNOWN]


def must_be(path: str, *allowed: object) -> Check:
    """A value that is given must be one of these; where it is not given, the first is needed."""

    def check(props: Props) -> Iterator[str]:
        for value in _of(props, path) or [None]:
            if value is not UNKNOWN and value not in allowed:
                yield f"{path} is {value!r}; allowed: {', '.join(map(repr, allowed))}"

    return check


def all_of(*checks: Check) -> Check:
    def check(props: Props) -> Iterator[str]:
        for one in checks:
            yield from one(props)

    return check


def variables(pairs: Callable[[Props], Iterator[tuple[str, Any]]]) -> Check:
    def check(props: Props) -> Iterator[str]:
        for name, value in pairs(props):
            if not isinstance(value, str) or not value:
                continue
            if _SECRET_NAME.search(name) or _LOGIN_IN_URI.search(value):
                yield f"variable {name} holds a secret in plain text; hand it over as a file"

    return check


def named(path: str) -> Callable[[Props], Iterator[tuple[str, Any]]]:
    def pairs(props: Props) -> Iterator[tuple[str, Any]]:
        for entry in known(props, path):
            yield str(entry.get("name")), entry.get("value")

    return pairs


def mapped(path: str) -> Callable[[Props], Iterator[tuple[str, Any]]]:
    def pairs(props: Props) -> Iterator[tuple[str, Any]]:
        for entry in known(props, path):
            yield from cast("dict[str, Any]", entry).items()

    return pairs


def lines(path: str) -> Callable[[Props], Iterator[tuple[str, Any]]]:
    def pairs(props: Props) -> Iterator[tuple[str, Any]]:
        for line in known(props, path):
            name, _, value = str(line).partition("=")
            yield name, value

    return pairs
