"""Where `mlflow gc` is at fault: what it does, and what ours does."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine

from runtime.gc.command import command as gc_command
from tests.runtime.gc.beside import Filler, files_in, mlflow_gc, our_gc, rows_of, tables
from tests.runtime.gc_store import undeletable

pytestmark = pytest.mark.slow


@pytest.fixture
def filled(tmp_path: Path) -> Filler:
    """A SQLite store of a test's own."""
    return Filler(f"sqlite:///{tmp_path}/store.sqlite", tmp_path / "root", 0)


def _uri(filler: Filler) -> str:
    return str(filler.store.db_uri)


def _run_part(**parts: Any) -> dict[str, Any]:
    return {
        "deleted": True,
        "nested": False,
        "dataset": False,
        "metrics": 1,
        "artifacts": 1,
    } | parts


def test_fault_a_deleted_experiment_s_models_leave_their_files(filled: Filler) -> None:
    filled.fill([{"deleted": True, "runs": [], "models": [False]}])
    assert mlflow_gc(_uri(filled)).exit_code == 0
    assert files_in(filled.root), "mlflow gc has learned to delete them"


def test_ours_deletes_a_deleted_experiment_s_models_with_their_files(filled: Filler) -> None:
    filled.fill([{"deleted": True, "runs": [], "models": [False]}])
    our_gc(_uri(filled), filled.root)
    assert files_in(filled.root) == {}


def _first_of_three(filler: Filler) -> str:
    """Fill a store with three deleted runs; the id of the first."""
    filler.fill([{"deleted": False, "runs": [_run_part() for _ in range(3)], "models": []}])
    return min(_left(filler))


def _move(filler: Filler, run: str, location: str) -> None:
    runs = tables().tables["runs"]
    with create_engine(_uri(filler)).begin() as connection:
        update = runs.update().where(runs.c.run_uuid == run)
        connection.execute(update.values(artifact_uri=location))


def _left(filler: Filler) -> list[str]:
    engine = create_engine(_uri(filler))
    with engine.connect() as connection:
        return [row.run_uuid for row in connection.execute(tables().tables["runs"].select())]


def test_fault_one_artifact_that_cannot_be_deleted_ends_the_pass(filled: Filler) -> None:
    broken = _first_of_three(filled)
    _move(filled, broken, "s3://no-such-bucket-here/x")
    done = mlflow_gc(_uri(filled))
    assert done.exit_code != 0
    assert broken in _left(filled)


def test_ours_keeps_the_one_run_and_deletes_the_others(filled: Filler, tmp_path: Path) -> None:
    broken = _first_of_three(filled)
    with undeletable(broken, tmp_path):
        report = our_gc(_uri(filled), filled.root)
    assert list(report.failed) == [broken]
    assert _left(filled) == [broken]


def _delete_experiment_with_a_location_of_its_own(filler: Filler, chosen: Path) -> str:
    """A deleted experiment whose run has its artifacts outside of the destination; the run's id."""
    experiment = filler.store.create_experiment("elsewhere", chosen.as_uri())
    run = filler.run(experiment, _run_part(), None)
    filler.store.delete_experiment(experiment)
    return run


def test_fault_what_lies_outside_of_the_destination_is_deleted(
    filled: Filler, tmp_path: Path
) -> None:
    """Whoever may make an experiment chooses the place, and deletes there by the server's hand."""
    _delete_experiment_with_a_location_of_its_own(filled, tmp_path / "chosen")
    assert mlflow_gc(_uri(filled)).exit_code == 0
    assert files_in(tmp_path / "chosen") == {}


def test_ours_purges_its_rows_and_leaves_and_names_the_files(
    filled: Filler, tmp_path: Path
) -> None:
    run = _delete_experiment_with_a_location_of_its_own(filled, tmp_path / "chosen")
    report = our_gc(_uri(filled), filled.root)
    assert (_left(filled), report.deleted["experiments"]) == ([], 1)
    assert list(files_in(tmp_path / "chosen")) == [f"{run}/artifacts/deep/file-0"]
    location = f"{(tmp_path / 'chosen').as_uri()}/{run}/artifacts"
    assert report.kept_artifacts[run] == f"{location} is outside of {filled.root}"


def test_fault_the_default_experiment_is_gone_for_good(filled: Filler) -> None:
    filled.store.delete_experiment("0")
    assert mlflow_gc(_uri(filled)).exit_code == 0
    assert rows_of(_uri(filled))["experiments"] == []


def test_ours_leaves_the_default_experiment(filled: Filler) -> None:
    filled.store.delete_experiment("0")
    report = our_gc(_uri(filled), filled.root)
    assert list(report.kept) == ["experiment 0"]
    filled.store.restore_experiment("0")


def test_fault_an_old_experiment_with_a_younger_run_ends_the_pass(filled: Filler) -> None:
    before = _age_experiment(filled)
    done = mlflow_gc(_uri(filled), "--older-than", "1d0h0m0s")
    assert done.exit_code != 0
    assert before


def test_ours_lets_an_old_experiment_wait_for_its_younger_run(filled: Filler) -> None:
    before = _age_experiment(filled)
    report = our_gc(_uri(filled), filled.root, before)
    assert (report.failed, report.deleted["experiments"], len(_left(filled))) == ({}, 0, 1)
    report = our_gc(_uri(filled), filled.root)
    assert (report.deleted["experiments"], _left(filled)) == (1, [])


def _age_experiment(filler: Filler) -> int:
    """An experiment deleted two days ago, its run now; returns yesterday in ms since 1970."""
    filler.fill([{"deleted": True, "runs": [_run_part()], "models": []}])
    day, now = 86_400_000, int(time.time() * 1000)
    experiments = tables().tables["experiments"]
    with create_engine(_uri(filler)).begin() as connection:
        update = experiments.update().where(experiments.c.lifecycle_stage == "deleted")
        connection.execute(update.values(last_update_time=now - 2 * day))
    return now - day


def test_fault_the_environment_s_store_is_not_read(filled: Filler, tmp_path: Path) -> None:
    """With the variable alone `mlflow gc` makes an empty store where it stands, and succeeds."""
    filled.fill([{"deleted": False, "runs": [_run_part()], "models": []}])
    (tmp_path / "elsewhere").mkdir()
    mlflow = str(Path(sys.executable).with_name("mlflow"))
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    given = {**kept, "MLFLOW_BACKEND_STORE_URI": _uri(filled)}
    command = [mlflow, "gc", "--tracking-uri", "http://127.0.0.1:9"]
    done = subprocess.run(command, cwd=tmp_path / "elsewhere", env=given)
    assert done.returncode == 0
    assert (tmp_path / "elsewhere" / "mlflow.db").exists()
    assert len(_left(filled)) == 1


def test_ours_reads_the_environment_s_store(
    filled: Filler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.fill([{"deleted": False, "runs": [_run_part()], "models": []}])
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", _uri(filled))
    monkeypatch.setenv("TRACKSTACK_DATA_DIR", str(tmp_path))
    done = CliRunner().invoke(gc_command, ["--older-than", "0d0h0m0s", "--json"])
    assert done.exit_code == 0, done.output
    assert _left(filled) == []
