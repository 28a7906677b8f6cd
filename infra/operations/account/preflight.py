"""`make preflight`: whether a cloud is ready for a stack, before anything is made there."""

import json
from dataclasses import asdict

import click

from infra.operations import account
from infra.operations.stack import Stack, main
from runtime.errors import UserError


def require(stack: Stack) -> None:
    """Raise UserError where a cloud is known not to be ready for a stack; say the rest."""
    found = account.look(stack.plan())
    failed = [check for check in found.checks if check.is_good is False]
    if failed:
        told = account.lines(account.Account(tuple(failed)))
        last = "nothing was made; to go on all the same: make up PREFLIGHT=no"
        raise UserError("\n".join([*told, last]))


@click.command()
@click.argument("name", metavar="STACK")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(name: str, as_json: bool) -> int:
    """Look at the cloud that STACK's file names; change nothing.

    Exits 0 where it is ready as far as can be seen, 1 where it is not, 2 where the stack file is
    wrong.

    \b
    Examples:
      make preflight STACK=oci-prod
      python -m infra.operations.account.preflight oci-prod --json
    """
    found = account.look(Stack(name).plan())
    if as_json:
        click.echo(json.dumps({"stack": name, "ready": found.is_ready, **asdict(found)}))
    elif found.checks:
        click.echo("\n".join(account.lines(found)))
    else:
        click.echo(f"{name}: its cloud has nothing to look at before")
    return 0 if found.is_ready else 1


if __name__ == "__main__":
    main("infra.operations.account.preflight", command, mistake=2)
