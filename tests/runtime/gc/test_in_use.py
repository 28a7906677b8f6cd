"""What is in use is never stale: every kind of traffic on a real server, old and new."""

import json
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from tests.runtime.databases import Server, mariadb, postgresql
from tests.runtime.serving import Serving, serving
from tests.runtime.way import way_to

pytestmark = pytest.mark.slow

_DAY_MS = 24 * 60 * 60 * 1000
# Table -> its columns of times.
_TIMES = {
    "experiments": ("creation_time", "last_update_time"),
    "runs": ("start_time", "end_time"),
    "latest_metrics": ("timestamp",),
    "metrics": ("timestamp",),
    "trace_info": ("timestamp_ms",),
    "logged_models": ("creation_timestamp_ms", "last_updated_timestamp_ms"),
    "evaluation_datasets": ("created_time", "last_update_time"),
}


class Traffic:
    """A client that makes things, and the database behind it, which makes them old."""

    def __init__(self, server: Serving, client: Any, uri: str) -> None:
        self.server, self.client = server, client
        self._engine = create_engine(uri)

    def everything_ages(self, days: int = 40) -> None:
        old = int(time.time() * 1000) - days * _DAY_MS
        with self._engine.begin() as connection:
            for table, columns in _TIMES.items():
                changes = ", ".join(f"{column} = {old}" for column in columns)
                connection.exec_driver_sql(f"UPDATE {table} SET {changes}")

    def sql(self, statement: str) -> None:
        with self._engine.begin() as connection:
            connection.exec_driver_sql(statement)

    def run(self, experiment: str) -> str:
        """A run that has ended."""
        run = self.client.create_run(experiment).info.run_id
        self.client.log_metric(run, "loss", 1.0)
        self.client.set_terminated(run)
        return str(run)

    def trace(self, experiment: str, run: str | None = None) -> None:
        span = self.client.start_trace("request", experiment_id=experiment, run_id=run)
        self.client.end_trace(span.trace_id)
        self.client.search_traces(locations=[experiment], flush=True)

    def stale(self) -> set[str]:
        """What report lists and prune would delete: names of experiments, ids of runs."""
        listed = self.reported()
        assert self.reported(**self.elsewhere) == listed
        counted = json.loads(self._done("prune", "--dry-run", "--json").stdout)["deleted"]
        assert sum(counted.values()) == len(listed)
        return listed

    def reported(self, **environment: str) -> set[str]:
        """What report lists, beside the store unless ``environment`` says otherwise."""
        listed = json.loads(self._done("report", "--json", **environment).stdout)
        return {line["id"] if line["kind"] == "run" else line["name"] for line in listed}

    @property
    def elsewhere(self) -> dict[str, str]:
        """The environment of a machine that cannot reach the store."""
        return {"MLFLOW_BACKEND_STORE_URI": "sqlite:////nowhere/mydb.sqlite"}

    def _done(self, *arguments: str, **environment: str) -> Any:
        done = self.server.run(*arguments, **environment)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture
def client_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    # A trace is there when the call returns.
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")


@pytest.fixture
def traffic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client_settings: None
) -> Generator[Traffic]:
    with serving(tmp_path) as server:
        uri = f"sqlite:///{tmp_path}/store/mydb.sqlite"
        yield Traffic(server, server.client(monkeypatch), uri)


