"""gc beside `mlflow gc`: stores that are filled alike, and both commands on them."""

import random
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from sqlalchemy import Engine, MetaData, create_engine, text

from runtime.artifacts.location import Destination
from runtime.database import schema
from runtime.gc.collector import Collector
from runtime.gc.report import Report
from tests.runtime.database.empty import put_schema

_ALL = 2**62


def tables() -> MetaData:
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


def empty(uri: str) -> None:
    engine = create_engine(uri)
    with _unchecked(engine) as connection:
        for table in reversed(tables().sorted_tables):
            connection.execute(table.delete())
    engine.dispose()


def rows_of(uri: str) -> dict[str, list[str]]:
    engine = create_engine(uri)
    with engine.connect() as connection:
        found = {
            table.name: sorted(repr(tuple(row)) for row in connection.execute(table.select()))
            for table in tables().sorted_tables
        }
    engine.dispose()
    return found


def copy(source: str, target: str) -> None:
    one, other = create_engine(source), create_engine(target)
    with one.connect() as reading, _unchecked(other) as writing:
        for table in tables().sorted_tables:
            rows = [dict(row) for row in reading.execute(table.select()).mappings()]
            if rows:
                writing.execute(table.insert(), rows)
    one.dispose()
    other.dispose()


def files_in(folder: Path) -> dict[str, bytes]:
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
        put_schema(uri)
        self.store: Any = SqlAlchemyStore(uri, root.as_uri())

    def fill(self, plan: list[dict[str, Any]]) -> None:
        for number, part in enumerate(plan):
            place = self._location(number, part.get("place"))
            experiment = self.store.create_experiment(f"experiment {number}", place)
            parent: str | None = None
            for run in part["runs"]:
                parent = self.run(experiment, run, parent)
            for deleted in part["models"]:
                self._model(experiment, parent, deleted=deleted)
            if part["deleted"]:
                self.store.delete_experiment(experiment)

    def _location(self, number: int, place: str | None) -> str | None:
        """None: MLflow's own; ``shared`` with all others that are; ``outside``: not below root."""
        if place is None:
            return None
        outside = self.root.parent / "outside" / str(number)
        return (outside if place == "outside" else self.root / "shared").as_uri()

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


def mlflow_gc(uri: str, *arguments: str) -> Any:
    from mlflow.cli import gc

    command: Any = gc
    # Its own check of the tracking URI asks for one, though nothing here is proxied.
    given = ["--backend-store-uri", uri, "--tracking-uri", "http://127.0.0.1:9", *arguments]
    return CliRunner().invoke(command, given)


def our_gc(uri: str, root: Path, before: int = _ALL) -> Report:
    engine = create_engine(uri)
    destination = Destination(str(root))
    report = Collector(engine, tables(), destination, before, Report(dry_run=False)).run()
    engine.dispose()
    return report
