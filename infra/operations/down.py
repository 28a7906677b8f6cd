"""`make down`: say what will be lost and what is kept, have it confirmed, destroy."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from infra.operations.stack import Resource, Stack, docker, main, standing
from infra.operations.stack import file as stack_file
from infra.operations.stack.protection import lifted
from infra.settings import Settings
from runtime.errors import UserError


@dataclass(frozen=True)
class Teardown:
    """What `pulumi destroy` will do. ``lost`` and ``kept`` hold data, by name and place.

    ``staying`` are the URNs of what stays in a cloud and in the state: what is kept there, and
    what it stands on, so that the next `up` goes on with it under the same names and passwords.
    ``unprotected`` are those whose protection it takes off; ``differing`` says where the stack
    file has another word than the state on what is kept.
    """

    stack: str
    protected: bool
    removed: int
    lost: tuple[str, ...]
    kept: tuple[str, ...]
    staying: tuple[str, ...] = ()
    unprotected: tuple[str, ...] = ()
    differing: str = ""


def decide(
    stack: str,
    outputs: Mapping[str, Any],
    resources: Sequence[Resource],
    settings: Settings | None = None,
) -> Teardown:
    """Sort what is in the state by what becomes of it; without ``settings``, by the state alone."""
    data = [resource for resource in resources if resource.holds_data]
    staying = standing(resources)
    gone = [resource for resource in resources if resource.urn not in staying]
    return Teardown(
        stack=stack,
        protected=bool(outputs.get("protected"))
        # What holds data is protected in every stack; what somebody protected beside it counts.
        or any(resource.protected and not resource.holds_data for resource in resources)
        or bool(data and settings and settings.protect),
        removed=sum(not (resource.holds_data and resource.kept) for resource in gone),
        lost=tuple(_named(resource) for resource in data if not resource.kept),
        kept=tuple(_named(resource) for resource in data if resource.kept),
        staying=tuple(sorted(staying)),
        unprotected=tuple(resource.urn for resource in gone if resource.protected),
        differing=_differing(data, settings) if settings else "",
    )


def _differing(data: Sequence[Resource], settings: Settings) -> str:
    """The state's word is what counts, and the stack file's what its reader believes."""
    others = [resource.name for resource in data if resource.kept != settings.keep_data]
    if not others:
        return ""
    word, fate = ("true", "LOST") if settings.keep_data else ("false", "kept")
    return (
        f"the stack file says keepData: {word}, but by what is up {', '.join(others)} would be "
        f"{fate}: the key counts from the next `make up` on"
    )


def _named(resource: Resource) -> str:
    return f"{resource.name} ({resource.place})"


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
    """Have the stack's name typed where something is lost or protected.

    Raises UserError where it is not, where nobody can be asked, and, asked or not, where the stack
    file and the state do not agree on what is kept.
    """
    if teardown.differing:
        raise UserError(
            f"{teardown.differing}; nothing was removed. To have it count: "
            f"make up STACK={teardown.stack}"
        )
    if yes or not (teardown.protected or teardown.lost):
        return
    if not sys.stdin.isatty():
        why = "is protected" if teardown.protected else "holds data that will be lost for good"
        raise UserError(
            f"{teardown.stack} {why}, and nobody can be asked here; to remove it all the same: "
            f"make down STACK={teardown.stack} YES=1"
        )
    typed = click.prompt(f"Type {teardown.stack} to remove it", default="", show_default=False)
    if typed != teardown.stack:
        raise UserError(f"{typed!r} is not {teardown.stack!r}: nothing was removed")


def apply(stack: Stack, teardown: Teardown, quiet: bool) -> int:
    """Destroy it; returns the engine's exit code. What was protected and is not gone by then is
    protected again.
    """
    excluded = [word for urn in teardown.staying for word in ("--exclude", urn)]
    with lifted(stack, teardown.unprotected, quiet=quiet) as done:
        code = stack.run("destroy", "--yes", "--skip-preview", *excluded, quiet=quiet)
        if not code:
            done()
    return code


def _settings(stack: Stack) -> Settings | None:
    """What the stack file says, where there is one."""
    if stack_file.path(stack.name).exists():
        return stack.settings()
    click.echo(
        f"down: there is no {stack_file.path(stack.name)}; the state's word counts", err=True
    )
    return None


@click.command()
@click.argument("name", metavar="STACK")
@click.option("--yes", is_flag=True, help="Do not ask, whatever is lost or protected.")
@click.option("--dry-run", is_flag=True, help="Say what would be lost; remove nothing.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(name: str, yes: bool, dry_run: bool, as_json: bool) -> int:
    """Remove STACK, after saying what will be lost for good and what is kept.

    Where data are lost or the stack is protected its name must be typed, or --yes given (YES=1
    with make). Exits 0 when all is removed, 1 where it is not.

    \b
    Examples:
      make down STACK=azure-dev
      make down STACK=azure-prod YES=1
      python -m infra.operations.down azure-prod --dry-run --json
    """
    stack = Stack(name)
    settings = _settings(stack)
    teardown = decide(name, stack.outputs(), stack.resources(), settings)
    click.echo(json.dumps(asdict(teardown)) if as_json else summary(teardown))
    if dry_run:
        if teardown.differing:
            click.echo(f"down: {teardown.differing}", err=True)
        return 0
    confirm(teardown, yes)
    docker.forget(stack, stack.resources())
    docker.require(None, stack.resources())
    if apply(stack, teardown, quiet=as_json):
        return 1
    if not as_json:
        # `pulumi stack rm`, of which the engine speaks here, removes the stack file as well.
        click.echo(f"{name} is down; bring it up again with: make up STACK={name}")
    return 0


if __name__ == "__main__":
    main("infra.operations.down", command)
