"""gc on Blob storage: in bulk, and past a run without a single blob. On Azurite, by npm."""

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, select

from runtime.database import schema
from runtime.errors import UserError
from runtime.gc.command import command
from tests.runtime.artifacts.blobs import ACCOUNT, KEY, account
from tests.runtime.database.empty import put_schema
from tests.runtime.gc.leftovers import found, leave
from tests.runtime.gc_store import Store as AnyStore

pytestmark = pytest.mark.slow

_ROOT = f"wasbs://artifacts@{ACCOUNT}.blob.core.windows.net/store"


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Generator[Any]:
    with account(tmp_path_factory.mktemp("azurite")) as found:
        yield found.create_container("artifacts")


class Store:
    """A SQLite store whose artifacts are blobs."""

    def __init__(self, folder: Path) -> None:
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        self.uri = f"sqlite:///{folder}/store.sqlite"
        # A destination is one store's.
        root = f"{_ROOT}/{folder.name}"
        put_schema(self.uri)
        self.mlflow: Any = SqlAlchemyStore(self.uri, root)
        self.environment = {
            "MLFLOW_BACKEND_STORE_URI": self.uri,
            "MLFLOW_ARTIFACTS_DESTINATION": root,
            "TRACKSTACK_DATA_DIR": str(folder),
        }

    def run(self) -> Any:
        return self.mlflow.create_run("0", "someone", 1, [], "run").info

    def gc(self) -> dict[str, Any]:
        done = CliRunner().invoke(
            command, ["--json", "--older-than", "0d0h0m0s"], env=self.environment
        )
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def left(self) -> set[str]:
        runs = schema.tables().tables["runs"]
        with create_engine(self.uri).connect() as connection:
            return set(connection.execute(select(runs.c.run_uuid)).scalars())


def _path(info: Any, name: str) -> str:
    return f"{str(info.artifact_uri).split('/', 3)[3]}/{name}"


def test_many_blobs_of_many_runs_go_in_bulk_and_those_of_live_runs_stay(
    blobs: Any, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    live, deleted = store.run(), [store.run() for _ in range(4)]
    for info in (live, *deleted):
        for number in range(100):
            blobs.upload_blob(_path(info, f"deep/file-{number}"), b"x")
    for info in deleted:
        store.mlflow.delete_run(info.run_id)
    assert store.gc()["deleted"]["runs"] == 4
    assert store.left() == {live.run_id}
    names = [blob.name for blob in blobs.list_blobs() if ".trackstack" not in blob.name]
    assert len(names) == 100
    assert all(name.startswith(_path(live, "deep/")) for name in names)
    blobs.delete_blobs(*names)


def test_a_run_without_a_single_blob_is_purged_where_mlflow_gc_blocks_for_ever(
    blobs: Any, tmp_path: Path
) -> None:
    from mlflow.cli import gc as mlflow_gc

    store = Store(tmp_path)
    empty = store.run()
    store.mlflow.delete_run(empty.run_id)
    theirs: Any = mlflow_gc
    arguments = ["--backend-store-uri", store.uri, "--tracking-uri", "http://127.0.0.1:9"]
    assert CliRunner().invoke(theirs, arguments).exit_code != 0
    assert store.left() == {empty.run_id}
    assert store.gc()["deleted"]["runs"] == 1
    assert store.left() == set()


def test_what_no_row_points_to_is_found_in_blob_storage(
    blobs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = _ROOT.replace("/store", "/orphans")
    store = AnyStore(tmp_path, root=root)
    store.environment["MLFLOW_ARTIFACTS_DESTINATION"] = root
    left = leave(store, lambda path: blobs.upload_blob(f"orphans/{path}", b"xyz"))
    assert found(store, monkeypatch) == {f"{root}/{place}": 6 for place in left.lost}
    found(store, monkeypatch, "--delete-orphans")
    names = {blob.name for blob in blobs.list_blobs(name_starts_with="orphans/")}
    ends = ("artifacts/file", "artifacts/deep/file")
    kept = {f"orphans/{place}/{end}" for place in left.known for end in ends}
    assert names == {*kept, "orphans/0/README", "orphans/.trackstack/store"}
    blobs.delete_blobs(*names)


def test_a_store_that_cannot_be_had_keeps_the_rows(
    blobs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    info = store.run()
    blobs.upload_blob(_path(info, "file"), b"x")
    store.mlflow.delete_run(info.run_id)
    given = os.environ["AZURE_STORAGE_CONNECTION_STRING"]
    wrong = given.replace(KEY, "d3Jvbmc=")
    arguments = ["--json", "--older-than", "0d0h0m0s"]
    refused = CliRunner().invoke(
        command, arguments, env={**store.environment, "AZURE_STORAGE_CONNECTION_STRING": wrong}
    )
    assert isinstance(refused.exception, UserError)
    assert refused.exception.exit_code == 75
    assert "cannot be had" in str(refused.exception)
    assert KEY not in f"{refused.output}{refused.exception}"
    assert store.left() == {info.run_id}
    again = CliRunner().invoke(command, [*arguments, "--retry"], env=store.environment)
    assert again.exit_code == 0
    assert store.left() == set()
