"""`make up`: bring a stack up and say how it is used."""

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import click

from infra.operations import status
from infra.operations.account.preflight import require
from infra.operations.stack import Stack, docker, guard, main, served
from infra.operations.stack import file as stack_file
from infra.operations.stack import port as ports
from infra.settings import LocalContainer, Settings
from infra.settings.cloud import CloudKeys
from runtime import doctor
from runtime.errors import UserError

_OTHER_SALT = """\
encryptionsalt in {file} belongs to another passphrase than this machine's; put that one into
.trackstack/passphrase, or remove the line (and every secure: value) to begin a stack of your own"""


def options(settings: Settings, is_terminal: bool) -> list[str]:
    """How the engine is to go about it. Pure.

    On this machine it costs nothing and is soon gone again, so nothing is asked. Containers that
    somebody stopped are seen by a refresh alone; processes are looked at in every update.
    """
    if isinstance(settings, CloudKeys) and is_terminal:
        return ["--suppress-outputs"]
    refresh = ["--refresh"] if isinstance(settings, LocalContainer) else []
    return ["--suppress-outputs", "--yes", "--skip-preview", *refresh]


def not_done(name: str, settings: Settings) -> str:
    """What an update that the engine did not end well leaves behind, and what to do. Pure."""
    billed = " and is billed" if isinstance(settings, CloudKeys) else ""
    return (
        f"up: not done; what was made until then stays{billed}. Put right what stands above, and "
        f"run it again: make up STACK={name} goes on from there. To give up: make down STACK={name}"
    )


def select(name: str) -> None:
    """Make the stack where it is not there yet, and the one that `pulumi` works on by itself.

    Raises UserError with the engine's words where it cannot.
    """
    done = subprocess.run(
        ["pulumi", "stack", "select", "--create", name, "--color", "never"],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = (done.stderr + done.stdout).strip()
        hint = _OTHER_SALT.format(file=stack_file.path(name)) if "passphrase" in said else ""
        raise UserError(f"{said}\n{hint}".strip())


@click.command()
@click.argument("name", metavar="STACK")
@click.option("--preflight/--no-preflight", default=True, help="Look at the cloud first.")
@click.option("--data", default="", help="What may be lost: replace:NAME or delete:NAME, by comma.")
@click.option(
    "--wait",
    default=180.0,
    help="Seconds in which the new server must answer users, 0: it is not asked (180).",
)
@click.option("--port", type=click.IntRange(1, 65535), help="Write another port to the file.")
def command(name: str, data: str, wait: float, preflight: bool, port: int | None) -> int:
    """Bring STACK up, or bring it to what its stack file says.

    Stops, with exit code 1 and nothing changed, where that deletes, replaces or leaves behind what
    holds data, unless --data (DATA= with make) names it. In a cloud and on a terminal the engine
    asks first. A stack that is not up yet begins with a look at its cloud (`make preflight`),
    unless told not to (PREFLIGHT=no with make). Ends well only when the server that was deployed
    answers at its public address, to its own token; with --wait 0 (WAIT=0 with make) it is not
    asked. On this machine, a first `up` whose file names no port takes the next free one where the
    default is taken; --port (PORT= with make) names another. Exits with 2 where what was typed, or
    the stack file, is wrong.

    \b
    Examples:
      make up STACK=azure-dev
      make up DATA=replace:data
      make up PORT=5010
    """
    allowed = guard.allowances(data)
    stack_file.require(name)
    select(name)
    stack = Stack(name)
    state = stack.resources()
    settings = ports.choose(stack, port, is_up=bool(state))
    docker.require(settings, state)
    docker.require_name(name, settings, state)
    if isinstance(settings, LocalContainer):
        docker.require_password(stack.plan(), state)
    docker.reconnect(state)
    # What is up was let in before.
    if preflight and not state:
        require(stack)
    again = [word for urn in docker.pruned(state) for word in ("--replace", urn)]
    if guard.up(stack, *options(settings, sys.stdin.isatty()), *again, allowed=allowed):
        click.echo(not_done(name, settings), err=True)
        return 1
    outputs = status.outputs_of(stack)
    if wait:
        _require_served(stack, outputs, wait)
    click.echo(status.text(name, outputs))
    return 0


def _require_served(stack: Stack, outputs: Mapping[str, Any], seconds: float) -> None:
    """Raise UserError where the server that was deployed does not answer users in time."""
    if problems := served.check(outputs, seconds, (doctor.server, doctor.access)):
        flag = "" if stack.name == "local" else f" STACK={stack.name}"
        problems = [
            *problems,
            f"it was brought up, and does not serve after {seconds:g} s: see make logs{flag}; "
            "where this machine may not reach it, WAIT=0 does not ask",
        ]
        raise UserError("\n".join(problems))


if __name__ == "__main__":
    main("infra.operations.up", command, mistake=2)
