"""Artifacts in OCI Object Storage, through OCI's own SDK and a service that checks signatures."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, select

from infra.rehearsal.host.authority import Authority
from infra.rehearsal.host.connect_proxy import connect_proxy
from infra.rehearsal.host.endpoint import Endpoint
from infra.rehearsal.oci.access.principals import Principals
from infra.rehearsal.oci.ids import REGION, TENANCY
from infra.rehearsal.oci.objects import ObjectStorage
from runtime.artifacts.tree import Tree
from runtime.database import schema
from runtime.errors import UserError
from runtime.gc.command import command
from runtime.move_in.command import take
from runtime.oci.objects import parse
from runtime.server import artifacts
from runtime.settings import load
from tests.runtime.backup.stores import restore
from tests.runtime.filled import settings_of
from tests.runtime.gc.leftovers import found, leave
from tests.runtime.gc_store import Store
from tests.runtime.serving import serving

pytestmark = pytest.mark.slow

_HOST = f"objectstorage.{REGION}.oraclecloud.com"
_ROOT = "oci://artifacts@rehearsal/store"
_USER = "ocid1.user.oc1..ci"


@dataclass(frozen=True)
class Oci:
    """A service, who may log in to it, and the environment that leads there."""

    storage: ObjectStorage
    principals: Principals
    environment: dict[str, str]
    refused: set[str]


@pytest.fixture(scope="module")
def oci(tmp_path_factory: pytest.TempPathFactory) -> Generator[Oci]:
    folder = tmp_path_factory.mktemp("oci")
    authority = Authority.load()
    chain, key = authority.issue(_HOST)
    (folder / "tls.pem").write_bytes(chain)
    (folder / "tls.key").write_bytes(key)
    principals, refused = Principals(), set[str]()
    storage = ObjectStorage(
        "rehearsal", principals.known, lambda who, permission, _: permission not in refused
    )
    storage.buckets["artifacts"] = {}
    endpoint = Endpoint("127.0.0.1", folder)
    endpoint.routes["/n"] = storage.answer
    with connect_proxy(lambda host: endpoint.address if host == _HOST else None) as way:
        environment = {
            "HTTPS_PROXY": way,
            "NO_PROXY": "127.0.0.1,localhost",
            "REQUESTS_CA_BUNDLE": str(authority.file),
            "OCIFS_IAM_TYPE": "api_key",
            "OCI_CONFIG_FILE": str(principals.configure(folder, _USER)),
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            yield Oci(storage, principals, environment, refused)
    endpoint.close()


def _repository(path: str = "") -> Any:
    from mlflow.store.artifact import artifact_repository_registry as registry

    return registry.get_artifact_repository(f"{_ROOT}{path}")


@pytest.mark.parametrize(
    "uri", ["oci://artifacts/store", "oci://@rehearsal/store", "s3://artifacts@rehearsal/store"]
)
def test_an_address_that_is_none_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="oci://bucket@namespace/prefix"):
        parse(uri)


def test_what_is_logged_is_listed_and_comes_back(oci: Oci, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}")
    (folder / "data" / "deep" / "weights.bin").write_bytes(os.urandom(100_000))
    (folder / "empty").touch()
    repository = _repository("/run")
    repository.log_artifacts(str(folder), "model")
    repository.log_artifact(str(folder / "MLmodel"))
    listed = {info.path: (info.is_dir, info.file_size) for info in repository.list_artifacts()}
    assert listed == {"MLmodel": (False, 11), "model": (True, None)}
    below = [info.path for info in repository.list_artifacts("model")]
    assert below == ["model/MLmodel", "model/data", "model/empty"]
    assert repository.list_artifacts("model/MLmodel") == []
    back = Path(repository.download_artifacts("model", str(tmp_path)))
    weights = Path("data") / "deep" / "weights.bin"
    assert (back / weights).read_bytes() == (folder / weights).read_bytes()
    assert (back / "empty").stat().st_size == 0


def test_a_large_file_goes_up_in_parts(oci: Oci, tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(os.urandom(40 << 20))
    _repository("/large").log_artifact(str(file))
    assert next(oci.storage.numbers) > 0
    assert oci.storage.uploads == {}
    back = Path(_repository("/large").download_artifacts("large.bin"))
    assert back.read_bytes() == file.read_bytes()


def test_what_is_not_there_is_said_to_be_missing(oci: Oci, tmp_path: Path) -> None:
    from mlflow.exceptions import MlflowException

    assert _repository("/nothing").list_artifacts() == []
    with pytest.raises(MlflowException, match="No such file or directory"):
        _repository("/nothing").download_artifacts("file.txt", str(tmp_path))
    _repository("/nothing").delete_artifacts()


def test_a_folder_larger_than_a_page_is_listed_and_deleted_whole(oci: Oci) -> None:
    from infra.rehearsal.oci.objects import Stored

    objects = oci.storage.buckets["artifacts"]
    names = [f"store/many/{number:05}" for number in range(2500)]
    objects |= dict.fromkeys([*names, "store/many-others/stays"], Stored(b"x", ""))
    assert len(_repository("/many").list_artifacts()) == 2500
    oci.storage.batches.clear()
    _repository("/many").delete_artifacts()
    assert oci.storage.batches == [1000, 1000, 500]
    assert not set(names) & set(objects)
    assert "store/many-others/stays" in objects


def test_a_resource_principal_may_log_in_and_a_stranger_may_not(oci: Oci, tmp_path: Path) -> None:
    code = f"""
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
print(len(get_artifact_repository("{_ROOT}").list_artifacts()))
"""

    def listing(principals: Principals, **more: str) -> "subprocess.CompletedProcess[str]":
        principal = principals.resource(tmp_path, "ocid1.computecontainerinstance.x", TENANCY)
        environment = {**os.environ, **principal, "OCIFS_IAM_TYPE": "resource_principal", **more}
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    assert listing(oci.principals).returncode == 0
    stranger = listing(Principals())
    assert stranger.returncode != 0
    assert "NotAuthenticated" in stranger.stderr
    wrong = listing(oci.principals, OCIFS_IAM_TYPE="password")
    assert "OCIFS_IAM_TYPE: Input should be 'api_key', 'resource_principal'" in wrong.stderr


def test_clients_need_nothing_of_the_bucket(
    oci: Oci, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment: dict[str, Any] = {**oci.environment, "MLFLOW_ARTIFACTS_DESTINATION": _ROOT}
    with serving(tmp_path, **environment) as server:
        for name in oci.environment:
            if name != "NO_PROXY":
                monkeypatch.delenv(name)
        client = server.client(monkeypatch)
        run = client.create_run("0").info.run_id
        client.log_text(run, "hello", "notes/hello.txt")
        assert [info.path for info in client.list_artifacts(run, "notes")] == ["notes/hello.txt"]
        assert Path(client.download_artifacts(run, "notes/hello.txt")).read_text() == "hello"
    stored = oci.storage.buckets["artifacts"]
    assert f"store/0/{run}/artifacts/notes/hello.txt" in stored


def test_gc_deletes_many_runs_in_bulk_and_keeps_the_rows_of_what_it_may_not(
    oci: Oci, tmp_path: Path
) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    from infra.rehearsal.oci.objects import Stored

    uri = f"sqlite:///{tmp_path}/store.sqlite"
    store: Any = SqlAlchemyStore(uri, f"{_ROOT}/gc")
    environment = {
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_ARTIFACTS_DESTINATION": f"{_ROOT}/gc",
        "TRACKSTACK_DATA_DIR": str(tmp_path),
    }
    runs = [store.create_run("0", "someone", 1, [], "run").info for _ in range(21)]
    live, deleted = runs[0], runs[1:]
    objects = oci.storage.buckets["artifacts"]
    for info in runs:
        prefix = str(info.artifact_uri).split("/", 3)[3]
        # One run has no artifact at all.
        for number in range(0 if info is deleted[-1] else 60):
            objects[f"{prefix}/{number}"] = Stored(b"x", "")
    for info in deleted:
        store.delete_run(info.run_id)

    def gc(*more: str) -> tuple[int, dict[str, Any]]:
        arguments = ["--json", "--older-than", "0d0h0m0s", *more]
        done = CliRunner().invoke(command, arguments, env=environment)
        return done.exit_code, json.loads(done.stdout)

    def left() -> set[str]:
        table = schema.tables().tables["runs"]
        with create_engine(uri).connect() as connection:
            return set(connection.execute(select(table.c.run_uuid)).scalars())

    oci.refused.add("OBJECT_DELETE")
    code, said = gc()
    assert code == 1
    assert left() == {live.run_id} | set(said["failed"])
    assert len(said["failed"]) >= 19
    oci.refused.clear()
    oci.storage.batches.clear()
    assert gc("--retry")[0] == 0
    assert left() == {live.run_id}
    assert sorted(oci.storage.batches) == [140, 1000]
    assert len([name for name in objects if name.startswith("store/gc/0/")]) == 60


def test_what_no_row_points_to_is_found_and_goes_with_what_uploads_left(
    oci: Oci, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from infra.rehearsal.oci.objects import Stored, Unfinished

    root = "oci://artifacts@rehearsal/orphans"
    store = Store(tmp_path, root=root)
    store.environment["MLFLOW_ARTIFACTS_DESTINATION"] = root
    objects, made = oci.storage.buckets["artifacts"], "2026-01-01T00:00:00.000Z"

    def put(path: str) -> None:
        objects[f"orphans/{path}"] = Stored(b"xyz", made)

    left = leave(store, put)
    oci.storage.uploads["begun"] = Unfinished("orphans/0/run/artifacts/large", made)
    oci.storage.uploads["of-others"] = Unfinished("orphans/77/run/artifacts/large", made)
    upload = f"{root}/0/run/artifacts/large (unfinished upload begun)"
    orphans = {**{f"{root}/{place}": 6 for place in left.lost}, upload: 0}
    assert found(store, monkeypatch) == orphans
    found(store, monkeypatch, "--delete-orphans")
    kept = {f"orphans/{place}/artifacts/file" for place in left.known}
    assert {name for name in objects if name.endswith("artifacts/file")} >= kept
    assert not [name for name in objects for lost in left.lost if f"orphans/{lost}/" in name]
    assert list(oci.storage.uploads) == ["of-others"]
    oci.storage.uploads.clear()


def test_an_unproxied_store_moves_in_with_what_its_bucket_holds(oci: Oci, tmp_path: Path) -> None:
    """As Oracle's guide has it: MLFLOW_DEFAULT_ARTIFACT_ROOT=oci://..., written by clients."""
    import mlflow

    root, uri = "oci://artifacts@rehearsal/moving", f"sqlite:///{tmp_path}/old.db"
    client: Any = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.create_experiment("old", artifact_location=f"{root}/1")
    run = client.create_run(experiment).info.run_id
    client.log_text(run, "weights", "model/MLmodel")
    before = dict(oci.storage.buckets["artifacts"])
    taken = take(uri, (root,), (), str(tmp_path / "backups"))
    assert oci.storage.buckets["artifacts"] == before
    assert (taken["files"], taken["relocated"]["runs.artifact_uri"]) == (1, 1)
    assert [each["place"] for each in taken["outside"] if "oci" in each["place"]] == []
    settings = settings_of(tmp_path / "new")
    restore(settings, Tree(taken["to"]))
    model = Path(settings.artifacts_destination) / "1" / run / "artifacts" / "model" / "MLmodel"
    assert model.read_text() == "weights"


def test_a_bucket_that_there_is_not_is_told_before_a_bare_server_serves(
    oci: Oci, tmp_path: Path
) -> None:
    destination = "oci://nobody-s@rehearsal/x"
    store = Store(tmp_path)
    environment = {**store.environment, "MLFLOW_ARTIFACTS_DESTINATION": destination}
    with pytest.raises(UserError, match=f"{destination} cannot be looked into .404"):
        artifacts.check(load(environment), store.engine)
