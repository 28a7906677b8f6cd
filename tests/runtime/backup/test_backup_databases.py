"""Backups of one database that are restored into another, and one of a moment."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from runtime.artifacts.tree import Tree
from runtime.backup import filling, make, schema
from runtime.backup.format import rows
from runtime.backup.format.manifest import Manifest
from runtime.backup.upgrade import upgrade
from runtime.database.engine import open_engine
from runtime.database.uri import make_directories, store_uri
from runtime.settings import RuntimeSettings
from tests.runtime.backup.stores import artifacts, restore
from tests.runtime.databases import Server, mariadb_with_standby, postgresql
from tests.runtime.filled import fill, settings_of


def _digests(of: Manifest) -> dict[str, str]:
    # MySQL keeps a token's times to the second.
    return {n: t.digest for n, t in of.tables.items() if n != "trackstack_tokens"}


@pytest.fixture(scope="module", params=[postgresql, mariadb_with_standby])
def database(request: pytest.FixtureRequest) -> Generator[Server]:
    with request.param() as running:
        yield running


@pytest.mark.slow
def test_the_restore_drill_from_sqlite_to_a_server_to_another_and_back(
    made: tuple[Tree, Manifest], filled: RuntimeSettings, database: Server, tmp_path: Path
) -> None:
    """Every row and file is the same after three restores; numbers go on where they were."""
    import mlflow

    first = settings_of(tmp_path / "first", database.new_database())
    second = settings_of(tmp_path / "second", database.new_database())
    back = settings_of(tmp_path / "back")
    tree, of = made
    for settings in (first, second, back):
        restore(settings, tree)
        tree = make.destination(settings, None)
        copied = make.back_up(settings, tree)
        assert filling.verify(tree, None)[1] == []
        assert _digests(copied) == _digests(of)
        assert artifacts(settings) == artifacts(filled)
    for settings in (first, second, back):
        uri = store_uri(settings)
        client: Any = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        assert client.create_experiment("new") == "2"
        assert client.get_experiment("0").name == "Default"
        assert client.get_model_version_by_alias("model", "Champion").name == "model"


@pytest.mark.slow
def test_an_older_schema_restores_into_a_newer_one(database: Server, tmp_path: Path) -> None:
    """From SQLite at MLflow 2.0's schema to another kind of database at today's."""
    old = settings_of(tmp_path / "old")
    make_directories(old)
    engine = open_engine(old)
    schema.make_tables(engine, "97727af70f4d")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO experiments (experiment_id, name, lifecycle_stage) "
            "VALUES (7, 'e', 'active')"
        )
        connection.exec_driver_sql(
            "INSERT INTO runs (run_uuid, experiment_id, user_id, status, start_time, "
            "lifecycle_stage, artifact_uri) "
            "VALUES ('r', 7, 'u', 'FINISHED', 1, 'active', 'mlflow-artifacts:/7/r')"
        )
    tree = make.destination(old, None)
    make.back_up(old, tree)
    assert filling.verify(tree, None)[1] == []
    new = settings_of(tmp_path / "new", database.new_database())
    upgraded = restore(new, tree)["upgraded"]
    assert upgraded["from"] == "97727af70f4d"
    import mlflow

    uri = store_uri(new)
    client: Any = mlflow.MlflowClient(tracking_uri=uri)
    assert client.get_run("r").info.experiment_id == "7"


@pytest.mark.slow
def test_a_store_is_backed_up_as_it_was_at_one_moment(database: Server, tmp_path: Path) -> None:
    """Rows that a client writes between two tables' turns are in neither."""
    settings = settings_of(tmp_path, database.new_database())
    upgrade(settings)
    fill(settings)
    engine = open_engine(settings)
    with rows.snapshot(engine, tmp_path) as connection:
        tables = rows.reflect(connection).tables
        before = rows.summarise(connection, tables["tags"])
        with engine.begin() as other:
            other.exec_driver_sql("DELETE FROM tags")
        assert rows.summarise(connection, tables["tags"]) == before
    with engine.connect() as later:
        assert rows.summarise(later, tables["tags"]).rows == 0
