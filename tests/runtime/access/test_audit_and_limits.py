"""The audit log, limits on failures, sizes and patience, and the headers, on a real server."""

import json
import re
import socket
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra.rehearsal.system.waiting import wait_for
from runtime.access.audit import is_worth_noting
from runtime.access.rules.limits import FailureLimit, LineLimit, largest
from tests.runtime.serving import Answer, Serving, serving

_CREATE = "/api/2.0/mlflow/experiments/create"
_SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
_JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Generator[Serving]:
    folder = tmp_path_factory.mktemp("audited")
    with serving(
        folder,
        TRACKSTACK_AUDIT_LOG=str(folder / "audit.jsonl"),
        TRACKSTACK_MAX_REQUEST_BYTES="100000",
        TRACKSTACK_PUBLIC_URL="https://mlflow.example.com",
        FORWARDED_ALLOW_IPS="127.0.0.1",
    ) as server:
        yield server


def _entries(server: Serving) -> list[dict[str, Any]]:
    log = server.data_dir / "audit.jsonl"
    # Its first line is written once the first answer is sent.
    lines = log.read_text().splitlines() if log.exists() else []
    return [json.loads(line)["audit"] for line in lines]


def _noted(server: Serving, request: str) -> list[dict[str, Any]]:
    return [entry for entry in _entries(server) if entry["request"] == request]


def test_what_changes_or_is_refused_is_noted_and_reads_only_if_asked_for() -> None:
    assert is_worth_noting("POST", 200, reads=False, writes=False)
    assert is_worth_noting("GET", 401, reads=False, writes=False)
    assert not is_worth_noting("GET", 200, reads=False, writes=False)
    assert is_worth_noting("GET", 200, reads=True, writes=False)


def test_failures_are_limited_by_address_and_forgiven_with_time() -> None:
    now = [0.0]
    limit = FailureLimit(lambda: now[0])
    assert [limit.fail("192.0.2.1") for _ in range(20)] == [0] * 20
    assert limit.fail("192.0.2.1") > 0
    assert limit.fail("192.0.2.2") == 0
    now[0] = 3.0
    assert limit.fail("192.0.2.1") == 0


def test_lines_of_an_address_are_a_second_apart_and_say_how_many_there_were() -> None:
    now = [0.0]
    lines = LineLimit(lambda: now[0])
    assert [lines.take("192.0.2.1") for _ in range(5)] == [0, None, None, None, None]
    assert lines.take("192.0.2.2") == 0
    now[0] = 1.0
    assert [lines.take("192.0.2.1") for _ in range(2)] == [4, None]


def _largest(method: str, path: str, request: int = 10 << 20, artifact: int = 0) -> int:
    return largest(method, path, request=request, artifact=artifact)


def test_uploads_have_a_limit_of_their_own_exactly_where_they_stream() -> None:
    for artifact in (
        "/api/2.0/mlflow-artifacts/artifacts/1/x/artifacts/model.bin",
        "/ajax-api/2.0/mlflow-artifacts/artifacts/1/x",
    ):
        assert _largest("PUT", artifact) == 0
        assert _largest("PUT", artifact, artifact=7) == 7
        assert _largest("POST", artifact) == 10 << 20
        for other in (
            f"/{artifact}",
            artifact.replace("2.0", "3.0"),
            f"{artifact}\nx",
            f"/x{artifact}",
        ):
            assert _largest("PUT", other) == 10 << 20, other
    assert _largest("POST", _CREATE) == 10 << 20
    assert _largest("POST", "/get-artifact") == 10 << 20


def test_what_needs_no_body_may_have_a_small_one() -> None:
    for path in ("/get-artifact", _CREATE, "/api/2.0/mlflow-artifacts/artifacts/1/x"):
        for method in ("GET", "HEAD", "OPTIONS", "TRACE", "put"):
            assert _largest(method, path) == 64 << 10
            assert _largest(method, path, request=0) == 64 << 10
            assert _largest(method, path, request=5) == 5
        assert _largest("DELETE", path) == 1 << 20


def test_what_only_asks_may_not_have_a_body_that_fills_the_memory() -> None:
    # JSON takes many times its size once it is read: 30 MiB of "{}," took a worker 900 MB.
    for path in (
        "/api/2.0/mlflow/runs/search",
        "/ajax-api/2.0/mlflow//runs/search/",
        "/api/3.0/mlflow/traces/batchGetInfos",
        "/api/3.0/mlflow/traces/search",
    ):
        assert _largest("POST", path) == 2 << 20, path
        assert _largest("POST", path, request=0) == 2 << 20
        assert _largest("POST", path, request=5) == 5


