"""What is in use by whatever MLflow stores of it, read in the store and through the API."""

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from infra.rehearsal.system.waiting import wait_for
from runtime.database.engine import open_engine
from runtime.database.uri import make_directories, store_uri
from runtime.retention.entities import Stale
from runtime.retention.find import Source, find_stale, still_stale
from runtime.retention.store.rows import Store
from runtime.retention.usage import Api
from tests.runtime.database.empty import put_empty_store
from tests.runtime.databases import Server, mariadb, postgresql
from tests.runtime.filled import settings_of

_LINKS = "_mlflow_experiment_ids"
_DAY_MS = 24 * 60 * 60 * 1000
# Table -> its columns of times.
_TIMES = {
    "experiments": ("creation_time", "last_update_time"),
    "runs": ("start_time", "end_time"),
    "latest_metrics": ("timestamp",),
    "metrics": ("timestamp",),
    "trace_info": ("timestamp_ms",),
    "logged_models": ("creation_timestamp_ms", "last_updated_timestamp_ms"),
    "logged_model_metrics": ("metric_timestamp_ms",),
    "evaluation_datasets": ("created_time", "last_update_time"),
    "evaluation_dataset_records": ("created_time", "last_update_time"),
    "model_versions": ("creation_time", "last_updated_time"),
    "registered_models": ("creation_time", "last_updated_time"),
}


@dataclass
class World:
    """A store with MLflow's own client on it."""

    client: Any
    engine: Engine

    def experiment(self, name: str) -> str:
        return str(self.client.create_experiment(name))

    def run(self, experiment: str, **tags: str) -> str:
        """A run that has ended."""
        run = self.client.create_run(experiment, tags=tags).info.run_id
        self.client.log_metric(run, "loss", 1.0)
        self.client.set_terminated(run)
        return str(run)

    def model(self, experiment: str, run: str | None = None) -> str:
        model = self.client.create_logged_model(experiment, source_run_id=run)
        return str(self.client.finalize_logged_model(model.model_id, "READY").model_id)

    def trace(self, experiment: str, model: str | None = None) -> str:
        span = self.client.start_trace("request", experiment_id=experiment)
        self.client.end_trace(span.trace_id)
        if model:
            self.sql(
                "INSERT INTO trace_request_metadata (key_, value, request_id) "
                f"VALUES ('mlflow.modelId', '{model}', '{span.trace_id}')"
            )
        return str(span.trace_id)

    def sql(self, statement: str) -> None:
        # A word of MySQL's own.
        quoted = self.engine.dialect.identifier_preparer.quote("key")
        with self.engine.begin() as connection:
            connection.exec_driver_sql(statement.replace("key_", quoted))

    def everything_ages(self, days: int = 40) -> None:
        old = int(time.time() * 1000) - days * _DAY_MS
        for table, columns in _TIMES.items():
            self.sql(f"UPDATE {table} SET {', '.join(f'{column} = {old}' for column in columns)}")

    def sources(self) -> tuple[Source, Source]:
        return Store(self.engine), Api(self.client)

    def stale(self, source: Source | None = None) -> set[str]:
        """Names of experiments, ids of runs; in the store unless another source is given."""
        found = find_stale(source or Store(self.engine), _now(), 30).stale
        return {e.key if e.kind.value == "run" else e.name for e in found}


def _now() -> datetime:
    return datetime.now(timezone.utc)


@pytest.fixture(
    params=[
        nullcontext,
        pytest.param(postgresql, marks=pytest.mark.slow),
        pytest.param(mariadb, marks=pytest.mark.slow),
    ],
    scope="module",
)
def database(request: pytest.FixtureRequest) -> Generator[Server | None]:
    start: Callable[[], AbstractContextManager[Server | None]] = request.param
    with start() as running:
        yield running


