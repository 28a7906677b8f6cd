"""gc beside those who restore and register meanwhile, by a wrong clock, on another's schema."""

import time
from collections.abc import Generator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from runtime.artifacts.location import Destination
from runtime.backup.schema import make_tables
from runtime.database import clock, schema
from runtime.errors import UserError
from runtime.gc import collector
from runtime.gc import command as gc
from runtime.gc.collector import Collector
from runtime.gc.report import Report
from tests.runtime.gc.meanwhile.amid import NOW, amid_a_batch, collect, in_thread
from tests.runtime.gc_store import DATABASES, Store, new_database

pytestmark = pytest.mark.slow

_ALL = 2**62
_MODELS = 5
# Long enough for a restore that does not wait, and for a gc that does not.
_WAITS_SECONDS = 1.5
_OLD_SCHEMA = "97727af70f4d"


@pytest.fixture(scope="module", params=DATABASES)
def uri(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with new_database(request.param, tmp_path_factory.mktemp("database")) as made:
        yield made


@pytest.fixture
def store(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store(tmp_path, uri, "mlflow-artifacts:/")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


def _models(store: Store) -> tuple[str, list[Path]]:
    """A deleted experiment, and the artifacts of its logged models, none of them deleted itself."""
    experiment = store.mlflow.create_experiment(store.artifacts.parent.name + "-models")
    files: list[Path] = []
    for _ in range(_MODELS):
        model = store.mlflow.create_logged_model(experiment, "model").model_id
        folder = store.artifacts / experiment / "models" / model / "artifacts"
        folder.mkdir(parents=True)
        files.append(folder / "MLmodel")
        files[-1].write_text("x")
    store.mlflow.delete_experiment(experiment)
    return experiment, files


def test_a_restore_that_came_first_keeps_all_models(store: Store) -> None:
    experiment, files = _models(store)
    table = store.tables["experiments"]
    of_it = table.c.experiment_id == int(experiment)
    with store.engine.begin() as connection:
        connection.execute(table.update().where(of_it).values(lifecycle_stage="active"))
        collecting = in_thread(collect)
        collecting.join(_WAITS_SECONDS)
    collecting.join(60)
    assert not collecting.is_alive()
    assert [path for path in files if not path.exists()] == []
    assert len(store.mlflow.search_logged_models([experiment])) == _MODELS


def test_a_restore_amid_a_batch_of_models_waits_for_its_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, files = _models(store)
    told = amid_a_batch(
        monkeypatch, _WAITS_SECONDS, lambda: store.mlflow.restore_experiment(experiment)
    )
    assert told.waited, "it said that all is restored while gc deleted it"
    # It came later: what gc had locked is gone, rows and files alike, and perhaps all of it.
    left = store.keys("experiments", "experiment_id")
    assert (told.error is None) == (int(experiment) in left)
    assert [path for path in files if path.exists()] == []
    assert len(store.mlflow.search_logged_models([experiment])) == 0


def test_a_version_that_is_registered_amid_a_pass_keeps_the_next_batch(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialect = store.engine.dialect.name
    monkeypatch.setitem(collector.BATCH, dialect, 1)
    monkeypatch.setattr(collector, "_SIDE_BY_SIDE", {})
    experiment = store.mlflow.create_experiment(store.artifacts.parent.name)
    runs = [store.run(experiment) for _ in range(3)]
    for run in runs:
        store.mlflow.delete_run(run)
    registered: set[str] = set()

    def register(_kind: str, _number: int) -> None:
        if registered:
            return
        registered.update(store.keys("runs", "run_uuid") & set(runs))
        for run in registered:
            named = {"workspace": "default", "name": run}
            source = f"mlflow-artifacts:/{experiment}/{run}/artifacts/model"
            store.add("registered_models", **named)
            store.add("model_versions", **named, version=1, source=source)

    destination, metadata = Destination(str(store.artifacts)), schema.tables()
    report = Collector(
        store.engine, metadata, destination, _ALL, Report(dry_run=False), progress=register
    ).run()
    assert (report.deleted["runs"], report.kept_registered["runs"]) == (1, 2)
    assert registered == store.keys("runs", "run_uuid") & set(runs)
    for run in registered:
        assert (store.artifacts / experiment / run / "artifacts" / "weights").exists()


class _Ahead:
    """A clock that is a month ahead."""

    @staticmethod
    def time() -> float:
        return time.time() + 31 * 24 * 60 * 60


def test_a_clock_that_is_ahead_of_the_database_s_purges_nothing_young(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if store.engine.dialect.name == "sqlite":
        # Its clock is this machine's, as is that of the server: there is no other to ask.
        assert clock.now_of(store.engine) <= time.time() * 1000
        return
    experiment = store.mlflow.create_experiment(store.artifacts.parent.name)
    run = store.run(experiment)
    store.mlflow.delete_run(run)
    monkeypatch.setattr(clock, "time", _Ahead)
    gc.collect("30d0h0m0s", dry_run=False)
    assert run in store.keys("runs", "run_uuid")
    # And it is no clock that stands still.
    gc.collect(NOW, dry_run=False)
    assert run not in store.keys("runs", "run_uuid")


def test_another_schema_is_refused_in_one_line_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"sqlite:///{tmp_path}/old.sqlite"
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", uri)
    engine = create_engine(uri)
    make_tables(engine, _OLD_SCHEMA)
    with pytest.raises(UserError, match=r"older .* `trackstack upgrade`") as refused:
        gc.collect(NOW, dry_run=False)
    assert refused.value.exit_code == 1
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'ffffffffffff'"))
    with pytest.raises(UserError, match="newer") as refused:
        gc.collect(NOW, dry_run=False)
    assert refused.value.exit_code == 1


def test_half_a_restored_store_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its runs may be there, and its registered versions not yet."""
    store = Store(tmp_path)
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", store.uri)
    with store.engine.begin() as connection:
        connection.execute(text("CREATE TABLE trackstack_restore (backup VARCHAR(200))"))
    with pytest.raises(UserError, match="restore of this store did not end"):
        gc.collect(NOW, dry_run=False)
