"""Stores that backups are made of and restored into, and what is in them."""

import io
import os
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from runtime.artifacts.tree import OWN_FOLDER, Tree
from runtime.backup import restore as restoring
from runtime.backup import schema
from runtime.backup.format import rows
from runtime.cli import main
from runtime.database.engine import open_engine
from runtime.database.uri import make_directories, store_uri
from runtime.settings import RuntimeSettings
from tests.runtime.filled import settings_of

# MLflow 2.0's schema.
OLD = "97727af70f4d"
INSERT = "INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'e', 'active')"


def restore(settings: RuntimeSettings, tree: Tree, **options: Any) -> dict[str, Any]:
    """Into the store of ``settings``, the newest backup in ``tree``."""
    choices: dict[str, Any] = {"force": False, "with_artifacts": True, "migrate": True, **options}
    return restoring.restore(settings, tree.uri, None, **choices)


def artifacts(settings: RuntimeSettings) -> dict[str, bytes]:
    """The files below the artifact destination, by path; but for Trackstack's own."""
    root = Path(settings.artifacts_destination)
    files = (f for f in root.rglob("*") if f.is_file())
    found = {str(f.relative_to(root)): f.read_bytes() for f in files}
    return {path: content for path, content in found.items() if not path.startswith(OWN_FOLDER)}


def run_restore(
    settings: RuntimeSettings, *arguments: str, code: int = 1
) -> "subprocess.CompletedProcess[str]":
    """`trackstack restore --force`, which must end with ``code`` and no exception.

    In this process, since another one would be busy with its imports most of the time; the tests
    of `test_restore` have it run as users do.
    """
    words = ["restore", "--force", *arguments]
    told = {
        "TRACKSTACK_DATA_DIR": str(settings.data_dir),
        "MLFLOW_BACKEND_STORE_URI": store_uri(settings),
    }
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, told),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main(words)
    done = subprocess.CompletedProcess(
        words, int(ended.value.code or 0), out.getvalue(), err.getvalue()
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def state_of(settings: RuntimeSettings) -> Any:
    """All that a restore could change: tables, rows, files."""
    engine = open_engine(settings)
    with engine.connect() as connection:
        tables = rows.reflect(connection)
        held = {t.name: rows.summarise(connection, t) for t in tables.sorted_tables}
    engine.dispose()
    root = Path(settings.artifacts_destination)
    return held, sorted((str(f), f.read_bytes()) for f in root.rglob("*") if f.is_file())


def client_of(settings: RuntimeSettings) -> Any:
    """The real client, on the database itself."""
    import mlflow

    uri = store_uri(settings)
    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


def make_old(data_dir: Path, uri: str | None = None) -> Any:
    """Settings of a store that has an older schema, and one experiment in it."""
    settings = settings_of(data_dir, uri)
    make_directories(settings)
    engine = open_engine(settings)
    schema.make_tables(engine, OLD)
    with engine.begin() as connection:
        connection.exec_driver_sql(INSERT)
    return settings


def names(settings: Any) -> list[Any]:
    with open_engine(settings).connect() as connection:
        return list(connection.exec_driver_sql("SELECT name FROM experiments").scalars())
