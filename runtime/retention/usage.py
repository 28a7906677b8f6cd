"""What would be stale, looked at once more: traces, models, datasets and metrics that it holds.

An inventory does not have them, and MLflow changes no time of an experiment or a run when they are
logged; of each metric it has the value at the highest step alone, however old that is. They are
asked for only where something would be stale, so that a pass over a server in use costs little
more than its inventory.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import click

from runtime.duration import NEVER
from runtime.retention import inventory as tracking
from runtime.retention import stale
from runtime.retention.inventory import Client
from runtime.retention.stale import Inventory, Key, Kind, Question, Stale
from runtime.settings import RuntimeSettings

_THREADS = 8
# Experiments that one search names.
_BATCH = 1000
# Of a server that does not know the route, or not this filter; or of what is gone meanwhile.
_CANNOT_SAY = (400, 404, 405, 501)


def find_stale(client: Client, now: datetime, ttl_days: int | None) -> tuple[Stale, ...]:
    """Everything that is older than its time to live and that nothing uses; nothing where None.

    What a server cannot say about an entity counts as use of it.
    """
    if ttl_days is None:
        return ()
    inventory = tracking.take_inventory(client)
    first = stale.decide(inventory, now, ttl_days)
    asked = stale.questions(inventory, first, now, ttl_days)
    if not asked:
        return first
    inventory = replace(inventory, used=_used(client, inventory, asked))
    # What is left is asked run by run, which costs more.
    asked = stale.questions(inventory, stale.decide(inventory, now, ttl_days), now, ttl_days)
    used = inventory.used | _used_run_by_run(client, inventory, asked)
    return stale.decide(replace(inventory, used=used), now, ttl_days)


def say_of_never(settings: RuntimeSettings) -> None:
    """Say on stderr that nothing can be stale, where the settings have it so."""
    if settings.entity_ttl_days is None:
        click.echo(f"nothing is stale: MLFLOW_TRACKING_ENTITY_TTL is {NEVER}", err=True)


def _used(client: Client, inventory: Inventory, asked: Iterable[Question]) -> frozenset[Key]:
    models = sorted(stale.loose_models(inventory))
    with ThreadPoolExecutor(_THREADS) as pool:
        by_what_they_hold = pool.map(partial(_held, client), asked)
        by_versions = pool.map(partial(_made_of, client), models)
        return frozenset(key for keys in (*by_what_they_hold, *by_versions) for key in keys)


def _used_run_by_run(
    client: Client, inventory: Inventory, asked: Iterable[Question]
) -> frozenset[Key]:
    metrics = {run.id: run.metrics for run in inventory.runs}
    since = {run: question.since for question in asked for run in question.runs}
    # A trace or a model may lie in another experiment than the run that it came of.
    ids = [experiment.id for experiment in inventory.experiments]
    everywhere = [ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)]
    oldest = min(since.values(), default=0)
    traced = [places for places in everywhere if since and _traced(client, places, oldest)]
    models = [places for places in everywhere if since and _has_model(client, places, oldest)]

    def is_used(run: str) -> bool:
        return (
            any(_traced(client, places, since[run], run) for places in traced)
            or any(_has_model(client, places, since[run], run) for places in models)
            or any(_was_logged(client, run, metric, since[run]) for metric in metrics[run])
        )

    with ThreadPoolExecutor(_THREADS) as pool:
        answers = zip(since, pool.map(is_used, since), strict=True)
        return frozenset((Kind.RUN, run) for run, used in answers if used)


def _was_logged(client: Client, run: str, metric: str, since: int) -> bool:
    """Whether a metric was logged to since then, at whatever step."""
    history = _asked(lambda: client.get_metric_history(run, metric))
    return history is None or any(point.timestamp >= since for point in history)


def _held(client: Client, question: Question) -> set[Key]:
    return set(_answers(client, question))


def _answers(client: Client, question: Question) -> Iterator[Key]:
    experiment = (Kind.EXPERIMENT, question.experiment)
    runs = [(Kind.RUN, run) for run in question.runs]
    here = [question.experiment]
    if _traced(client, here, question.since):
        yield experiment
        yield from (run for run in runs if _traced(client, here, question.since, run[1]))
    models = _asked(lambda: list(_models(client, question)))
    if models is None:
        yield from (experiment, *runs)
    elif models:
        yield experiment
        yield from ((Kind.RUN, model.source_run_id) for model in models if model.source_run_id)
    if question.whole and _has_dataset(client, question):
        yield experiment


def _traced(client: Client, places: list[str], since: int, run: str | None = None) -> bool:
    of_run = f" AND attribute.run_id = '{run}'" if run else ""
    return _finds(
        lambda: client.search_traces(
            locations=places,
            filter_string=f"timestamp_ms >= {since}{of_run}",
            max_results=1,
            include_spans=False,
        )
    )


def _models(client: Client, question: Question) -> Iterator[Any]:
    return tracking.paged(
        lambda token: client.search_logged_models(
            experiment_ids=[question.experiment],
            filter_string=f"last_updated_timestamp >= {question.since}",
            page_token=token,
        )
    )


def _has_model(client: Client, places: list[str], since: int, run: str | None = None) -> bool:
    of_run = f" AND source_run_id = '{run}'" if run else ""
    return _finds(
        lambda: client.search_logged_models(
            experiment_ids=places,
            filter_string=f"last_updated_timestamp >= {since}{of_run}",
            max_results=1,
        )
    )


def _has_dataset(client: Client, question: Question) -> bool:
    return _finds(
        lambda: client.search_datasets(
            experiment_ids=[question.experiment],
            filter_string=f"last_update_time >= {question.since}",
            max_results=1,
        )
    )


def _made_of(client: Client, model_id: str) -> list[Key]:
    """Where a registered version's logged model lies; nowhere where that is gone."""
    model = _asked(lambda: client.get_logged_model(model_id))
    if model is None:
        return []
    run: list[Key] = [(Kind.RUN, model.source_run_id)] if model.source_run_id else []
    return [(Kind.EXPERIMENT, model.experiment_id), *run]


def _finds(ask: Callable[[], Any]) -> bool:
    """Whether a search has an answer; it has one where the server cannot say."""
    found = _asked(ask)
    return found is None or bool(found)


def _asked(ask: Callable[[], Any]) -> Any:
    """The answer, or None where the server cannot say.

    One that is down or refuses the token ends the pass: all would seem to be in use.
    """
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if error.get_http_status_code() in _CANNOT_SAY:
            return None
        raise
