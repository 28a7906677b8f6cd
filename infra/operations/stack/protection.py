"""The engine's protection of single resources, taken off for one operation."""

import shlex
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import click

from infra.operations.stack import Stack
from runtime.errors import UserError


@contextmanager
def lifted(
    stack: Stack, urns: Sequence[str], *, quiet: bool = False
) -> Generator[Callable[[], None]]:
    """A time in which ``urns`` are not protected. It is given a function to call when all went
    well; without that call, whatever of them is still there is protected again.

    Raises UserError where the protection cannot be taken off.
    """
    if urns and stack.run("state", "unprotect", *urns, "--yes", quiet=quiet):
        raise UserError("the protection could not be taken off; nothing was changed")
    is_done = False

    def done() -> None:
        nonlocal is_done
        is_done = True

    try:
        yield done
    finally:
        if urns and not is_done:
            _protect(stack, urns, quiet)


def _protect(stack: Stack, urns: Sequence[str], quiet: bool) -> None:
    try:
        there = {one.urn for one in stack.resources() if not one.protected}
        again = [urn for urn in urns if urn in there]
        code = stack.run("state", "protect", *again, "--yes", quiet=quiet) if again else 0
    except UserError:
        again, code = list(urns), 1
    if code:
        command = shlex.join(["pulumi", "state", "protect", *again, "--stack", stack.name])
        click.echo(f"the protection could not be set again; set it with:\n  {command}", err=True)
