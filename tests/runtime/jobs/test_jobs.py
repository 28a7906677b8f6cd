"""gc, upgrade, prune, report and doctor beside a real server, with the real MLflow client."""

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.gc_store import undeletable
from tests.runtime.serving import Serving, serving

pytestmark = pytest.mark.slow

_DAY_MS = 24 * 60 * 60 * 1000


def _counts(**deleted: int) -> dict[str, int]:
    return {"runs": 0, "logged_models": 0, "experiments": 0, "jobs": 0, **deleted}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Generator[Serving]:
    """A server of this module's own: its entities are deleted and made old."""
    with serving(tmp_path_factory.mktemp("jobs")) as running:
        yield running


@pytest.fixture
def client(own: Serving, monkeypatch: pytest.MonkeyPatch) -> Any:
    return own.client(monkeypatch)


def _sql(server: Serving, statement: str, *values: Any) -> list[Any]:
    with sqlite3.connect(server.data_dir / "store" / "mydb.sqlite", timeout=30) as database:
        return database.execute(statement, values).fetchall()


def _json(server: Serving, *arguments: str, code: int = 0) -> Any:
    done = server.run(*arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def _run(client: Any, experiment: str, tmp_path: Path, **tags: str) -> str:
    run = client.create_run(experiment, tags=tags).info.run_id
    client.log_param(run, "p", "1")
    client.log_metric(run, "m", 1.0)
    client.set_terminated(run)
    file = tmp_path / f"{run}.txt"
    file.write_text("x" * 100)
    client.log_artifact(run, str(file))
    return str(run)


def _artifacts(server: Serving, run: str) -> list[Path]:
    return list((server.data_dir / "artifacts").rglob(f"{run}.txt"))


def test_gc_purges_what_was_deleted_and_nothing_else(
    own: Serving, client: Any, tmp_path: Path
) -> None:
    experiment = client.create_experiment("gc")
    deleted, live = (_run(client, experiment, tmp_path) for _ in range(2))
    client.delete_run(deleted)

    assert _json(own, "gc", "--older-than", "1d")["deleted"]["runs"] == 0
    foreseen = _json(own, "gc", "--older-than", "0s", "--dry-run")
    assert _artifacts(own, deleted)
    done = _json(own, "gc", "--older-than", "0s")
    assert done["deleted"] == foreseen["deleted"] == _counts(runs=1)

    for table in ("runs", "params", "metrics", "latest_metrics", "tags"):
        found = {row[0] for row in _sql(own, f"SELECT run_uuid FROM {table}")}
        assert deleted not in found, table
        assert live in found, table
    assert not list((own.data_dir / "artifacts").rglob(deleted))
    assert _artifacts(own, live)


def test_gc_frees_an_experiment_s_name_and_takes_its_runs_along(
    own: Serving, client: Any, tmp_path: Path
) -> None:
    experiment = client.create_experiment("name")
    run = _run(client, experiment, tmp_path)
    # MLflow leaves it active when its experiment is deleted.
    client.create_logged_model(experiment, source_run_id=run)
    client.delete_experiment(experiment)
    foreseen = _json(own, "gc", "--older-than", "0s", "--dry-run")["deleted"]
    assert _json(own, "gc", "--older-than", "0s")["deleted"] == foreseen
    assert foreseen == _counts(runs=1, logged_models=1, experiments=1)
    assert _artifacts(own, run) == []
    client.create_experiment("name")
    assert client.get_experiment_by_name("name").lifecycle_stage == "active"


def test_an_old_deleted_experiment_waits_for_a_younger_deleted_run(
    own: Serving, client: Any, tmp_path: Path
) -> None:
    """`mlflow gc --older-than` aborts on it, and deletes nothing at all."""
    experiment = client.create_experiment("waits")
    run = _run(client, experiment, tmp_path)
    client.delete_experiment(experiment)
    old = int(time.time() * 1000) - 10 * _DAY_MS
    _sql(
        own, "UPDATE experiments SET last_update_time = ? WHERE experiment_id = ?", old, experiment
    )
    done = _json(own, "gc", "--older-than", "5d")
    assert done["deleted"] == _counts()
    _sql(own, "UPDATE runs SET deleted_time = ? WHERE run_uuid = ?", old, run)
    done = _json(own, "gc", "--older-than", "5d")
    assert done["deleted"] == _counts(runs=1, experiments=1)


def test_what_a_registered_version_needs_is_kept_and_reported(
    own: Serving, client: Any, tmp_path: Path
) -> None:
    """`mlflow gc` takes a registered version's artifacts away."""
    experiment = client.create_experiment("registered")
    run = _run(client, experiment, tmp_path)
    client.create_registered_model("kept")
    client.create_model_version("kept", f"runs:/{run}/model", run)
    client.delete_run(run)
    done = _json(own, "gc", "--older-than", "0s")
    assert done["kept_registered"]["runs"] == 1
    assert _artifacts(own, run)
    client.delete_registered_model("kept")
    assert _json(own, "gc", "--older-than", "0s")["deleted"]["runs"] == 1
    assert _artifacts(own, run) == []


def test_one_artifact_that_cannot_be_deleted_keeps_its_rows_and_stops_no_other(
    own: Serving, client: Any, tmp_path: Path
) -> None:
    experiment = client.create_experiment("fails")
    bad, good = (_run(client, experiment, tmp_path) for _ in range(2))
    for run in (bad, good):
        client.delete_run(run)
    with undeletable(bad, tmp_path), pytest.MonkeyPatch.context() as patched:
        patched.setitem(own.environment, "PATH", os.environ["PATH"])
        done = _json(own, "gc", "--older-than", "0s", code=1)
    assert list(done["failed"]) == [bad]
    assert done["deleted"]["runs"] == 1
    assert _sql(own, "SELECT lifecycle_stage FROM runs WHERE run_uuid = ?", bad) == [("deleted",)]
    assert _json(own, "gc", "--older-than", "0s", "--retry")["deleted"]["runs"] == 1


def test_a_second_gc_leaves_the_first_alone(own: Serving) -> None:
    with (own.data_dir / "store" / "mydb.sqlite.gc.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = own.run("gc")
    assert done.returncode == 75
    assert "another gc works on this store" in done.stderr


def test_gc_reads_the_store_from_the_environment_and_refuses_an_empty_one(
    own: Serving, tmp_path: Path
) -> None:
    """`mlflow gc` ignores the variable, cleans an empty store of its own and succeeds."""
    uri = f"sqlite:///{tmp_path}/empty.sqlite"
    done = own.run("gc", MLFLOW_BACKEND_STORE_URI=uri)
    assert done.returncode == 1
    assert f"there is no MLflow store in {uri}" in done.stderr
    assert own.run("gc", "--older-than", "soon").returncode == 2


def test_prune_deletes_what_report_lists_and_keeps_what_is_used(
    own: Serving, client: Any, tmp_path: Path
) -> None:
    experiment = client.create_experiment("stale")
    stale = _run(client, experiment, tmp_path)
    tagged = _run(client, experiment, tmp_path, **{"trackstack.keep": "true"})
    registered = _run(client, experiment, tmp_path)
    fresh = _run(client, experiment, tmp_path)
    client.create_registered_model("used")
    client.create_model_version("used", f"runs:/{registered}/model", registered)
    client.set_registered_model_alias("used", "Champion", "1")
    old = int(time.time() * 1000) - 40 * _DAY_MS
    for run in (stale, tagged, registered):
        _sql(own, "UPDATE runs SET start_time = ?, end_time = ? WHERE run_uuid = ?", old, old, run)
        for table in ("metrics", "latest_metrics"):
            _sql(own, f"UPDATE {table} SET timestamp = ? WHERE run_uuid = ?", old, run)
    _sql(own, "UPDATE model_versions SET last_updated_time = ?", old)
    _sql(own, "UPDATE registered_models SET last_updated_time = ?", old)

    [line] = _json(own, "report", "--sizes")
    assert (line["id"], line["age_days"], line["bytes"]) == (stale, 40, 100)
    assert _json(own, "prune", "--dry-run")["deleted"]["run"] == 1
    assert client.get_run(stale).info.lifecycle_stage == "active"
    assert _json(own, "prune", "--yes")["deleted"]["run"] == 1
    assert client.get_run(stale).info.lifecycle_stage == "deleted"
    for run in (tagged, registered, fresh):
        assert client.get_run(run).info.lifecycle_stage == "active"
    assert client.get_model_version_by_alias("used", "Champion").version == "1"


def test_a_wrong_token_is_one_line(own: Serving) -> None:
    done = own.run("report", MLFLOW_TRACKING_TOKEN_FILE="", MLFLOW_TRACKING_TOKEN="wrong")
    assert done.returncode == 75
    assert "does not let us in" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_says_what_to_do_where_the_server_is_down(own: Serving) -> None:
    assert all(finding["well"] for finding in _json(own, "doctor"))
    # What the server tells, where no command can be run beside it.
    told = _json(own, "doctor", "--server")
    assert {"versions", "jobs", "tokens"} <= {finding["check"] for finding in told}
    findings = _json_of(own.run("doctor", "--json", MLFLOW_TRACKING_URI="http://127.0.0.1:9"))
    # What follows from it is not told again.
    assert {finding["check"] for finding in findings if not finding["well"]} == {"server"}
    assert all(finding["advice"] for finding in findings if not finding["well"])


def _json_of(done: Any) -> Any:
    assert done.returncode == 1
    return json.loads(done.stdout)
