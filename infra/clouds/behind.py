"""What others add to a resource after it was made, so that the state is behind by itself. Pure."""

from collections.abc import Mapping
from importlib import import_module

from infra.settings import MODELS


def _of_every_cloud() -> Mapping[str, frozenset[str]]:
    packages = dict.fromkeys(model.package for model in MODELS)
    found = (vars(import_module(f"infra.clouds.{package}")) for package in packages)
    return {kind: keys for names in found for kind, keys in names.get("BEHIND", {}).items()}


_TYPES = _of_every_cloud()


def properties(kind: str) -> frozenset[str]:
    """Those of a type of resource; what they hold is no drift."""
    return _TYPES.get(kind, frozenset())
