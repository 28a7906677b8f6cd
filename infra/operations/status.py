"""`make status`, and the end of `make up`: address, token, logs, deletions, backups."""

import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import click

from infra.operations.stack import Stack, main
from infra.operations.stack.served import check, client_of
from runtime import doctor
from runtime.client.status import lines
from runtime.client.trust import fingerprint
from runtime.doctor.told import said_by_server
from runtime.duration import NEVER, parse_age
from runtime.errors import UserError

_TEXT = """
MLflow is {state} at {tracking_uri}  ({version})

    export MLFLOW_TRACKING_URI={tracking_uri}{trust}
    export MLFLOW_TRACKING_TOKEN=$(make -s token{flag})

Web page  {tracking_uri}  (sign in with the token)
Others    trackstack login {tracking_uri}{fingerprint}
Logs      make logs{flag}{deletions}{backups}
Stop      make down{flag}
"""

_ENCRYPTED = (
    ", encrypted; keep their key elsewhere, too: pulumi stack output backup_key --show-secrets"
)


def outputs_of(stack: Stack) -> dict[str, Any]:
    """What a stack exports, with its secrets; raises UserError where it is not up."""
    outputs = stack.outputs(secrets=True)
    if "tracking_uri" not in outputs:
        raise UserError(
            f"stack {stack.name} is not up; bring it up with: make up STACK={stack.name}"
        )
    return outputs


def text(name: str, outputs: Mapping[str, Any], state: str = "up") -> str:
    """How the stack of a name that was brought up is used; the token itself is not shown.

    ``state`` is how its server is now.
    """
    return told(name, outputs, state, _trust(name, outputs))


def told(name: str, outputs: Mapping[str, Any], state: str, trust: str = "") -> str:
    """What `text` says of a stack with these outputs. Pure."""
    flag = "" if name == "local" else f" STACK={name}"
    lines = {"state": state, "flag": flag, "trust": trust, "fingerprint": _fingerprint(outputs)}
    lines |= {"deletions": deletions(outputs), "backups": backups(outputs)}
    return _TEXT.format(**{**outputs, **lines})


def problems_of(outputs: Mapping[str, Any]) -> list[str]:
    """What is not well with the server of a stack, asked as its users ask it."""
    return check(outputs, checks=(doctor.server, doctor.access))


