"""A store with one of everything, made by the real MLflow client on the database itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from runtime import settings as runtime_settings
from runtime.backup import filling
from runtime.backup.format.manifest import Manifest
from runtime.database.engine import open_engine
from runtime.database.uri import make_directories, store_uri
from runtime.settings import RuntimeSettings
from runtime.tokens.store import Role, TokenTable
from tests.runtime.database.empty import put_empty_store

# Makes a filled store in a folder.
StoreMaker = Callable[[Path], RuntimeSettings]


def settings_of(data_dir: Path, uri: str | None = None, **more: str) -> RuntimeSettings:
    """Settings with all files under ``data_dir``; SQLite unless ``uri`` is given."""
    environment = {
        "TRACKSTACK_DATA_DIR": str(data_dir),
        "TRACKSTACK_BACKUP_DESTINATION": str(data_dir / "backups"),
        **({"MLFLOW_BACKEND_STORE_URI": uri} if uri else {}),
        **more,
    }
    return runtime_settings.load(environment)


def fill(settings: RuntimeSettings) -> None:
    """Experiments, runs, odd numbers, traces, datasets, models and a token; three artifacts."""
    import mlflow

    make_directories(settings)
    uri = store_uri(settings)
    if not settings.given_backend_store_uri:
        put_empty_store(settings.data_dir)
    # Traces go to the global one.
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    client: Any = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    artifacts = Path(settings.artifacts_destination)
    experiment = client.create_experiment("täglich", artifact_location="mlflow-artifacts:/1")
    runs = [_run(client, experiment, artifacts, number) for number in range(3)]
    client.delete_run(runs[0])
    client.create_logged_model(experiment, source_run_id=runs[1])
    client.create_registered_model("model", tags={"a": "b"})
    client.create_model_version("model", f"runs:/{runs[1]}/model", runs[1])
    client.set_registered_model_alias("model", "Champion", "1")
    span = client.start_trace("trace", inputs={"q": 1}, experiment_id=experiment)
    client.end_trace(span.trace_id, outputs={"a": [None, True]})
    mlflow.flush_trace_async_logging()
    mlflow.set_tracking_uri(before)
    TokenTable(open_engine(settings)).add("team", Role.WRITE, None)


def _run(client: Any, experiment: str, artifacts: Path, number: int) -> str:
    from mlflow.entities import Dataset, DatasetInput, Metric

    run: str = client.create_run(experiment, tags={"quote": 'it\'s "so"\n\\ 💾'}).info.run_id
    client.log_param(run, "p", "x" * 6000)
    values = (0.1 + 0.2, float("nan"), float("inf"), -1e-300)
    client.log_batch(run, metrics=[Metric("m", v, 5, i) for i, v in enumerate(values)])
    dataset = Dataset(f"set {number}", "digest", "local", "{}", schema=None, profile=None)
    client.log_inputs(run, [DatasetInput(dataset, [])])
    file = artifacts / "1" / run / "artifacts" / "deep" / "weights.bin"
    file.parent.mkdir(parents=True)
    file.write_bytes(bytes(range(256)) * (number + 1))
    return run


def unlike(engine: Engine, of: Manifest) -> list[str]:
    """As a restore compares; but for the named tokens, which it has disabled by then."""
    found = filling.compare(engine, of)
    return [told for told in found if told != "table trackstack_tokens: other rows"]
