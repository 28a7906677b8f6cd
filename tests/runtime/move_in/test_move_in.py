"""Another MLflow's store moves in: its rows, its artifacts, and where they are said to be."""

import hashlib
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import inspect

from runtime.artifacts.tree import Tree
from runtime.backup.format import manifest
from runtime.database.engine import open_engine
from runtime.database.state import revisions
from runtime.errors import UserError
from runtime.move_in import source
from runtime.move_in.command import command, lines, take
from runtime.settings import RuntimeSettings
from tests.runtime.backup.stores import make_old, names, restore, state_of
from tests.runtime.databases import mariadb, postgresql
from tests.runtime.filled import settings_of

_KINDS = ("experiments", "runs", "model_versions", "registered_models")


def _sums(folder: Path) -> dict[str, str]:
    """Every file's checksum, and when it was written."""
    return {
        str(f.relative_to(folder)): f"{hashlib.sha256(f.read_bytes()).hexdigest()} "
        f"{f.stat().st_mtime_ns}"
        for f in folder.rglob("*")
        if f.is_file()
    }


def _filled(uri: str, root: Path | None, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[str]]:
    """Runs, a deleted one, a model with an alias and a trace, by the real client on the store."""
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client: Any = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    location = root.as_uri() + "/1" if root else None
    experiment = client.create_experiment("old", artifact_location=location)
    runs = [client.create_run(experiment).info.run_id for _ in range(2)]
    mlflow.set_tracking_uri(uri)
    for run in runs:
        client.log_metric(run, "m", 1.0)
        client.log_param(run, "data", f"{root}/not/a/location")
        client.log_text(run, "weights", "model/MLmodel")
    client.delete_run(runs[1])
    client.create_registered_model("fraud")
    place = client.get_run(runs[0]).info.artifact_uri
    client.create_model_version("fraud", f"{place}/model", runs[0])
    client.set_registered_model_alias("fraud", "Champion", "1")
    return client, runs


def _moved(taken: dict[str, Any], into: Path) -> tuple[RuntimeSettings, dict[str, int]]:
    """The new store, and how many rows of each kind the backup has."""
    settings = settings_of(into)
    tree = Tree(taken["to"])
    restore(settings, tree)
    of = manifest.read(tree, taken["name"])
    return settings, {kind: of.tables[kind].rows for kind in _KINDS}


# Where MLflow keeps locations, by its schema.
_PLACES = (
    "experiments.artifact_location",
    "runs.artifact_uri",
    "logged_models.artifact_location",
    "model_versions.source",
    "model_versions.storage_location",
    "trace_tags.value",
)


def _texts(settings: RuntimeSettings) -> str:
    """Every location in the new store, one a line."""
    found = list[str]()
    with open_engine(settings).connect() as connection:
        for place in _PLACES:
            table, column = place.split(".")
            query = f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"
            if table == "trace_tags":
                query += " AND \"key\" = 'mlflow.artifactLocation'"
            found += map(str, connection.exec_driver_sql(query).scalars())
    return "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["as it is", "from elsewhere, with a log"])
