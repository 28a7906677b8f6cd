"""gc deletes what is provably the deleted entity's own, and nothing that anything else needs.

Each case puts files somewhere, deletes something, and says whether the files must be there after a
pass. All cases are in one store, so that a pass over each database shows them all.
"""

import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.runtime.gc.locations.cases import Cases
from tests.runtime.gc_store import DATABASES, Store, new_database

pytestmark = pytest.mark.slow


def _shared_locations(cases: Cases) -> None:
    for name, below in {"shared location": "", "location below another's": "/sub"}.items():
        first = cases.experiment()
        second = cases.experiment(f"mlflow-artifacts:/{first}{below}")
        live, deleted = cases.run(second, deleted=False), cases.run(first, deleted=True)
        place = f"{first}{below}"
        cases.kept[name] = cases.file(place, live, "artifacts")
        cases.gone[f"{name}: the deleted run"] = cases.file(first, deleted, "artifacts")
        cases.store.mlflow.delete_experiment(first)


def _two_stores_in_one_destination(cases: Cases) -> None:
    number = cases.experiment()
    cases.kept["another store's run"] = cases.file(number, uuid4().hex, "artifacts")
    cases.kept["another store's trace"] = cases.file(number, "traces", "tr-1", "artifacts")
    cases.store.mlflow.delete_experiment(number)


# Forms that MLflow takes, or took, and that led gc to a directory of somebody else.
_ELSEWHERE = (
    "{victim}/{{id}}",
    "file://{victim}/{{id}}",
    "file://{victim}?/{{id}}",
    "file://{victim}?x=/{{id}}",
    "file://{victim}/?/{{id}}",
    "file://localhost{victim}?/{{id}}",
    "file://{victim}#/{{id}}",
    "file://{victim}/x/%2e%2e/{{id}}",
    "mlflow-artifacts:/../victims/{number}?/{{id}}",
    "mlflow-artifacts:/../victims/{number}/{{id}}",
    "mlflow-artifacts:/%2e%2e/victims/{number}/{{id}}",
)
_INSIDE = (
    "mlflow-artifacts:/{other}?/{{id}}",
    "mlflow-artifacts:/{other}#/{{id}}",
    "mlflow-artifacts:/{other};/{{id}}",
    "mlflow-artifacts:/{other}/data/{{id}}",
    "mlflow-artifacts:/x/../{other}/data/{{id}}",
    "mlflow-artifacts://other-host/{other}/data/{{id}}",
    "mlflow-artifacts://user@/{other}/data/{{id}}",
    "{root}/{other}/data/{{id}}",
    "{root}//{other}/data/{{id}}",
)


def _locations_that_only_end_in_the_number(cases: Cases) -> None:
    for number, form in enumerate(_ELSEWHERE):
        victim = cases.folder / "victims" / str(number)
        experiment = cases.experiment(form.format(victim=victim, number=number))
        run = cases.run(experiment, deleted=True)
        cases.kept[form] = cases.file_in(victim)
        cases.kept[f"{form}: by the number"] = cases.file_in(victim / experiment)
        cases.kept[f"{form}: run"] = cases.file_in(victim / experiment / run / "artifacts")
        cases.store.mlflow.delete_experiment(experiment)
    for form in _INSIDE:
        other = cases.experiment()
        experiment = cases.experiment(form.format(other=other, root=cases.store.artifacts))
        cases.kept[form] = cases.file(other, "data", experiment)
        cases.kept[f"{form}: all"] = cases.file(other)
        cases.store.mlflow.delete_experiment(experiment)


