"""Large artifacts through the proxy: equal at the other end, at bounded memory."""

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