def test_an_unproxied_sqlite_store_becomes_the_stack_s_own(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old"
    root = old / "mlruns"
    root.mkdir(parents=True)
    uri = f"sqlite:///{old}/mlflow.db"
    _, runs = _filled(uri, root, monkeypatch)
    with closing(sqlite3.connect(old / "mlflow.db")) as database, database:
        # Long ago: a plain server purges nothing by itself.
        database.execute("UPDATE runs SET deleted_time = 1 WHERE lifecycle_stage = 'deleted'")
    began = time.time() * 1000
    if kind != "as it is":
        # A folder that was elsewhere, in a file that gets others beside it where it is opened.
        with closing(sqlite3.connect(old / "mlflow.db")) as database, database:
            for table, column in (
                ("experiments", "artifact_location"),
                ("runs", "artifact_uri"),
                ("model_versions", "source"),
                ("model_versions", "storage_location"),
            ):
                database.execute(
                    f"UPDATE {table} SET {column} = replace({column}, ?, '/home/joe/mlruns')",
                    (root.as_uri(),),
                )
        with closing(sqlite3.connect(old / "mlflow.db")) as database:
            database.execute("PRAGMA journal_mode=WAL")
    before = _sums(old)
    were = ("/home/joe/mlruns",) if kind != "as it is" else ()
    taken = take(uri, (str(root),), were, str(tmp_path / "backups"))
    assert _sums(old) == before
    assert sorted(f.name for f in old.iterdir()) == ["mlflow.db", "mlruns"]
    assert taken["files"] == 2
    assert taken["relocated"]["runs.artifact_uri"] == 2
    assert all(o["place"].startswith(str(old)) is False for o in taken["outside"])
    settings, counts = _moved(taken, tmp_path / "new")
    assert counts == {"experiments": 2, "runs": 2, "model_versions": 1, "registered_models": 1}
    texts = _texts(settings)
    assert str(old) not in texts
    assert "/home/joe" not in texts
    assert f"mlflow-artifacts:/1/{runs[0]}/artifacts/model" in texts
    file = Path(settings.artifacts_destination) / "1" / runs[0] / "artifacts" / "model" / "MLmodel"
    assert file.read_text() == "weights"
    with open_engine(settings).connect() as connection:
        values = connection.exec_driver_sql("SELECT value FROM params").scalars().all()
        # What a person logged is none of MLflow's locations.
        assert values == [f"{root}/not/a/location"] * 2
        deleted = "SELECT deleted_time FROM runs WHERE lifecycle_stage = 'deleted'"
        # So that the first gc does not purge what can be restored on the old server.
        assert connection.exec_driver_sql(deleted).scalar_one() >= int(began)
    assert "1 that were deleted there count as deleted today" in "\n".join(lines(taken))


@pytest.mark.slow
def test_a_file_store_moves_in_with_its_artifacts_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "old" / "mlruns"
    client, runs = _filled(str(folder), None, monkeypatch)
    experiment = client.get_experiment_by_name("old").experiment_id
    deleted = client.create_experiment("deleted")
    run = client.create_run(deleted).info.run_id
    client.log_text(run, "x", "x.txt")
    client.delete_experiment(deleted)
    before = _sums(folder)
    taken = take(str(folder), (), (), str(tmp_path / "backups"))
    small = take(str(folder), (), (), str(tmp_path / "small"), renumber=True)
    assert _sums(folder) == before
    for done, number, gone in (
        (taken, experiment, deleted),
        (small, *(str(small["renumbered"][int(old)]) for old in (experiment, deleted))),
    ):
        assert (done["files"], done["outside"]) == (3, [])
        settings, counts = _moved(done, tmp_path / f"new-{number}")
        assert counts == {"experiments": 3, "runs": 3, "model_versions": 1, "registered_models": 1}
        texts = _texts(settings)
        assert str(tmp_path) not in texts
        assert f"mlflow-artifacts:/{number}/{runs[0]}/artifacts/model" in texts
        artifacts = Path(settings.artifacts_destination)
        files = {f.relative_to(artifacts).as_posix() for f in artifacts.rglob("*") if f.is_file()}
        assert {
            f"{gone}/{run}/artifacts/x.txt",
            f"{number}/{runs[0]}/artifacts/model/MLmodel",
        } < files
        assert not any(f.endswith("meta.yaml") for f in files)
        with open_engine(settings).connect() as connection:
            held = connection.exec_driver_sql("SELECT experiment_id FROM runs").scalars().all()
        assert sorted(map(str, held)) == sorted([number, number, gone])
    assert max(map(int, small["renumbered"].values())) < 1 << 31


@pytest.mark.slow
def test_a_store_of_mlflow_2_0_moves_in_and_what_stays_outside_is_listed(tmp_path: Path) -> None:
    old = make_old(tmp_path / "old")
    file = tmp_path / "old" / "store" / "mydb.sqlite"
    (place := tmp_path / "mlartifacts").mkdir()
    (place / "7" / "a").mkdir(parents=True)
    (place / "7" / "a" / "x").write_text("x")
    with sqlite3.connect(file) as database:
        database.execute("UPDATE experiments SET artifact_location = 's3://lake/team/7'")
    open_engine(old).dispose()
    before = file.read_bytes()
    result = CliRunner().invoke(
        command,
        [
            *("--from", f"sqlite:///{file}", "--artifacts", str(place)),
            *("--to", str(tmp_path / "b"), "--json"),
        ],
    )
    assert result.exit_code == 0, result.output
    taken = json.loads(result.stdout)
    assert file.read_bytes() == before
    assert taken["outside"] == [
        {"column": "experiments.artifact_location", "place": "s3://lake", "count": 1}
    ]
    assert "stays outside: 1 of experiments.artifact_location at s3://lake" in "".join(lines(taken))
    settings, counts = _moved(taken, tmp_path / "new")
    assert counts["experiments"] == 1
    has, should = revisions(open_engine(settings))
    assert has == should


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--from says which store"),
        (("--from", "sqlite:////no/such/file.db"), "--artifacts says where"),
        (("--from", "sqlite:////no/file.db", "--artifacts", "s3://b"), "there is no file"),
        (("--from", "sqlite:////no/file.db", "--artifacts", "/no"), "there is no folder /no"),
        (("--from", "/no/such/folder"), "there is no folder"),
        (("--from", "."), "is no file store"),
    ],
)
def test_what_is_no_store_is_told_in_one_line(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_BACKEND_STORE_URI", raising=False)
    result = CliRunner().invoke(command, [*arguments, "--to", str(tmp_path / "b")])
    assert isinstance(result.exception, UserError)
    assert said in str(result.exception)
    assert "\n" not in str(result.exception)


def test_several_folders_become_one_and_none_hides_another(tmp_path: Path) -> None:
    one, two, into = (tmp_path / name for name in ("one", "two", "into"))
    for folder, name in ((one, "1/a/x"), (two, "1/b/y"), (two, "2/c/z")):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(name)
    source.link(one, into)
    source.link(two, into)
    assert sorted(path for path, _ in Tree(str(into)).files()) == ["1/a/x", "1/b/y", "2/c/z"]
    assert _sums(one).keys() == {"1/a/x"}
    (one / "2").write_text("in the way")
    with pytest.raises(UserError, match="the same place"):
        source.link(one, into)


@pytest.mark.slow
@pytest.mark.parametrize("database", [postgresql, mariadb])
def test_a_server_s_database_is_only_read(database: Any, tmp_path: Path) -> None:
    (place := tmp_path / "mlartifacts").mkdir()
    with database() as server:
        uri = server.new_database()
        old = make_old(tmp_path / "old", uri)
        before = _held(old)
        taken = take(uri, (str(place),), (), str(tmp_path / "b"))
        assert _held(old) == before
    assert "***" in taken["from"]
    settings, counts = _moved(taken, tmp_path / "new")
    assert counts["experiments"] == 1
    assert "e" in names(settings)


def _held(settings: RuntimeSettings) -> tuple[list[str], Any]:
    """The names of all tables, whosoever they are, and what MLflow's hold."""
    engine = open_engine(settings)
    found = sorted(inspect(engine).get_table_names())
    engine.dispose()
    return found, state_of(settings)[0]