def _versions(cases: Cases) -> None:
    number = cases.experiment()
    root = f"mlflow-artifacts:/{number}"

    def deleted_run(name: str) -> str:
        run = cases.run(number, deleted=True)
        cases.kept[name] = cases.file(number, run, "artifacts")
        return run

    def deleted_model(name: str, run: str | None = None) -> str:
        model = cases.model(number, run)
        cases.kept[name] = cases.file(number, "models", model, "artifacts")
        return model

    cases.version(f"{root}/{deleted_run('version without a run')}/artifacts/model")
    cases.version(f"{root}/{deleted_run('version of all of a run')}/artifacts/")
    cases.version(f"{root}/{deleted_run('version above the artifacts')}")
    other = cases.run(number, deleted=False)
    cases.version(f"{root}/{deleted_run('version of another run')}/artifacts/model", other)
    cases.version(f"runs:/{deleted_run('runs:/ without a run')}/model")
    cases.version(None, deleted_run("no stage"), current_stage=None)
    at = f"{cases.store.artifacts}/{number}/{deleted_run('by its path')}/artifacts/model"
    cases.version(at)
    run = deleted_run("by an escaped URI")
    cases.version(f"file://{cases.store.artifacts}/{number}/{run}/%61rtifacts/model")
    run = deleted_run("by the server's address")
    proxy = "https://server/api/2.0/mlflow-artifacts/artifacts"
    cases.version(f"{proxy}/{number}/{run}/artifacts/model")
    run = deleted_run("copy of a deleted version")
    cases.version("models:/gone/1", storage_location=f"{root}/{run}/artifacts/model")
    deleted = deleted_model("model by a folder in it")
    cases.version(f"{root}/models/{deleted}/artifacts/sub")
    cases.version(f"models:/{deleted_model('model with a slash behind')}/", storage_location=None)
    run = deleted_run("run of runs:/ with a model")
    deleted_model("model by runs:/", run)
    cases.version(f"runs:/{run}/model", run)
    # A version that was deleted keeps where it was.
    run = cases.run(number, deleted=True)
    cases.gone["run of a deleted version"] = cases.file(number, run, "artifacts")
    where = {"storage_location": f"{root}/{run}/artifacts/model"}
    cases.version("REDACTED-SOURCE-PATH", None, current_stage="Deleted_Internal", **where)
    by_hand = cases.experiment()
    cases.kept["put there by hand"] = cases.file(by_hand, "mine")
    cases.version(f"mlflow-artifacts:/{by_hand}/mine")
    cases.store.mlflow.delete_experiment(by_hand)


def _other_live_rows(cases: Cases) -> None:
    number = cases.experiment()
    for name in ("experiment in a run", "run in a run", "model in a run", "trace in a run"):
        run = cases.run(number, deleted=True)
        cases.kept[name] = cases.file(number, run, "artifacts", "sub")
        at = f"mlflow-artifacts:/{number}/{run}/artifacts/sub"
        if name.startswith("experiment"):
            cases.experiment(at)
        elif name.startswith("run"):
            cases.store.move(cases.run(number, deleted=False), at)
        elif name.startswith("model"):
            model = cases.model(number, deleted=False)
            cases.store.change("logged_models", "model_id", model, artifact_location=at)
        else:
            _trace(cases, number, uuid4().hex, at)
    # A live run all of whose artifacts are where an experiment was put.
    owner = cases.run(number, deleted=False)
    inside = cases.experiment(f"mlflow-artifacts:/{number}/{owner}/artifacts/data")
    run = cases.run(inside, deleted=True)
    cases.kept["run in a live run"] = cases.file(number, owner, "artifacts/data", run, "artifacts")


def _inputs_of_live_runs(cases: Cases) -> None:
    live = cases.run(cases.experiment(), deleted=False)
    number = cases.experiment()
    # A model that nobody deleted goes with its experiment, unless a run elsewhere was given it.
    model = cases.model(number, deleted=False)
    cases.kept["input of a run"] = cases.file(number, "models", model, "artifacts")
    run = cases.run(number, deleted=True)
    cases.kept["dataset of a run"] = cases.file(number, run, "artifacts", "data")
    cases.store.mlflow.delete_experiment(number)
    uuid, source = uuid4().hex, f'{{"uri": "mlflow-artifacts:/{number}/{run}/artifacts/data"}}'
    of_live = int(cases.store.mlflow.get_run(live).info.experiment_id)
    named = {"dataset_uuid": uuid, "experiment_id": of_live, "name": "data", "digest": "1"}
    cases.store.add("datasets", **named, dataset_source_type="http", dataset_source=source)
    ends = {"source_type": "RUN_INPUT", "source_id": live, "destination_type": "MODEL_INPUT"}
    cases.store.add("inputs", input_uuid=uuid4().hex, **ends, destination_id=model)
    ends = {"source_type": "DATASET", "source_id": uuid, "destination_type": "RUN"}
    cases.store.add("inputs", input_uuid=uuid4().hex, **ends, destination_id=live)


