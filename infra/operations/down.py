"""`make down`: say what will be lost and what is kept, have it confirmed, destroy."""

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from infra.clouds import facts
from infra.operations.stack import MistakeError, Resource, Stack, docker, guard, main, standing
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
    file has another word than the state on what is kept, or that there is none; ``allowances`` are
    what DATA= calls what is lost; ``lingering`` says what a cloud only schedules to go.
    """

    stack: str
    protected: bool
    removed: int
    lost: tuple[str, ...]
    kept: tuple[str, ...]
    staying: tuple[str, ...] = ()
    unprotected: tuple[str, ...] = ()
    differing: str = ""
    allowances: tuple[str, ...] = ()
    lingering: tuple[str, ...] = ()


def decide(
    stack: str,
    outputs: Mapping[str, Any],
    resources: Sequence[Resource],
    settings: Settings | None,
) -> Teardown:
    """Sort what is in the state by what becomes of it; ``settings`` are the stack file's."""
    data = [resource for resource in resources if resource.holds_data]
    staying = standing(resources)
    gone = [resource for resource in resources if resource.urn not in staying]
    return Teardown(
        stack=stack,
        protected=bool(gone and outputs.get("protected"))
        # What holds data is protected in every stack; what somebody protected beside it counts.
        or any(resource.protected and not resource.holds_data for resource in resources)
        or bool(data and settings and settings.protect),
        removed=sum(not (resource.holds_data and resource.kept) for resource in gone),
        lost=tuple(_named(resource) for resource in data if not resource.kept),
        kept=tuple(_named(resource) for resource in data if resource.kept),
        staying=tuple(sorted(staying)),
        unprotected=tuple(resource.urn for resource in gone if resource.protected),
        differing=_differing(stack, data, settings),
        allowances=tuple(f"delete:{resource.name}" for resource in data if not resource.kept),
        lingering=tuple(f"{one.place} {left}" for one in gone if (left := facts.lingers(one.type))),
    )


def _differing(stack: str, data: Sequence[Resource], settings: Settings | None) -> str:
    """The state's word is what counts, and the stack file's what its reader believes."""
    if settings is None and data:
        return (
            f"there is no {stack_file.path(stack)}, which says what is kept; to have it as of the "
            f"last update: pulumi config refresh --stack {stack}"
        )
    if settings is None:
        return ""
    others = [resource.name for resource in data if resource.kept != settings.keep_data]
    if not others:
        return ""
    word, fate = ("true", "LOST") if settings.keep_data else ("false", "kept")
    return (
        f"the stack file says keepData: {word}, but by what is up {', '.join(others)} would be "
        f"{fate}: the key counts from the next `make up STACK={stack}` on"
    )


def _named(resource: Resource) -> str:
    return f"{resource.name} ({resource.place})"


def summary(teardown: Teardown) -> str:
    """For a person, before it is done."""
    lines = [f"{teardown.stack}: {teardown.removed} resources will be removed"]
    lines += [f"  LOST for good  {name}" for name in teardown.lost]
    lines += [f"  kept           {name}" for name in teardown.kept]
    lines += [f"  later          {said}" for said in teardown.lingering]
    if teardown.staying:
        lines.append("What is kept stays in the stack, with what it stands on: `make up` goes on.")
    if teardown.protected:
        lines.append("The stack is protected (protect: true in its stack file).")
    return "\n".join(lines)


def confirm(teardown: Teardown, yes: bool, allowed: Collection[str] = frozenset()) -> None:
    """Have the stack's name typed where something is lost or protected.

    Not asked for with ``yes``, nor, where the stack is not protected, where ``allowed`` names all
    that is lost. Raises UserError where it is not typed, where nobody can be asked, and, asked or
    not, where the stack file and the state do not agree on what is kept; MistakeError where
    ``allowed`` names what is not lost.
    """
    if teardown.differing:
        raise UserError(f"{teardown.differing}; nothing was removed")
    if vain := guard.told_in_vain(allowed, teardown.allowances):
        raise MistakeError(f"{vain}, of what is lost; nothing was removed")
    is_named = set(teardown.allowances) <= set(allowed)
    if yes or (is_named and not teardown.protected):
        return
    if not sys.stdin.isatty():
        why = "is protected" if teardown.protected else "holds data that will be lost for good"
        ways = ["YES=1"]
        if not teardown.protected:
            ways.append(f"DATA={','.join(teardown.allowances)}")
        raise UserError(
            f"{teardown.stack} {why}, and nobody can be asked here; to remove it all the same: "
            f"make down STACK={teardown.stack} {' or '.join(ways)}"
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
    return stack.settings() if stack_file.path(stack.name).exists() else None


@click.command()
@click.argument("name", metavar="STACK")
@click.option("--yes", is_flag=True, help="Do not ask, whatever is lost or protected.")
@click.option("--data", default="", help="What may be lost: delete:NAME, by comma.")
@click.option("--dry-run", is_flag=True, help="Say what would be lost; remove nothing.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(name: str, yes: bool, data: str, dry_run: bool, as_json: bool) -> int:
    """Remove STACK, after saying what will be lost for good and what is kept.

    Where data are lost or the stack is protected its name must be typed, or --yes given (YES=1
    with make), or all that is lost named by --data (DATA= with make). Where the stack file and
    what is up do not agree on what is kept, or there is no stack file, nothing is removed.
    Exits 0 when all is removed, 1 where it is not, 2 where what was typed is wrong.

    \b
    Examples:
      make down STACK=azure-dev
      make down STACK=azure-prod YES=1
      make down STACK=azure-dev DATA=delete:database,delete:artifacts
      python -m infra.operations.down azure-prod --dry-run --json
    """
    allowed = guard.allowances(data)
    stack = Stack(name)
    resources, outputs = stack.exported()
    teardown = decide(name, outputs, resources, _settings(stack))
    click.echo(json.dumps(asdict(teardown)) if as_json else summary(teardown))
    if dry_run:
        if teardown.differing:
            click.echo(f"down: {teardown.differing}", err=True)
        return 0
    confirm(teardown, yes, allowed)
    docker.forget(stack, resources)
    docker.require(None, stack.resources())
    if apply(stack, teardown, quiet=as_json):
        return 1
    if not as_json:
        click.echo(
            f"{name} is down; bring it up again with: make up STACK={name}\n"
            "(`pulumi stack rm`, of which the engine speaks, would remove its stack file as well)"
        )
    return 0


if __name__ == "__main__":
    main("infra.operations.down", command, mistake=2)
