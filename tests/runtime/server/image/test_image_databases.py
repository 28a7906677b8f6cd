"""The published variables of the database set-ups, by `docker run`, against real servers."""

import secrets
import subprocess
from collections.abc import Generator
from typing import Any

import pytest

from infra.rehearsal.system.daemon import docker
from infra.rehearsal.system.ports import find_free_port
from tests.runtime.databases import mariadb
from tests.runtime.serving import request, wait_until_ready
from tests.runtime_image import runtime_image


@pytest.fixture
def mysql_uri() -> Generator[str]:
    """A MariaDB of the test's own on loopback, by the driver of the OCI guide."""
    with mariadb() as server:
        yield server.new_database().replace("mysql+pymysql:", "mysql+mysqlconnector:")


@pytest.mark.slow
def test_the_published_mysql_variables_start_the_image(
    mysql_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`docker run -e BACKEND_PROVIDER=mysql -e MLFLOW_BACKEND_STORE_URI=...`, as on OCI."""
    name, token, port = (
        f"trackstack-test-{secrets.token_hex(4)}",
        secrets.token_hex(16),
        find_free_port(),
    )
    given = {
        "BACKEND_PROVIDER": "mysql",
        "MLFLOW_BACKEND_STORE_URI": mysql_uri,
        "MLFLOW_HOST": "127.0.0.1",
        "MLFLOW_PORT": str(port),
        "MLFLOW_WORKERS": "2",
        "MLFLOW_GUNICORN_OPTS": "--log-level warning",
        "MLFLOW_TRACKING_TOKEN": token,
    }
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    passed = [flag for variable in given for flag in ("--env", variable)]
    run = ["run", "--detach", "--name", name, "--network", "host", "--read-only", "--tmpfs", "/tmp"]
    docker(*run, "--cap-drop", "ALL", "--user", "10001", *passed, runtime_image())
    try:
        uri = f"http://127.0.0.1:{port}"
        try:
            wait_until_ready(uri)
        except TimeoutError:
            subprocess.run(["docker", "logs", name], check=False)
            raise
        body = b'{"name": "in mysql"}'
        headers = {"Content-Type": "application/json"}
        made: Any = request(
            f"{uri}/api/2.0/mlflow/experiments/create", "POST", token, headers, body
        )
        assert made.status == 200
        logs = subprocess.run(["docker", "logs", name], capture_output=True, text=True)
        password = mysql_uri.split(":")[2].split("@")[0]
        assert password not in logs.stdout + logs.stderr
        assert "[INFO]" not in logs.stderr
    finally:
        docker("rm", "--force", "--volumes", name)
