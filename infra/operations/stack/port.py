"""The port of a stack on this machine: PORT=, and another one where the default is taken."""

from collections.abc import Callable

import click

from infra.clouds.shared.this_machine.ports import held, holder, is_free
from infra.operations.stack import MistakeError, Stack
from infra.operations.stack import file as stack_file
from infra.settings import PROJECT, Local, LocalContainer, Settings
from runtime.errors import UserError

_KEY = f"{PROJECT}:port"
_TRIED = 100


def chosen(
    asked: int | None,
    settings: Settings,
    *,
    is_own: bool,
    is_up: bool,
    is_free: Callable[[int], bool],
) -> int | None:
    """The port that the stack file is to be given; None where it stays as it is. Pure.

    ``is_own``: the stack file names one. ``is_up``: the stack has its port already. Raises
    MistakeError where a port is asked for and the stack is in a cloud.
    """
    if not isinstance(settings, Local | LocalContainer):
        if asked:
            raise MistakeError("PORT= is for a stack on this machine; others have 443")
        return None
    if asked:
        return asked
    if is_own or is_up or is_free(settings.port):
        return None
    tried = range(settings.port + 1, settings.port + 1 + _TRIED)
    return next(filter(is_free, tried), None)


def choose(stack: Stack, asked: int | None, *, is_up: bool) -> Settings:
    """Write a port into the stack's file where it needs one; returns what the file says then."""
    settings = stack.settings()
    is_own = _KEY in stack_file.read(stack_file.path(stack.name))
    port = chosen(asked, settings, is_own=is_own, is_up=is_up, is_free=is_free)
    if port is None:
        return settings
    if stack.run("config", "set", _KEY, str(port), quiet=True):
        raise UserError(f"{stack_file.path(stack.name)} cannot be written")
    if not asked and isinstance(settings, Local | LocalContainer):
        taken = held(settings.port, holder(settings.port)).problems[0].partition(";")[0]
        click.echo(f"{taken}; this stack takes {port}, written to {stack_file.path(stack.name)}")
    return stack.settings()
