"""`trackstack status`: how a server is, as it tells of itself."""

import json
from collections.abc import Mapping
from typing import Any

import click

from runtime.client import server, versions
from runtime.client.logins import Logins
from runtime.errors import UserError

_MIB, _GIB = 1 << 20, 1 << 30


@click.command()
@click.argument("url", required=False)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(url: str | None, as_json: bool) -> None:
    """Say how the server at URL is: versions, jobs, database, disk, certificate, what goes next.

    Without URL: that of MLFLOW_TRACKING_URI, else the one that was signed in to last. Exits 0 if
    all is well, 1 if something is not, 75 if it does not answer. /trackstack/ shows the same.

    \b
    Example:
      trackstack status https://mlflow.example.com
    """
    login = Logins().given(url)
    status, said = login.ask("GET", server.STATUS)
    if status != 200:
        raise UserError(f"{login.url}: {said.get('message') or status}")
    if "problems" not in said:
        raise UserError(f"{login.url}: another program answers there, or an earlier version")
    click.echo(json.dumps(said) if as_json else "\n".join(lines(login.url, said)))
    if said["problems"]:
        raise SystemExit(1)


def details(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else a server tells, in words, each with its name; an earlier one less. Pure."""
    found = list[tuple[str, str]]()
    if database := said.get("database"):
        found.append(("database", f"{database['kind']}, {database['bytes'] / _MIB:.1f} MiB"))
    for disk in said.get("disks", ()):
        free, total = disk["free_bytes"] / _GIB, disk["total_bytes"] / _GIB
        found.append(("disk", f"{', '.join(disk['holds'])}: {free:.1f} of {total:.1f} GiB free"))
    if ends := said.get("certificate_ends"):
        found.append(("https", f"the certificate ends {ends}"))
    if pruned := said.get("retention"):
        found.append(("deletes", _deletes(pruned)))
    for token in said.get("tokens_ending", ()):
        whose = "the shared token" if token["owner"] is None else "your token"
        found.append(("token", f"{whose} {token['name']} ends {token['expires']}"))
    return found


def _deletes(pruned: Mapping[str, Any]) -> str:
    stale = f"{pruned['stale']} stale in prune's report of {pruned['reported']}"
    if not pruned["deletes"]:
        return f"nothing: {stale}, and it only reports (pruneAction: report)"
    if not pruned["next"]:
        return f"nothing soon: {stale}"
    counts = ", ".join(
        f"{number} {kind}{'' if number == 1 else 's'}" for kind, number in pruned["counts"].items()
    )
    return f"from {pruned['next']} on {counts}, of {stale}; {pruned['stop']}"


def lines(url: str, said: dict[str, Any]) -> list[str]:
    """The facts for a terminal. Pure."""
    stack = f", stack {said['stack']}" if said["stack"] else ""
    run = f"trackstack {said['trackstack']}, mlflow {said['mlflow']}, schema {said['schema']}"
    found = [f"{url}{stack}: {run}"]
    for job in said["jobs"]:
        last = f"last {job['last']}, exit code {job['exit_code']}" if job["last"] else "never ran"
        following = "OVERDUE" if job["overdue"] else f"next {job['next']}"
        found.append(f"{job['name']:8} {last}, {following}")
    # A server of before tells none.
    if growth := said.get("growth"):
        size = f"a database of {growth[-1]['bytes'] / _MIB:.1f} MiB"
        found.append(f"{'store':8} {growth[-1]['runs']} runs, {size} on {growth[-1]['day']}")
    found += [f"{name:8} {text}" for name, text in details(said)]
    # Not a problem of the server's.
    here = versions.apart(versions.installed(), str(said["mlflow"]))
    found += [f"note: {here}"] if here else []
    return found + [f"BAD {problem}" for problem in said["problems"]]