def told_by_server(outputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the server of a stack tells of itself, as `trackstack status` has it.

    None where it does not: it is down, or of a version that tells nothing.
    """
    with client_of(outputs) as client:
        return said_by_server(client)


def deletions(outputs: Mapping[str, Any]) -> str:
    """One line: what is deleted, when, and how to stop it; none for an older stack. Pure."""
    if "retention" not in outputs:
        return ""
    retention: dict[str, str] = outputs["retention"]
    schedules: dict[str, str] = outputs["schedules"]
    return f"\nDeletes   {_purged(retention, schedules)}; {_pruned(retention, schedules)}"


def backups(outputs: Mapping[str, Any]) -> str:
    """One line: where backups go, and when; none for an older stack. Pure."""
    if "backup_destination" not in outputs:
        return ""
    to, schedules = str(outputs["backup_destination"]), outputs["schedules"]
    if "backup" not in schedules:
        return f"\nBacks up  nothing (backupSchedule: {NEVER})"
    with_data = is_beside_data(to, outputs)
    where = ", beside the data themselves; backupDestination names another place" * with_data
    when = _when(schedules["backup"])
    how = _ENCRYPTED * ("backup_key" in outputs)
    return f"\nBacks up  {when}, to {to}{where}{how} (backupSchedule: {NEVER} stops it)"


def is_beside_data(to: str, outputs: Mapping[str, Any]) -> bool:
    """Whether backups lie in a directory, bucket or container that they are of. Pure."""
    artifacts = str(outputs["artifacts_destination"])
    if "://" in to:
        return urlsplit(to)[:2] == urlsplit(artifacts)[:2]
    place, database = PurePosixPath(to), str(outputs.get("backend_store", ""))
    if database.startswith("sqlite:///"):
        data = PurePosixPath(database.removeprefix("sqlite:///")).parent.parent
        if place.is_relative_to(data):
            return True
    # Where the database is elsewhere: both as they are by default.
    return place.with_name("artifacts") == PurePosixPath(artifacts)


def _purged(retention: Mapping[str, str], schedules: Mapping[str, str]) -> str:
    if "gc" not in schedules or retention["gc_ttl"] == NEVER:
        key = "gcTtl" if retention["gc_ttl"] == NEVER else "gcSchedule"
        return f"nothing that users deleted ({key}: {NEVER})"
    age, when = _age(retention["gc_ttl"]), _when(schedules["gc"])
    return f"what users deleted {age} ago, {when} (gcTtl: {NEVER} stops it)"


def _pruned(retention: Mapping[str, str], schedules: Mapping[str, str]) -> str:
    if "prune" not in schedules:
        return f"prune never runs (pruneSchedule: {NEVER})"
    if retention["prune_action"] != "delete":
        return "prune only reports (pruneAction: report)"
    if retention["entity_ttl_days"] == NEVER:
        return f"nothing is stale (entityTtlDays: {NEVER})"
    age, when = _age(f"{retention['entity_ttl_days']}d"), _when(schedules["prune"])
    # A stack of an earlier version does not say how long.
    notice = f" after {_age(retention['prune_notice'])} in its reports" * (
        "prune_notice" in retention
    )
    return f"what nobody used for {age}, {when}{notice} (pruneAction: report stops it)"


def _age(text: str) -> str:
    """Whole days in words; any other age as the stack file has it."""
    age = parse_age(text)
    if age.seconds or age.microseconds or not age.days:
        return text
    return f"{age.days} day{'' if age.days == 1 else 's'}"


def _when(cron: str) -> str:
    """The commonest schedules in words; any other as the stack file has it."""
    if cron == "* * * * *":
        return "every minute"
    found = re.fullmatch(r"\*/([1-9]\d*) \* \* \* \*", cron)
    # A step that divides no hour is cut short at its end.
    if found and 60 % int(found[1]) == 0:
        return f"every {found[1]} minutes"
    if found := re.fullmatch(r"(\d+) (\d+) \* \* \*", cron):
        return f"daily at {int(found[2]):02}:{int(found[1]):02} UTC"
    return f"at '{cron}' UTC"


def _fingerprint(outputs: Mapping[str, Any]) -> str:
    """The option by which others trust the stack's own authority, where it has one. Pure."""
    authority = outputs.get("ca_certificate")
    return f" --fingerprint {fingerprint(str(authority))}" if authority else ""


def _trust(stack: str, outputs: Mapping[str, Any]) -> str:
    """Write the stack's own authority to a file and say how clients trust it, where it has one."""
    if "ca_certificate" not in outputs:
        return ""
    path = Path(".trackstack").absolute() / f"{stack}-ca.pem"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(str(outputs["ca_certificate"]) + "\n")
    return f"\n    export MLFLOW_TRACKING_SERVER_CERT_PATH={path}"


@click.command()
@click.argument("name", metavar="STACK")
@click.option("--json", "as_json", is_flag=True, help="For machines, without secrets.")
@click.option("--output", metavar="NAME", help="Print one of its outputs instead; ask nobody.")
def command(name: str, as_json: bool, output: str | None) -> int:
    """Say where STACK is, how it is used, and whether it is well; exits 1 where it is not.

    Asks the server itself, as its users do, and it tells what `trackstack status` says.
    """
    outputs = outputs_of(Stack(name))
    if output:
        if output not in outputs:
            raise UserError(f"{name} has no output {output}, but {', '.join(sorted(outputs))}")
        click.echo(outputs[output])
        return 0
    return show(name, outputs, as_json=as_json)


def show(name: str, outputs: Mapping[str, Any], *, as_json: bool) -> int:
    """Print how the stack of a name is by its outputs; returns the exit code."""
    uri, problems = str(outputs["tracking_uri"]), problems_of(outputs)
    state = "DOWN" if problems else "up"
    # One that answers but does not let in may still say why.
    answers = not any(problem.startswith("server:") for problem in problems)
    said = told_by_server(outputs) if answers else None
    problems += said["problems"] if said else []
    if as_json:
        told_of = {"stack": name, "tracking_uri": uri, "state": state, "problems": problems}
        click.echo(json.dumps({**told_of, "server": said}))
        return 1 if problems else 0
    click.echo(text(name, outputs, state))
    for line in lines(uri, {**said, "problems": []}) if said else []:
        click.echo(line)
    for problem in problems:
        click.echo(problem, err=True)
    return 1 if problems else 0


if __name__ == "__main__":
    main("infra.operations.status", command)
