"""Clients choose trace ids: a trace that has a run's id, and an experiment put where both meet."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.runtime.gc_store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, root="mlflow-artifacts:/")


def _experiment(store: Store, location: str | None = None) -> str:
    return str(store.mlflow.create_experiment(uuid4().hex, location))


def _run(store: Store, experiment: str) -> str:
    return str(store.mlflow.create_run(experiment, "someone", 1, [], "run").info.run_id)


def _trace(store: Store, experiment: str, trace: str) -> None:
    from mlflow.entities import TraceInfo, TraceLocation, TraceState

    any_location: Any = TraceLocation
    given = any_location.from_experiment_id(experiment)
    info = TraceInfo(trace, given, request_time=1, state=TraceState.OK)
    store.mlflow.start_trace(info)


def _file(store: Store, *parts: str) -> Path:
    folder = store.artifacts.joinpath(*parts, "artifacts")
    folder.mkdir(parents=True)
    (folder / "model.bin").write_text("x")
    return folder / "model.bin"


@pytest.mark.parametrize("location", [None, "mlflow-artifacts:/team"])
def test_a_deleted_trace_takes_nothing_from_the_live_run_whose_id_it_has(
    store: Store, location: str | None
) -> None:
    traced = _experiment(store, location)
    folder = "team" if location else traced
    run = _run(store, _experiment(store, f"mlflow-artifacts:/{folder}/traces"))
    of_run = _file(store, folder, "traces", run)
    old, plain = uuid4().hex, f"tr-{uuid4().hex}"
    of_traces = [_file(store, folder, "traces", trace) for trace in (old, plain)]
    for trace in (run, old, plain):
        _trace(store, traced, trace)
    store.mlflow.delete_experiment(traced)
    said = store.purge()
    assert of_run.exists()
    assert run in store.keys("runs", "run_uuid")
    # All else goes as before; ids of either form are MLflow's own.
    assert not any(path.exists() for path in of_traces)
    assert store.keys("trace_info", "request_id") == set()
    assert run in said["kept_artifacts"][f"traces of experiment {traced}"]


@pytest.mark.parametrize("location", [None, "mlflow-artifacts:/team"])
def test_a_deleted_run_takes_nothing_from_the_live_trace_that_has_its_id(
    store: Store, location: str | None
) -> None:
    traced = _experiment(store, location)
    folder = "team" if location else traced
    beside = _experiment(store, f"mlflow-artifacts:/{folder}/traces")
    run, other = _run(store, beside), _run(store, beside)
    of_trace = _file(store, folder, "traces", run)
    of_other = _file(store, folder, "traces", other)
    _trace(store, traced, run)
    for each in (run, other):
        store.mlflow.delete_run(each)
    foreseen, said = store.purge("--dry-run"), store.purge()
    assert of_trace.exists()
    assert not of_other.exists()
    assert store.keys("runs", "run_uuid") == set()
    assert list(said["kept_artifacts"]) == list(foreseen["kept_artifacts"]) == [run]


def test_an_id_alone_keeps_no_artifacts_of_a_run(store: Store) -> None:
    experiment = _experiment(store)
    run = _run(store, experiment)
    of_run = _file(store, experiment, run)
    _trace(store, _experiment(store), run)
    store.mlflow.delete_run(run)
    assert store.purge()["kept_artifacts"] == {}
    assert not of_run.exists()


def test_a_trace_whose_id_mlflow_never_makes_has_no_artifacts_of_its_own(store: Store) -> None:
    """Here the place of the one contains that of the other."""
    traced = _experiment(store, "mlflow-artifacts:/team")
    inside = _experiment(store, "mlflow-artifacts:/team/traces")
    _trace(store, traced, "traces")
    _trace(store, inside, "artifacts")
    live = _file(store, "team", "traces", "traces", "artifacts")
    store.mlflow.delete_experiment(traced)
    store.purge()
    assert live.exists()
