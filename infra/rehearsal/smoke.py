"""A data scientist's minute against a deployed server, by the real MLflow client.

python -m infra.rehearsal.smoke, with MLFLOW_TRACKING_URI, MLFLOW_TRACKING_TOKEN and, where the
server has a certificate of its own, MLFLOW_TRACKING_SERVER_CERT_PATH. Exits 0 where all went well,
else 1 with what went wrong on the last line of stderr.
"""

import os
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

_READY_SECONDS = 180


class SmokeTestError(Exception):
    """What the server did that a tracking server must not do."""


def main() -> None:
    """Run the smoke test; exits 1 where it fails."""
    client: Any = MlflowClient()
    try:
        _wait_until_ready(client)
        _log_and_register(client)
        _be_refused(client)
    except (SmokeTestError, MlflowException, OSError) as error:
        sys.exit(f"smoke test: {' '.join(str(error).split())}")


def _log_and_register(client: Any) -> None:
    """Log, upload, download, register, delete."""
    name = f"smoke-{secrets.token_hex(4)}"
    experiment = client.create_experiment(name)
    run_id = client.create_run(experiment).info.run_id
    client.log_param(run_id, "alpha", 0.5)
    client.log_metric(run_id, "loss", 0.25)
    content = secrets.token_hex(1000)
    client.log_text(run_id, content, "notes/hello.txt")
    with tempfile.TemporaryDirectory() as folder:
        path = client.download_artifacts(run_id, "notes/hello.txt", folder)
        _require(Path(path).read_text() == content, "a downloaded artifact differs from the upload")
    client.set_terminated(run_id)
    metrics = client.get_run(run_id).data.metrics
    _require(metrics == {"loss": 0.25}, f"a run's logged metrics came back as {metrics}")
    client.create_registered_model(name)
    version = client.create_model_version(name, f"runs:/{run_id}/notes", run_id).version
    client.set_registered_model_alias(name, "Champion", version)
    found = client.get_model_version_by_alias(name, "Champion").version
    _require(found == version, f"an alias of model version {version} leads to {found}")
    client.delete_registered_model(name)
    client.delete_experiment(experiment)


def _be_refused(client: Any) -> None:
    """A wrong token must be refused."""
    os.environ["MLFLOW_TRACKING_TOKEN"] = "wrong"
    try:
        client.search_experiments(max_results=1)
    except MlflowException as error:
        _require("valid token" in str(error), f"a wrong token was refused otherwise: {error}")
    else:
        raise SmokeTestError("a wrong token was accepted")


def _require(holds: bool, failure: str) -> None:
    if not holds:
        raise SmokeTestError(failure)


def _wait_until_ready(client: Any) -> None:
    """A cloud says that a container runs before its server answers."""
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            client.search_experiments(max_results=1)
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return


if __name__ == "__main__":
    main()
