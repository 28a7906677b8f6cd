"""prune against a server that is overloaded, interrupted, or used by others meanwhile."""

import itertools
import json
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.retention import prune
from runtime.retention.entities import Kind, Stale
from tests.runtime.serving import Serving, serving
from tests.runtime.way import way_to


class _Client:
    """Deletes what it is told to, in the order that it keeps; some are gone, some fail."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.tagged: dict[str, tuple[str, str]] = {}

    def set_tag(self, key: str, tag: str, value: str) -> None:
        self.tagged[key] = (tag, value)

    set_experiment_tag = set_tag

    def delete_run(self, key: str) -> None:
        self.order.append(key)
        if key == "gone":
            raise RuntimeError("The run gone must be in the 'active' state.")
        if key == "bad":
            raise RuntimeError("disk on fire")

    def delete_experiment(self, key: str) -> None:
        self.order.append(key)

    def delete_model_version(self, model: str, version: str) -> None:
        self.order.append(f"{model}/{version}")

    def delete_registered_model(self, key: str) -> None:
        self.order.append(key)


def test_kinds_go_in_order_what_is_gone_counts_and_one_that_fails_stops_no_other() -> None:
    client = _Client()
    entities = [
        Stale(Kind.REGISTERED_MODEL, "m", "m", "", 0),
        Stale(Kind.MODEL_VERSION, "m/1", "m/1", "", 0),
        Stale(Kind.EXPERIMENT, "e", "e", "e", 0),
        *(Stale(Kind.RUN, key, key, "kept", 0) for key in ("gone", "bad", "good")),
        *(Stale(Kind.RUN, key, key, "e", 0) for key in ("along", "too")),
    ]
    told: list[int] = []
    outcome = prune.apply(client, entities, "a pass", told=told.append)
    assert outcome.deleted == {
        "run": 4,
        "experiment": 1,
        "model version": 1,
        "registered model": 1,
    }
    assert outcome.failed == {"run bad": "disk on fire"}
    # MLflow deletes an experiment's runs with it, and a model's versions.
    assert sum(told) == len(entities) - 3
    # What comes back has to be found, and only what was deleted softly comes back.
    tag = ("trackstack.pruned", "a pass")
    assert client.tagged == dict.fromkeys(("gone", "bad", "good", "e"), tag)
    assert set(client.order[:3]) == {"gone", "bad", "good"}
    assert client.order[3:] == ["e", "m"]


def test_what_came_into_use_meanwhile_stays() -> None:
    client = _Client()
    entities = [Stale(Kind.RUN, key, key, "kept", 0) for key in ("used", "good")]
    outcome = prune.apply(
        client, entities, "a pass", lambda batch: [e for e in batch if e.key != "used"]
    )
    assert (client.order, outcome.deleted["run"], outcome.used_again) == (["good"], 1, 1)


@contextmanager
def _overloaded(server: Serving) -> Generator[str]:
    """A way to the server that answers the first deletions with 429 and 503."""
    refusals = itertools.chain((429, 503, 503), itertools.repeat(0))
    with way_to(server, lambda path: next(refusals) if path.endswith("/delete") else 0) as uri:
        yield uri


@pytest.mark.slow
def test_an_overloaded_server_is_tried_again_and_a_pass_cut_short_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path) as server:
        client = server.client(monkeypatch)
        experiment = client.create_experiment("in use")
        client.create_run(experiment)
        runs = [client.create_run(experiment, start_time=1) for _ in range(12)]
        for run in runs:
            client.set_terminated(run.info.run_id, end_time=2)
        part = server.run("prune", "--yes", "--limit", "5", "--json")
        assert json.loads(part.stdout)["deleted"]["run"] == 5
        with _overloaded(server) as uri:
            rest = server.run(
                *("prune", "--yes", "--more-than-half", "--json"), MLFLOW_TRACKING_URI=uri
            )
        assert rest.returncode == 0, rest.stderr
        assert json.loads(rest.stdout)["deleted"]["run"] == 7
        assert len(client.search_runs([experiment])) == 1
        page = server.run("report", "--format", "html")
        assert page.stdout.startswith("<!doctype html>")


@pytest.mark.slow
def test_a_whole_experiment_goes_with_its_runs_and_comes_back_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path) as server:
        client = server.client(monkeypatch)
        experiment = client.create_experiment("left alone")
        runs = [client.create_run(experiment, start_time=1).info.run_id for _ in range(3)]
        for run in runs:
            client.set_terminated(run, end_time=2)
        with sqlite3.connect(tmp_path / "store" / "mydb.sqlite", timeout=60) as database:
            database.execute("UPDATE experiments SET last_update_time = 2")
        foreseen = json.loads(server.run("prune", "--dry-run", "--json").stdout)
        done = json.loads(server.run("prune", "--yes", "--json").stdout)
        assert done["deleted"] == foreseen["deleted"]
        assert (done["deleted"]["run"], done["deleted"]["experiment"]) == (3, 1)
        assert client.get_run(runs[0]).info.lifecycle_stage == "deleted"
        client.restore_experiment(experiment)
        assert len(client.search_runs([experiment])) == 3
