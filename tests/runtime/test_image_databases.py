"""The published variables of the database set-ups, by `docker run`, against real servers."""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import find_free_port
from tests.docker import docker, runtime_image
from tests.runtime.serving import request, wait_until_ready


def _install(program: str, package: str) -> None:
    if shutil.which(program) is None:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
        subprocess.run(["apt-get", "update", "-qq"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL, env=environment)


@pytest.fixture
def mysql_uri(tmp_path: Path) -> Generator[str]:
    """A MariaDB of the test's own on loopback, with the database and user of the OCI guide."""
    _install("mariadbd", "mariadb-server")
    port, password = find_free_port(), secrets.token_hex(8)
    data, socket = tmp_path / "mysql", tmp_path / "mysql.sock"
    own = ["--no-defaults", f"--datadir={data}", "--user=root"]
    subprocess.run(["mariadb-install-db", *own], check=True, stdout=subprocess.DEVNULL)
    listening = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={socket}"]
    with (tmp_path / "mysql.log").open("wb") as log:
        server = subprocess.Popen(["mariadbd", *own, *listening], stdout=log, stderr=log)
    client = ["mariadb", "--no-defaults", f"--socket={socket}", "--user=root"]
    sql = (
        "CREATE DATABASE mlflow CHARACTER SET utf8mb4;"
        f"CREATE USER mlflow@localhost IDENTIFIED BY '{password}';"
        "GRANT ALL ON mlflow.* TO mlflow@localhost;"
    )
    try:
        deadline = time.monotonic() + 60
        while subprocess.run(client, input=sql, text=True, capture_output=True).returncode:
            assert time.monotonic() < deadline, (tmp_path / "mysql.log").read_text()
            time.sleep(0.2)
        yield f"mysql+mysqlconnector://mlflow:{password}@127.0.0.1:{port}/mlflow"
    finally:
        server.terminate()
        server.wait(60)


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
