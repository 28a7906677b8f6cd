"""Ten days of a server that has everything, by the commands that its schedules run."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select

from infra.place import ROOT
from runtime.database import schema
from tests.runtime.retention.clock import Clock
from tests.runtime.retention.replica import Replica, replica
from tests.runtime.retention.traffic import STORIES
from tests.runtime.serving import serving

pytestmark = pytest.mark.slow

# What goes of each where prune deletes; of all others nothing does.
_GOES: Mapping[str, tuple[str, ...]] = {
    "left": ("experiment", "run"),
    "left with all that a run can have": ("experiment", "run", "child"),
    "left beside one of today": ("run",),
    "used as its experiment alone": ("run",),
    "reviewed": ("run",),
    "linked to a prompt": ("run",),
    "tested by a dataset": ("run",),
    "running": ("run",),
    "deleted by its owner today": ("experiment",),
}
_PURGED = "deleted by its owner long ago"
# A stack's defaults, as its scheduler has them; gc runs more often, and does nothing new then.
_JOBS = ("gc", "prune", "backup")
_NIGHTLY = "30 1 * * *"
# Day -> by how many days the clock is wrong then. SQLite has none of its own, so that gc believes
# this one: it is wrong by less than gcTtl, or what was deleted today would be purged.
_WRONG = {3: 20, 5: -300, 6: 12}
# Of prune and backup alone, a second time on that day.
_FAR = {4: 200, 7: -3000}


@dataclass
class Site:
    """Two replicas on one store."""

    replicas: Sequence[Replica]
    clock: Clock
    folder: Path
    works: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def jobs(self, *names: str, **environment: str) -> None:
        """Run jobs as both replicas' schedules do, one after the other, both at once."""
        for name in names:
            for each in self.replicas:
                each.begin("scheduler", "--once", name, "--elect", **environment)
            said = [each.end() for each in self.replicas]
            # One of them alone came first.
            assert sum("another replica runs it" in told for told in said) == 1, said

    def rows(self) -> dict[str, set[tuple[Any, ...]]]:
        """MLflow's tables -> their rows' keys."""
        engine = create_engine(f"sqlite:///{self.folder}/store.sqlite")
        found: dict[str, set[tuple[Any, ...]]] = {}
        with engine.connect() as connection:
            for name, table in schema.tables().tables.items():
                rows = connection.execute(select(*table.primary_key.columns)).all()
                found[name] = {tuple(row) for row in rows}
        engine.dispose()
        return found

    def files(self) -> set[str]:
        return {str(path) for path in (self.folder / "artifacts").rglob("*") if path.is_file()}

    def stages(self) -> dict[tuple[str, str], str]:
        """(What, which of its parts) -> MLflow's stage of that run or experiment."""
        with create_engine(f"sqlite:///{self.folder}/store.sqlite").connect() as connection:
            tables = schema.tables().tables
            runs, experiments = tables["runs"].c, tables["experiments"].c
            rows = [
                *connection.execute(select(runs.run_uuid, runs.lifecycle_stage)),
                *connection.execute(select(experiments.experiment_id, experiments.lifecycle_stage)),
            ]
        stage = {str(key): str(value) for key, value in rows}
        return {
            (name, part): stage.get(id, "purged")
            for name, ids in self.works.items()
            for part, id in ids.items()
            if part != "model"
        }


@contextmanager
def _site(folder: Path) -> Generator[Site]:
    clock = Clock(folder / "clock")
    shared = {
        **clock.build(),
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/store.sqlite",
        "MLFLOW_ARTIFACTS_DESTINATION": str(folder / "artifacts"),
        "TRACKSTACK_BACKUP_SCHEDULE": _NIGHTLY,
        "TRACKSTACK_BACKUP_DESTINATION": str(folder / "backups"),
        "MLFLOW_WORKERS": "1",
    }
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(
                serving(folder / name, port=None, authority=None, makes_store=False, **shared)
            )
            for name in "ab"
        )
        replicas = [stack.enter_context(replica(each.environment)) for each in (one, other)]
        site = Site(replicas, clock, folder)
        told = subprocess.run(
            [sys.executable, "-m", "tests.runtime.retention.traffic", str(folder / "clock")],
            env={
                **one.environment,
                "MLFLOW_TRACKING_TOKEN": one.token,
                "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
                "PATH": os.environ["PATH"],
            },
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert told.returncode == 0, told.stderr
        site.works = json.loads(told.stdout.splitlines()[-1])
        yield site


@pytest.mark.parametrize("days", [10, pytest.param(90, marks=pytest.mark.nightly)])
def test_no_day_of_the_defaults_takes_what_is_live_and_delete_takes_what_is_listed(
    days: int, tmp_path: Path
) -> None:
    assert set(_GOES) | {_PURGED} <= set(STORIES)
    with _site(tmp_path) as site:
        rows, files = site.rows(), site.files()
        for day in range(1, days + 1):
            site.clock.set(day + _WRONG.get(day, 0))
            site.jobs(*_JOBS)
            if day in _FAR:
                site.clock.set(day + _FAR[day])
                site.jobs("prune", "backup")
        site.clock.set(days)
        purged = set(site.works[_PURGED].values())
        for table, before in rows.items():
            lost = before - site.rows()[table]
            assert {key for key in lost if purged.isdisjoint(map(str, key))} == set(), table
        assert {f for f in files - site.files() if purged.isdisjoint(f.split("/"))} == set()
        stages = site.stages()
        assert {key[0] for key, stage in stages.items() if stage == "purged"} == {_PURGED}
        deleted = {key for key, stage in stages.items() if stage == "deleted"}
        assert deleted == {("deleted by its owner today", "run")}
        assert len(list((tmp_path / "backups").iterdir())) >= 7

        # After a clock that was wrong the notices began anew.
        site.clock.set(days + 1)
        site.jobs("prune", "gc", TRACKSTACK_PRUNE_ACTION="delete")
        assert days > 10 or site.stages() == stages
        site.clock.set(days + 9)
        site.jobs("prune", "gc", TRACKSTACK_PRUNE_ACTION="delete")
        gone = {key for key, stage in site.stages().items() if stage == "deleted"} - deleted
        assert gone == {(name, part) for name, parts in _GOES.items() for part in parts}
