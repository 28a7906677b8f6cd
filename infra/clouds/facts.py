"""What clouds do by themselves, by type of resource; each cloud's package has its own. Pure."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from infra.settings import MODELS


def _of_every_cloud(name: str) -> Mapping[str, Any]:
    packages = dict.fromkeys(model.package for model in MODELS)
    found = (vars(import_module(f"infra.clouds.{package}")).get(name, {}) for package in packages)
    return {kind: value for each in found for kind, value in each.items()}


_BEHIND = _of_every_cloud("BEHIND")
_LINGERING = _of_every_cloud("LINGERING")


def behind(kind: str) -> frozenset[str]:
    """Properties that others add to later, so that the state is behind; what they hold is no
    drift.
    """
    return _BEHIND.get(kind, frozenset())


def lingers(kind: str) -> str:
    """What is left for a while of a resource that was deleted; empty where it is gone at once."""
    return _LINGERING.get(kind, "")
