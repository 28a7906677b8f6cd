"""What a server tells of itself, and of tokens: also where nobody can run a command beside it."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, cast

from runtime.client import versions
from runtime.client.server import STATUS
from runtime.doctor import cures
from runtime.doctor.finding import Finding
from runtime.doctor.jobs import judged
from runtime.errors import UserError
from runtime.jobs.runs import JobState
from runtime.probe import request, token_of
from runtime.settings import RuntimeSettings
from runtime.tokens.listing import ending
from runtime.tokens.served import ServedTokens


def mlflow(settings: RuntimeSettings) -> Finding:
    """Whether the MLflow that is installed here goes with the server's."""
    status, answer = request(settings, "GET", "/version", token_of(settings))
    server = answer.decode(errors="replace").strip() if status == 200 else ""
    if said := versions.apart(versions.installed(), server):
        found, _, advice = said.partition(": ")
        return Finding("versions", False, found, advice)
    return Finding("versions", True, f"MLflow {server or 'of a version that it does not tell'}")


def store_away(settings: RuntimeSettings) -> Finding | None:
    """That a server which answers cannot read its store; None where it can, or does not tell."""
    said = said_by_server(settings)
    # An earlier version says nothing of its database.
    if said is None or said.get("database", "") is not None:
        return None
    advice = f"see whether the database runs, and {cures.logs(settings)}"
    return Finding("backend store", False, "the server cannot read it", advice)


def said_by_server(settings: RuntimeSettings) -> dict[str, Any] | None:
    """What a server tells of itself; None of an earlier version, or of another program."""
    status, answer = request(settings, "GET", STATUS, token_of(settings))
    try:
        said: Any = json.loads(answer) if status == 200 else None
    except ValueError:
        return None
    return cast("dict[str, Any]", said) if isinstance(said, dict) and "jobs" in said else None


def by_server(settings: RuntimeSettings) -> list[Finding]:
    """Its jobs and its shared tokens, as far as the token of this place may know them."""
    now, found = datetime.now(timezone.utc), list[Finding]()
    if said := said_by_server(settings):
        found.append(jobs_by_server(settings, said, now))
    try:
        tokens = ServedTokens(settings).list()
    except UserError:
        # Only admins may know.
        return found
    return [*found, expiring(settings, tokens, now)]


def jobs_by_server(settings: RuntimeSettings, said: Mapping[str, Any], now: datetime) -> Finding:
    """What to say of the jobs that a status tells. Pure."""
    states = [_state(job, now) for job in said["jobs"]]
    late = [job["name"] for job in said["jobs"] if job["overdue"]]
    return judged(settings, states, now, late)


def _state(job: Mapping[str, Any], now: datetime) -> JobState:
    running, last = job["running_since"], job["last"]
    run = {"started": last, "exit_code": job["exit_code"]} if last else None
    return JobState(job["name"], job["schedule"], now, _time(running) if running else None, run)


def expiring(
    settings: RuntimeSettings, tokens: Iterable[Mapping[str, Any]], now: datetime
) -> Finding:
    """The shared tokens that end within a week: nobody else is told. Pure."""
    soon = [token for token in ending(tokens, now) if token["owner"] is None]
    if not soon:
        return Finding("tokens", True, "none of the shared ones ends within a week")
    told = ", ".join(f"{token['name']} ends {token['expires'][:10]}" for token in soon)
    first = soon[0]
    made = cures.token(settings, f"{first['name']}-2", str(first["role"]))
    return Finding("tokens", False, told, f"give its clients another: {made}")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
