"""`make preview`: what an update would change, whether policies hold, and what data it takes."""

from pathlib import Path

import click

from infra.operations.cost import foresee
from infra.operations.stack import Stack, docker, guard, main
from infra.operations.stack.findings import lines

# The engine starts it from the program's own folder.
POLICIES = str(Path(__file__).parents[1] / "policies" / "pack")


@click.command()
@click.argument("name", metavar="STACK")
def command(name: str) -> int:
    """Show what an update of STACK would change; change nothing.

    Says at the end what the stack would cost a month, and what holds data that it would take. Exits
    0 where the preview works and all policies hold, 1 otherwise.
    """
    stack = Stack(name)
    state = stack.resources()
    docker.require(stack.settings(), state)
    preview, taken = guard.look(stack, state, "--policy-pack", POLICIES, silent=False)
    change = foresee(preview.events)
    if change.lines:
        click.echo("\n".join([f"cost: {change}", *(f"  {line}" for line in change.lines)]))
    if taken:
        head = "`make up` will stop: this takes what holds data, or the cloud refuses it"
        click.echo("\n".join(lines(taken, head)))
    return 1 if preview.code else 0


if __name__ == "__main__":
    main("infra.operations.preview", command)
