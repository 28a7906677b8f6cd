"""gc on S3: in bulk, and what the store refuses to delete keeps its run. On moto's server."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, select

from runtime.artifacts.s3_objects import S3Bucket
from runtime.database import schema
from runtime.gc.command import command
from tests.runtime.gc.leftovers import found, leave
from tests.runtime.gc_store import Store

pytestmark = pytest.mark.slow

_ROOT = "s3://artifacts/store"


@pytest.fixture(scope="module")
def s3() -> Generator[Any]:
    """A client of a server on loopback that holds the bucket `artifacts`."""
    import boto3
    from moto.server import ThreadedMotoServer

    server: Any = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "of-a-test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "of-a-test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        library: Any = boto3
        client = library.client("s3", endpoint_url=f"http://{host}:{port}")
        client.create_bucket(Bucket="artifacts")
        yield client
    server.stop()


def _keys(s3: Any) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="artifacts")
    keys = {each["Key"] for page in pages for each in page.get("Contents", ())}
    return {key for key in keys if "/.trackstack/" not in key}


def test_many_objects_of_many_runs_go_in_bulk_and_what_is_refused_keeps_its_run(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    uri = f"sqlite:///{tmp_path}/store.sqlite"
    store: Any = SqlAlchemyStore(uri, _ROOT)
    live, *deleted = [store.create_run("0", "someone", 1, [], "run").info for _ in range(5)]
    for info in (live, *deleted[:-1]):
        prefix = str(info.artifact_uri).split("/", 3)[3]
        for number in range(60):
            s3.put_object(Bucket="artifacts", Key=f"{prefix}/deep/{number}", Body=b"x")
    for info in deleted:
        store.delete_run(info.run_id)

    def gc(*more: str) -> tuple[int, dict[str, Any]]:
        arguments = ["--json", "--older-than", "0d0h0m0s", *more]
        environment = {
            "MLFLOW_BACKEND_STORE_URI": uri,
            "MLFLOW_ARTIFACTS_DESTINATION": _ROOT,
            "TRACKSTACK_DATA_DIR": str(tmp_path),
            "MLFLOW_S3_ENDPOINT_URL": s3.meta.endpoint_url,
        }
        done = CliRunner().invoke(command, arguments, env=environment)
        return done.exit_code, json.loads(done.stdout)

    kept = next(key for key in _keys(s3) if deleted[0].run_id in key)
    asked: list[int] = []

    def count(params: dict[str, Any], **_: Any) -> None:
        asked.append(len(params["Delete"]["Objects"]))

    def refuse(parsed: dict[str, Any], **_: Any) -> None:
        # As a bucket with a retention rule does.
        parsed["Errors"] = [{"Key": kept, "Code": "AccessDenied", "Message": "locked"}]

    s3.meta.events.register("provide-client-params.s3.DeleteObjects", count)
    s3.meta.events.register("after-call.s3.DeleteObjects", refuse)
    with monkeypatch.context() as patched:
        patched.setattr(S3Bucket, "__init__", _with(s3))
        code, said = gc()
    assert (code, list(said["failed"])) == (1, [deleted[0].run_id])
    assert asked == [180]
    code, said = gc("--retry")
    assert (code, said["failed"]) == (0, {})
    runs = schema.tables().tables["runs"]
    with create_engine(uri).connect() as connection:
        assert set(connection.execute(select(runs.c.run_uuid)).scalars()) == {live.run_id}
    assert len(_keys(s3)) == 60
    assert all(live.run_id in key for key in _keys(s3))


def test_what_is_chosen_or_needed_by_another_stays_in_the_bucket(s3: Any, tmp_path: Path) -> None:
    root = "s3://artifacts/needed"
    store = Store(tmp_path, root=root)
    store.environment["MLFLOW_ARTIFACTS_DESTINATION"] = root
    store.environment["MLFLOW_S3_ENDPOINT_URL"] = s3.meta.endpoint_url

    def put(location: str) -> str:
        key = f"{location.removeprefix('s3://artifacts/')}/file"
        s3.put_object(Bucket="artifacts", Key=key, Body=b"x")
        return key

    def run(experiment: str) -> str:
        info = store.mlflow.create_run(experiment, "someone", 1, [], "run").info
        return str(info.artifact_uri)

    # A location that ends in the number, all of the bucket, another bucket, and a shared folder.
    number = int(store.mlflow.create_experiment("first"))
    chosen = f"s3://artifacts/data/{number + 1}"
    shared = f"{root}/{number}"
    locations = [chosen, "s3://artifacts", f"s3://other/{number + 3}", shared]
    experiments = [store.mlflow.create_experiment(at, at) for at in locations]
    kept = {put(chosen), put(run(experiments[3]))}
    # By S3, a version of no run may have its files anywhere.
    needed, plain = run(str(number)), run(str(number))
    kept.add(put(f"{needed}/model"))
    named = {"workspace": "default", "name": "model"}
    store.add("registered_models", **named)
    store.add("model_versions", **named, version=1, source=f"{needed}/model")
    outside = run(experiments[1])
    gone = {put(plain)}
    kept |= {put(outside), put(f"{shared}/another-store"), put(f"{shared}/traces/tr-2/artifacts")}
    trace = {"timestamp_ms": 1, "status": "OK", "execution_time_ms": 1}
    emptied = store.mlflow.create_experiment("emptied")
    store.add("trace_info", request_id="tr-1", experiment_id=int(emptied), **trace)
    at = f"{root}/{emptied}/traces/tr-1/artifacts"
    store.add("trace_tags", request_id="tr-1", key="mlflow.artifactLocation", value=at)
    gone.add(put(at))
    kept.add(put(f"{root}/{emptied}/traces/tr-10/artifacts"))
    for experiment in (str(number), *experiments[:3], emptied):
        store.mlflow.delete_experiment(experiment)

    assert kept | gone <= _keys(s3)
    said = store.purge()
    assert (kept - _keys(s3), gone & _keys(s3)) == (set(), set())
    assert said["kept_registered"] == {"runs": 1, "logged_models": 0}
    of_run = outside.removeprefix("s3://artifacts/").partition("/")[0]
    assert said["kept_artifacts"] == {
        of_run: f"{outside} is outside of {root}",
        **{
            f"experiment {experiment}": f"{at} is outside of {root}"
            for experiment, at in zip(experiments[:3], locations, strict=False)
        },
    }
    left = store.keys("experiments", "experiment_id")
    assert left == {0, number, int(experiments[3])}


def test_what_no_row_points_to_is_found_and_goes_with_what_uploads_left(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = "s3://artifacts/orphans"
    store = Store(tmp_path, root=root)
    store.environment["MLFLOW_ARTIFACTS_DESTINATION"] = root
    store.environment["MLFLOW_S3_ENDPOINT_URL"] = s3.meta.endpoint_url

    def put(path: str) -> None:
        s3.put_object(Bucket="artifacts", Key=f"orphans/{path}", Body=b"xyz")

    left = leave(store, put)
    begun = [
        s3.create_multipart_upload(Bucket="artifacts", Key=f"orphans/{name}")["UploadId"]
        for name in ("0/run/artifacts/large", "77/run/artifacts/large")
    ]
    before = _keys(s3)
    # What was just written is none; to this server, each upload was begun long ago.
    young = json.loads(store.gc("--orphans").stdout)["orphans"]
    assert [orphan for orphan in young if "upload" not in orphan["path"]] == []
    orphans = found(store, monkeypatch)
    upload = f"{root}/0/run/artifacts/large (unfinished upload {begun[0]})"
    assert orphans == {**{f"{root}/{place}": 6 for place in left.lost}, upload: 0}
    assert _keys(s3) == before
    found(store, monkeypatch, "--delete-orphans")
    gone = {key.removeprefix("orphans/") for key in before - _keys(s3)}
    ends = ("artifacts/file", "artifacts/deep/file")
    assert gone == {f"{lost}/{end}" for lost in left.lost for end in ends}
    uploads = s3.list_multipart_uploads(Bucket="artifacts").get("Uploads", [])
    assert [each["UploadId"] for each in uploads] == begun[1:]
    assert found(store, monkeypatch) == {}


def _with(client: Any) -> Any:
    """A bucket that is asked by this client, whose answers a test can change."""

    def init(self: Any, uri: str) -> None:
        self._client, self._bucket = client, uri.split("/", 3)[2]

    return init
