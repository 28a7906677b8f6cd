"""`trackstack doctor`: checks this deployment part by part, and says what to do."""

import json
import os
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timezone

import click

from runtime import settings as runtime_settings
from runtime.database.engine import open_engine
from runtime.database.uri import shown_store
from runtime.doctor import cures, kept, told
from runtime.doctor.finding import Finding
from runtime.doctor.jobs import by_file, jobs
from runtime.doctor.reached import answering, certificate, clock, reach, server
from runtime.jobs.runs import JobRuns
from runtime.probe import request, token_of
from runtime.settings import RuntimeSettings, variable
from runtime.tokens.beside import StoredTokens


def _data_directory(settings: RuntimeSettings) -> Finding:
    path = settings.data_dir.resolve()
    # Made when something is first kept there.
    there = next(each for each in (path, *path.parents) if each.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        advice = "make it, or set TRACKSTACK_DATA_DIR to a directory that this user can write to"
        return Finding("data directory", False, f"{path} cannot be written to", advice)
    return kept.room("data directory", path, shutil.disk_usage(there).free)


def _backend_store(settings: RuntimeSettings) -> Finding:
    from runtime.database.state import revisions

    try:
        has, should = revisions(open_engine(settings))
    except Exception as error:
        # The driver's own words; SQLAlchemy would add the statement and its values.
        said = str(getattr(error, "orig", None) or error).strip().splitlines() or [""]
        found = f"{shown_store(settings)}: {type(error).__name__}: {said[0][:200]}"
        advice = "see MLFLOW_BACKEND_STORE_URI, and whether the database runs"
        return Finding("backend store", False, found, advice)
    if has == should:
        return Finding("backend store", True, f"{shown_store(settings)}, schema {has}")
    found = f"{shown_store(settings)} has schema {has or 'none'}, not {should}"
    return Finding("backend store", False, found, cures.run(settings, "upgrade"))


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
            return Finding("access", False, found, _access_cure(settings, wanted, status))
    return Finding("access", True, "open with the token, closed without")


def _access_cure(settings: RuntimeSettings, wanted: int, status: int) -> str:
    if status == 0 or status >= 500:
        return f"it fails at its work: {cures.logs(settings)} says why"
    if wanted == 200:
        right = cures.own_token(settings)
        return f"the token is another server's, or was revoked: {right} prints the stack's own"
    return f"another program answers there: see {variable('given_tracking_uri')}"


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
            advice = f"see its rights on the artifact store, and {cures.logs(settings)}"
            return Finding("artifacts", False, found, advice)
    return Finding("artifacts", True, f"{settings.artifacts_destination} takes and gives files")


def image_of(settings: RuntimeSettings) -> str | None:
    """The image that a server says it runs; None where it does not say it."""
    _, body = request(settings, "GET", "/metrics", token_of(settings))
    found = re.search(r'^trackstack_build_info\{image="([^"]+)"', body.decode(), re.MULTILINE)
    return found[1] if found else None


# What can be asked from any machine that the server answers.
REMOTE_CHECKS: tuple[Callable[[RuntimeSettings], Finding], ...] = (server, access, _artifacts)


def findings_of(settings: RuntimeSettings) -> list[Finding]:
    """All checks, but for those that a failed one before them leaves nothing to."""
    store = _backend_store(settings)
    return [
        _data_directory(settings),
        *kept.disks(settings),
        store,
        *(_by_store(settings) if store.well else [by_file(settings)]),
        *server_findings_of(settings, store_is_well=store.well),
    ]


def _by_store(settings: RuntimeSettings) -> list[Finding]:
    """Jobs, backups and tokens, as the store has them."""
    now, states = datetime.now(timezone.utc), JobRuns(open_engine(settings)).list()
    of_jobs = jobs(settings, states)
    tokens = told.expiring(settings, StoredTokens(settings).list(), now)
    # That no backup was made follows from a job that nobody runs, or that failed.
    made = kept.backups(settings, states, now) if of_jobs.well else []
    return [of_jobs, *made, tokens]


def server_findings_of(
    settings: RuntimeSettings, *, alone: bool = False, store_is_well: bool = True
) -> list[Finding]:
    """What can be asked of the server from wherever it answers; ``alone`` also what it tells.

    Where its store is known not to be well, only what does not follow from that.
    """
    reached = reach(settings)
    first = answering(settings, reached)
    if not first.well:
        # Nothing more is known of what it is for: no line follows from another.
        return [first]
    of_the_way = [clock(reached), certificate(reached)]
    if not store_is_well:
        return [first, *of_the_way]
    if away := told.store_away(settings):
        return [first, away, *of_the_way]
    allowed = access(settings)
    # Who is not let in sees nothing else.
    seen = [_artifacts(settings), told.mlflow(settings)] if allowed.well else []
    seen += told.by_server(settings) if alone and allowed.well else []
    return [first, allowed, *seen, *of_the_way]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--server", "server_alone", is_flag=True, help="Only what the server itself tells.")
def command(as_json: bool, server_alone: bool) -> None:
    """Check this deployment and say what to do where something is not well.

    Looks at the data directory and other disks, the backend store and its schema, the jobs' last
    runs and whether one is overdue, the newest backup's age, tokens that end soon, the server, its
    access check, an artifact's way up, down and out, MLflow's version here and there, its clock and
    its certificate's end. Of what follows from another line nothing is said. Exits 0 only if all
    is well.

    \b
    Example:
      trackstack doctor --json
    """
    settings = runtime_settings.load()
    findings = server_findings_of(settings, alone=True) if server_alone else findings_of(settings)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            click.echo(f"{'ok ' if finding.well else 'BAD'} {finding.check}: {finding.found}")
            if finding.advice:
                click.echo(f"    {finding.advice}")
    if not all(finding.well for finding in findings):
        raise SystemExit(1)