@pytest.mark.slow
def test_the_log_says_who_did_what_and_never_a_token(audited: Serving) -> None:
    token = audited.run("token", "add", "ci").stdout.strip()
    audited.wait_until(token, 200)
    body = json.dumps({"name": "noted"}).encode()
    headers = {**_JSON, "x-request-id": "build-42", "x-forwarded-for": "192.0.2.9"}
    answer = audited.request("POST", _CREATE, token, headers=headers, body=body)
    assert answer.headers["x-request-id"] == "build-42"
    audited.request("GET", f"{_SEARCH}&secret=in-the-query", "not-a-token")
    # It is noted once the answer is sent.
    wait_for(lambda: _noted(audited, "build-42"), "the line in the log")
    noted = _noted(audited, "build-42")
    assert len(noted) == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", noted[0].pop("time"))
    assert noted[0] == {
        "who": "ci",
        "role": "write",
        "method": "POST",
        "path": _CREATE,
        "status": 200,
        "client": "192.0.2.9",
        "request": "build-42",
    }
    wait_for(lambda: "401" in (audited.data_dir / "audit.jsonl").read_text(), "the refusal")
    text = (audited.data_dir / "audit.jsonl").read_text()
    for secret in (token, audited.token, "not-a-token", "in-the-query"):
        assert secret not in text
    assert (audited.data_dir / "audit.jsonl").stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_who_guesses_is_slowed_down_and_who_knows_is_not(audited: Serving) -> None:
    headers = {"x-forwarded-for": "192.0.2.66"}

    def guess(number: int) -> Answer:
        return audited.request("GET", _SEARCH, f"guess-{number}", headers=headers)

    # Several at once, as they are forgiven with time, which a slow machine takes.
    with ThreadPoolExecutor(8) as pool:
        limited = [answer for answer in pool.map(guess, range(80)) if answer.status == 429]
    assert limited
    assert int(limited[0].headers["retry-after"]) > 0
    assert audited.request("GET", _SEARCH, audited.token, headers=headers).status == 200


@pytest.mark.slow
@pytest.mark.parametrize("announced", [True, False])
def test_a_request_that_is_too_large_is_refused(audited: Serving, announced: bool) -> None:
    address = urlsplit(audited.uri)
    size = 150_000
    length = f"Content-Length: {size}" if announced else "Transfer-Encoding: chunked"
    head = (
        f"POST {_CREATE} HTTP/1.1\r\nHost: mlflow.example.com\r\n{length}\r\n"
        f"Authorization: Bearer {audited.token}\r\nContent-Type: application/json\r\n\r\n"
    )
    chunk = b"x" * size if announced else f"{size:x}\r\n".encode() + b"x" * size + b"\r\n0\r\n\r\n"
    with socket.create_connection((str(address.hostname), int(address.port or 0)), 30) as link:
        link.sendall(head.encode() + chunk)
        assert link.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.slow
def test_an_artifact_may_be_larger_than_a_request(
    audited: Serving, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client = audited.client(monkeypatch)
    run = client.create_run("0")
    (tmp_path / "big.bin").write_bytes(b"x" * 300_000)
    client.log_artifact(run.info.run_id, str(tmp_path / "big.bin"))
    assert client.list_artifacts(run.info.run_id)[0].file_size == 300_000


@pytest.mark.slow
def test_a_connection_that_sends_no_request_is_closed(audited: Serving) -> None:
    address = urlsplit(audited.uri)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), 90) as link:
        link.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        began = time.monotonic()
        while (received := link.recv(100)) and time.monotonic() - began < 80:
            assert b"200" not in received
    assert audited.request("GET", "/health").status == 200
    assert audited.request("GET", "/health?ready").status == 200


@pytest.mark.slow
def test_every_answer_has_the_security_headers(audited: Serving) -> None:
    page = audited.request("GET", "/", audited.token).headers
    assert page["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'self'" in page["content-security-policy"]
    assert page["strict-transport-security"] == "max-age=31536000"
    artifact = audited.request("GET", "/get-artifact?run_uuid=x&path=y", audited.token).headers
    assert artifact["content-security-policy"] == "sandbox; default-src 'none'"


@pytest.mark.slow
def test_only_the_public_name_is_answered(audited: Serving) -> None:
    for host, status in (("mlflow.example.com", 200), ("evil.example", 403), ("localhost", 200)):
        answer = audited.request("GET", _SEARCH, audited.token, headers={"host": host})
        assert answer.status == status, host
