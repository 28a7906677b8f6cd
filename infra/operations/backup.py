"""A backup of a stack that is up, by its own command or by request to its server."""

import json
import shlex
import subprocess
import time
from collections.abc import Mapping
from typing import Any

import click

from infra.operations.stack.served import client_of
from runtime.client.server import BACKUPS
from runtime.errors import ALARM, UserError
from runtime.probe import request, token_of
from runtime.settings import RuntimeSettings

_LOOK_AGAIN_SECONDS = 2
# So long after it was asked for, or after the last sign of it, a backup has failed.
_BEGINS_SECONDS = 120
# What says nothing of the backup, which goes on: no answer, a busy server, one that is replaced.
_PASSES = (0, 429, 500, 502, 503, 504)


def back_up(outputs: Mapping[str, Any]) -> str:
    """Back the stack up by its own `command`, or by request; returns the backup's name.

    An alarm is told: the backup is made then, too, and holds much less than one before it.
    """
    command = outputs.get("command")
    if not command:
        with client_of(outputs) as client:
            return by_request(client)
    done = subprocess.run(
        [*shlex.split(str(command)), "backup", "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode not in (0, ALARM):
        raise UserError(f"the backup failed: {done.stderr.strip()[-500:]}")
    name: str = json.loads(done.stdout)["name"]
    if done.returncode == ALARM:
        click.echo(done.stderr.strip()[-1000:], err=True)
    return name


def own(said: Mapping[str, Any]) -> set[str]:
    """The complete backups of a server's own store, by its answer: others may keep theirs in the
    same place. Pure.
    """
    # One of an earlier version does not tell them apart.
    return set(said.get("own", said["backups"]))


def by_request(
    client: RuntimeSettings, patience: float = 3600, begins: float = _BEGINS_SECONDS
) -> str:
    """Have the server make a backup; returns its name.

    Raises UserError after ``patience`` seconds, or ``begins`` after the last sign of one.
    """
    before = own(_read(*_ask(client, "GET")))
    _read(*_ask(client, "POST"))
    begun = seen = time.monotonic()
    while (now := time.monotonic()) - begun < patience:
        status, body = _ask(client, "GET")
        said = None if status in _PASSES else _read(status, body)
        if said and (made := own(said) - before):
            return max(made)
        if said is None or said.get("running", True):
            seen = now
        elif now - seen > begins:
            raise UserError("the server makes no backup, and has made none; its log says why")
        time.sleep(_LOOK_AGAIN_SECONDS)
    raise UserError(f"no backup was made within {patience:.0f} s; the server's log says why")


def _ask(client: RuntimeSettings, method: str) -> tuple[int, bytes]:
    return request(client, method, BACKUPS, token_of(client))


def _read(status: int, body: bytes) -> dict[str, Any]:
    if status not in (200, 202):
        said = body.decode(errors="replace")[:500]
        raise UserError(f"the server makes no backup ({status}): {said}")
    return json.loads(body)
