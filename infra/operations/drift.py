"""`make drift`: what runs other than the state says, and who can put it right; `make refresh` takes
it into the state.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from infra.clouds import facts
from infra.operations.stack import Resource, Stack, docker, main

_DRIFTED = 2


@dataclass(frozen=True)
class Drift:
    """One resource that is not as the state says. ``keys`` is empty where it is gone."""

    resource: str
    type: str
    keys: tuple[str, ...]
    remedy: str


def decide(stack: str, steps: Sequence[Mapping[str, Any]]) -> list[Drift]:
    """What the engine's `refresh --preview-only --json` found to differ."""
    found: list[Drift] = []
    for step in steps:
        old: Mapping[str, Any] = step.get("oldState") or {}
        new: Mapping[str, Any] = step.get("newState") or {}
        kind = str(old.get("type") or new.get("type"))
        if kind.startswith("pulumi:"):
            continue
        name = str(step["urn"]).rsplit("::", 1)[1]
        inputs: Mapping[str, Any] = old.get("inputs") or {}
        if step["op"] == "delete" or not new:
            resource = Resource(name, kind, inputs, protected=False, retained=False)
            found.append(Drift(name, kind, (), _remedy_of_a_loss(stack, resource)))
            continue
        detailed: Mapping[str, Any] = step.get("detailedDiff") or {}
        keys = {key for key in detailed if not key.startswith("__")} or _differing(old, new)
        grown = facts.behind(kind)
        keys = {key for key in keys if re.split(r"[.\[]", key)[0] not in grown}
        if keys:
            found.append(Drift(name, kind, tuple(sorted(keys)), _remedy(stack, keys, inputs)))
    return found


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> set[str]:
    was: Mapping[str, Any] = old.get("outputs") or {}
    now: Mapping[str, Any] = new.get("outputs") or {}
    names = {key for key in was.keys() | now.keys() if not key.startswith("__")}
    return {key for key in names if _filled(was.get(key)) != _filled(now.get(key))}


def _filled(value: Any) -> Any:
    """What is empty in a way, as providers now give none of it and now an empty list."""
    return value or None


def _remedy_of_a_loss(stack: str, resource: Resource) -> str:
    if resource.holds_data:
        return f"its data are gone: make recover STACK={stack} FROM=<backup>"
    return f"make up STACK={stack} makes it again"


def _remedy(stack: str, keys: set[str], inputs: Mapping[str, Any]) -> str:
    if any(key.split(".")[0].split("[")[0] in inputs for key in keys):
        return f"make up STACK={stack} sets it back; to keep it, say so in the stack file"
    return f"the provider changed it: make refresh STACK={stack} takes it into the state"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


@click.command()
@click.argument("stack")
@click.option("--take", is_flag=True, help="Take what differs into the state; else nothing is.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(stack: str, take: bool, as_json: bool) -> int:
    """Compare what runs with STACK's state; what runs is not changed.

    Exits 0 where nothing differs, 2 where something does, 1 where it cannot be found out.

    \b
    Examples:
      make drift STACK=azure-prod
      make refresh STACK=azure-prod
      python -m infra.operations.drift azure-prod --json
    """
    known = Stack(stack)
    state = known.resources()
    docker.require(None, state)
    if take:
        return known.run("refresh", "--yes", quiet=as_json)
    preview = known.ask("refresh", "--preview-only", "--json")
    drifts = decide(stack, preview.get("steps") or [])
    taken = {one.name: one for one, _ in docker.taken_networks(state)}
    for name in taken.keys() - {drift.resource for drift in drifts}:
        kind, keys = taken[name].type, {"networksAdvanced"}
        remedy = _remedy(stack, keys, taken[name].inputs)
        drifts.append(Drift(name, kind, tuple(keys), remedy))
    if as_json:
        click.echo(json.dumps({"stack": stack, "drift": [asdict(drift) for drift in drifts]}))
    elif drifts:
        rows = [
            (drift.resource, drift.type, ", ".join(drift.keys) or "gone", drift.remedy)
            for drift in drifts
        ]
        click.echo(_table(("RESOURCE", "TYPE", "DIFFERS", "WHO CAN PUT IT RIGHT"), rows))
    else:
        click.echo(f"{stack}: nothing differs from the state")
    return _DRIFTED if drifts else 0


if __name__ == "__main__":
    main("infra.operations.drift", command)
