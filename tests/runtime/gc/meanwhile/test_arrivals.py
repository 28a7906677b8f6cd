"""Somebody registers, uses or logs what gc deletes at that moment, each in a thread of its own."""

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from mlflow.entities import Dataset, DatasetInput, LoggedModelInput
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry
from sqlalchemy.orm import Session

from runtime.artifacts.location import Destination
from runtime.database import identity
from runtime.gc import arrivals
from tests.runtime.gc.meanwhile.amid import Told, amid_a_batch, collect, in_thread
from tests.runtime.gc_store import DATABASES, Store, new_database

pytestmark = pytest.mark.slow

# Long enough for who does not wait.
_WAITS_SECONDS = 0.5


@pytest.fixture(scope="module", params=DATABASES)
def uri(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with new_database(request.param, tmp_path_factory.mktemp("database")) as made:
        yield made


@pytest.fixture
def store(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Store]:
    made = Store(tmp_path, uri, "mlflow-artifacts:/")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    identity.ensure(made.engine)
    take_back = arrivals.install(Destination(str(made.artifacts)))
    try:
        yield made
    finally:
        take_back()


def _deleted_run(store: Store) -> tuple[str, str]:
    """The experiment of a run that is due, and the run."""
    experiment = str(store.mlflow.create_experiment(store.artifacts.parent.name))
    run = store.run(experiment)
    store.mlflow.delete_run(run)
    return experiment, run


def _model_of_deleted_experiment(store: Store) -> tuple[str, Path]:
    experiment = str(store.mlflow.create_experiment(f"{store.artifacts.parent.name} gone"))
    model = str(store.mlflow.create_logged_model(experiment, "model").model_id)
    folder = store.artifacts / experiment / "models" / model / "artifacts"
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text("x")
    store.mlflow.delete_experiment(experiment)
    return model, folder


def _register(store: Store, source: str, run: str | None = None) -> None:
    registry: Any = Registry(store.uri)
    name = store.artifacts.parent.name
    registry.create_registered_model(name)
    registry.create_model_version(name, source, run)


@pytest.mark.parametrize("source", ["{place}/model", "runs:/{run}/model", "s3://other/model"])
def test_a_version_of_a_run_that_is_being_deleted_waits_and_is_refused(
    store: Store, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, run = _deleted_run(store)
    text = source.format(place=f"mlflow-artifacts:/{experiment}/{run}/artifacts", run=run)
    told = amid_a_batch(monkeypatch, _WAITS_SECONDS, lambda: _register(store, text, run))
    assert told.waited, "it said that all is registered while gc deleted it"
    if store.engine.dialect.name != "sqlite":
        # SQLite's one writer: it came when all was gone, as on another day.
        assert told.error is not None
        assert f"{run} was purged" in told.error
        assert store.keys("model_versions", "run_id") & {run} == set()


@pytest.mark.parametrize("is_of_a_run", [False, True])
def test_a_version_that_names_a_folder_of_many_waits_for_the_batch(
    store: Store, is_of_a_run: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, _ = _deleted_run(store)
    live = store.run(experiment) if is_of_a_run else None
    folder = f"mlflow-artifacts:/{experiment}"
    told = amid_a_batch(monkeypatch, _WAITS_SECONDS, lambda: _register(store, folder, live))
    assert told == Told(waited=True, error=None)


def test_a_version_in_a_trace_that_is_being_deleted_waits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = str(store.mlflow.create_experiment(f"{store.artifacts.parent.name} traced"))
    trace = f"tr-{uuid4().hex}"
    made = {"timestamp_ms": 1, "status": "OK", "execution_time_ms": 1}
    store.add("trace_info", request_id=trace, experiment_id=int(experiment), **made)
    place = f"mlflow-artifacts:/{experiment}/traces/{trace}/artifacts"
    tag = {"key": "mlflow.artifactLocation", "value": place}
    store.add("trace_tags", request_id=trace, **tag)
    folder = store.artifacts / experiment / "traces" / trace / "artifacts"
    folder.mkdir(parents=True)
    (folder / "traces.json").write_text("{}")
    store.mlflow.delete_experiment(experiment)
    told = amid_a_batch(monkeypatch, _WAITS_SECONDS, lambda: _register(store, place))
    assert told == Told(waited=True, error=None)


def test_what_has_nothing_to_do_with_a_batch_does_not_wait(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, _ = _deleted_run(store)
    other = store.run(experiment)
    source = f"mlflow-artifacts:/{experiment}/{other}/artifacts/model"
    told = amid_a_batch(monkeypatch, _WAITS_SECONDS, lambda: _register(store, source, other))
    # SQLite has one writer.
    assert told == Told(waited=store.engine.dialect.name == "sqlite", error=None)


def test_a_live_run_that_takes_a_model_that_is_being_deleted_waits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = _model_of_deleted_experiment(store)
    run = store.run()

    def use() -> None:
        store.mlflow.log_inputs(run, models=[LoggedModelInput(model)])

    told = amid_a_batch(monkeypatch, _WAITS_SECONDS, use)
    assert told.waited


def test_a_dataset_in_what_is_being_deleted_waits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, run = _deleted_run(store)
    live = store.run()
    uri = f"mlflow-artifacts:/{experiment}/{run}/artifacts/weights"
    dataset = Dataset(run, "digest", "http", f'{{"uri": "{uri}"}}', schema=None, profile=None)

    def use() -> None:
        store.mlflow.log_inputs(live, [DatasetInput(dataset, [])])

    assert amid_a_batch(monkeypatch, _WAITS_SECONDS, use).waited


def test_an_experiment_within_what_is_being_deleted_waits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, run = _deleted_run(store)
    place = f"mlflow-artifacts:/{experiment}/{run}/artifacts/deep"
    told = amid_a_batch(
        monkeypatch, _WAITS_SECONDS, lambda: store.mlflow.create_experiment(run, place)
    )
    assert told.waited


@pytest.mark.parametrize("named", ["run_id", "source"])
def test_a_version_that_came_first_keeps_what_it_needs(store: Store, named: str) -> None:
    experiment, run = _deleted_run(store)
    place = f"mlflow-artifacts:/{experiment}/{run}/artifacts"
    name = store.artifacts.parent.name
    given = {"run_id": run, "source": "elsewhere"} if named == "run_id" else {"source": place}
    store.add("registered_models", workspace="default", name=name)
    with Session(store.engine) as session:
        # What it waits for is its own lock, and not its commit's.
        session.add(SqlModelVersion(workspace="default", name=name, version=1, **given))
        session.flush()
        collecting = in_thread(collect)
        collecting.join(_WAITS_SECONDS)
        waited = collecting.is_alive()
        session.commit()
    collecting.join(60)
    assert waited
    assert run in store.keys("runs", "run_uuid")
    assert (store.artifacts / experiment / run / "artifacts" / "weights").exists()


def test_a_server_has_what_it_adds_wait() -> None:
    """In a process of its own: MLflow's application is bounded for good."""
    script = (
        "from sqlalchemy import inspect\n"
        "from runtime.access import create_app\n"
        "create_app()\n"
        "from mlflow.store.model_registry.dbmodels.models import SqlModelVersion\n"
        "print(len(inspect(SqlModelVersion).dispatch.before_insert))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "1"
