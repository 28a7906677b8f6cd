"""Servers in containers of the runtime image, hardened as a platform runs them."""

import importlib
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from infra.rehearsal.system.daemon import docker
from tests.runtime.serving import wait_until_ready
from tests.runtime_image import runtime_image

HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--user", "10001")


@dataclass(frozen=True)
class Container:
    """A server in a container of the image."""

    name: str
    uri: str
    token: str

    def run(self, *command: str) -> str:
        """Run a program inside."""
        return docker("exec", self.name, *command)

    def client(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """The real MLflow client, outside."""
        mlflow: Any = importlib.import_module("mlflow")
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", self.token)
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        return mlflow.MlflowClient()


@contextmanager
def serving(*options: str, port: int = 5000, **environment: str) -> Generator[Container]:
    """`docker run` of the image, hardened, its port published on loopback."""
    name, token = f"trackstack-test-{secrets.token_hex(4)}", secrets.token_urlsafe(32)
    variables = {"MLFLOW_TRACKING_TOKEN": token, "MLFLOW_WORKERS": "1", **environment}
    given = [flag for key, value in variables.items() for flag in ("--env", f"{key}={value}")]
    published = ("--publish", f"127.0.0.1::{port}")
    docker(
        "run", "--detach", "--name", name, *HARDENED, *published, *given, *options, runtime_image()
    )
    try:
        uri = f"http://{docker('port', name, str(port)).splitlines()[0]}"
        try:
            wait_until_ready(uri)
        except TimeoutError:
            raise RuntimeError(docker("logs", name)) from None
        yield Container(name, uri, token)
    finally:
        docker("rm", "--force", "--volumes", name)
