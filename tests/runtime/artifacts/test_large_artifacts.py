"""Large artifacts through the proxy: equal at the other end, at bounded memory."""

import hashlib
import re
import socket
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from tests.runtime.serving import Serving, serving

pytestmark = pytest.mark.slow

_MIB = 1 << 20
_CHUNK = bytes(range(256)) * (4 * _MIB // 256)
_PATH = "/api/2.0/mlflow-artifacts/artifacts/large/model.bin"


def _content(mebibytes: int):
    for index in range(mebibytes // 4):
        yield index.to_bytes(8, "big") + _CHUNK[8:]


def _digest(mebibytes: int) -> str:
    digest = hashlib.sha256()
    for chunk in _content(mebibytes):
        digest.update(chunk)
    return digest.hexdigest()


def _memory(pid: int) -> int:
    """PSS of the server and its workers, in bytes."""
    server = psutil.Process(pid)
    return sum(p.memory_full_info().pss for p in [server, *server.children(recursive=True)])


class _Watch:
    """The most memory that a server takes while this is open, over what it took before."""

    def __init__(self, pid: int) -> None:
        self._pid, self._idle, self.most = pid, _memory(pid), 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            self.most = max(self.most, _memory(self._pid) - self._idle)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def _headers(server: Serving) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.token}"}


def test_two_gigabytes_go_up_and_down_at_bounded_memory(tmp_path: Path) -> None:
    size = 2048
    with serving(tmp_path, MLFLOW_WORKERS="1") as server:
        headers = _headers(server)
        requests.get(f"{server.uri}/version", headers=headers, timeout=60)
        with _Watch(server.pid) as watch:
            url = server.uri + _PATH
            done = requests.put(url, data=_content(size), headers=headers, timeout=300)
            assert done.status_code == 200, done.text
            digest = hashlib.sha256()
            with requests.get(url, headers=headers, stream=True, timeout=300) as answer:
                for chunk in answer.iter_content(_MIB):
                    digest.update(chunk)
        assert digest.hexdigest() == _digest(size)
        assert watch.most < 200 * _MIB, f"{watch.most / _MIB:.0f} MiB over idle"
        assert requests.delete(url, headers=headers, timeout=60).status_code == 200


@pytest.fixture(scope="module", params=["", "/some/where"], ids=["at the root", "below a prefix"])
def prefixed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Serving]:
    folder = tmp_path_factory.mktemp("bodies")
    variables = {"MLFLOW_STATIC_PREFIX": request.param} if request.param else {}
    with serving(folder, MLFLOW_WORKERS="1", **variables) as server:
        yield server


def _send(server: Serving, method: str, path: str, mebibytes: int, token: str) -> int:
    """Send a body in chunks whose size nobody announced; the status of the answer."""
    address = urlsplit(server.uri)
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    with socket.create_connection((str(address.hostname), int(address.port or 0)), 60) as link:
        link.sendall(head.encode())
        for chunk in _content(mebibytes):
            link.sendall(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        link.sendall(b"0\r\n\r\n")
        status = re.match(rb"HTTP/1\.1 (\d{3})", link.recv(100))
    return int(status[1]) if status else 0


@pytest.mark.parametrize(
    ("role", "method", "path"),
    [
        ("read", "GET", "/get-artifact?run_id=x&path=y"),
        ("read", "GET", "/model-versions/get-artifact?name=x&version=1&path=y"),
        ("read", "GET", "/api/2.0/mlflow-artifacts/artifacts?path="),
        ("read", "GET", "/api/2.0/mlflow-artifacts/artifacts/large/x"),
        ("read", "HEAD", "/ajax-api/2.0/mlflow-artifacts/artifacts/large/x"),
        ("read", "OPTIONS", "/get-artifact"),
        ("read", "POST", "/graphql"),
        ("read", "POST", "/api/2.0/mlflow/runs/search"),
        ("write", "DELETE", "/api/2.0/mlflow-artifacts/artifacts/large/x"),
        ("write", "POST", "/api/2.0/mlflow-artifacts/mpu/create/large/x"),
        ("write", "PUT", "/api/3.0/mlflow-artifacts/x"),
        ("write", "PUT", "//api/2.0/mlflow-artifacts/artifacts/large/x"),
        ("write", "POST", "/get-artifact-anything"),
        ("write", "POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=x&path=y"),
        ("admin", "PUT", "/api/3.0/mlflow-artifacts/x"),
        ("admin", "PUT", "//api/2.0/mlflow-artifacts/artifacts/large/x"),
        ("admin", "POST", "/get-artifact-anything"),
    ],
)
def test_what_is_held_in_memory_is_bounded(
    prefixed: Serving, tokens: dict[str, str], role: str, method: str, path: str
) -> None:
    with _Watch(prefixed.pid) as watch:
        path = urlsplit(prefixed.uri).path + path
        status = _send(prefixed, method, path, 400, tokens[role])
    assert watch.most < 200 * _MIB, f"{watch.most / _MIB:.0f} MiB over idle"
    assert status in (403, 404, 413)


@pytest.fixture(scope="module")
def tokens(prefixed: Serving) -> dict[str, str]:
    made = {
        role: prefixed.run("token", "add", role, "--role", role).stdout.strip()
        for role in ("read", "write", "admin")
    }
    # The worker knows them within 5 seconds.
    time.sleep(5)
    return made


def test_an_upload_streams_below_a_prefix_too(prefixed: Serving) -> None:
    url = f"{prefixed.uri}{_PATH}"
    with _Watch(prefixed.pid) as watch:
        done = requests.put(url, data=_content(400), headers=_headers(prefixed), timeout=120)
        assert done.status_code == 200, done.text
        digest = hashlib.sha256()
        with requests.get(url, headers=_headers(prefixed), stream=True, timeout=120) as answer:
            for chunk in answer.iter_content(_MIB):
                digest.update(chunk)
    assert digest.hexdigest() == _digest(400)
    assert watch.most < 200 * _MIB, f"{watch.most / _MIB:.0f} MiB over idle"
    assert requests.delete(url, headers=_headers(prefixed), timeout=60).status_code == 200


def test_tokens_come_and_go_while_clients_log(tmp_path: Path) -> None:
    """16 clients with a valid token fail in nothing while others are added and revoked."""
    with serving(tmp_path) as server:
        stop = threading.Event()
        failures: list[tuple[int, int, str]] = []

        def log(number: int) -> int:
            count = 0
            with requests.Session() as session:
                session.headers.update(_headers(server))
                base = f"{server.uri}/api/2.0/mlflow"
                made = session.post(f"{base}/runs/create", json={"experiment_id": "0"}, timeout=60)
                run = made.json()["run"]["info"]["run_id"]
                while not stop.is_set():
                    metric = {
                        "run_id": run,
                        "key": "m",
                        "value": count,
                        "timestamp": 1,
                        "step": count,
                    }
                    done = session.post(f"{base}/runs/log-metric", json=metric, timeout=60)
                    if done.status_code != 200:
                        failures.append((number, done.status_code, done.text[:200]))
                    count += 1
            return count

        with ThreadPoolExecutor(16) as pool:
            clients = [pool.submit(log, number) for number in range(16)]
            try:
                for index in range(3):
                    token = server.run("token", "add", f"t{index}").stdout.strip()
                    server.wait_until(token, 200)
                    assert server.run("token", "revoke", f"t{index}").returncode == 0
                    time.sleep(1)
            finally:
                stop.set()
            counts = [client.result() for client in clients]
        assert failures == []
        assert min(counts) > 0
