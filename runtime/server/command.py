"""`trackstack server`: MLflow's own application behind the access check, in pre-forked workers.

`mlflow server` starts a server that starts uvicorn that spawns workers: two processes more than
are needed, each worker with its own copy of all that MLflow imports, and orphans that hold the
port when one in the chain is killed. Here gunicorn's master loads the application once and forks
the workers, which share its memory and die with it. The application gets the environment that
`mlflow server` would give it.
"""

import importlib
import ipaddress
import multiprocessing
import os
import sys
import uuid
from typing import Any, cast
from urllib.parse import urlsplit

import click

from runtime import metrics, paths, sealed
from runtime import settings as runtime_settings
from runtime.access.audit import take_stdout
from runtime.access.prefix import check_public_url
from runtime.backup import restore
from runtime.database.engine import can_connect, open_engine
from runtime.database.uri import make_directories, shown_store, store_uri
from runtime.errors import UserError
from runtime.process import die_with_parent
from runtime.server import artifacts, first_token, forking, logs, mlflow_jobs
from runtime.server.told import told
from runtime.settings import RuntimeSettings, file_variable

# The exit code of a child that has said itself what is wrong.
_SAID = 4
# Seconds that every platform's probes leave a container to start in.
_UNTOLD = 60
# Characters that hold 128 bits in base64.
_SHORTEST_TOKEN = 22
_LOOPBACK = ("localhost", "localhost:*", "127.0.0.1", "127.0.0.1:*", "[::1]", "[::1]:*")


def app_environment(settings: RuntimeSettings) -> dict[str, str]:
    """What `mlflow server` would set for the application.

    The names are spelled out: mlflow.server reads some of them when it is imported, so that they
    must be set before its constants can be. A test compares them with MLflow's own.
    """
    from mlflow.utils import server_cli_utils

    uri = store_uri(settings)
    # Where artifacts are not proxied, clients must be told the destination itself.
    destination = paths.for_mlflow(settings.artifacts_destination)
    direct = None if settings.serve_artifacts else destination
    root = cast(Any, server_cli_utils).resolve_default_artifact_root(
        settings.serve_artifacts, settings.default_artifact_root or direct, uri
    )
    environment = {
        "_MLFLOW_SERVER_FILE_STORE": uri,
        "_MLFLOW_SERVER_REGISTRY_STORE": uri,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": str(root),
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": destination,
        "_MLFLOW_SGI_NAME": "uvicorn",
        "_MLFLOW_SERVER_BOOT_ID": uuid.uuid4().hex,
        "_MLFLOW_IN_JOB_EXECUTOR": "false",
        "MLFLOW_ENABLE_WORKSPACES": os.environ.get("MLFLOW_ENABLE_WORKSPACES", "false"),
        # The package's own. Where there is no way out, asking for a newer one takes minutes.
        "MLFLOW_MODEL_CATALOG_URI": os.environ.get("MLFLOW_MODEL_CATALOG_URI", ""),
    }
    if settings.serve_artifacts:
        environment["_MLFLOW_SERVER_SERVE_ARTIFACTS"] = "true"
    environment |= sealed.environment(settings)
    public = settings.given_public_url
    hosts = settings.allowed_hosts or ((str(urlsplit(public).hostname),) if public else ())
    if hosts:
        # MLflow's list replaces its default; jobs and probes still come from this machine.
        named = [form for host in hosts for form in _with_port(host)]
        environment["MLFLOW_SERVER_ALLOWED_HOSTS"] = ",".join([*named, *_LOOPBACK])
    if settings.origins:
        environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(settings.origins)
    return environment


def _with_port(host: str) -> tuple[str, ...]:
    """MLflow compares the port too, unless the entry has a ``*``."""
    return (host,) if ":" in host or "*" in host else (host, f"{host}:*")


def check_access(settings: RuntimeSettings) -> None:
    """Raise UserError where the server would be open to whom it should not be."""
    if bool(settings.tls_cert_file) != bool(settings.tls_key_file):
        raise UserError("set both TRACKSTACK_TLS_CERT_FILE and TRACKSTACK_TLS_KEY_FILE", 2)
    for path in (settings.tls_cert_file, settings.tls_key_file):
        if path and not os.access(path, os.R_OK):
            raise UserError(f"the TLS file {path} cannot be read", 2)
    if not (settings.tls_cert_file or settings.behind_proxy or _is_loopback(settings.host)):
        raise UserError(
            f"MLFLOW_HOST={settings.host} would send tokens in plain text over the network: set "
            "TRACKSTACK_TLS_CERT_FILE and TRACKSTACK_TLS_KEY_FILE, or where only a TLS proxy can "
            "reach this address TRACKSTACK_BEHIND_PROXY=true",
            2,
        )
    check_public_url(settings)
    if settings.oidc_issuer:
        from runtime.access.issuer.rules import rules_of

        rules_of(settings)


