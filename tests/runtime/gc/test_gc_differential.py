"""gc beside `mlflow gc` on equal stores: afterwards every table and every directory is the same.

Where `mlflow gc` is at fault, a test of its own shows both.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, MetaData, create_engine, text

from runtime.database import schema
from runtime.gc.collector import Collector
from runtime.gc.command import command as gc_command
from runtime.gc.ownership import Destination
from runtime.gc.report import Report
from tests.runtime.databases import mariadb, postgresql
from tests.runtime.gc_store import undeletable

pytestmark = pytest.mark.slow

_ALL = 2**62


@dataclass(frozen=True)
class Twins:
    """Two databases with MLflow's schema, to be filled alike."""

    theirs: str
    ours: str


@contextmanager
def _databases(kind: str, folder: Path) -> Generator[tuple[str, str]]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/theirs.sqlite", f"sqlite:///{folder}/ours.sqlite"
        return
    with (postgresql if kind == "postgresql" else mariadb)() as server:
        yield server.new_database(), server.new_database()


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def twins(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Twins]:
    from mlflow.store.db import utils

    with _databases(request.param, tmp_path_factory.mktemp("twins")) as uris:
        for uri in uris:
            any_utils: Any = utils
            engine = create_engine(uri)
            any_utils._initialize_tables(engine)
            engine.dispose()
        yield Twins(*uris)


def _tables() -> MetaData:
    return schema.tables()


@contextmanager
def _unchecked(engine: Engine) -> Generator[Any]:
    """A transaction in which the order of tables is of no account."""
    off, on = {
        "sqlite": ("PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON"),
        "postgresql": (
            "SET session_replication_role = replica",
            "SET session_replication_role = origin",
        ),
        "mysql": (
            "SET foreign_key_checks = 0, sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')",
            "SET foreign_key_checks = 1, sql_mode = @@GLOBAL.sql_mode",
        ),
    }[engine.dialect.name]
    with engine.begin() as connection:
        connection.execute(text(off))
        yield connection
        connection.execute(text(on))


def _empty(uri: str) -> None:
    engine = create_engine(uri)
    with _unchecked(engine) as connection:
        for table in reversed(_tables().sorted_tables):
            connection.execute(table.delete())
    engine.dispose()


def _rows(uri: str) -> dict[str, list[str]]:
    engine = create_engine(uri)
    with engine.connect() as connection:
        found = {
            table.name: sorted(repr(tuple(row)) for row in connection.execute(table.select()))
            for table in _tables().sorted_tables
        }
    engine.dispose()
    return found


def _copy(source: str, target: str) -> None:
    one, other = create_engine(source), create_engine(target)
    with one.connect() as reading, _unchecked(other) as writing:
        for table in _tables().sorted_tables:
            rows = [dict(row) for row in reading.execute(table.select()).mappings()]
            if rows:
                writing.execute(table.insert(), rows)
    one.dispose()
    other.dispose()


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


