"""The tracking API as prune and report use it: MLflow's own client, paged.

The client itself repeats what fails with 429 or 5xx (MLFLOW_HTTP_REQUEST_MAX_RETRIES, with
back-off).
"""

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from runtime.errors import UserError
from runtime.probe import request, token_of
from runtime.retention.stale import Experiment, Inventory, Kind, Model, Run, Stale, Version
from runtime.settings import RuntimeSettings

_PAGE = 1000
_IN_PROGRESS = ("RUNNING", "SCHEDULED")
# MLflow's client, which has types in part only.
Client = Any


def connect(settings: RuntimeSettings) -> Client:
    """A client for the settings' URI and token.

    Raises UserError (exit code 75) where the server does not answer or refuses the token.
    """
    token = token_of(settings)
    path = "/api/2.0/mlflow/experiments/search?max_results=1"
    status, answer = request(settings, "GET", path, token)
    if status != 200:
        reason = answer.decode(errors="replace").strip()[:200] or f"status {status}"
        raise UserError(
            f"the server at {settings.tracking_uri} does not let us in: {reason}; "
            "see MLFLOW_TRACKING_URI and MLFLOW_TRACKING_TOKEN",
            75,
        )
    from mlflow import MlflowClient

    if token:
        # The client reads its token from the environment alone.
        os.environ["MLFLOW_TRACKING_TOKEN"] = token
    return MlflowClient(tracking_uri=settings.tracking_uri, registry_uri=settings.tracking_uri)


@contextmanager
def entered(settings: RuntimeSettings) -> Generator[Client]:
    """A client for a server; within the block, MLflow's own settings are that server's.

    MLflow reads token and authority from the environment at each request, so that two servers
    are entered in turns.
    """
    import mlflow

    uri = settings.tracking_uri
    values = {
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_REGISTRY_URI": uri,
        "MLFLOW_TRACKING_TOKEN": token_of(settings),
        "MLFLOW_TRACKING_SERVER_CERT_PATH": settings.tracking_certificate,
    }
    before = {name: os.environ.get(name) for name in values}
    _set_environment(values)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        yield mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    finally:
        _set_environment(before)


def _set_environment(values: Mapping[str, object]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = str(value)


def paged(page: Callable[[str | None], Any]) -> Iterator[Any]:
    """All that a search answers, page by page; ``page`` takes the token of the next."""
    token: str | None = None
    while True:
        answer = page(token)
        yield from answer
        token = answer.token
        if not token:
            return


def take_inventory(client: Client) -> Inventory:
    """Read all live entities."""
    experiments = tuple(
        Experiment(e.experiment_id, e.name, e.last_update_time or e.creation_time or 0, e.tags)
        for e in paged(lambda t: client.search_experiments(max_results=_PAGE, page_token=t))
    )
    runs = tuple(run for experiment in experiments for run in _runs(client, experiment.id))
    models = list(paged(lambda t: client.search_registered_models(max_results=_PAGE, page_token=t)))
    versions = paged(lambda t: client.search_model_versions("", max_results=_PAGE, page_token=t))
    aliases = {model.name: _aliases(model) for model in models}
    return Inventory(
        experiments=experiments,
        runs=runs,
        versions=tuple(_version(version, aliases) for version in versions),
        models=tuple(
            Model(m.name, m.last_updated_timestamp or 0, tuple(aliases[m.name]), m.tags)
            for m in models
        ),
    )


def _runs(client: Client, experiment_id: str) -> Iterator[Run]:
    for run in paged(
        lambda t: client.search_runs([experiment_id], max_results=_PAGE, page_token=t)
    ):
        info = run.info
        # A run that was taken up again keeps the end that it had.
        in_progress = info.status in _IN_PROGRESS
        metrics = run.data.to_proto().metrics
        logged = (metric.timestamp for metric in metrics)
        touched = max(
            (time for time in (info.start_time, info.end_time, *logged) if time), default=0
        )
        yield Run(
            info.run_id,
            info.run_name,
            experiment_id,
            touched,
            run.data.tags,
            in_progress,
            tuple(metric.key for metric in metrics),
        )


def _aliases(model: Any) -> dict[str, str]:
    named: dict[str, Any] = model.aliases or {}
    return {alias: str(version) for alias, version in named.items()}


def _version(version: Any, aliases: dict[str, dict[str, str]]) -> Version:
    named = aliases.get(version.name, {})
    return Version(
        model=version.name,
        version=str(version.version),
        updated=version.last_updated_timestamp or version.creation_timestamp or 0,
        stage=version.current_stage or "None",
        aliases=tuple(alias for alias, of in named.items() if of == str(version.version)),
        run_id=version.run_id or None,
        tags=version.tags,
        source=version.source or "",
        model_id=version.model_id or None,
    )


def artifact_bytes(client: Client, stale: Stale) -> int | None:
    """Bytes of a run's artifacts; None for other kinds, whose artifacts belong to runs."""
    if stale.kind is not Kind.RUN:
        return None
    folders, total = [""], 0
    while folders:
        for file in client.list_artifacts(stale.key, folders.pop()):
            if file.is_dir:
                folders.append(file.path)
            else:
                total += file.file_size or 0
    return total


def delete(client: Client, stale: Stale) -> None:
    """Delete one entity: runs and experiments softly, the others for good."""
    if stale.kind is Kind.RUN:
        client.delete_run(stale.key)
    elif stale.kind is Kind.EXPERIMENT:
        client.delete_experiment(stale.key)
    elif stale.kind is Kind.MODEL_VERSION:
        model, _, version = stale.key.rpartition("/")
        client.delete_model_version(model, version)
    else:
        client.delete_registered_model(stale.key)


def is_gone(error: Exception) -> bool:
    """Whether a deletion failed because the entity is deleted already."""
    code = getattr(error, "error_code", "")
    # MLflow's word for a run that was deleted softly.
    return code == "RESOURCE_DOES_NOT_EXIST" or "must be in the 'active' state" in str(error)
