"""MLflow on PostgreSQL through the real server, where its own driver matters."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.databases import PostgreSql, postgresql
from tests.runtime.serving import Serving, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def database() -> Generator[PostgreSql]:
    with postgresql() as running:
        yield running


@pytest.fixture(scope="module", params=["postgresql", "postgresql+psycopg", "postgres"])
def server(
    request: pytest.FixtureRequest,
    database: PostgreSql,
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[Serving]:
    """A server on a store that is named in one of the ways in which people name it."""
    named = database.new_database().replace(database.scheme, request.param)
    folder = tmp_path_factory.mktemp("postgresql")
    with serving(folder, MLFLOW_BACKEND_STORE_URI=named) as running:
        yield running


def test_datasets_are_logged_searched_and_given_to_experiments(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow compares numbers with texts here, which PostgreSQL takes from an untyped client."""
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.genai import datasets

    client = server.client(monkeypatch)
    first, second = (client.create_experiment(name) for name in ("first", "second"))
    run = client.create_run(first).info.run_id
    dataset = Dataset("rows", "digest", "local", "{}", schema=None, profile=None)
    tag = InputTag("mlflow.data.context", "training")
    client.log_inputs(run, [DatasetInput(dataset, [tag])])
    [logged] = client.get_run(run).inputs.dataset_inputs
    assert (logged.dataset.name, logged.tags[0].value) == ("rows", "training")

    made: Any = datasets.create_dataset(name="questions", experiment_id=first)
    made.merge_records([{"inputs": {"q": "1"}, "expectations": {"a": "2"}}])
    both: Any = datasets.add_dataset_to_experiments(made.dataset_id, [second])
    assert sorted(both.experiment_ids) == sorted([first, second])
    [found] = datasets.search_datasets(experiment_ids=[second])
    assert found.dataset_id == made.dataset_id
    again: Any = datasets.get_dataset(dataset_id=made.dataset_id)
    assert len(again.to_df()) == 1
    left: Any = datasets.remove_dataset_from_experiments(made.dataset_id, [first])
    assert left.experiment_ids == [second]
    datasets.delete_dataset(dataset_id=made.dataset_id)


def test_the_jobs_beside_the_server_open_the_same_store(server: Serving) -> None:
    for arguments in (("gc", "--dry-run"), ("upgrade",), ("backup", "--to", "b", "--dry-run")):
        done = server.run(*arguments)
        assert done.returncode == 0, done.stderr
    done = server.run("doctor", "--json")
    assert "password" not in done.stdout.lower()
    assert "psycopg" not in done.stderr


def test_a_wrong_host_is_one_line(server: Serving, tmp_path: Path) -> None:
    store = {"MLFLOW_BACKEND_STORE_URI": "postgresql://u:hunter2@127.0.0.1:9/x"}
    done = server.run("gc", "--dry-run", TRACKSTACK_DATA_DIR=str(tmp_path), **store)
    assert done.returncode == 75
    assert "hunter2" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
