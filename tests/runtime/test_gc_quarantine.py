"""What gc cannot delete waits; what no row points to is found; jobs that ended go."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, insert, select, update

from runtime.gc import command, schema
from runtime.gc.quarantine import wait_after

_DAY_MS = 24 * 60 * 60 * 1000
_NO_STORE = "nowhere://bucket/x"


@given(st.integers(1, 10**6))
def test_each_wait_is_longer_than_the_one_before_up_to_a_day(failures: int) -> None:
    assert wait_after(1) == 10 * 60 * 1000
    assert wait_after(failures) <= wait_after(failures + 1) <= _DAY_MS


class Store:
    """A SQLite store with MLflow's schema, and its artifacts in a directory."""

    def __init__(self, folder: Path) -> None:
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        self.artifacts = folder / "artifacts"
        self.uri = f"sqlite:///{folder}/store.sqlite"
        self.mlflow: Any = SqlAlchemyStore(self.uri, self.artifacts.as_uri())
        self.engine: Engine = create_engine(self.uri)
        self.tables = schema.tables().tables
        self.environment = {
            "MLFLOW_BACKEND_STORE_URI": self.uri,
            "MLFLOW_ARTIFACTS_DESTINATION": str(self.artifacts),
            "TRACKSTACK_DATA_DIR": str(folder),
        }

    def run(self, experiment: str = "0") -> str:
        run = self.mlflow.create_run(experiment, "someone", 1, [], "run")
        folder = self.artifacts / experiment / run.info.run_id / "artifacts"
        folder.mkdir(parents=True)
        (folder / "weights").write_text("x")
        return str(run.info.run_id)

    def gc(self, *arguments: str) -> Result:
        return CliRunner().invoke(command, ["--json", *arguments], env=self.environment)

    def move(self, run: str, location: str) -> None:
        runs = self.tables["runs"]
        with self.engine.begin() as connection:
            connection.execute(
                update(runs).where(runs.c.run_uuid == run).values(artifact_uri=location)
            )

    def keys(self, table: str, column: str) -> set[str]:
        with self.engine.connect() as connection:
            return set(connection.execute(select(self.tables[table].c[column])).scalars())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.mark.slow
def test_what_cannot_be_deleted_waits_and_is_tried_again_on_demand(store: Store) -> None:
    broken, whole = store.run(), store.run()
    for run in (broken, whole):
        store.mlflow.delete_run(run)
    location = f"{store.artifacts}/0/{broken}/artifacts"
    store.move(broken, _NO_STORE)
    first = store.gc("--older-than", "0d0h0m0s")
    assert first.exit_code == 1
    assert list(json.loads(first.stdout)["failed"]) == [broken]
    assert store.keys("runs", "run_uuid") == {broken}

    store.move(broken, location)
    second = store.gc("--older-than", "0d0h0m0s")
    assert second.exit_code == 0
    assert list(json.loads(second.stdout)["quarantined"]) == [broken]
    assert store.keys("runs", "run_uuid") == {broken}

    third = store.gc("--older-than", "0d0h0m0s", "--retry")
    assert third.exit_code == 0
    assert store.keys("runs", "run_uuid") == set()
    assert json.loads(store.gc().stdout)["quarantined"] == {}


def _age(path: Path, days: float) -> None:
    moment = time.time() - days * 86400
    for entry in (*path.rglob("*"), path):
        os.utime(entry, (moment, moment))


@pytest.mark.slow
def test_orphans_are_shown_first_and_nothing_young_known_or_strange_is_one(store: Store) -> None:
    known, lost, young = store.run(), store.run(), store.run()
    runs = store.tables["runs"]
    with store.engine.begin() as connection:
        connection.execute(runs.delete().where(runs.c.run_uuid.in_([lost, young])))
    experiment = store.artifacts / "0"
    for name in ("models/m-" + "a" * 32, "traces/tr-" + "b" * 32, "somebody's"):
        (experiment / name).mkdir(parents=True)
        (experiment / name / "file").write_text("xyz")
    _age(experiment, 2)
    _age(experiment / young, 0.5)

    found = json.loads(store.gc("--orphans").stdout)
    orphans = {Path(orphan["path"]).name: orphan["bytes"] for orphan in found["orphans"]}
    assert orphans == {lost: 1, "m-" + "a" * 32: 3, "tr-" + "b" * 32: 3}
    assert (experiment / lost).exists()

    deleted = store.gc("--orphans", "--delete-orphans")
    assert deleted.exit_code == 0, deleted.output
    left = {path.name for path in experiment.iterdir()}
    assert {known, young, "somebody's"} <= left
    assert lost not in left
    assert json.loads(store.gc("--orphans").stdout)["orphans"] == []


@pytest.mark.slow
def test_a_directory_that_a_registered_version_names_is_no_orphan(store: Store) -> None:
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    run = store.run()
    registry: Any = SqlAlchemyStore(store.uri)
    registry.create_registered_model("model")
    registry.create_model_version("model", f"{store.artifacts}/0/{run}/artifacts", None)
    runs = store.tables["runs"]
    with store.engine.begin() as connection:
        connection.execute(runs.delete())
    _age(store.artifacts, 3)
    assert json.loads(store.gc("--orphans").stdout)["orphans"] == []


@pytest.mark.slow
def test_orphans_cannot_be_looked_for_elsewhere_than_in_directories(store: Store) -> None:
    store.environment["MLFLOW_ARTIFACTS_DESTINATION"] = "s3://bucket/artifacts"
    done = store.gc("--orphans")
    assert done.exit_code != 0
    assert "orphans are looked for in directories" in str(done.exception)
    assert store.gc("--delete-orphans").exit_code != 0


@pytest.mark.slow
def test_jobs_that_ended_go_and_those_that_run_stay(store: Store) -> None:
    from mlflow.entities._job_status import JobStatus

    jobs, now = store.tables["jobs"], int(time.time() * 1000)
    add: Callable[[str, JobStatus, int], dict[str, Any]] = lambda id, status, age: {  # noqa: E731
        "id": id,
        "creation_time": now - age * _DAY_MS,
        "job_name": "job",
        "params": "{}",
        "workspace": "default",
        "status": status.to_int(),
        "retry_count": 0,
        "last_update_time": now,
    }
    rows = [
        add("ended", JobStatus.SUCCEEDED, 40),
        add("failed", JobStatus.FAILED, 40),
        add("young", JobStatus.SUCCEEDED, 1),
        add("running", JobStatus.RUNNING, 40),
    ]
    with store.engine.begin() as connection:
        connection.execute(insert(jobs), rows)
    assert json.loads(store.gc("--dry-run").stdout)["deleted"]["jobs"] == 2
    assert json.loads(store.gc().stdout)["deleted"]["jobs"] == 2
    assert store.keys("jobs", "id") == {"young", "running"}
