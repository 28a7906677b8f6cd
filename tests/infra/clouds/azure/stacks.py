"""Stacks on mocks, each made once."""

import functools
import json
from typing import Any

from infra.rehearsal.dump.recording import Registered
from tests.infra.recording import AzureMade, deploy_azure
from tests.infra.stack_files import AZURE

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
CONTAINER: dict[str, Any] = {"compute": "container"}
SCALE: dict[str, Any] = {"compute": "scale"}
VM: dict[str, Any] = {"compute": "vm", "sshPublicKey": _KEY}
PRIVATE: dict[str, Any] = {"private": True}


@functools.cache
def _made(text: str) -> AzureMade:
    return deploy_azure({**AZURE, **json.loads(text)})[1]


def stack(*keys: dict[str, Any]) -> AzureMade:
    """What a stack of these keys makes."""
    return _made(json.dumps({k: v for each in keys for k, v in each.items()}, sort_keys=True))


def one(made: AzureMade, kind: str, name: str = "") -> Registered:
    """The one resource of a type, which may be its ending alone, and a name."""
    [found] = [r for r in made.registered if r.type.endswith(kind) and name in ("", r.name)]
    return found


def waits(made: AzureMade, one: Registered, other: Registered) -> bool:
    """Whether one is made after the other, and so goes before it, straight or through others."""
    by = {each.options["urn"]: each.options["dependencies"] for each in made.registered}
    ahead, seen = list(one.options["dependencies"]), set[str]()
    while ahead:
        urn = ahead.pop()
        if urn not in seen:
            seen.add(urn)
            ahead += by.get(urn, [])
    return other.options["urn"] in seen
