"""gc killed at fifty random points: one more pass, and all is as if it never was."""

import multiprocessing
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, insert, select

from runtime.artifacts.location import Destination
from runtime.database import schema
from runtime.gc.collector import BATCH, Collector
from runtime.gc.report import Report
from tests.runtime.database.empty import put_schema

pytestmark = pytest.mark.slow

_KILLS, _DELETED, _LIVE = 50, 400, 60
_ALL = 2**62
_PRELOADED = [
    "runtime.gc.collector",
    "mlflow.store.tracking.dbmodels.models",
    "mlflow.store.model_registry.dbmodels.models",
]


def _collect(uri: str, root: str, batch: int) -> None:
    BATCH["sqlite"] = batch
    engine, destination = create_engine(uri), Destination(root)
    Collector(engine, schema.tables(), destination, _ALL, Report(dry_run=False)).run()


def _add(uri: str, root: Path, numbers: range, *, deleted: bool) -> set[str]:
    """Runs with parameters, tags and an artifact each; their names."""
    tables = schema.tables().tables
    names = [f"{number:032x}" for number in numbers]
    for name in names:
        folder = root / "0" / name / "artifacts"
        folder.mkdir(parents=True)
        (folder / "weights").write_text(name)
    runs = [
        {
            "run_uuid": name,
            "name": "run",
            "experiment_id": 0,
            "lifecycle_stage": "deleted" if deleted else "active",
            "deleted_time": 1 if deleted else None,
            "artifact_uri": (root / "0" / name / "artifacts").as_uri(),
            "status": "FINISHED",
        }
        for name in names
    ]
    with create_engine(uri).begin() as connection:
        connection.execute(insert(tables["runs"]), runs)
        for table in ("params", "tags"):
            rows = [{"key": "k", "value": "v", "run_uuid": name} for name in names]
            connection.execute(insert(tables[table]), rows)
    return set(names)


def _rows(uri: str) -> dict[str, list[Any]]:
    tables = schema.tables().tables
    with create_engine(uri).connect() as connection:
        return {
            name: sorted(map(repr, connection.execute(select(tables[name]))))
            for name in ("runs", "params", "tags", "experiments")
        }


def _files(root: Path) -> dict[str, str]:
    return {path.parts[-3]: path.read_text() for path in root.rglob("weights")}


def _count(root: Path) -> int:
    """Of files, though folders go meanwhile."""
    return sum(len(files) for _, _, files in os.walk(root))


def test_fifty_kills_lose_nothing_that_lives_and_leave_nothing_that_is_deleted(
    tmp_path: Path,
) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    uri, root = f"sqlite:///{tmp_path}/store.sqlite", tmp_path / "artifacts"
    put_schema(uri)
    SqlAlchemyStore(uri, root.as_uri())
    live = _add(uri, root, range(_LIVE), deleted=False)
    # Every process begins as a copy of one that has MLflow loaded, so that it is killed at work.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    chance, kills, number, amid = random.Random(7), 0, 1_000_000, 0
    while kills < _KILLS:
        if len(_files(root)) < len(live) + _DELETED // 2:
            _add(uri, root, range(number, number + _DELETED), deleted=True)
            number += _DELETED
        before = len(_files(root))
        process = context.Process(target=_collect, args=(uri, str(root), 5))
        process.start()
        if kills % 2:
            # On a machine that is at other things work begins late: these are killed amid it.
            while process.exitcode is None and _count(root) == before:
                time.sleep(0.005)
            time.sleep(chance.uniform(0.0, 0.1))
        else:
            time.sleep(chance.uniform(0.0, 0.5))
        if process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
            amid += before > len(_files(root)) > len(live)
        process.join()
    assert amid > _KILLS // 5, "too few of the kills were in the middle of the work"

    _collect(uri, str(root), 100)
    rows = _rows(uri)
    assert {row.split("'")[1] for row in rows["runs"]} == live
    assert len(rows["params"]) == len(rows["tags"]) == _LIVE
    assert len(rows["experiments"]) == 1
    assert _files(root) == {name: name for name in live}
