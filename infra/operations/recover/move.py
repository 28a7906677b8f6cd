"""`make move`: a stack's data into another, by a backup and its recovery."""

import os
import shlex
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import click

from infra.operations import up
from infra.operations.backup import back_up
from infra.operations.recover import Options, fill, keys
from infra.operations.stack import MistakeError, Stack, main
from infra.operations.stack import file as stack_file
from infra.plan.local import LocalPlan
from runtime.errors import UserError
from runtime.process import trackstack


def is_here(destination: str, *, is_local: bool) -> bool:
    """Whether this machine reaches where a stack keeps its backups; else only its command does.

    Pure. A directory of a stack that is not of this machine's processes is one inside of it.
    """
    return is_local or "://" in destination


@contextmanager
def backups_of(
    outputs: Mapping[str, Any], name: str, *, is_local: bool, opened_by: Sequence[str] = ()
) -> Generator[str]:
    """Where this machine finds the backup ``name`` of a stack that is up."""
    destination = str(outputs["backup_destination"])
    if is_here(destination, is_local=is_local):
        yield destination
        return
    sending = [*shlex.split(str(outputs["command"])), "backup", "send", name]
    with TemporaryDirectory(prefix="trackstack-move-") as folder:
        taking = [trackstack(), "backup", "--to", folder, "copy", "--from", "-", name]
        with subprocess.Popen(sending, stdout=subprocess.PIPE) as sender:
            taken = subprocess.run(
                taking,
                stdin=sender.stdout,
                stdout=subprocess.DEVNULL,
                env={**os.environ, **keys.environment(opened_by)},
            )
        if sender.returncode or taken.returncode:
            raise UserError(f"{name} could not be brought here; its reason stands above")
        yield folder


@click.command()
@click.option("--from", "source", required=True, help="The stack that is up and has the data.")
@click.option("--to", "target", required=True, help="The stack that is empty, and gets them.")
@click.option("--patience", default=1800.0, help="Seconds in which a server must have it (1800).")
def command(source: str, target: str, patience: float) -> int:
    """Back a stack up, and recover another from that.

    Nothing is taken from the first, which stays up: what its clients write after the backup does
    not come along. Every part of the backup is checked before the other stack is touched, and that
    is asked in the end whether it holds the same.

    \b
    Example:
      make move FROM=local TO=azure-prod
    """
    if source == target:
        raise MistakeError("a stack is moved to another, not to itself")
    stack_file.require(target)
    stack = Stack(source)
    outputs = stack.outputs(secrets=True)
    if "tracking_uri" not in outputs:
        raise UserError(f"{source} is not up; bring it up with: make up STACK={source}")
    name = back_up(outputs)
    click.echo(
        f"move: backed {source} up as {name}; what its clients write from now on stays there"
    )
    known, is_local = keys.of_caller(outputs), isinstance(stack.plan(), LocalPlan)
    with backups_of(outputs, name, is_local=is_local, opened_by=known) as place:
        options = Options(place, name, False, patience, dry_run=False, keys=known)
        options.check(options.manifest())
        up.select(target)
        return fill(Stack(target), options)


if __name__ == "__main__":
    main("infra.operations.recover.move", command)
