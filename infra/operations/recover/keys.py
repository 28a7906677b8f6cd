"""What opens encrypted backups: whose word it is, and how a stack comes to know it."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from infra.operations.stack import Stack
from runtime import settings as runtime_settings
from runtime.backup.format.places import given_keys
from runtime.errors import UserError
from runtime.settings import variable

_KEYS = "trackstack:earlierBackupKeys"


def of_caller(outputs: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of the caller's variables, and of a stack that is up, by its outputs with secrets."""
    given = given_keys(runtime_settings.load())
    return tuple(dict.fromkeys([*given, *str(outputs.get("backup_key", "")).split()]))


def asked(reason: UserError) -> str:
    """The key, typed by whoever sits there; raises ``reason`` where nobody does."""
    if not sys.stdin.isatty():
        raise reason
    click.echo(str(reason), err=True)
    return str(click.prompt("Key of the backup", hide_input=True, err=True)).strip()


def environment(keys: Sequence[str]) -> dict[str, str]:
    """What a `trackstack` of this machine opens encrypted backups with."""
    return {variable("earlier_backup_keys"): " ".join(keys)} if keys else {}


def with_key(key: str, own: str | None, had: Sequence[str]) -> list[str] | None:
    """The earlier keys of a stack that opens backups of ``key``; None where it does so already, by
    its ``own`` or by those that it ``had``, which all stay: other backups may need them. Pure.
    """
    return None if key == own or key in had else [key, *had]


def give(stack: Stack, key: str, outputs: Mapping[str, Any]) -> bool:
    """Write into the stack file the key that its server needs; whether that is new to the server.

    The values go by stdin, since the arguments of a process are for all to see.
    """
    # Its own, and behind that the earlier ones of its last update.
    known = str(outputs.get("backup_key", "")).split()
    config: Mapping[str, Mapping[str, str]] = stack.ask("config", "--show-secrets", "--json")
    had = config.get(_KEYS, {}).get("value", "").split()
    if keys := with_key(key, known[0] if known else None, had):
        where = ("--stack", stack.name, "--non-interactive")
        done = subprocess.run(
            ["pulumi", "config", "set", "--secret", _KEYS, *where],
            input=" ".join(keys),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise UserError(f"pulumi config set {_KEYS}: {done.stderr.strip()}")
    return key not in known
