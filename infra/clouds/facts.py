"""What clouds do by themselves, by type of resource: of each cloud its package, and its module
`refused` where it has one. Pure.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from infra.settings import PACKAGES


def of_every_cloud(name: str) -> Mapping[str, Any]:
    """What the clouds say under this name, by type; those that say nothing have none."""
    modules = (f"infra.clouds.{package}{own}" for package in PACKAGES for own in ("", ".refused"))
    found = (vars(import_module(each)).get(name, {}) for each in modules if find_spec(each))
    return {kind: value for each in found for kind, value in each.items()}


_BEHIND = of_every_cloud("BEHIND")
_LINGERING = of_every_cloud("LINGERING")
_NAMED = of_every_cloud("NAMED")
_REFUSED = of_every_cloud("REFUSED")
_REFUSED_IN_USE = of_every_cloud("REFUSED_IN_USE")


def behind(kind: str) -> frozenset[str]:
    """Properties that others add to later, so that the state is behind; what they hold is no
    drift.
    """
    return _BEHIND.get(kind, frozenset())


def lingers(kind: str) -> str:
    """What is left for a while of a resource that was deleted; empty where it is gone at once."""
    return _LINGERING.get(kind, "")


def named(kind: str) -> bool:
    """Whether one that is left behind is in the way of another of its name."""
    return kind in _NAMED


def refused(kind: str, was: Mapping[str, Any], will: Mapping[str, Any]) -> str:
    """Why its cloud refuses to change one from these inputs to those, and what else to do; empty
    where it does not.
    """
    refuses = _REFUSED.get(kind)
    return str(refuses(was, will)) if refuses and was and will else ""


def refused_in_use(kind: str) -> bool:
    """Whether its cloud refuses that only while others name it."""
    return kind in _REFUSED_IN_USE
