"""Passes of prune, by hand and by schedule, on a real server, and the way back."""

import json
import os
import pty
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Generator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runtime import settings as runtime_settings
from runtime.retention.store import beside
from tests import warm
from tests.runtime.serving import Serving, serving
from tests.warm import TRACKSTACK

pytestmark = pytest.mark.slow

_DAY_MS = 24 * 60 * 60 * 1000


class Old:
    """A server with old runs, and the clock of its notices."""

    def __init__(self, server: Serving, client: Any) -> None:
        self.server, self.client = server, client

    def runs(self, number: int) -> list[str]:
        experiment = self.client.create_experiment(f"{time.monotonic_ns()}")
        runs = [self.client.create_run(experiment, start_time=1).info.run_id for _ in range(number)]
        for run in runs:
            self.client.set_terminated(run, end_time=2)
        # In use itself.
        self.client.create_run(experiment)
        return runs

    def stage(self, run: str) -> str:
        return str(self.client.get_run(run).info.lifecycle_stage)

    def sql(self, statement: str) -> None:
        store = self.server.data_dir / "store" / "mydb.sqlite"
        with sqlite3.connect(store, timeout=60) as database:
            database.execute(statement)

    def days_pass(self, days: int) -> None:
        for column in ("first", "last"):
            self.sql(f"UPDATE trackstack_prune_notices SET {column} = {column} - {days * _DAY_MS}")

    def scheduled(self, **environment: str) -> Any:
        """What the schedule's own call says."""
        deletes = {"TRACKSTACK_PRUNE_ACTION": "delete", **environment}
        done = self.server.run("scheduler", "--once", "prune", **deletes)
        assert done.returncode == 0, done.stdout + done.stderr
        state = json.loads((self.server.data_dir / "state" / "jobs.json").read_text())
        return state["prune"]["result"]


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Old]:
    with serving(tmp_path) as server:
        yield Old(server, server.client(monkeypatch))


def test_the_schedule_deletes_only_what_stood_in_its_reports_for_a_week(old: Old) -> None:
    used, left = old.runs(2)
    first = old.scheduled()
    assert (first["deleted"]["run"], first["waiting"]) == (0, 2)
    assert first["coming"]["counts"]["run"] == 2
    wait = datetime.fromisoformat(first["coming"]["at"]) - datetime.fromisoformat(first["pass"])
    assert timedelta(days=6, hours=23) < wait <= timedelta(days=8)
    old.days_pass(6)
    assert old.scheduled()["deleted"]["run"] == 0
    # Used, seen so by a report, and left alone again.
    old.client.log_metric(used, "late", 1.0)
    assert old.scheduled()["waiting"] == 1
    for table in ("metrics", "latest_metrics"):
        old.sql(f"UPDATE {table} SET timestamp = 3")
    (new,) = old.runs(1)
    assert old.scheduled()["waiting"] == 3
    old.days_pass(1)
    done = old.scheduled()
    assert (done["deleted"]["run"], done["waiting"]) == (1, 2)
    assert [old.stage(run) for run in (used, left, new)] == ["active", "deleted", "active"]


def test_registered_models_are_deleted_only_where_the_settings_say_so(old: Old) -> None:
    old.client.create_registered_model("left")
    (run,) = old.runs(1)
    old.client.create_model_version("left", f"runs:/{run}/model", run)
    old.sql("UPDATE registered_models SET last_updated_time = 1, creation_time = 1")
    old.sql("UPDATE model_versions SET last_updated_time = 1, creation_time = 1")
    done = json.loads(old.server.run("prune", "--yes", "--json").stdout)
    assert (done["deleted"]["registered model"], done["registry"]) == (0, 2)
    assert [m.name for m in old.client.search_registered_models()] == ["left"]
    assert "TRACKSTACK_PRUNE_REGISTRY=true" in old.server.run("report").stdout
    allowed = {"TRACKSTACK_PRUNE_REGISTRY": "true"}
    done = json.loads(old.server.run("prune", "--yes", "--json", **allowed).stdout)
    assert (done["deleted"]["registered model"], done["deleted"]["model version"]) == (1, 1)