def _a_location_that_a_reader_may_cut(cases: Cases) -> None:
    """The live run's artifacts are then all that is in the other experiment."""
    number = cases.experiment()
    cases.run(cases.experiment(f"mlflow-artifacts:/{number}?/{{id}}"), deleted=False)
    run = cases.run(number, deleted=True)
    cases.kept["what is left of a cut location"] = cases.file(number, run, "artifacts")


def _trace(cases: Cases, experiment: str, trace: str, location: str) -> None:
    values = {"timestamp_ms": 1, "status": "OK", "execution_time_ms": 1}
    cases.store.add("trace_info", request_id=trace, experiment_id=int(experiment), **values)
    tag = {"key": "mlflow.artifactLocation", "value": location}
    cases.store.add("trace_tags", request_id=trace, **tag)


def _links(cases: Cases) -> None:
    for name in ("experiment", "run"):
        number = cases.experiment()
        run = cases.run(number, deleted=True)
        target = cases.folder / f"linked {name}"
        link = cases.store.artifacts.joinpath(number, *([run] if name == "run" else []))
        below = ["artifacts"] if name == "run" else [run, "artifacts"]
        cases.kept[f"linked {name}"] = cases.file_in(target.joinpath(*below))
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)


def _own(cases: Cases) -> None:
    """What must go, wherever below the destination MLflow made it."""
    root = cases.store.artifacts
    for location in (None, "mlflow-artifacts:/team/a", f"{root}/team b", f"file://{root}/c/"):
        name = location or "own"
        number = cases.experiment(location)
        folder = {None: number, "mlflow-artifacts:/team/a": "team/a"}.get(location)
        folder = folder or str(location).removeprefix("file://").removeprefix(f"{root}/")
        run, model = cases.run(number, deleted=True), cases.model(number, deleted=False)
        cases.gone[f"{name}: run"] = cases.file(folder, run, "artifacts")
        cases.gone[f"{name}: model"] = cases.file(folder, "models", model, "artifacts")
        trace = f"tr-{uuid4().hex}"
        at = f"{(location or f'mlflow-artifacts:/{number}').rstrip('/')}/traces/{trace}/artifacts"
        _trace(cases, number, trace, at)
        cases.gone[f"{name}: trace"] = cases.file(folder, "traces", trace, "artifacts")
        cases.store.mlflow.delete_experiment(number)
        if location is None:
            cases.gone["own: folder"] = root / number


_ARRANGE: tuple[Callable[[Cases], None], ...] = (
    _shared_locations,
    _two_stores_in_one_destination,
    _locations_that_only_end_in_the_number,
    _versions,
    _other_live_rows,
    _inputs_of_live_runs,
    _a_location_that_a_reader_may_cut,
    _links,
    _own,
)


@pytest.fixture(scope="module", params=DATABASES)
def uri(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with new_database(request.param, tmp_path_factory.mktemp("database")) as made:
        yield made


def test_only_what_is_an_entity_s_own_and_nobody_else_s_goes(uri: str, tmp_path: Path) -> None:
    store = Store(tmp_path, uri, "mlflow-artifacts:/")
    cases = Cases(store, tmp_path)
    for arrange in _ARRANGE:
        arrange(cases)
    store.mlflow.delete_experiment("0")
    before = {name: path.exists() for name, path in (cases.kept | cases.gone).items()}
    assert all(before.values()), before

    foreseen = store.purge("--dry-run")
    assert {name for name, path in cases.kept.items() if not path.exists()} == set()
    said = store.purge()
    assert {name for name, path in cases.kept.items() if not path.exists()} == set(), "lost"
    assert {name for name, path in cases.gone.items() if path.exists()} == set(), "left"

    assert "0" in map(str, store.keys("experiments", "experiment_id"))
    assert "experiment 0" in said["kept"]
    assert said["kept_registered"] == {"runs": 11, "logged_models": 4}
    assert foreseen["deleted"] == said["deleted"]
    assert foreseen["kept_registered"] == said["kept_registered"]
    # What stays although its rows are gone is named, with its place.
    assert len([key for key in said["kept_artifacts"] if "experiment" not in key]) >= len(
        _ELSEWHERE
    )
    for reason in said["kept_artifacts"].values():
        assert "/" in reason
    shutil.rmtree(store.artifacts)
