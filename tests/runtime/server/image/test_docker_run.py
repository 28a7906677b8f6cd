"""`docker run` of the image as published guides print it, with nothing prepared."""

import os
import secrets
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.rehearsal.system.daemon import docker
from tests.runtime.serving import request, wait_until_ready
from tests.runtime_image import runtime_image

pytestmark = pytest.mark.slow

_ASK = "/api/2.0/mlflow/experiments/search?max_results=1"


@contextmanager
def _running(*options: str) -> Generator[str]:
    name = f"trackstack-test-{secrets.token_hex(4)}"
    docker("run", "--detach", "--name", name, *options, runtime_image())
    try:
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)


def _log(name: str) -> str:
    done = subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def _refused(*options: str) -> str:
    """All that a container says that cannot serve: one line."""
    run = ["docker", "run", "--rm", *options, runtime_image()]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120)
    assert done.returncode in (1, 2), done.stderr
    [line] = done.stderr.strip().splitlines()
    return line


def test_the_printed_line_lets_its_owner_in_and_shows_the_token_once() -> None:
    """Oracle's: a debug log, all interfaces, nothing mounted, no token."""
    printed = ("--env", "MLFLOW_HOST=0.0.0.0", "--env", "MLFLOW_GUNICORN_OPTS=--log-level debug")
    with _running(*printed, "--publish", "127.0.0.1::5000") as name:
        uri = f"http://{docker('port', name, '5000').splitlines()[0]}"
        wait_until_ready(uri)
        token = docker("exec", name, "cat", "/data/server-token").strip()
        assert docker("exec", name, "stat", "-c", "%a", "/data/server-token") == "600"
        assert request(uri + _ASK, token=token).status == 200
        assert request(uri + _ASK).status == 401
        log = _log(name)
        assert log.count(f"export MLFLOW_TRACKING_TOKEN={token}") == 1
        assert "-p 127.0.0.1:5000:5000" in log
        assert "plain HTTP" in log
        # What the libraries have to say to each other.
        assert "DeprecationWarning" not in log
        docker("exec", name, "trackstack", "doctor")
        docker("restart", name)
        uri = f"http://{docker('port', name, '5000').splitlines()[0]}"
        wait_until_ready(uri)
        assert request(uri + _ASK, token=token).status == 200
        assert _log(name).count(token) == log.count(token)


@pytest.mark.parametrize(
    ("owner", "mount", "options", "said"),
    [
        (0, ":/data", (), "sudo chown -R 10001"),
        (4711, ":/data", (), "--user 4711:4711"),
        (10001, ":/data:ro", (), "read-only mount"),
        (10001, ":/root/.oci:ro", ("BACKEND_PROVIDER=mysql",), "nothing says where the database"),
        (10001, ":/root/.oci:ro", ("MLFLOW_ARTIFACTS_DESTINATION=oci://b@n/p",), "EXTRAS="),
        (10001, ":/root/.oci:ro", ("DB_SECRET_OCID=ocid1.vaultsecret.x",), "EXTRAS="),
    ],
)
def test_what_cannot_work_ends_in_one_line_with_the_cure(
    owner: int, mount: str, options: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    folder = tmp_path / "mounted"
    folder.mkdir(0o755)
    os.chown(folder, owner, owner)
    given = [flag for option in options for flag in ("--env", option)]
    assert said in _refused("--volume", f"{folder}{mount}", *given)
