"""The image in a container of 1 GB under what takes memory: `python -m tests.bench.bench_memory`.

Eight uploads of 200 MB at once; twenty readers of a 1 GB artifact, slower than the disk, by the
route of the web page; 400 MB sent with GET. Nothing may be killed. The peak is what the kernel
counts of the container's processes, without the files' pages that it can let go.
"""

import argparse
import json
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests

from infra.rehearsal.system.daemon import docker
from tests.runtime.serving import wait_until_ready
from tests.runtime_image import runtime_image

_MB = 1 << 20
_LIMIT = "1g"
_ROUTE = "/api/2.0/mlflow-artifacts/artifacts"


@dataclass
class Container:
    """A server in a container, and the most that its processes had at once, in MB."""

    id: str
    uri: str
    token: str
    peak: float = 0
    _end: threading.Event = field(default_factory=threading.Event)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def watch(self) -> None:
        while not self._end.wait(0.25):
            told = docker("exec", self.id, "cat", "/sys/fs/cgroup/memory/memory.stat", check=False)
            if found := re.search(r"^total_rss (\d+)$", told, re.MULTILINE):
                self.peak = max(self.peak, int(found[1]) / _MB)

    def stop(self) -> None:
        self._end.set()

    def kills(self) -> int:
        """How many processes the kernel has killed for their memory."""
        told = docker(
            "exec", self.id, "cat", "/sys/fs/cgroup/memory/memory.oom_control", check=False
        )
        found = re.search(r"^oom_kill (\d+)$", told, re.MULTILINE)
        return int(found[1]) if found else 1


@contextmanager
def running(image: str) -> Generator[Container]:
    """The image's server, with its limit of memory and two workers."""
    token = secrets.token_urlsafe(32)
    given = {"MLFLOW_TRACKING_TOKEN": token, "MLFLOW_WORKERS": "2"}
    variables = [word for name, value in given.items() for word in ("--env", f"{name}={value}")]
    limits = ("--memory", _LIMIT, "--memory-swap", _LIMIT)
    id = docker("run", "--detach", "--publish", "127.0.0.1::5000", *limits, *variables, image)
    try:
        address = docker("port", id, "5000").splitlines()[0]
        container = Container(id, f"http://{address}", token)
        wait_until_ready(container.uri)
        yield container
    finally:
        docker("rm", "--force", "--volumes", id)


def _zeros(megabytes: int) -> Iterator[bytes]:
    block = bytes(_MB)
    return (block for _ in range(megabytes))


def _upload(container: Container, name: str, megabytes: int) -> int:
    """Piece by piece; the status."""
    address = f"{container.uri}{_ROUTE}/{name}"
    return requests.put(
        address, data=_zeros(megabytes), headers=container.headers, timeout=300
    ).status_code


def uploads(container: Container) -> str:
    def upload(number: int) -> int:
        return _upload(container, f"u/{number}", 200)

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(upload, range(8)))
    assert set(statuses) == {200}, statuses
    return "8 uploads of 200 MB"


def readers(container: Container) -> str:
    base = f"{container.uri}/api/2.0/mlflow"
    new = {"experiment_id": "0", "start_time": 1}
    made = requests.post(f"{base}/runs/create", json=new, headers=container.headers, timeout=60)
    info = made.json()["run"]["info"]
    place = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
    assert _upload(container, f"{place}/large", 1024) == 200
    address, links = urlsplit(container.uri), list[socket.socket]()
    asked = f"GET /get-artifact?run_uuid={info['run_id']}&path=large HTTP/1.1\r\nHost: 127.0.0.1"
    try:
        for _ in range(20):
            link = socket.create_connection((str(address.hostname), int(address.port or 0)), 60)
            links.append(link)
            link.sendall(f"{asked}\r\nAuthorization: Bearer {container.token}\r\n\r\n".encode())
        end = time.monotonic() + 30
        while time.monotonic() < end:
            # 20 times 64 kB a quarter of a second: far slower than any disk.
            for link in links:
                assert link.recv(65536)
            time.sleep(0.25)
    finally:
        for link in links:
            link.close()
    return "20 slow readers of 1 GB, 30 s"


def body_of_get(container: Container) -> str:
    try:
        answer = requests.get(
            f"{container.uri}/get-artifact?run_id=x&path=y",
            data=_zeros(400),
            headers=container.headers,
            timeout=120,
        )
        assert answer.status_code == 413, answer.status_code
    except requests.ConnectionError:
        # Refused while it still sends.
        pass
    return "400 MB sent with GET"


def measure(image: str) -> list[dict[str, Any]]:
    """What was done, the peak in MB, and how many processes were killed."""
    steps: tuple[Callable[[Container], str], ...] = (uploads, readers, body_of_get)
    found: list[dict[str, Any]] = []
    with running(image) as container:
        watching = threading.Thread(target=container.watch, daemon=True)
        watching.start()
        try:
            time.sleep(3)
            found.append({"what": "at rest", "peak": container.peak, "kills": container.kills()})
            for step in steps:
                container.peak = 0
                what = step(container)
                found.append({"what": what, "peak": container.peak, "kills": container.kills()})
        finally:
            container.stop()
            watching.join()
    return found


def main() -> None:
    """Print the figures; exits 1 where a process was killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", help="without it the image of this checkout is built")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    figures = measure(options.image or runtime_image())
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for each in figures:
            print(f"{each['what']:32} {each['peak']:5.0f} MB at most   {each['kills']} killed")
    sys.exit(any(each["kills"] for each in figures))


if __name__ == "__main__":
    main()
