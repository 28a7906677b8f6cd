"""Who the engine's providers log in as: the same as all else that a stack's commands ask.

`eval "$(python -m infra.operations.stack.login STACK)"` gives it to a `pulumi` typed by hand.
"""

import shlex
from importlib import import_module
from importlib.util import find_spec

import click

from infra.errors import StackError
from infra.operations.stack import file as stack_file
from infra.operations.stack import main
from infra.settings import model_of
from runtime import settings as runtime_settings

_ASKING = frozenset({"up", "preview", "refresh", "destroy"})


def variables(stack: str) -> dict[str, str]:
    """The variables that a provider reads its login from, by the stack's cloud.

    Empty where the provider finds the login by itself, and where the stack has no readable file:
    the engine then says what is wrong. Raises UserError where there is no login.
    """
    try:
        package = model_of(stack_file.keys(stack)).package
    except (FileNotFoundError, StackError):
        return {}
    name = f"runtime.{package}.login"
    if find_spec(f"runtime.{package}") is None or find_spec(name) is None:
        return {}
    return dict(import_module(name).of_provider(runtime_settings.load()))


def of_command(stack: str, command: str, *_: str) -> dict[str, str]:
    """``variables`` for a command of the engine's that reaches the cloud; empty for another."""
    return variables(stack) if command in _ASKING else {}


@click.command()
@click.argument("name", metavar="STACK")
def command(name: str) -> int:
    """Print STACK's login for `pulumi`, as lines for a shell."""
    for variable, value in variables(name).items():
        click.echo(f"export {variable}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    main("infra.operations.stack.login", command)
