"""`trackstack doctor`: checks this deployment part by part, and says what to do."""

import json
import os
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass

import click

from runtime import health
from runtime import settings as runtime_settings
from runtime.database.uri import shown_store
from runtime.jobs import scheduler
from runtime.probe import request, token_of
from runtime.settings import RuntimeSettings

_LEAST_FREE_BYTES = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, how it is, and what to do where it is not well."""

    check: str
    well: bool
    found: str
    advice: str = ""


def _data_directory(settings: RuntimeSettings) -> Finding:
    path = settings.data_dir.resolve()
    if not os.access(path, os.W_OK):
        advice = "make it, or set TRACKSTACK_DATA_DIR to a directory that this user can write to"
        return Finding("data directory", False, f"{path} cannot be written to", advice)
    free = shutil.disk_usage(path).free
    found = f"{path}, {free / (1 << 30):.1f} GiB free"
    advice = "" if free >= _LEAST_FREE_BYTES else "free some space: SQLite and artifacts need it"
    return Finding("data directory", not advice, found, advice)


def _backend_store(settings: RuntimeSettings) -> Finding:
    from runtime.database.engine import open_engine
    from runtime.database.state import revisions

    try:
        has, should = revisions(open_engine(settings))
    except Exception as error:
        found = f"{shown_store(settings)}: {type(error).__name__}"
        advice = "see MLFLOW_BACKEND_STORE_URI, and whether the database runs"
        return Finding("backend store", False, found, advice)
    if has == should:
        return Finding("backend store", True, f"{shown_store(settings)}, schema {has}")
    found = f"{shown_store(settings)} has schema {has or 'none'}, not {should}"
    return Finding("backend store", False, found, "run `trackstack upgrade`")


def server(settings: RuntimeSettings) -> Finding:
    status, body = request(settings, "GET", health.PATH, None)
    if status == 200:
        return Finding("server", True, f"{settings.tracking_uri} answers")
    found = f"{settings.tracking_uri}: {status or body.decode()}"
    return Finding("server", False, found, "start it, or set MLFLOW_TRACKING_URI; see its log")


def access(settings: RuntimeSettings) -> Finding:
    path = "/api/2.0/mlflow/experiments/search?max_results=1"
    token = token_of(settings)
    if not token:
        advice = "set MLFLOW_TRACKING_TOKEN or MLFLOW_TRACKING_TOKEN_FILE"
        return Finding("access", False, "no token is set", advice)
    for case, given, wanted in (
        ("without a token", None, 401),
        ("with a wrong token", "wrong", 401),
        ("with the token", token, 200),
    ):
        status, _ = request(settings, "GET", path, given)
        if status != wanted:
            found = f"{case} the server answers {status}, not {wanted}"
            return Finding("access", False, found, "see the server's log, and which token it has")
    return Finding("access", True, "open with the token, closed without")


def _artifacts(settings: RuntimeSettings) -> Finding:
    if not settings.serve_artifacts:
        return Finding("artifacts", True, f"{settings.artifacts_destination}, not proxied")
    path = f"/api/2.0/mlflow-artifacts/artifacts/trackstack-doctor/{uuid.uuid4().hex}"
    content = b"trackstack doctor"
    token = token_of(settings)
    for method, body in (("PUT", content), ("GET", None), ("DELETE", None)):
        status, answer = request(settings, method, path, token, body)
        if status != 200 or (method == "GET" and answer != content):
            found = f"{settings.artifacts_destination}: {method} answers {status}"
            advice = "see the server's log, and its rights on the artifact store"
            return Finding("artifacts", False, found, advice)
    return Finding("artifacts", True, f"{settings.artifacts_destination} takes and gives files")


def image_of(settings: RuntimeSettings) -> str | None:
    """The image that a server says it runs; None where it does not say it."""
    _, body = request(settings, "GET", "/metrics", token_of(settings))
    found = re.search(r'^trackstack_build_info\{image="([^"]+)"', body.decode(), re.MULTILINE)
    return found[1] if found else None


def _jobs(settings: RuntimeSettings) -> Finding:
    runs = scheduler.read_state(settings.data_dir)
    failed = [name for name, run in runs.items() if run.exit_code]
    told = [f"{name} at {run.started}, exit code {run.exit_code}" for name, run in runs.items()]
    found = "; ".join(told) or "none has run yet"
    # As the schedule runs it: prune by its own name would delete.
    advice = f"run by hand: trackstack scheduler --once {failed[0]}" if failed else ""
    return Finding("jobs", not failed, found, advice)


# What can be asked from any machine that the server answers.
REMOTE_CHECKS: tuple[Callable[[RuntimeSettings], Finding], ...] = (server, access, _artifacts)
CHECKS = (_data_directory, _backend_store, *REMOTE_CHECKS, _jobs)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(as_json: bool) -> None:
    """Check this deployment and say what to do where something is not well.

    Looks at the data directory, the backend store and its schema, the server, its access check,
    an artifact's way up, down and out, and the last runs of gc, prune and
    backup. Exits 0 only if all is well.

    \b
    Example:
      trackstack doctor --json
    """
    settings = runtime_settings.load()
    findings = [check(settings) for check in CHECKS]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            click.echo(f"{'ok ' if finding.well else 'BAD'} {finding.check}: {finding.found}")
            if finding.advice:
                click.echo(f"    {finding.advice}")
    if not all(finding.well for finding in findings):
        raise SystemExit(1)