@pytest.mark.parametrize("start", [nullcontext, postgresql, mariadb])
def test_what_was_logged_to_lately_is_kept_and_what_was_left_alone_is_not(
    start: Callable[[], AbstractContextManager[Server | None]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    client_settings: None,
) -> None:
    with start() as database:
        uri = database.new_database() if database else f"sqlite:///{tmp_path}/store/mydb.sqlite"
        with serving(tmp_path, MLFLOW_BACKEND_STORE_URI=uri, MLFLOW_WORKERS="1") as server:
            traffic = Traffic(server, server.client(monkeypatch), uri)
            left_alone = _old_and_new(traffic)
            assert traffic.stale() == left_alone


def _old_and_new(traffic: Traffic) -> set[str]:
    """Make things of every kind, all of them old but for what is done to some now."""
    client = traffic.client
    names = (
        *("traced", "traced before", "external", "external before", "dataset", "dataset before"),
        *("running", "scheduled", "resumed", "drift", "model of a run", "trace of a run"),
        *("champion", "left"),
    )
    made = {name: client.create_experiment(name) for name in names}
    traffic.trace(made["traced before"])
    client.create_logged_model(made["external before"], name="before")
    client.create_dataset("before", experiment_id=made["dataset before"])
    champion = client.create_logged_model(made["champion"], name="champion")
    client.finalize_logged_model(champion.model_id, "READY")
    client.create_registered_model("champion")
    client.create_model_version(
        "champion", f"models:/{champion.model_id}", model_id=champion.model_id
    )
    client.set_registered_model_alias("champion", "Champion", "1")
    running = client.create_run(made["running"]).info.run_id
    scheduled = client.create_run(made["scheduled"]).info.run_id
    client.update_run(scheduled, status="SCHEDULED")
    resumed = traffic.run(made["resumed"])
    drift = traffic.run(made["drift"])
    of_model, beside_it = (traffic.run(made["model of a run"]) for _ in range(2))
    of_trace, beside_that = (traffic.run(made["trace of a run"]) for _ in range(2))
    left = traffic.run(made["left"])
    traffic.everything_ages()

    client.update_run(resumed, status="RUNNING")
    client.log_metric(drift, "drift", 0.1)
    traffic.trace(made["traced"])
    client.create_logged_model(made["external"], name="now")
    client.create_dataset("now", experiment_id=made["dataset"])
    client.create_logged_model(made["model of a run"], name="new", source_run_id=of_model)
    traffic.trace(made["trace of a run"], of_trace)
    assert client.get_run(running).info.status == "RUNNING"
    assert client.get_run(of_trace).info.status == "FINISHED"
    return {
        *("traced before", "external before", "dataset before"),
        *(beside_it, beside_that, left, "left"),
    }


def test_a_run_that_is_written_to_survives_prune_and_its_client_goes_on(traffic: Traffic) -> None:
    experiment = traffic.client.create_experiment("training for weeks")
    run = traffic.client.create_run(experiment).info.run_id
    traffic.everything_ages()
    assert traffic.server.run("prune", "--yes").returncode == 0
    traffic.client.log_metric(run, "loss", 0.5)
    traffic.trace(experiment)


def test_a_metric_of_now_at_a_lower_step_than_an_old_one_keeps_its_run(traffic: Traffic) -> None:
    client = traffic.client
    experiment = client.create_experiment("trained again")
    again, beside = (traffic.run(experiment) for _ in range(2))
    client.log_metric(again, "a first/one", 1.0)
    for run in (again, beside):
        client.log_metric(run, "loss", 0.5, step=1000)
    traffic.everything_ages()
    client.log_metric(again, "loss", 0.7, step=10)
    assert traffic.stale() == {beside}


def test_a_run_that_never_said_when_it_started_is_kept(traffic: Traffic) -> None:
    client = traffic.client
    experiment = client.create_experiment("by another client")
    run = client.create_run(experiment).info.run_id
    left = traffic.run(experiment)
    client.set_terminated(run)
    traffic.everything_ages()
    traffic.sql(f"UPDATE runs SET start_time = 0, end_time = NULL WHERE run_uuid = '{run}'")
    assert traffic.stale() == {left}


def test_a_parent_of_a_run_in_progress_is_kept(traffic: Traffic) -> None:
    client = traffic.client
    experiment = client.create_experiment("sweep")
    parent, left = (traffic.run(experiment) for _ in range(2))
    client.create_run(experiment, tags={"mlflow.parentRunId": parent})
    traffic.everything_ages()
    assert traffic.stale() == {left}


def test_a_trace_or_a_model_in_another_experiment_keeps_its_run(traffic: Traffic) -> None:
    client = traffic.client
    runs_in, others_in = (client.create_experiment(name) for name in ("runs", "others"))
    traced, modelled, before, left = (traffic.run(runs_in) for _ in range(4))
    client.create_logged_model(others_in, name="before", source_run_id=before)
    traffic.everything_ages()
    traffic.trace(others_in, traced)
    client.create_logged_model(others_in, name="now", source_run_id=modelled)
    assert traffic.stale() == {before, left}


def test_nobody_s_tag_and_no_odd_time_stops_a_pass(traffic: Traffic) -> None:
    client = traffic.client
    for number, days in enumerate(("9999999999", "9" * 5000, "-1", "٣٠", " ", "1e9", "never")):
        experiment = client.create_experiment(f"ttl {number}")
        client.set_experiment_tag(experiment, "trackstack.ttl_days", days)
    for number, kept in enumerate(("", "ja", "TRUE ", "💾")):
        experiment = client.create_experiment(f"keep {number}")
        client.set_experiment_tag(experiment, "trackstack.keep", kept)
    odd = client.create_experiment("odd times")
    far, before = (traffic.run(odd) for _ in range(2))
    traffic.everything_ages()
    traffic.sql(f"UPDATE runs SET end_time = {10**18} WHERE run_uuid = '{far}'")
    traffic.sql(f"UPDATE runs SET end_time = -{10**18} WHERE run_uuid = '{before}'")
    traffic.sql(f"UPDATE latest_metrics SET timestamp = -{10**18} WHERE run_uuid = '{before}'")
    traffic.sql(f"UPDATE runs SET start_time = -{10**18} WHERE run_uuid = '{before}'")
    # Kept are those for ever or for long; a tag that is no number of days changes nothing.
    assert traffic.stale() == {before, *(f"ttl {n}" for n in (2, 3, 4, 5))}
    for form in ("table", "csv", "html"):
        done = traffic.server.run("report", "--format", form)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("route", ["traces", "logged-models", "datasets"])
def test_what_a_server_cannot_say_counts_as_use(traffic: Traffic, route: str) -> None:
    """An older server has no such route; one that fails or lets nobody in ends the pass."""
    experiment = traffic.client.create_experiment("left")
    run = traffic.run(experiment)
    traffic.everything_ages()
    assert traffic.stale() == {"left", run}

    def pruned(status: int) -> Any:
        def refusal(path: str) -> int:
            return status if path.endswith((f"/{route}/search", f"/{route}")) else 0

        with way_to(traffic.server, refusal) as uri:
            return traffic.server.run(
                *("prune", "--dry-run", "--json"),
                **traffic.elsewhere,
                MLFLOW_TRACKING_URI=uri,
                MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
            )

    counts = json.loads(pruned(404).stdout)["deleted"]
    # Datasets are an experiment's alone.
    assert (counts["run"], counts["experiment"]) == (int(route == "datasets"), 0)
    for status in (403, 500):
        done = pruned(status)
        assert (done.returncode, done.stdout) == (1, "")


def test_never_deletes_nothing_and_says_so(traffic: Traffic) -> None:
    client = traffic.client
    experiment = client.create_experiment("soon by its own tag")
    client.set_experiment_tag(experiment, "trackstack.ttl_days", "1")
    run = traffic.run(experiment)
    gone = client.create_experiment("gone")
    traffic.everything_ages()
    client.delete_experiment(gone)
    never = {"MLFLOW_TRACKING_ENTITY_TTL": "never", "MLFLOW_TRACKING_GC_TTL": "never"}
    for command in ("prune --yes --json", "prune --dry-run --json", "gc --json"):
        done = traffic.server.run(*command.split(), **never)
        assert done.returncode == 0, done.stderr
        assert set(json.loads(done.stdout)["deleted"].values()) == {0}
        assert "is never" in done.stderr
    assert json.loads(traffic.server.run("report", "--json", **never).stdout) == []
    assert client.get_run(run).info.lifecycle_stage == "active"
    assert client.get_experiment(gone).lifecycle_stage == "deleted"
    # By hand, with an age, it still purges.
    done = traffic.server.run("gc", "--older-than", "0s", "--json", **never)
    assert json.loads(done.stdout)["deleted"]["experiments"] == 1
