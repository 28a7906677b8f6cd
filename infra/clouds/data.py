"""What holds data: the one list for policies, the guard of updates and `make down`. Pure."""

import re
from collections.abc import Mapping

from infra.clouds.facts import of_every_cloud

# Type of what holds data -> the names of those that hold none. Each is made with the options
# `protect` and `retain_on_delete` of its cloud's scope.
_TYPES: Mapping[str, str | None] = of_every_cloud("DATA")
# Those that hold data whatever their name.
ALWAYS = frozenset(kind for kind, none in _TYPES.items() if none is None)
_EMPTIED = "pulumi-python:dynamic/trackstack:EmptiedBucket"
_GENERATED = "pulumi-python:dynamic/trackstack:GeneratedSecret"
_VERSION = re.compile(r"/v\d{8}(preview)?(?=:)")
# Set by what runs an update: the data directory that the stack in the state has. The server in it
# is the stack's own, also where the update moves the stack to another directory.
DIRECTORY_VARIABLE = "TRACKSTACK_STACK_DIRECTORY"


def holds_data(kind: str, name: str) -> bool:
    """Whether the loss of a resource, by its type and its name in the stack, is a loss of data."""
    token = _VERSION.sub("", kind)
    if token not in _TYPES:
        return False
    none = _TYPES[token]
    return none is None or not re.fullmatch(none, name)


def emptied(kind: str, name: str) -> str | None:
    """The name of the bucket that a resource of ours empties when it goes; None of any other."""
    return name.removesuffix("-emptied") if kind == _EMPTIED else None


def opens_backups(kind: str, name: str) -> bool:
    """Whether it is the key that the stack's backups are encrypted with."""
    return kind == _GENERATED and name == "backup-key"


def opens_data(kind: str, name: str) -> bool:
    """Whether it is the password of a database that the stack made, which knows no other."""
    return kind == _GENERATED and name in ("database-password", "database-admin-password")
