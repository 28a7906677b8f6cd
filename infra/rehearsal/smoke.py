"""A data scientist's minute against a deployed server, by the real MLflow client.

python -m infra.rehearsal.smoke, with MLFLOW_TRACKING_URI, MLFLOW_TRACKING_TOKEN and, where
the server has a certificate of its own, MLFLOW_TRACKING_SERVER_CERT_PATH. Exits 0 where all went
well.
"""

import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

_READY_SECONDS = 180


def main() -> None:
    """Log, upload, download, register, delete; and be refused with a wrong token."""
    import mlflow
    from mlflow.exceptions import MlflowException

    client: Any = mlflow.MlflowClient()
    _wait_until_ready(client)
    name = f"smoke-{secrets.token_hex(4)}"
    experiment = client.create_experiment(name)
    run = client.create_run(experiment)
    run_id = run.info.run_id
    client.log_param(run_id, "alpha", 0.5)
    client.log_metric(run_id, "loss", 0.25)
    content = secrets.token_hex(1000)
    client.log_text(run_id, content, "notes/hello.txt")
    with tempfile.TemporaryDirectory() as folder:
        path = client.download_artifacts(run_id, "notes/hello.txt", folder)
        assert Path(path).read_text() == content, "an artifact came back as another"
    client.set_terminated(run_id)
    assert client.get_run(run_id).data.metrics == {"loss": 0.25}
    client.create_registered_model(name)
    version = client.create_model_version(name, f"runs:/{run_id}/notes", run_id).version
    client.set_registered_model_alias(name, "Champion", version)
    assert client.get_model_version_by_alias(name, "Champion").version == version
    client.delete_registered_model(name)
    client.delete_experiment(experiment)
    os.environ["MLFLOW_TRACKING_TOKEN"] = "wrong"
    refused = ""
    try:
        client.search_experiments(max_results=1)
    except MlflowException as error:
        refused = str(error)
    assert "valid token" in refused, "a wrong token was let in"


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