class Filler:
    """Fills a store by MLflow's own store, with artifacts on disk."""

    def __init__(self, uri: str, root: Path, seed: int) -> None:
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        self.root, self.random = root, random.Random(seed)
        self.store: Any = SqlAlchemyStore(uri, root.as_uri())

    def fill(self, plan: list[dict[str, Any]]) -> None:
        for number, part in enumerate(plan):
            experiment = self.store.create_experiment(f"experiment {number}")
            parent: str | None = None
            for run in part["runs"]:
                parent = self.run(experiment, run, parent)
            for deleted in part["models"]:
                self._model(experiment, parent, deleted=deleted)
            if part["deleted"]:
                self.store.delete_experiment(experiment)

    def run(self, experiment: str, part: dict[str, Any], parent: str | None) -> str:
        from mlflow.entities import Dataset, DatasetInput, Metric, Param, RunTag

        tags = [RunTag("mlflow.parentRunId", parent)] if parent and part["nested"] else []
        run = self.store.create_run(experiment, "someone", 1, [*tags, RunTag("a", "b")], "run")
        id, rolled = run.info.run_id, self.random.random()
        metrics = [Metric("m", rolled, step, step) for step in range(part["metrics"])]
        self.store.log_batch(id, metrics, [Param("p", "1")], [RunTag("t", "2")])
        if part["dataset"]:
            # One that several runs share: it must outlive the first of them.
            dataset = Dataset("set", "digest", "local", "{}", schema=None, profile=None)
            self.store.log_inputs(id, [DatasetInput(dataset, [])])
        for number in range(part["artifacts"]):
            self._write(run.info.artifact_uri, f"deep/file-{number}")
        if part["deleted"]:
            self.store.delete_run(id)
        return id

    def _model(self, experiment: str, run: str | None, *, deleted: bool) -> None:
        model = self.store.create_logged_model(experiment, "model", run)
        self._write(model.artifact_location, "MLmodel")
        self.store.set_logged_model_tags(model.model_id, [])
        if deleted:
            self.store.delete_logged_model(model.model_id)

    def _write(self, uri: str, name: str) -> None:
        path = Path(uri.removeprefix("file://")) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(uri)


def _mlflow_gc(uri: str, *arguments: str) -> Any:
    from mlflow.cli import gc

    command: Any = gc
    # Its own check of the tracking URI asks for one, though nothing here is proxied.
    given = ["--backend-store-uri", uri, "--tracking-uri", "http://127.0.0.1:9", *arguments]
    return CliRunner().invoke(command, given)


def _our_gc(uri: str, root: Path, before: int = _ALL) -> Report:
    engine = create_engine(uri)
    destination = Destination(str(root))
    report = Collector(engine, _tables(), destination, before, Report(dry_run=False)).run()
    engine.dispose()
    return report


_RUN = st.fixed_dictionaries(
    {
        "deleted": st.booleans(),
        "nested": st.booleans(),
        "dataset": st.booleans(),
        "metrics": st.integers(0, 3),
        "artifacts": st.integers(0, 2),
    }
)
_EXPERIMENT = st.fixed_dictionaries(
    {
        "deleted": st.booleans(),
        "runs": st.lists(_RUN, max_size=4),
        "models": st.lists(st.booleans(), max_size=2),
    }
)


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    # Each example takes a second: a failing one is shown as it was found.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=st.lists(_EXPERIMENT, min_size=1, max_size=3), seed=st.integers(0, 9))
def test_both_leave_the_same_rows_and_files(
    twins: Twins, tmp_path_factory: pytest.TempPathFactory, plan: list[dict[str, Any]], seed: int
) -> None:
    root = tmp_path_factory.mktemp("artifacts") / "root"
    spare = root.with_name("spare")
    for uri in (twins.theirs, twins.ours):
        _empty(uri)
    root.mkdir()
    Filler(twins.theirs, root, seed).fill(plan)
    _copy(twins.theirs, twins.ours)
    shutil.copytree(root, spare)

    done = _mlflow_gc(twins.theirs)
    assert done.exit_code == 0, done.output
    rows, files = _rows(twins.theirs), _files(root)
    shutil.rmtree(root)
    spare.rename(root)
    assert _our_gc(twins.ours, root).failed == {}
    ours = _rows(twins.ours)
    for table, expected in rows.items():
        assert ours[table] == expected, table
    # What only `mlflow gc` leaves: the files of a deleted experiment's models (a test below).
    orphans = {path for path in files if _model_of(path) and not _mentions(rows, path)}
    assert _files(root) == {path: files[path] for path in files.keys() - orphans}


def _model_of(path: str) -> str | None:
    parts = Path(path).parts
    return parts[2] if len(parts) > 2 and parts[1] == "models" else None


def _mentions(rows: dict[str, list[str]], path: str) -> bool:
    model = _model_of(path)
    return any(repr(model) in row for row in rows["logged_models"])


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
    assert _mlflow_gc(_uri(filled)).exit_code == 0
    assert _files(filled.root), "mlflow gc has learned to delete them"


