"""A store with MLflow's schema on any database, its artifacts in a directory, for gc's tests."""

import json
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, Table, create_engine, insert, select, update

from runtime.database import schema
from runtime.gc.command import command
from tests.runtime.database.empty import put_schema
from tests.runtime.databases import mariadb, postgresql

# As for a file that is immutable, or on a disk that fails: root may delete all else.
_RM = """#!/bin/sh
code=0
for each; do
    case "$each" in
        -rf | --) ;;
        *{name}*) echo "rm: cannot remove '$each': Operation not permitted" >&2; code=1 ;;
        *) {rm} -rf -- "$each" || code=1 ;;
    esac
done
exit $code
"""

DATABASES = ("sqlite", "postgresql", "mariadb")


@contextmanager
def new_database(kind: str, folder: Path) -> Generator[str]:
    """The URI of an empty database of a kind; a server runs as long as the block."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/store.sqlite"
        return
    with (postgresql if kind == "postgresql" else mariadb)() as server:
        yield server.new_database()


@contextmanager
def undeletable(name: str, folder: Path) -> Generator[None]:
    """Within the block, no local path with ``name`` in it can be deleted."""
    rm = folder / "bin" / "rm"
    rm.parent.mkdir()
    rm.write_text(_RM.format(name=name, rm=shutil.which("rm")))
    rm.chmod(0o755)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", f"{rm.parent}:{os.environ['PATH']}")
        yield


class Store:
    """SQLite in ``folder`` unless ``uri`` is given; ``root`` is what a server's experiments get."""

    def __init__(self, folder: Path, uri: str | None = None, root: str | None = None) -> None:
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        self.artifacts = folder / "artifacts"
        self.uri = uri or f"sqlite:///{folder}/store.sqlite"
        put_schema(self.uri)
        self.mlflow: Any = SqlAlchemyStore(self.uri, root or self.artifacts.as_uri())
        self.engine: Engine = create_engine(self.uri)
        self.tables: Mapping[str, Table] = schema.tables().tables
        self.environment = {
            "MLFLOW_BACKEND_STORE_URI": self.uri,
            "MLFLOW_ARTIFACTS_DESTINATION": str(self.artifacts),
            "TRACKSTACK_DATA_DIR": str(folder),
        }

    def run(self, experiment: str = "0") -> str:
        """A run with one artifact in its folder under the destination."""
        run = self.mlflow.create_run(experiment, "someone", 1, [], "run")
        folder = self.artifacts / experiment / run.info.run_id / "artifacts"
        folder.mkdir(parents=True)
        (folder / "weights").write_text("x")
        return str(run.info.run_id)

    def gc(self, *arguments: str) -> Result:
        return CliRunner().invoke(command, ["--json", *arguments], env=self.environment)

    def purge(self, *arguments: str) -> dict[str, Any]:
        """What gc says that it did with all that is deleted, however lately."""
        done = self.gc("--older-than", "0d0h0m0s", *arguments)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def add(self, table: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(insert(self.tables[table]).values(values))

    def change(self, table: str, key: str, row: str | int, **values: Any) -> None:
        of_table = self.tables[table]
        with self.engine.begin() as connection:
            connection.execute(update(of_table).where(of_table.c[key] == row).values(values))

    def move(self, run: str, location: str) -> None:
        self.change("runs", "run_uuid", run, artifact_uri=location)

    def keys(self, table: str, column: str) -> set[str]:
        with self.engine.connect() as connection:
            return set(connection.execute(select(self.tables[table].c[column])).scalars())