@pytest.fixture
def world(
    database: Server | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[World]:
    import mlflow

    # A trace is there when the call returns.
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
    settings = settings_of(tmp_path, database.new_database() if database else None)
    make_directories(settings)
    if not database:
        put_empty_store(tmp_path)
    uri, before = store_uri(settings), mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    client: Any = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.search_experiments(max_results=1)
    engine = open_engine(settings)
    yield World(client, engine)
    engine.dispose()
    mlflow.set_tracking_uri(before)


def test_a_logged_model_in_use_keeps_its_run_and_its_experiment(world: World) -> None:
    from mlflow.entities import LoggedModelInput, LoggedModelOutput

    client = world.client
    ways = ("tagged", "named", "served", "measured", "registered", "left")
    home = {way: world.experiment(way) for way in ways}
    run = {way: world.run(home[way]) for way in ways}
    model = {way: world.model(home[way], run[way]) for way in ways if way != "named"}
    others = world.experiment("others")
    model["named"] = world.model(others)
    client.log_outputs(run["named"], [LoggedModelOutput(model["named"], 0)])
    client.set_logged_model_tags(model["tagged"], {"trackstack.keep": "true"})
    other = world.run(others)
    client.create_registered_model("m")
    client.create_model_version(
        "m", f"models:/{model['registered']}", other, model_id=model["registered"]
    )
    evaluated = world.experiment("evaluated")
    source = world.run(evaluated)
    tested = world.model(evaluated, source)
    world.everything_ages()
    client.finalize_logged_model(model["named"], "READY")
    busy = world.experiment("busy")
    world.trace(busy, model["served"])
    now = client.create_run(busy).info.run_id
    client.log_metric(now, "accuracy", 0.9, model_id=model["measured"])
    client.log_inputs(now, models=[LoggedModelInput(tested)])
    client.set_terminated(now)
    for_store, by_api = (world.stale(each) for each in world.sources())
    assert for_store == {"left", run["left"], "m", "m/1"}
    # MLflow's search of runs does not say which models they had as inputs.
    assert by_api - for_store <= {"evaluated", source}


def test_reviews_prompts_scorers_and_datasets_keep_an_experiment(world: World) -> None:
    import mlflow

    client = world.client
    names = ("reviewed", "traced before", "prompted", "scored", "cited", "left")
    home = {name: world.experiment(name) for name in names}
    seen, _, cited = (world.trace(home[n]) for n in ("reviewed", "traced before", "cited"))
    dataset = client.create_dataset("set", experiment_id=world.experiment("of datasets"))
    dataset.merge_records(
        [
            {
                "inputs": {"q": 1},
                "source": {"source_type": "TRACE", "source_data": {"trace_id": cited}},
            }
        ]
    )
    client.register_prompt("ask", "{{q}}")
    # MLflow links it to the experiment of the moment, in a thread of its own.
    wait_for(lambda: _LINKS in client.get_prompt("ask").tags, "the prompt's link", 30)
    client.set_prompt_tag("ask", _LINKS, f",0,{home['prompted']},")
    world.everything_ages()
    mlflow.log_feedback(trace_id=seen, name="good", value=True)
    world.sql(
        "INSERT INTO scorers (experiment_id, scorer_name, scorer_id) "
        f"VALUES ({home['scored']}, 's', 'id')"
    )
    world.sql(
        "INSERT INTO scorer_versions (scorer_id, scorer_version, serialized_scorer, creation_time) "
        f"VALUES ('id', 1, '{{}}', {int(time.time() * 1000)})"
    )
    assert world.stale() == {"traced before", "of datasets", "left"}
    by_api = world.stale(Api(client))
    assert {"prompted"} & by_api == set()
    assert by_api >= {"traced before", "left"}


def test_a_run_in_whose_artifacts_another_s_dataset_lies_is_kept(world: World) -> None:
    from mlflow.entities import Dataset, DatasetInput

    client = world.client
    made, used, left = (world.run(world.experiment(name)) for name in ("made", "used", "left"))
    source = f'{{"uri": "runs:/{made}/data.csv"}}'
    client.log_inputs(used, [DatasetInput(Dataset("d", "1", "local", source), [])])
    world.everything_ages()
    assert world.stale() == {"used", used, "left", left}


def test_what_came_into_use_since_the_inventory_is_not_stale_any_more(world: World) -> None:
    client = world.client
    ways = (
        *("logged", "tagged", "resumed", "nested", "modelled", "traced", "registered", "deleted"),
        *("evaluated", "evaluated output", "left"),
    )
    home = {way: world.experiment(way) for way in ways}
    run = {way: world.run(home[way]) for way in ways}
    tested = world.model(home["evaluated"], run["evaluated"])
    from mlflow.entities import LoggedModelInput, LoggedModelOutput

    others = world.experiment("others")
    output = world.model(others)
    client.log_outputs(run["evaluated output"], [LoggedModelOutput(output, 0)])
    nested = world.run(home["left"], **{"mlflow.parentRunId": run["left"]})
    client.create_registered_model("m")
    world.everything_ages()
    busy = world.experiment("busy")
    found = {s: find_stale(s, _now(), 30).stale for s in world.sources()}
    for stale in found.values():
        assert {e.key for e in stale} >= {*run.values(), *home.values()}

    client.log_metric(run["logged"], "late", 1.0)
    client.set_tag(run["tagged"], "trackstack.keep", "true")
    client.update_run(run["resumed"], status="RUNNING")
    world.run(busy, **{"mlflow.parentRunId": run["nested"]})
    world.model(busy, run["modelled"])
    world.trace(home["traced"])
    client.create_model_version("m", f"runs:/{run['registered']}/model", run["registered"])
    client.delete_run(run["deleted"])
    tests = client.create_run(busy).info.run_id
    client.log_inputs(tests, models=[LoggedModelInput(tested), LoggedModelInput(output)])

    def still(source: Source, kind: str) -> set[str]:
        asked: list[Stale] = [e for e in found[source] if e.kind.value == kind]
        return {
            e.name if kind == "experiment" else e.key
            for e in still_stale(source, asked, _now(), 30)
        }

    store, api = world.sources()[0], world.sources()[1]
    found = {s: next(iter(found.values())) for s in (store, api)}
    assert still(store, "run") == {run["traced"], run["left"], nested}
    assert still(store, "experiment") == {"deleted", "left"}
    # MLflow's API does not find the runs that had a model as their input.
    blind = {run["evaluated"], run["evaluated output"]}
    assert still(api, "run") - blind == {run["traced"], run["left"], nested}
    blind = {"evaluated", "evaluated output", "others"}
    assert still(api, "experiment") - blind == {"deleted", "left"}


def test_workspaces_and_deleted_things_are_not_listed(world: World) -> None:
    gone, kept = (world.experiment(name) for name in ("gone", "kept"))
    inside, beside = world.run(gone), world.run(kept)
    world.everything_ages()
    world.client.delete_experiment(gone)
    world.client.delete_run(beside)
    for source in world.sources():
        assert world.stale(source) == {"kept"}
    assert inside not in world.stale()