def test_ours_deletes_a_deleted_experiment_s_models_with_their_files(filled: Filler) -> None:
    filled.fill([{"deleted": True, "runs": [], "models": [False]}])
    _our_gc(_uri(filled), filled.root)
    assert _files(filled.root) == {}


def _first_of_three(filler: Filler) -> str:
    """Fill a store with three deleted runs; the id of the first."""
    filler.fill([{"deleted": False, "runs": [_run_part() for _ in range(3)], "models": []}])
    return min(_left(filler))


def _move(filler: Filler, run: str, location: str) -> None:
    runs = _tables().tables["runs"]
    with create_engine(_uri(filler)).begin() as connection:
        update = runs.update().where(runs.c.run_uuid == run)
        connection.execute(update.values(artifact_uri=location))


def _left(filler: Filler) -> list[str]:
    engine = create_engine(_uri(filler))
    with engine.connect() as connection:
        return [row.run_uuid for row in connection.execute(_tables().tables["runs"].select())]


def test_fault_one_artifact_that_cannot_be_deleted_ends_the_pass(filled: Filler) -> None:
    broken = _first_of_three(filled)
    _move(filled, broken, "s3://no-such-bucket-here/x")
    done = _mlflow_gc(_uri(filled))
    assert done.exit_code != 0
    assert broken in _left(filled)


def test_ours_keeps_the_one_run_and_deletes_the_others(filled: Filler, tmp_path: Path) -> None:
    broken = _first_of_three(filled)
    with undeletable(broken, tmp_path):
        report = _our_gc(_uri(filled), filled.root)
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
    assert _mlflow_gc(_uri(filled)).exit_code == 0
    assert _files(tmp_path / "chosen") == {}


def test_ours_purges_its_rows_and_leaves_and_names_the_files(
    filled: Filler, tmp_path: Path
) -> None:
    run = _delete_experiment_with_a_location_of_its_own(filled, tmp_path / "chosen")
    report = _our_gc(_uri(filled), filled.root)
    assert (_left(filled), report.deleted["experiments"]) == ([], 1)
    assert list(_files(tmp_path / "chosen")) == [f"{run}/artifacts/deep/file-0"]
    location = f"{(tmp_path / 'chosen').as_uri()}/{run}/artifacts"
    assert report.kept_artifacts[run] == f"{location} is outside of {filled.root}"


def test_fault_the_default_experiment_is_gone_for_good(filled: Filler) -> None:
    filled.store.delete_experiment("0")
    assert _mlflow_gc(_uri(filled)).exit_code == 0
    assert _rows(_uri(filled))["experiments"] == []


def test_ours_leaves_the_default_experiment(filled: Filler) -> None:
    filled.store.delete_experiment("0")
    report = _our_gc(_uri(filled), filled.root)
    assert list(report.kept) == ["experiment 0"]
    filled.store.restore_experiment("0")


def test_fault_an_old_experiment_with_a_younger_run_ends_the_pass(filled: Filler) -> None:
    before = _age_experiment(filled)
    done = _mlflow_gc(_uri(filled), "--older-than", "1d0h0m0s")
    assert done.exit_code != 0
    assert before


def test_ours_lets_an_old_experiment_wait_for_its_younger_run(filled: Filler) -> None:
    before = _age_experiment(filled)
    report = _our_gc(_uri(filled), filled.root, before)
    assert (report.failed, report.deleted["experiments"], len(_left(filled))) == ({}, 0, 1)
    report = _our_gc(_uri(filled), filled.root)
    assert (report.deleted["experiments"], _left(filled)) == (1, [])


def _age_experiment(filler: Filler) -> int:
    """An experiment deleted two days ago, its run now; returns yesterday in ms since 1970."""
    filler.fill([{"deleted": True, "runs": [_run_part()], "models": []}])
    day, now = 86_400_000, int(time.time() * 1000)
    experiments = _tables().tables["experiments"]
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
