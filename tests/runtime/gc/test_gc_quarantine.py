"""What gc cannot delete waits; what no row points to is found; jobs that ended go."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from runtime.artifacts.owner import claim
from runtime.gc.quarantine import wait_after
from tests.runtime.gc_store import Store, undeletable

_DAY_MS = 24 * 60 * 60 * 1000


@given(st.integers(1, 10**6))
def test_each_wait_is_longer_than_the_one_before_up_to_a_day(failures: int) -> None:
    assert wait_after(1) == 10 * 60 * 1000
    assert wait_after(failures) <= wait_after(failures + 1) <= _DAY_MS


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """One whose artifact destination is marked as its own."""
    made = Store(tmp_path)
    claim(made.engine, str(made.artifacts), None)
    return made


@pytest.mark.slow
def test_what_cannot_be_deleted_waits_and_is_tried_again_on_demand(
    store: Store, tmp_path: Path
) -> None:
    broken, whole = store.run(), store.run()
    for run in (broken, whole):
        store.mlflow.delete_run(run)
    with undeletable(broken, tmp_path):
        first = store.gc("--older-than", "0d0h0m0s")
    assert first.exit_code == 1
    failed = json.loads(first.stdout)["failed"]
    assert list(failed) == [broken]
    assert "Operation not permitted" in failed[broken]
    assert store.keys("runs", "run_uuid") == {broken}

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
    _make_older(store, "0", 3)

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


def _make_older(store: Store, experiment: str, days: float) -> None:
    key, made = int(experiment), int(time.time() * 1000 - days * _DAY_MS)
    store.change("experiments", "experiment_id", key, creation_time=made)


@pytest.mark.slow
def test_what_is_not_under_a_number_that_this_store_gave_is_no_orphan(store: Store) -> None:
    """A folder of a user's, a number of another store's, and a store that was here before."""
    digest = "d41d8cd98f00b204e9800998ecf8427e"
    chosen = store.mlflow.create_experiment("chosen", (store.artifacts / "team").as_uri())
    places = [store.artifacts / name / digest for name in ("datasets", "77", "0", "team", chosen)]
    for place in places:
        place.mkdir(parents=True)
        (place / "train.csv").write_text("x")
    _age(store.artifacts, 5)
    _make_older(store, "0", 3)
    _make_older(store, chosen, 9)
    done = store.gc("--orphans", "--delete-orphans")
    assert (done.exit_code, json.loads(done.stdout)["orphans"]) == (0, [])
    assert all((place / "train.csv").exists() for place in places)
    # The same folder, of an experiment that was there before it.
    _make_older(store, "0", 6)
    found = json.loads(store.gc("--orphans").stdout)["orphans"]
    assert [orphan["path"] for orphan in found] == [str(store.artifacts / "0" / digest)]


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
    _make_older(store, "0", 9)
    assert json.loads(store.gc("--orphans").stdout)["orphans"] == []


@pytest.mark.slow
def test_orphans_to_delete_are_looked_for_first(store: Store) -> None:
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