def test_more_than_half_goes_only_once_allowed_and_comes_back(old: Old) -> None:
    runs = old.runs(11)
    done = old.server.run("prune", "--yes")
    assert done.returncode == 1
    assert "nothing was deleted: 11 of the 12 live runs" in done.stderr
    assert {old.stage(run) for run in runs} == {"active"}
    done = old.server.run("prune", "--yes", "--more-than-half", "--json")
    pass_id = json.loads(done.stdout)["pass"]
    assert {old.stage(run) for run in runs} == {"deleted"}
    mine = old.client.create_run("0").info.run_id
    old.client.delete_run(mine)

    late = old.server.run("undelete", "--since", "2999-01-01", "--json")
    assert json.loads(late.stdout)["restored"] == {"run": 0, "experiment": 0}
    asked = ("undelete", "--since", pass_id)
    counted = json.loads(old.server.run(*asked, "--dry-run", "--json").stdout)
    done = json.loads(old.server.run(*asked, "--keep", "--json").stdout)
    assert counted["restored"] == done["restored"] == {"run": 11, "experiment": 0}
    assert old.stage(mine) == "deleted"
    assert {old.stage(run) for run in runs} == {"active"}
    assert json.loads(old.server.run("prune", "--dry-run", "--json").stdout)["deleted"]["run"] == 0
    assert old.client.get_run(runs[0]).data.tags.keys() == {"mlflow.runName", "trackstack.keep"}
    assert old.server.run("undelete", mine, "nobody").returncode == 1
    assert old.stage(mine) == "active"
    for wrong in ((), ("--since", "soon")):
        done = old.server.run("undelete", *wrong)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_a_whole_experiment_comes_back_with_its_runs(old: Old) -> None:
    (run,) = old.runs(1)
    old.sql("UPDATE runs SET status = 'FINISHED', start_time = 1, end_time = 2")
    old.sql("UPDATE experiments SET last_update_time = 1, creation_time = 1")
    done = json.loads(old.server.run("prune", "--yes", "--json").stdout)
    assert (done["deleted"]["experiment"], old.stage(run)) == (1, "deleted")
    done = json.loads(old.server.run("undelete", "--since", done["pass"], "--json").stdout)
    assert done["restored"] == {"run": 0, "experiment": 1}
    assert old.stage(run) == "active"


def test_by_hand_it_lists_and_asks_and_nobody_there_is_no_answer(old: Old) -> None:
    (run,) = old.runs(1)
    done = old.server.run("prune")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--yes" in done.stderr
    code, said = _typed(old.server, "n")
    assert (code, old.stage(run)) == (1, "active")
    assert old.client.get_run(run).info.run_name in said
    assert "nothing was deleted" in said
    assert _typed(old.server, "y")[0] == 0
    assert old.stage(run) == "deleted"


def _typed(server: Serving, answer: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    with warm.Popen(
        [TRACKSTACK, "prune"],
        env={**server.environment, "COLUMNS": "200"},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        os.write(ours, f"{answer}\n".encode())
        said, _ = process.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)
    return process.returncode, said


def test_a_copy_of_the_store_stands_for_no_server(old: Old, tmp_path: Path) -> None:
    """A restored copy has the same experiments, and its runs are older than the server's."""
    settings = runtime_settings.load(old.server.environment)
    own = beside.store_of(settings)
    assert own is not None
    assert beside.is_beside(settings, own)
    shutil.copytree(tmp_path / "store", tmp_path / "copy")
    copied = settings.model_copy(
        update={"data_dir": tmp_path / "none", "given_backend_store_uri": None}
    )
    assert beside.store_of(copied) is None
    (tmp_path / "none").mkdir()
    shutil.move(tmp_path / "copy", tmp_path / "none" / "store")
    copy = beside.store_of(copied)
    assert copy is not None
    assert not beside.is_beside(copied, copy)
