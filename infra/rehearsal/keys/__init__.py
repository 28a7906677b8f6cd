"""The keys of a stack file whose values a rehearsal cannot have, and what it takes instead.

Each cloud's stand in the module of its name.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast


class _Keys(Protocol):
    ACCOUNT: Mapping[str, str]

    def replaced(self, config: Mapping[str, Any], folder: Path) -> dict[str, Any]: ...


def _of(cloud: str) -> _Keys:
    return cast("_Keys", import_module(f"infra.rehearsal.keys.{cloud}"))


def account(cloud: str) -> Mapping[str, str]:
    """The keys that an example of this cloud leaves to be put in."""
    return _of(cloud).ACCOUNT


def replaced_keys(cloud: str, config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Key -> its value in a rehearsal, None for one that is left out.

    ``config`` has the stack file's keys with their prefix; ``folder`` takes files that are named.
    """
    return _of(cloud).replaced(config, folder)