def weak_token(settings: RuntimeSettings) -> str | None:
    """What is wrong with the server's own token where it can be guessed; None where it cannot."""
    given = settings.tracking_token.get_secret_value().split() if settings.tracking_token else []
    shortest = min(map(len, given), default=_SHORTEST_TOKEN)
    if shortest >= _SHORTEST_TOKEN:
        return None
    return (
        f"MLFLOW_TRACKING_TOKEN is only {shortest} characters long, so that it can be guessed: set "
        f"one of at least {_SHORTEST_TOKEN}, such as `openssl rand -base64 32` prints"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def open_store(settings: RuntimeSettings) -> None:
    """Initialise an empty store and check an existing one's schema; exits 3 where it is old."""
    from mlflow.store.db import utils
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    from runtime.backup.upgrade import upgrade
    from runtime.database.state import check_known, check_whole, revisions

    uri = store_uri(settings)
    try:
        engine = open_engine(settings)
        if not can_connect(engine, settings):
            # It may be starting: MLflow's own patience.
            cast(Any, utils).create_sqlalchemy_engine_with_retry(uri)
        if settings.restore_backup:
            restore.fill_empty(settings, engine)
        check_whole(engine)
        check_known(engine, shown_store(settings))
        if settings.upgrade:
            upgrade(settings)
    except UserError as error:
        click.echo(f"trackstack: {error}", err=True)
        sys.exit(_SAID)
    has, should = revisions(engine)
    if weak := weak_token(settings):
        if has is None:
            click.echo(f"trackstack: {weak}", err=True)
            sys.exit(_SAID)
        click.echo(f"trackstack: warning: {weak}", err=True)
    # MLflow would migrate one that lacks a table, with nothing backed up.
    if has not in (None, should):
        sys.exit(3)
    try:
        if has is None:
            # Not every database takes the steps in which MLflow itself makes its tables.
            upgrade(settings)
        SqlAlchemyStore(uri, "mlflow-artifacts:/")
        artifacts.check(settings, engine)
        first_token.provide(settings, engine)
    except UserError as error:
        click.echo(f"trackstack: {error}", err=True)
        sys.exit(_SAID)
    if not settings.upgrade:
        sealed.rewrap(settings, engine)


def _check_store(settings: RuntimeSettings) -> None:
    """Open the store in a child: its connections must not be there when workers are forked.

    What both it and the server import is imported before, but for MLflow's registry, which takes
    the key of webhooks as it is imported: what the first token is changes that.
    """
    for name in ("alembic.migration", "mlflow.store.tracking.dbmodels.models"):
        importlib.import_module(name)
    child = multiprocessing.get_context("fork").Process(target=open_store, args=(settings,))
    child.start()
    child.join(_UNTOLD)
    if child.is_alive():
        from runtime.server.maintenance import answering

        with answering(settings):
            child.join()
    if child.exitcode == 3:
        from runtime.database.state import older

        raise older(shown_store(settings))
    if child.exitcode == _SAID:
        sys.exit(1)
    if child.exitcode:
        raise UserError(f"the backend store {shown_store(settings)} cannot be opened", 75)


@click.command()
def command() -> None:
    """Serve MLflow behind the token, until SIGTERM or Ctrl-C.

    Makes an empty backend store ready; refuses one of an older schema, or with
    TRACKSTACK_UPGRADE=true migrates it first as `trackstack upgrade` does. An empty one is filled
    from the backup that TRACKSTACK_RESTORE_BACKUP names, where it is set. Every route but /health
    needs a token: the stack's own (MLFLOW_TRACKING_TOKEN or MLFLOW_TRACKING_TOKEN_FILE) or one
    made with `trackstack token add`. Where there is none and no sign-in either, the first start
    makes one, keeps it in the data directory and shows it once.

    \b
    Examples:
      MLFLOW_TRACKING_TOKEN_FILE=/run/secrets/token trackstack server
      MLFLOW_PORT=8080 MLFLOW_WORKERS=4 trackstack server
      TRACKSTACK_TLS_CERT_FILE=c.pem TRACKSTACK_TLS_KEY_FILE=k.pem MLFLOW_HOST=:: trackstack server
    """
    settings = runtime_settings.load()
    check_access(settings)
    take_stdout()
    logs.guard(as_json=settings.log_format == "json")
    options = forking.options(settings)
    if settings.supervised:
        die_with_parent()
    make_directories(settings)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if settings.assistant:
        # MLflow lets nobody but the server's own machine have it, unless told so; and what it runs
        # is to run in a container, never beside the store and its login.
        os.environ.setdefault("MLFLOW_ENABLE_REMOTE_ASSISTANT", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ASSISTANT_SANDBOX", "true")
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = str(settings.job_execution).lower()
    environment = app_environment(settings)
    os.environ.update(environment)
    _check_store(settings)
    # Not before: one that cannot start says that alone.
    for line in told(settings):
        click.echo(f"trackstack: {line}", err=True)
    if first_token.is_used(settings):
        # Set, since where a tracking URI is given, commands alone are not to take the token.
        os.environ[file_variable("tracking_token")] = str(first_token.file_of(settings))
        settings = runtime_settings.load()
        environment = app_environment(settings)
        os.environ.update(environment)
    if settings.job_execution:
        mlflow_jobs.start(settings, environment)
    os.environ[metrics.VARIABLE] = metrics.SharedDirectory.make()
    as_json = settings.log_format == "json"
    app = forking.Application(
        options, proxies=settings.proxies, as_json=as_json, heartbeat=settings.heartbeat
    )
    cast(Any, app).run()
