"""gc beside `mlflow gc` on equal stores: afterwards every table is the same, and every file but for
those that are not provably a deleted entity's, which are listed.
"""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from tests.examples import examples, is_nightly
from tests.runtime.databases import mariadb, postgresql
from tests.runtime.gc.beside import Filler, copy, empty, files_in, mlflow_gc, our_gc, rows_of

pytestmark = pytest.mark.slow


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
        "place": st.sampled_from([None, None, "shared", "outside"]),
        "runs": st.lists(_RUN, max_size=4),
        "models": st.lists(st.booleans(), max_size=2),
    }
)


@settings(
    max_examples=examples(12),
    deadline=None,
    derandomize=not is_nightly(),
    # Each example takes a second: a failing one is shown as it was found.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=st.lists(_EXPERIMENT, min_size=1, max_size=3), seed=st.integers(0, 9))
def test_both_leave_the_same_rows_and_what_gc_keeps_of_files_is_listed(
    twins: Twins, tmp_path_factory: pytest.TempPathFactory, plan: list[dict[str, Any]], seed: int
) -> None:
    world = tmp_path_factory.mktemp("artifacts") / "world"
    root, spare = world / "root", world.with_name("spare")
    for uri in (twins.theirs, twins.ours):
        empty(uri)
    root.mkdir(parents=True)
    Filler(twins.theirs, root, seed).fill(plan)
    copy(twins.theirs, twins.ours)
    shutil.copytree(world, spare)

    done = mlflow_gc(twins.theirs)
    assert done.exit_code == 0, done.output
    rows, files = rows_of(twins.theirs), files_in(world)
    shutil.rmtree(world)
    spare.rename(world)
    report = our_gc(twins.ours, root)
    assert report.failed == {}
    ours = rows_of(twins.ours)
    for table, expected in rows.items():
        assert ours[table] == expected, table
    # What only `mlflow gc` leaves: the files of a deleted experiment's models.
    orphans = {path for path in files if _model_of(path) and not _mentions(rows, path)}
    left = files_in(world)
    kept = {path for path in left if path not in files.keys() - orphans}
    assert {path: left[path] for path in left.keys() - kept} == {
        path: files[path] for path in files.keys() - orphans
    }
    # What only gc leaves, at a location that somebody chose outside of the destination.
    assert {Path(path).parts[0] for path in kept} <= {"outside"}
    listed = set(report.kept_artifacts)
    assert {path for path in kept if not listed & set(Path(path).parts)} == set()


def _model_of(path: str) -> str | None:
    return next((part for part in Path(path).parts if part.startswith("m-")), None)


def _mentions(rows: dict[str, list[str]], path: str) -> bool:
    model = _model_of(path)
    return any(repr(model) in row for row in rows["logged_models"])
