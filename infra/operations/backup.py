"""A backup of a stack that is up, by its own command or by request to its server."""

import json
import shlex
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from infra.operations.stack.served import client_of
from runtime.errors import UserError
from runtime.probe import request, token_of
from runtime.settings import RuntimeSettings


def back_up(outputs: Mapping[str, Any]) -> str:
    """Back the stack up by its own `command`, or by request; returns the backup's name."""
    command = outputs.get("command")
    if not command:
        with client_of(outputs) as client:
            return _request_backup(client)
    done = subprocess.run(
        [*shlex.split(str(command)), "backup", "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise UserError(f"the backup failed: {done.stderr.strip()[-500:]}")
    name: str = json.loads(done.stdout)["name"]
    return name


def _request_backup(client: RuntimeSettings, patience: float = 3600) -> str:
    def ask(method: str) -> dict[str, Any]:
        status, body = request(client, method, "/trackstack/backups", token_of(client))
        if status not in (200, 202):
            said = body.decode(errors="replace")[:500]
            raise UserError(f"the server makes no backup ({status}): {said}")
        return json.loads(body)

    before = set(ask("GET")["backups"])
    ask("POST")
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if made := set(ask("GET")["backups"]) - before:
            return max(made)
        time.sleep(2)
    raise UserError(f"no backup was made within {patience:.0f} s; the server's log says why")
