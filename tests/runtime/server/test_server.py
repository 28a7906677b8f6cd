"""The server's processes: what is killed comes to an end, and nothing is left on the port."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import pytest

from infra.rehearsal.system.waiting import wait_for
from runtime import settings as runtime_settings
from runtime.artifacts.owner import claim
from runtime.server.command import app_environment, weak_token
from runtime.server.forking import log_level
from tests import warm
from tests.runtime.gc_store import Store
from tests.runtime.serving import Serving, serving, wait_until_ready
from tests.warm import TRACKSTACK


def _workers(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children()


@pytest.mark.slow
def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        before = _workers(server.pid)
        assert len(before) == 2
        before[0].kill()
        wait_for(
            lambda: len({p.pid for p in _workers(server.pid)} - {before[0].pid}) == 2,
            "no new worker",
        )
        wait_until_ready(server.uri)


@pytest.mark.slow
def test_a_killed_master_leaves_no_worker_on_the_port(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        workers = _workers(server.pid)
        os.kill(server.pid, signal.SIGKILL)
        gone, alive = psutil.wait_procs(workers, timeout=40)
        assert alive == []
        assert len(gone) == 2


@pytest.mark.slow
def test_an_older_schema_is_refused_with_what_to_do(tmp_path: Path) -> None:
    import sqlite3

    environment = {**os.environ, "TRACKSTACK_DATA_DIR": str(tmp_path), "MLFLOW_WORKERS": "1"}
    warm.run([TRACKSTACK, "upgrade"], env=environment, check=True, timeout=60)
    with sqlite3.connect(tmp_path / "store" / "mydb.sqlite") as database:
        database.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    done = warm.run(
        [TRACKSTACK, "server"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "migrate it with `trackstack upgrade`" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_server_on_another_store_s_artifacts_does_not_start(tmp_path: Path) -> None:
    other, own = tmp_path / "other", tmp_path / "own"
    other.mkdir()
    claim((first := Store(other)).engine, str(first.artifacts), None)
    environment = {**os.environ, "TRACKSTACK_DATA_DIR": str(own), "MLFLOW_WORKERS": "1"}
    environment["MLFLOW_ARTIFACTS_DESTINATION"] = str(first.artifacts)
    done = warm.run(
        [TRACKSTACK, "server"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "are not this store's: it is that of the store" in done.stderr
    assert "Traceback" not in done.stderr
    assert "TRACKSTACK_ADOPT_ARTIFACTS=" in done.stderr


@pytest.mark.slow
def test_the_application_is_told_what_mlflow_server_would_tell_it(tmp_path: Path) -> None:
    """The environment, compared with MLflow's own for the same settings."""
    from click.testing import CliRunner
    from mlflow import server as mlflow_server
    from mlflow.cli import cli

    uri, destination = f"sqlite:///{tmp_path}/x.sqlite", str(tmp_path / "artifacts")
    told: dict[str, str] = {}

    def instead_of_starting(*_args: Any, **kwargs: Any) -> Any:
        told.update(kwargs["extra_env"])
        return mock.Mock(wait=lambda: 0, poll=lambda: 0)

    arguments = ["server", "--backend-store-uri", uri, "--artifacts-destination", destination]
    with (
        mock.patch.object(mlflow_server, "_exec_cmd", instead_of_starting),
        mock.patch.dict(os.environ, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}),
        mock.patch("signal.signal"),
    ):
        result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output

    settings = runtime_settings.load(
        {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_ARTIFACTS_DESTINATION": destination}
    )
    ours = app_environment(settings)
    told.pop("_MLFLOW_SERVER_BOOT_ID")
    # Defaults of the command line, which the application has as its own.
    assert told.pop("MLFLOW_SERVER_SECRETS_CACHE_TTL") == "60"
    assert told.pop("MLFLOW_SERVER_SECRETS_CACHE_MAX_SIZE") == "1000"
    assert {name: ours.get(name) for name in told} == told


@pytest.mark.parametrize(
    ("options", "level"),
    [
        (None, "info"),
        ("--log-level debug", "debug"),
        ("--log-level=warning --timeout 60", "warning"),
        ("--timeout 60", "info"),
    ],
)
def test_of_gunicorn_s_options_the_log_level_is_honoured(options: str | None, level: str) -> None:
    assert log_level(options) == level


def test_a_quote_that_is_not_closed_is_told_before_anything_is_made(tmp_path: Path) -> None:
    environment = {**os.environ, "TRACKSTACK_DATA_DIR": str(tmp_path / "data")}
    environment["MLFLOW_GUNICORN_OPTS"] = '--log-level "debug'
    run = warm.run(
        [TRACKSTACK, "server"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 2
    [line] = run.stderr.splitlines()
    assert "MLFLOW_GUNICORN_OPTS" in line
    assert "TRACKSTACK_LOG_LEVEL" in line
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("token", "length"), [("x" * 22, 0), ("", 0), ("short", 5), (f"{'x' * 43} {'y' * 21}", 21)]
)
def test_a_token_that_can_be_guessed_is_told(token: str, length: int) -> None:
    said = weak_token(runtime_settings.load({"MLFLOW_TRACKING_TOKEN": token}))
    assert bool(said) == bool(length)
    assert not said or f"only {length} characters" in said


@pytest.mark.slow
def test_a_new_server_takes_no_token_that_can_be_guessed(tmp_path: Path) -> None:
    environment = {**os.environ, "TRACKSTACK_DATA_DIR": str(tmp_path), "MLFLOW_TRACKING_TOKEN": "x"}
    run = warm.run(
        [TRACKSTACK, "server"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 1
    assert "only 1 characters" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.slow
def test_no_secret_is_in_the_process_list_or_the_log(server: Serving) -> None:
    for process in [psutil.Process(server.pid), *_workers(server.pid)]:
        assert server.token not in " ".join(process.cmdline())
    assert server.token not in (server.data_dir / "server.log").read_text()


@pytest.mark.slow
def test_a_public_name_is_let_in_and_loopback_still_is(tmp_path: Path) -> None:
    with serving(tmp_path, MLFLOW_SERVER_ALLOWED_HOSTS="mlflow.example.org") as server:
        for host, status in (
            ("mlflow.example.org", 200),
            ("mlflow.example.org:8443", 200),
            ("evil.example", 403),
        ):
            answer = server.request("GET", "/", server.token, headers={"host": host})
            assert answer.status == status, host
        assert server.request("GET", "/", server.token).status == 200


@pytest.mark.slow
def test_first_searches_side_by_side_all_succeed(tmp_path: Path) -> None:
    """MLflow's import of its basic-auth within a search fails some of them (see runtime.access)."""
    with serving(tmp_path) as server, ThreadPoolExecutor(16) as pool:
        path, body = "/api/2.0/mlflow/runs/search", b'{"experiment_ids": ["0"]}'
        headers = {"content-type": "application/json"}

        def search(_number: int) -> int:
            answer = server.request("POST", path, server.token, headers=headers, body=body)
            return answer.status

        assert set(pool.map(search, range(64))) == {200}
