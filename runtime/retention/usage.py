"""A second look at what seems stale: its traces, models, datasets and metrics.

An inventory does not have them, and MLflow changes no time of an experiment or a run when they are
logged; of each metric it has the value at the highest step alone, however old that is. They are
asked for only where something would be stale, so that a pass over a server in use costs little
more than its inventory.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from runtime.retention import inventory as tracking
from runtime.retention import stale
from runtime.retention.entities import Inventory, Key, Kind, Question, Stale, is_kept
from runtime.retention.inventory import Client

# Run -> the logged models that it says it made.
Outputs = Mapping[str, tuple[str, ...]]
_THREADS = 8
# Experiments that one search names.
_BATCH = 1000
# Of a server that does not know the route, or not this filter; or of what is gone meanwhile.
_CANNOT_SAY = (400, 404, 405, 501)


class Api:
    """A server by its tracking API. What it cannot say about an entity counts as use of it."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def inventory(self) -> Inventory:
        return tracking.take_inventory(self._client)

    def around(self, entities: Sequence[Stale]) -> Inventory:
        return tracking.take_around(self._client, entities)

    def used(self, inventory: Inventory, asked: Sequence[Question]) -> frozenset[Key]:
        used = _used(self._client, inventory, asked)
        # What is left is asked run by run, which costs more.
        left = [
            replace(
                q,
                runs=tuple(run for run in q.runs if (Kind.RUN, run) not in used),
                whole=q.whole and (Kind.EXPERIMENT, q.experiment) not in used,
            )
            for q in asked
        ]
        return used | _used_run_by_run(self._client, inventory, left)


def _used(client: Client, inventory: Inventory, asked: Iterable[Question]) -> frozenset[Key]:
    models = sorted(stale.logged_models(inventory))
    outputs = {run.id: run.outputs for run in inventory.runs if run.outputs}
    with ThreadPoolExecutor(_THREADS) as pool:
        by_what_they_hold = pool.map(partial(_held, client, outputs), asked)
        by_versions = pool.map(partial(_made_of, client, outputs), models)
        return frozenset(key for keys in (*by_what_they_hold, *by_versions) for key in keys)


def _used_run_by_run(
    client: Client, inventory: Inventory, asked: Sequence[Question]
) -> frozenset[Key]:
    by_id = {run.id: run for run in inventory.runs}
    since = {run: question.since for question in asked for run in question.runs}
    # A trace or a model may lie in another experiment than the run that it came of.
    ids = [experiment.id for experiment in inventory.experiments]
    everywhere = [ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)]
    oldest = min((q.since for q in asked if q.runs or q.whole), default=None)
    traced = [
        places for places in everywhere if oldest is not None and _traced(client, places, oldest)
    ]

    def is_used(run: str) -> bool:
        models = [
            *(model for places in everywhere for model in _models(client, places, run)),
            *_present(client, by_id[run].outputs),
        ]
        return (
            any(_traced(client, places, since[run], run) for places in traced)
            or any(model is None or _is_new(model, since[run]) for model in models)
            or any(
                _traced(client, places, since[run], model=model.model_id)
                for model in models
                for places in traced
            )
            or any(_was_logged(client, run, metric, since[run]) for metric in by_id[run].metrics)
        )

    def is_used_whole(question: Question) -> bool:
        return any(
            _traced(client, places, question.since, model=model.model_id)
            for model in (_models(client, [question.experiment]) if traced else ())
            for places in traced
        )

    whole = {q.experiment: q for q in asked if q.whole}
    with ThreadPoolExecutor(_THREADS) as pool:
        answers = zip(since, pool.map(is_used, since), strict=True)
        runs = {(Kind.RUN, run) for run, used in answers if used}
        answers = zip(whole, pool.map(is_used_whole, whole.values()), strict=True)
        return frozenset(runs | {(Kind.EXPERIMENT, id) for id, used in answers if used})


def _present(client: Client, models: Iterable[str]) -> list[Any]:
    """Those of the logged models that are still there."""
    found = (_asked(partial(client.get_logged_model, id)) for id in models)
    return [model for model in found if model is not None]


def _was_logged(client: Client, run: str, metric: str, since: int) -> bool:
    """Whether a metric was logged to since then, at whatever step."""
    history = _asked(lambda: client.get_metric_history(run, metric))
    return history is None or any(point.timestamp >= since for point in history)


def _held(client: Client, outputs: Outputs, question: Question) -> set[Key]:
    return set(_answers(client, outputs, question))


def _answers(client: Client, outputs: Outputs, question: Question) -> Iterator[Key]:
    experiment = (Kind.EXPERIMENT, question.experiment)
    runs = [(Kind.RUN, run) for run in question.runs]
    here = [question.experiment]
    if _traced(client, here, question.since):
        yield experiment
        yield from (run for run in runs if _traced(client, here, question.since, run[1]))
    for model in _models(client, here):
        if model is None:
            yield from (experiment, *runs)
        elif _is_new(model, question.since):
            yield experiment
            yield from _makers(model, outputs)
    if question.whole and _has_dataset(client, question):
        yield experiment


def _makers(model: Any, outputs: Outputs) -> Iterator[Key]:
    """The runs that a logged model came of."""
    if model.source_run_id:
        yield Kind.RUN, model.source_run_id
    yield from ((Kind.RUN, run) for run, made in outputs.items() if model.model_id in made)


def _is_new(model: Any, since: int) -> bool:
    """Whether a logged model is kept by its tag, or was changed or measured since then."""
    times = [model.last_updated_timestamp, *(metric.timestamp for metric in model.metrics or ())]
    return is_kept(model.tags) or any(time and time >= since for time in times)


def _traced(
    client: Client, places: list[str], since: int, run: str | None = None, model: str | None = None
) -> bool:
    of_run = f" AND attribute.run_id = '{run}'" if run else ""
    of_model = f" AND request_metadata.`mlflow.modelId` = '{model}'" if model else ""
    return _finds(
        lambda: client.search_traces(
            locations=places,
            filter_string=f"timestamp_ms >= {since}{of_run}{of_model}",
            max_results=1,
            include_spans=False,
        )
    )


def _models(client: Client, places: list[str], run: str | None = None) -> Iterator[Any]:
    """The logged models there, and None where the server cannot say."""
    filter_string = f"source_run_id = '{run}'" if run else None
    found = _asked(
        lambda: list(
            tracking.paged(
                lambda token: client.search_logged_models(
                    experiment_ids=places, filter_string=filter_string, page_token=token
                )
            )
        )
    )
    yield from [None] if found is None else found


def _has_dataset(client: Client, question: Question) -> bool:
    return _finds(
        lambda: client.search_datasets(
            experiment_ids=[question.experiment],
            filter_string=f"last_update_time >= {question.since}",
            max_results=1,
        )
    )


def _made_of(client: Client, outputs: Outputs, model_id: str) -> list[Key]:
    """Where a registered version's logged model lies; nowhere where that is gone."""
    model = _asked(lambda: client.get_logged_model(model_id))
    if model is None:
        return []
    return [(Kind.EXPERIMENT, model.experiment_id), *_makers(model, outputs)]


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
