"""`make run`: a `trackstack` command beside a stack's server.

In a cloud nobody can run one. What is about backups is done all the same: made by
request to the server, and read from where the stack keeps them, with the caller's own logins; and
tokens are the server's to make and to end, by its API with the stack's own token, which doctor asks
with, too.
"""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import click

from infra.operations.backup import back_up
from infra.operations.recover import keys
from infra.operations.stack import Stack, main
from infra.operations.stack.served import environment_of
from runtime.errors import UserError
from runtime.process import trackstack
from runtime.settings import environment_of as named
from runtime.settings import field_of


def decide(outputs: Mapping[str, Any], words: Sequence[str]) -> list[str] | None:
    """The command to run here; None where the server is asked to make a backup.

    Raises UserError where the stack is not up, or the command cannot be had there.
    """
    if "tracking_uri" not in outputs:
        raise UserError("the stack is not up; bring it up with: make up STACK=...")
    if list(words[:1]) == ["restore"] and "--dry-run" not in words:
        raise UserError(
            "restore: the stack's server is up, and would go on with another store than it has; "
            "fill a stack that is down: make down, then make recover FROM=..."
        )
    if command := outputs.get("command"):
        return [*shlex.split(str(command)), *words]
    if "backup_destination" not in outputs:
        raise UserError(
            "an earlier version brought the stack up; bring it up again: make up STACK=..."
        )
    if list(words) == ["backup"]:
        return None
    if list(words[:2]) in (["backup", "list"], ["backup", "verify"]):
        place = ["--to", str(outputs["backup_destination"])]
        if earlier := outputs.get("earlier_backups"):
            place += ["--earlier", str(earlier)]
        return [trackstack(), "backup", *place, *words[1:]]
    if by_request(outputs, words):
        return [trackstack(), *words, *(["--server"] if words[0] == "doctor" else [])]
    raise UserError(
        f"{' '.join(words)}: nobody can run a command beside the server of this stack; what can be "
        f"had: backup, backup list, backup verify, token, doctor{_on_machine(outputs)}"
    )


def _on_machine(outputs: Mapping[str, Any]) -> str:
    """What can be had on a machine that a person logs in to: there each job is a unit."""
    login = shlex.split(str(outputs.get("logs", "")))[:2]
    if login[:1] != ["ssh"]:
        return ""
    start = f"{shlex.join(login)} sudo systemctl start trackstack-gc"
    return f"; what is scheduled is started on the machine, by whom sshCidrs lets in: {start}"


def by_request(outputs: Mapping[str, Any], words: Sequence[str]) -> bool:
    """Whether a command runs here and asks the stack's server. Pure."""
    return not outputs.get("command") and list(words[:1]) in (["token"], ["doctor"])


def opening(outputs: Mapping[str, Any]) -> dict[str, str]:
    """What a command here opens the stack's backups with; nothing where it runs beside the server,
    which knows its keys.
    """
    return {} if outputs.get("command") else keys.environment(keys.of_caller(outputs))


def _ask(name: str, outputs: Mapping[str, Any], here: Sequence[str]) -> int:
    """Run a command as a client of the stack alone, whichever the environment names; its code."""
    own = {name: value for name, value in os.environ.items() if field_of(name) is None}
    with environment_of(outputs) as client:
        return subprocess.run(here, env=own | client | named(stack=name)).returncode


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--folder", type=click.Path(exists=True), help="What relative paths begin at.")
@click.argument("name", metavar="STACK")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED)
def command(name: str, words: tuple[str, ...], folder: str | None) -> int:
    """Run a trackstack command beside STACK's server; exits with its exit code.

    \b
    Examples:
      make run ARGS="backup verify"
      make run STACK=azure-prod ARGS="backup"
      python -m infra.operations.run local gc --dry-run --json
    """
    outputs = Stack(name).outputs(secrets=True)
    here = decide(outputs, words)
    if here is None:
        click.echo(f"{outputs['backup_destination']}/{back_up(outputs)}")
        return 0
    if by_request(outputs, words):
        return _ask(name, outputs, here)
    return subprocess.run(here, env=os.environ | opening(outputs), cwd=folder).returncode


if __name__ == "__main__":
    main("infra.operations.run", command)
