"""A real `trackstack server` of a test's own, on loopback."""

import os
import secrets
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.rehearsal.system.ports import find_free_port
from infra.rehearsal.system.waiting import wait_for
from tests import warm
from tests.runtime.database.empty import put_empty_store
from tests.warm import TRACKSTACK

_READY_SECONDS = 120
# How a token that is not valid is answered; with 429 after some tries.
REFUSED = (401, 429)


@dataclass(frozen=True)
class Serving:
    """A server that answers: where, with which token, and the environment of its commands."""

    uri: str
    token: str
    data_dir: Path
    environment: Mapping[str, str]
    pid: int

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a `trackstack` command beside the server."""
        return warm.run(
            [TRACKSTACK, *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def request(self, method: str, path: str, token: str | None = None, **options: Any) -> "Answer":
        """One request; ``token=None`` sends none."""
        return request(self.uri + path, method, token, **options)

    def wait_until(self, token: str, *statuses: int) -> None:
        """Wait until every worker answers ``token`` so.

        It takes 5 s at most, and is given as much again on a machine that is at other things.
        """
        path = "/api/2.0/mlflow/experiments/search?max_results=1"
        wait_for(
            # Asked on several connections, which the workers share.
            lambda: all(self.request("GET", path, token).status in statuses for _ in range(8)),
            f"{statuses} in every worker",
            10,
        )

    def client(self, monkeypatch: Any) -> Any:
        """The real MLflow client, let in by the token."""
        import mlflow

        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", self.token)
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        # The experiment that another test set is not one of this server.
        monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
        monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
        return mlflow.MlflowClient()


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def _opener(authority: Path | None) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context(cafile=str(authority)) if authority else None
    return urllib.request.build_opener(
        _NoRedirect, *([urllib.request.HTTPSHandler(context=context)] if context else [])
    )


def request(
    url: str,
    method: str = "GET",
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    authority: Path | None = None,
) -> Answer:
    """One request that follows no redirect and raises for no status."""
    asked = urllib.request.Request(url, data=body, method=method, headers=dict(headers or {}))
    if token:
        asked.add_header("Authorization", f"Bearer {token}")
    try:
        with _opener(authority).open(asked, timeout=30) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read())


def wait_until_ready(
    uri: str,
    process: "subprocess.Popen[bytes] | None" = None,
    authority: Path | None = None,
) -> None:
    """Wait for the liveness route; raises where the process ends before."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if request(f"{uri}/health", authority=authority).status == 200:
                return
        except OSError:
            pass
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        time.sleep(0.1)
    raise TimeoutError(f"{uri} does not answer")


@contextmanager
def serving(
    data_dir: Path,
    *,
    port: int | None = None,
    authority: Path | None = None,
    makes_store: bool = False,
    **environment: str,
) -> Generator[Serving]:
    """Start a server with a data directory of its own; end it with all its workers.

    ``authority`` is what signed the server's certificate, where it has one; ``makes_store`` leaves
    it to the server to make its SQLite store.
    """
    port, token = port or find_free_port(), secrets.token_urlsafe(32)
    data_dir.mkdir(parents=True, exist_ok=True)
    if not makes_store and "MLFLOW_BACKEND_STORE_URI" not in environment:
        put_empty_store(data_dir)
    token_file = data_dir / "token"
    token_file.write_text(token)
    prefix = environment.get("MLFLOW_STATIC_PREFIX", "")
    uri = f"{'https' if authority else 'http'}://127.0.0.1:{port}{prefix}"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "TRACKSTACK"))}
    full = inherited | {
        "TRACKSTACK_DATA_DIR": str(data_dir),
        "TRACKSTACK_SUPERVISED": "true",
        "MLFLOW_TRACKING_TOKEN_FILE": str(token_file),
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_PORT": str(port),
        "MLFLOW_WORKERS": "2",
        **environment,
    }
    with (data_dir / "server.log").open("wb") as log:
        process = warm.Popen([TRACKSTACK, "server"], env=full, stdout=log, stderr=log)
        try:
            wait_until_ready(uri, process, authority)
            yield Serving(uri, token, data_dir, full, process.pid)
        finally:
            process.terminate()
            process.wait(60)
