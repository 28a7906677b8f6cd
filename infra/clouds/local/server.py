"""The tracking server: `trackstack server` under the supervisor, on one loopback port."""

import time
import urllib.error
import urllib.request
from typing import Any

from pulumi import ResourceOptions
from pulumi.dynamic import Resource

from infra.clouds.local import supervisor
from infra.clouds.shared.dynamic import DynamicProvider, Props
from runtime import health

_READY_SECONDS = 180


def health_path(props: Props) -> str:
    """The path of the liveness route, of a server with these inputs."""
    return health.target(props["environment"])[2]


def _healthy(props: Props) -> bool:
    try:
        uri = f"http://127.0.0.1:{int(props['port'])}{health_path(props)}"
        with urllib.request.urlopen(uri, timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


def _wait_until_ready(props: Props) -> None:
    data_dir, deadline = props["data_dir"], time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if _healthy(props):
            return
        if supervisor.program_state(data_dir, "server") in ("BACKOFF", "FATAL", "ABSENT"):
            raise RuntimeError(
                f"the server ended while it was starting; the end of its log:\n"
                f"{supervisor.last_lines(data_dir, 'server')}"
            )
        time.sleep(0.2)
    raise RuntimeError(
        f"the server did not answer on port {int(props['port'])} within {_READY_SECONDS} s; "
        f"the end of its log:\n{supervisor.last_lines(data_dir, 'server')}"
    )


class _ServerProvider(DynamicProvider):
    def apply(self, props: Props) -> Props:
        supervisor.set_program(props["data_dir"], "server", props["environment"], ["server"])
        _wait_until_ready(props)
        return {}

    def remove(self, props: Props) -> None:
        supervisor.remove_program(props["data_dir"], "server")

    def drifted(self, props: Props) -> bool:
        state = supervisor.program_state(props["data_dir"], "server")
        return state not in ("RUNNING", "STARTING") or not _healthy(props)


class Server(Resource, module="trackstack", name="LocalServer"):
    """Inputs: ``data_dir``, ``port``, ``environment``, and ``version``, ``code`` and
    ``backend_store``, whose change restarts the server.
    """

    def __init__(self, name: str, props: dict[str, Any], opts: ResourceOptions | None = None):
        super().__init__(_ServerProvider(), name, props, opts)
