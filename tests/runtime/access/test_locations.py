"""Where an experiment's artifacts may lie, and for whom."""

import json
from pathlib import Path

import pytest

from runtime.access.rules.locations import is_allowed, may_create
from tests.runtime.serving import Answer, Serving

_CREATE = "/api/2.0/mlflow/experiments/create"
_OUTSIDE = [
    "/etc",
    "file:///etc",
    "file:/etc",
    "FILE:///etc",
    "file://localhost/etc",
    "file:///proc/self/root/etc",
    "../..",
    "./x",
    "x",
    "mlflow-artifacts:/?/23",
    "mlflow-artifacts:/23?/24",
    "mlflow-artifacts:/../../x",
    "mlflow-artifacts:/%2e%2e/x",
    "mlflow-artifacts:/%252e%252e/x",
    "mlflow-artifacts:/..%2fx",
    "mlflow-artifacts:/..\\x",
    "mlflow-artifacts:/x#y",
    "s3://bucket/../other",
    "s3://bucket/x?y",
    " file:///etc",
    "file:///etc\n",
    "\tfile:///etc",
    "fi\nle:///etc",
    "http://[",
    # A single letter is a drive to MLflow, and so a path below where the server stands.
    "C:/etc2",
    "c:etc2",
    "C:\\etc2",
    "x:y",
    # No stores of objects: MLflow would ask another server, or look up what another row says.
    "http://host/x",
    "https://host/api/2.0/mlflow-artifacts/artifacts/x",
    "ftp://host/x",
    "sftp://host/x",
    "dbfs:/x",
    "runs:/0123456789abcdef0123456789abcdef/x",
    "models:/m-0123456789abcdef0123456789abcdef",
    "sqlite:///x",
    "unknown://x",
]


def test_only_what_lies_below_the_destination_or_in_an_object_store_is_allowed(
    tmp_path: Path,
) -> None:
    root = tmp_path / "artifacts"
    (root / "1").mkdir(parents=True)
    (root / "out").symlink_to("/etc")
    beside = [str(root), f"{root}/", f"file://{root}", f"{root}-other/1", f"{root}/1/../../x"]
    for location in [
        *_OUTSIDE,
        *beside,
        f"{root}/out",
        f"file://{root}/out/x",
        f"file://h{root}/1",
    ]:
        assert not is_allowed(location, str(root)), location
    for location in (
        "mlflow-artifacts:/teams/a",
        "mlflow-artifacts:/a..b/c",
        f"{root}/1",
        f"file://{root}/new/one",
        "s3://bucket/prefix",
        "wasbs://container@account.blob.core.windows.net/prefix",
        "oci://bucket@namespace/prefix",
        "S3://bucket/prefix",
        "gs://bucket/prefix",
        "abfss://container@account.dfs.core.windows.net/prefix",
        "r2://bucket@account.r2.cloudflarestorage.com/prefix",
        "b2://bucket/prefix",
        "hdfs://host:8020/prefix",
    ):
        assert is_allowed(location, str(root)), location
        assert is_allowed(location, f"file://{root}"), location
    # Artifacts in an object store leave no place on the server's own disk.
    assert not is_allowed(f"{root}/1", "oci://bucket@namespace/artifacts")


@pytest.mark.parametrize(
    "body",
    [
        {"artifact_location": "/etc"},
        {"artifactLocation": "/etc"},
        {"artifact_location": "mlflow-artifacts:/x", "artifactLocation": "/etc"},
        json.dumps({"name": "x", "artifact_location": "/etc"}),
    ],
)
def test_a_location_is_found_in_every_form_that_mlflow_reads(body: object) -> None:
    assert not may_create(json.dumps(body).encode(), "/var/artifacts")
    assert not may_create(json.dumps(body).encode("utf-16"), "/var/artifacts")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"name": "x"}', b"[" * 99_999])
def test_what_names_no_location_passes(body: bytes) -> None:
    assert may_create(body, "/var/artifacts")


def _create(server: Serving, token: str, name: str, location: str, path: str = _CREATE) -> Answer:
    body = json.dumps({"name": name, "artifact_location": location}).encode()
    headers = {"content-type": "application/json"}
    return server.request("POST", path, token, headers=headers, body=body)


@pytest.mark.slow
def test_a_writer_makes_no_experiment_elsewhere_on_the_server(server: Serving) -> None:
    writer = server.run("token", "add", "places", "--role", "write").stdout.strip()
    server.wait_until(writer, 200)
    for number, location in enumerate(_OUTSIDE):
        path = _CREATE.replace("/api", "/ajax-api") if number % 2 else _CREATE
        answer = _create(server, writer, f"outside-{number}", location, path)
        assert answer.status == 403, location
        assert b"leave it out" in answer.body
    below = server.data_dir / "artifacts" / "own-place"
    for number, location in enumerate(("", "mlflow-artifacts:/teams/a", str(below))):
        answer = _create(server, writer, f"inside-{number}", location)
        assert answer.status == 200, answer.body
    # Who answers for the server may choose.
    elsewhere = _create(server, server.token, "elsewhere", f"file://{server.data_dir}/elsewhere")
    assert elsewhere.status == 200
