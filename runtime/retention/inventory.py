"""The tracking API as prune and report use it: MLflow's own client, paged.

The client itself repeats what fails with 429 or 5xx (MLFLOW_HTTP_REQUEST_MAX_RETRIES, with
back-off).
"""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click

from runtime.errors import UserError
from runtime.probe import request, token_of, unused_registry
from runtime.retention.entities import (
    PARENT_TAG,
    Experiment,
    Inventory,
    Key,
    Kind,
    Model,
    Run,
    Stale,
    Version,
)
from runtime.settings import RuntimeSettings

_PAGE = 1000
IN_PROGRESS = ("RUNNING", "SCHEDULED")
# On what prune deleted: the pass that did, by when it began, in UTC.
PRUNED_TAG = "trackstack.pruned"
# MLflow's own, on registered models and versions that are prompts, and on such models alone.
PROMPT_TAG = "mlflow.prompt.is_prompt"
PROMPT_EXPERIMENTS = "_mlflow_experiment_ids"
_PROMPTS = f"tag.`{PROMPT_TAG}` = 'true'"
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
        said, see = (
            ("let us in", "see MLFLOW_TRACKING_URI and MLFLOW_TRACKING_TOKEN")
            if status
            else ("answer", "is it up, and is MLFLOW_TRACKING_URI its address?")
        )
        where = f"the server at {settings.tracking_uri}"
        raise UserError(f"{where} does not {said}: {reason}; {see}", 75)
    from mlflow import MlflowClient

    if unused := unused_registry(settings):
        click.echo(f"trackstack: {unused}", err=True)
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
    experiments = _experiments(client)
    runs = tuple(run for experiment in experiments for run in _runs(client, experiment.id))
    return _with_registry(client, Inventory(experiments, runs, (), ()))


def take_around(client: Client, entities: Iterable[Stale]) -> Inventory:
    """Read again what decides about these alone: they, what is in them, and who points to them."""
    given = list(entities)
    experiments = _experiments(client)
    whole = {entity.key for entity in given if entity.kind is Kind.EXPERIMENT}
    runs = {run.id: run for id in whole for run in _runs(client, id)}
    single = [e.key for e in given if e.kind is Kind.RUN and e.key not in runs]
    runs |= {run.id: run for id in single if (run := _live_run(client, id))}
    places = [experiment.id for experiment in experiments]
    waiting = list(runs)
    while waiting:
        nested = _nested(client, places, waiting.pop())
        waiting += [run.id for run in nested if run.id not in runs]
        runs |= {run.id: run for run in nested}
    found = Inventory(experiments, tuple(runs.values()), (), ())
    return _with_registry(client, found)


def _experiments(client: Client) -> tuple[Experiment, ...]:
    return tuple(
        Experiment(e.experiment_id, e.name, e.last_update_time or e.creation_time or 0, e.tags)
        for e in paged(lambda t: client.search_experiments(max_results=_PAGE, page_token=t))
    )


def _with_registry(client: Client, inventory: Inventory) -> Inventory:
    def models(filter_string: str | None = None) -> list[Any]:
        return list(
            paged(
                lambda t: client.search_registered_models(
                    filter_string, max_results=_PAGE, page_token=t
                )
            )
        )

    def versions(filter_string: str = "") -> Iterator[Any]:
        return paged(
            lambda t: client.search_model_versions(filter_string, max_results=_PAGE, page_token=t)
        )

    found = models()
    aliases = {model.name: _aliases(model) for model in found}
    return replace(
        inventory,
        versions=tuple(_version(version, aliases) for version in versions()),
        models=tuple(
            Model(m.name, m.last_updated_timestamp or 0, tuple(aliases[m.name]), m.tags)
            for m in found
        ),
        used=of_prompts(
            (prompt.tags for prompt in models(_PROMPTS)),
            (version.run_id for version in versions(_PROMPTS)),
        ),
    )


def of_prompts(tags: Iterable[Mapping[str, str]], runs: Iterable[str | None]) -> frozenset[Key]:
    """What prompts point to: the experiments in their tags, and their versions' runs. Pure."""
    listed = (each.get(PROMPT_EXPERIMENTS, "").split(",") for each in tags)
    experiments = {(Kind.EXPERIMENT, id.strip()) for ids in listed for id in ids if id.strip()}
    return frozenset(experiments | {(Kind.RUN, run) for run in runs if run})


def _runs(client: Client, experiment_id: str) -> Iterator[Run]:
    return map(
        _run,
        paged(lambda t: client.search_runs([experiment_id], max_results=_PAGE, page_token=t)),
    )


def _nested(client: Client, places: list[str], run: str) -> list[Run]:
    child = f"tags.`{PARENT_TAG}` = '{run}'"
    return [
        _run(found)
        for start in range(0, len(places), _PAGE)
        for found in paged(
            lambda t, start=start: client.search_runs(
                places[start : start + _PAGE], child, max_results=_PAGE, page_token=t
            )
        )
    ]


def _live_run(client: Client, run_id: str) -> Run | None:
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if is_gone(error):
            return None
        raise
    return _run(run) if run.info.lifecycle_stage == "active" else None


def _run(run: Any) -> Run:
    info = run.info
    metrics = run.data.to_proto().metrics
    logged = (metric.timestamp for metric in metrics)
    touched = max((time for time in (info.start_time, info.end_time, *logged) if time), default=0)
    return Run(
        info.run_id,
        info.run_name,
        info.experiment_id,
        touched,
        run.data.tags,
        # A run that was taken up again keeps the end that it had.
        info.status in IN_PROGRESS,
        tuple(metric.key for metric in metrics),
        tuple(model.model_id for model in (run.outputs.model_outputs if run.outputs else ())),
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


def delete(client: Client, stale: Stale, pass_id: str) -> None:
    """Delete one entity: runs and experiments softly, with a tag of the pass; others for good."""
    if stale.kind is Kind.RUN:
        client.set_tag(stale.key, PRUNED_TAG, pass_id)
        client.delete_run(stale.key)
    elif stale.kind is Kind.EXPERIMENT:
        client.set_experiment_tag(stale.key, PRUNED_TAG, pass_id)
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
