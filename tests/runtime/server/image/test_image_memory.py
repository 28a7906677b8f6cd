"""Eight clients at once in a container of 1 GB, the smallest that the clouds' stacks take."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from infra.rehearsal.system.daemon import docker
from tests.runtime.server.image.container import Container, serving

pytestmark = pytest.mark.slow

_CLIENTS, _MEBIBYTES = 8, 200


def _upload(container: Container, number: int) -> int:
    url = f"{container.uri}/api/2.0/mlflow-artifacts/artifacts/{number}/model.bin"
    chunks = (bytes([number]) * (4 << 20) for _ in range(_MEBIBYTES // 4))
    headers = {"Authorization": f"Bearer {container.token}"}
    return requests.put(url, data=chunks, headers=headers, timeout=300).status_code


def test_clients_log_large_artifacts_and_nothing_is_killed() -> None:
    limits = ("--memory", "1g", "--memory-swap", "1g")
    with serving(*limits, MLFLOW_WORKERS="2") as container:
        with ThreadPoolExecutor(_CLIENTS) as pool:
            uploads = [pool.submit(_upload, container, number) for number in range(_CLIENTS)]
            assert [upload.result() for upload in uploads] == [200] * _CLIENTS
        state = docker(
            "inspect", "--format", "{{.State.OOMKilled}} {{.RestartCount}}", container.name
        )
        assert state == "false 0"
        sizes = container.run("sh", "-c", "stat -c %s /data/artifacts/*/model.bin").split()
        assert sizes == [str(_MEBIBYTES << 20)] * _CLIENTS
        assert "SIGKILL" not in docker("logs", container.name)
