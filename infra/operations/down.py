"""`make down`: say what will be lost and what is kept, have it confirmed, destroy."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from infra.operations.stack import Resource, Stack, main, standing
from runtime.errors import UserError


@dataclass(frozen=True)
class Teardown:
    """What `pulumi destroy` will do. ``lost`` and ``kept`` hold data, by name and type.

    ``staying`` are the URNs of what stays in a cloud and in the state: what is kept there, and
    what it stands on, so that the next `up` goes on with it under the same names and passwords.
    """

    stack: str
    protected: bool
    removed: int
    lost: tuple[str, ...]
    kept: tuple[str, ...]
    staying: tuple[str, ...] = ()


def decide(stack: str, outputs: Mapping[str, Any], resources: Sequence[Resource]) -> Teardown:
    """Sort what is in the state by what becomes of it."""
    data = [resource for resource in resources if resource.holds_data]
    staying = standing(resources)
    gone = [resource for resource in resources if resource.urn not in staying]
    return Teardown(
        stack=stack,
        protected=bool(outputs.get("protected")) or any(r.protected for r in resources),
        removed=sum(not (resource.holds_data and resource.kept) for resource in gone),
        lost=tuple(_named(resource) for resource in data if not resource.kept),
        kept=tuple(_named(resource) for resource in data if resource.kept),
        staying=tuple(sorted(staying)),
    )


def _named(resource: Resource) -> str:
    place = resource.inputs.get("data_dir") or resource.inputs.get("name") or resource.type
    return f"{resource.name} ({place})"


def summary(teardown: Teardown) -> str:
    """For a person, before it is done."""
    lines = [f"{teardown.stack}: {teardown.removed} resources will be removed"]
    lines += [f"  LOST for good  {name}" for name in teardown.lost]
    lines += [f"  kept           {name}" for name in teardown.kept]
    if teardown.staying:
        lines.append("What is kept stays in the stack, with what it stands on: `make up` goes on.")
    if teardown.protected:
        lines.append("The stack is protected (protect: true in its stack file).")
    return "\n".join(lines)


def confirm(teardown: Teardown, yes: bool) -> None:
    """Have a protected stack's name typed; raises UserError where it is not."""
    if yes or not teardown.protected:
        return
    if not sys.stdin.isatty():
        raise UserError(
            f"{teardown.stack} is protected; to remove it all the same: "
            f"make down STACK={teardown.stack} YES=1"
        )
    typed = click.prompt(f"Type {teardown.stack} to remove it", default="", show_default=False)
    if typed != teardown.stack:
        raise UserError(f"{typed!r} is not {teardown.stack!r}: nothing was removed")


def apply(stack: Stack, teardown: Teardown, quiet: bool) -> int:
    """Destroy it; returns the engine's exit code."""
    if teardown.protected:
        code = stack.run("state", "unprotect", "--all", "--yes", quiet=quiet)
        if code:
            return code
    excluded = [word for urn in teardown.staying for word in ("--exclude", urn)]
    return stack.run("destroy", "--yes", "--skip-preview", *excluded, quiet=quiet)


@click.command()
@click.argument("name", metavar="STACK")
@click.option("--yes", is_flag=True, help="Do not ask, even where the stack is protected.")
@click.option("--dry-run", is_flag=True, help="Say what would be lost; remove nothing.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(name: str, yes: bool, dry_run: bool, as_json: bool) -> int:
    """Remove STACK, after saying what will be lost for good and what is kept.

    Asks only where the stack is protected: then its name must be typed, or --yes given (YES=1 with
    make). Exits 0 when all is removed, 1 where it is not.

    \b
    Examples:
      make down STACK=azure-dev
      make down STACK=azure-prod YES=1
      python -m infra.operations.down azure-prod --dry-run --json
    """
    stack = Stack(name)
    teardown = decide(name, stack.outputs(), stack.resources())
    click.echo(json.dumps(asdict(teardown)) if as_json else summary(teardown))
    if dry_run:
        return 0
    confirm(teardown, yes)
    return 1 if apply(stack, teardown, quiet=as_json) else 0


if __name__ == "__main__":
    main("infra.operations.down", command)
