"""MLflow's own background jobs: its runner, which starts consumers, which start the jobs.

Each passes its environment on, so what the runner is not told none of them knows.
"""

import os
import secrets
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from runtime.database.uri import store_uri
from runtime.server import job_places
from runtime.settings import RuntimeSettings, variable, without_secrets

_GATEWAY = "MLFLOW_GATEWAY_URI"


def environment(
    settings: RuntimeSettings, ours: Mapping[str, str], app: Mapping[str, str], token: str
) -> dict[str, str]:
    """That of the runner, of ``ours`` and of what the ``app`` is told; ``token`` is its own. Pure.

    Secrets of the gateway and of webhooks are opened by the server alone. The store is opened by
    the jobs, too, as MLflow has it.
    """
    uri = store_uri(settings)
    return {
        **without_secrets({**ours, **app}),
        job_places.VARIABLE: "true",
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_TRACKING_URI": settings.own_uri,
        "MLFLOW_TRACKING_TOKEN": token,
        _GATEWAY: ours.get(_GATEWAY) or settings.own_uri,
    }


def start(settings: RuntimeSettings, app: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start the runner as `mlflow server` does; it ends with this process.

    Its token is made anew at each start, for the workers that are forked from this process.
    """
    from mlflow.server.constants import HUEY_STORAGE_PATH_ENV_VAR
    from mlflow.server.jobs import utils

    runner = cast(Any, utils)
    runner._check_requirements(store_uri(settings))
    storage = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)  # noqa: S108, PTH112
    os.environ[HUEY_STORAGE_PATH_ENV_VAR] = storage
    token = secrets.token_urlsafe(32)
    told = environment(settings, os.environ, app, token)
    with _only(told):
        # It adds the whole environment of this process to what it is given. MLflow 3.16 has one
        # runner, 3.17 chooses between two.
        launch = getattr(runner, "_launch_job_execution_runner", runner._launch_job_runner)
        started = launch(told, os.getpid())
    os.environ[variable("runner_token")] = token
    return started


@contextmanager
def _only(told: Mapping[str, str]) -> Generator[None]:
    """This process's environment is ``told`` for a while; not for one with threads."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(told)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
