"""`make rotate-key`: another key for the secrets in a stack's store, which `make up` then makes.

The server puts them under it as it starts. The keys of before stay behind it, for older backups.
"""

import click

from infra.operations.stack import Stack, main
from infra.settings import PROJECT
from runtime.errors import UserError

_KEY = f"{PROJECT}:secretsKeyRotation"


@click.command()
@click.argument("name", metavar="STACK")
def command(name: str) -> int:
    """Write to STACK's file that the key is to be rotated once more.

    \b
    Example:
      make rotate-key STACK=azure-prod
    """
    stack = Stack(name)
    number = stack.settings().secrets_key_rotation + 1
    if stack.run("config", "set", _KEY, str(number), quiet=True):
        raise UserError(f"{_KEY} cannot be written to the stack file of {name}")
    return 0


if __name__ == "__main__":
    main("infra.operations.rotate_key", command)
