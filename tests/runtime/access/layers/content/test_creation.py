"""Creation of experiments alone: where artifacts may lie, and by whom."""

import json
import posixpath
from typing import Any, cast

import pytest

from runtime.access.layers.content.creation import Creation
from runtime.access.rules.locations import Allowed
from runtime.tokens.store import Role
from tests.runtime.access.layers.driving import Driven, Inner, asked, drive, http, websocket

_CREATE = "/api/2.0/mlflow/experiments/create"
_VERSION = "/api/2.0/mlflow/model-versions/create"
_TAG = "/api/3.0/mlflow/traces/tr-1/tags"
_ELSEWHERE = json.dumps({"name": "x", "artifact_location": "file:///etc"}).encode()


def _ask(
    inner: Inner, role: Role, body: bytes, path: str = _CREATE, method: str = "POST"
) -> Driven:
    layer = Creation(inner, Allowed("/srv/artifacts"))
    return drive(layer, asked(http(method, path), role), [body[:10], body[10:]])


@pytest.mark.parametrize("path", [_CREATE, f"{_CREATE}/", f"/{_CREATE}", f"/ajax-api{_CREATE[4:]}"])
def test_a_writer_says_no_other_place_on_the_server(path: str) -> None:
    inner = Inner()
    assert _ask(inner, Role.WRITE, _ELSEWHERE, path).status == 403
    assert inner.scopes == []


def test_a_writer_says_no_other_place_of_a_version_or_a_trace() -> None:
    source = json.dumps({"name": "m", "source": "s3://of-others/model"}).encode()
    tag = json.dumps({"key": "mlflow.artifactLocation", "value": "s3://of-others/x"}).encode()
    for role, status in ((Role.WRITE, 403), (Role.ADMIN, 200)):
        assert _ask(Inner(), role, source, _VERSION).status == status
        assert _ask(Inner(), role, tag, _TAG, "PATCH").status == status


def test_nobody_writes_whose_the_artifacts_are() -> None:
    root = "/api/2.0/mlflow-artifacts"
    forms = ("/.trackstack/store", "//.trackstack/store", "/./.trackstack/x", "/a/../.trackstack/x")
    for form in (*forms, "/%2e%74rackstack/store", "/.trackstack"):
        assert _ask(Inner(), Role.ADMIN, b"x", f"{root}/artifacts{form}", "PUT").status == 403, form
        assert _ask(Inner(), Role.ADMIN, b"", f"{root}/artifacts{form}", "DELETE").status == 403
        assert _ask(Inner(), Role.ADMIN, b"", f"{root}/mpu/create{form}").status == 403
    assert _ask(Inner(), Role.READ, b"", f"{root}/artifacts/.trackstack/x", "GET").status == 200
    assert _ask(Inner(), Role.WRITE, b"", f"{root}/artifacts/1/.trackstack", "PUT").status == 200


@pytest.mark.parametrize(
    "all_of_them",
    [
        ".",
        "./",
        "./.",
        "%2e",
        " ",
        "\t",
        "\n",
        "\r\n",
        "\x00",
        "%20",
        "%00",
        ";",
        "?",
        "#",
        "%23",
        ".\t/",
    ],
)
def test_nobody_deletes_all_artifacts_by_one_request(all_of_them: str) -> None:
    path = f"/ajax-api/2.0/mlflow-artifacts/artifacts/{all_of_them}"
    assert _ask(Inner(), Role.ADMIN, b"", path, "DELETE").status == 403
    assert _ask(Inner(), Role.READ, b"", path, "GET").status == 200


@pytest.mark.parametrize(
    "odd", [".trackstack#", ".track\tstack", "\t.trackstack", ".\r/.trackstack"]
)
def test_nobody_writes_there_by_what_mlflow_leaves_out_of_a_path(odd: str) -> None:
    from mlflow.utils import uri

    assert posixpath.normpath(cast(Any, uri).validate_path_is_safe(odd)) == ".trackstack"
    for method in ("DELETE", "PUT"):
        path = f"/api/2.0/mlflow-artifacts/artifacts/{odd}"
        assert _ask(Inner(), Role.WRITE, b"", path, method).status == 403


def test_what_is_allowed_comes_through_whole() -> None:
    inner, body = Inner(), b'{"name": "an experiment with a long name"}'
    assert _ask(inner, Role.WRITE, body).status == 200
    assert inner.bodies == [body]


def test_a_body_that_cannot_be_looked_at_is_refused() -> None:
    assert _ask(Inner(), Role.WRITE, b" " * (2 << 20)).status == 403


def test_administrators_and_other_routes_are_not_asked() -> None:
    assert _ask(Inner(), Role.ADMIN, _ELSEWHERE).status == 200
    assert _ask(Inner(), Role.WRITE, _ELSEWHERE, f"{_CREATE[:-6]}update").status == 200
    assert _ask(Inner(), Role.WRITE, _ELSEWHERE, method="GET").status == 200
    inner = Inner()
    drive(Creation(inner, Allowed("/srv/artifacts")), asked(websocket(_CREATE), Role.WRITE))
    assert len(inner.scopes) == 1


def test_nobody_creates_without_a_name() -> None:
    inner = Inner()
    with pytest.raises(LookupError):
        drive(Creation(inner, Allowed("/srv/artifacts")), asked(http("POST", _CREATE)))
    assert inner.scopes == []
