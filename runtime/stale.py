"""What is stale and unused. Pure: entities in, decisions with their reasons out."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum

KEEP_TAG = "trackstack.keep"
TTL_TAG = "trackstack.ttl_days"
# MLflow's own experiment, which cannot be made again under its number.
DEFAULT_EXPERIMENT = "0"


class Kind(Enum):
    """What prune deletes. The first two softly, the others for good: MLflow knows no other way."""

    RUN = "run"
    EXPERIMENT = "experiment"
    MODEL_VERSION = "model version"
    REGISTERED_MODEL = "registered model"


@dataclass(frozen=True)
class Experiment:
    """Times are milliseconds since 1970, as in MLflow's API."""

    id: str
    name: str
    updated: int
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Run:
    """``touched`` is the end of a run that ended, else its start."""

    id: str
    name: str
    experiment_id: str
    touched: int
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Version:
    """A version of a registered model."""

    model: str
    version: str
    updated: int
    stage: str
    aliases: tuple[str, ...]
    run_id: str | None
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Model:
    """A registered model."""

    name: str
    updated: int
    aliases: tuple[str, ...]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Inventory:
    """All live entities of a server."""

    experiments: tuple[Experiment, ...]
    runs: tuple[Run, ...]
    versions: tuple[Version, ...]
    models: tuple[Model, ...]


@dataclass(frozen=True)
class Stale:
    """An entity to prune; ``key`` is what MLflow's API takes, ``touched`` in ms since 1970."""

    kind: Kind
    key: str
    name: str
    experiment: str
    touched: int

    def age_days(self, now: datetime) -> int:
        moment = datetime.fromtimestamp(self.touched / 1000, timezone.utc)
        return (now - moment).days


def _is_kept(tags: Mapping[str, str]) -> bool:
    return tags.get(KEEP_TAG, "").lower() in ("true", "1", "yes")


def _ttl_days(experiment: Experiment | None, default: int) -> int:
    text = experiment.tags.get(TTL_TAG, "") if experiment else ""
    # A tag that is no number must not make anything stale sooner than the default.
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else default


def _is_unused(version: Version) -> bool:
    in_stage = version.stage not in ("None", "Archived", "")
    return not (version.aliases or in_stage or _is_kept(version.tags))


def decide(inventory: Inventory, now: datetime, ttl_days: int) -> tuple[Stale, ...]:
    """Everything that is older than its time to live and that nothing uses.

    A run is kept by its tag, by any registered version of it and by its experiment's tag; an
    experiment by a run that is not stale; a version by an alias, a stage or its tag; a registered
    model by a version that is not stale. Time to live is ``ttl_days``, or the whole number in the
    experiment's tag ``trackstack.ttl_days``.
    """

    def is_old(touched: int, days: int) -> bool:
        return touched < (now - timedelta(days=days)).timestamp() * 1000

    experiments = {experiment.id: experiment for experiment in inventory.experiments}
    versions = _stale_versions(inventory, lambda version: is_old(version.updated, ttl_days))
    stale_keys = {(version.model, version.version) for version in versions}
    registered = {version.run_id for version in inventory.versions}

    def is_stale_run(run: Run) -> bool:
        experiment = experiments.get(run.experiment_id)
        kept = _is_kept(run.tags) or (experiment is not None and _is_kept(experiment.tags))
        in_use = run.id in registered
        return not kept and not in_use and is_old(run.touched, _ttl_days(experiment, ttl_days))

    runs = [run for run in inventory.runs if is_stale_run(run)]
    stale_runs = {run.id for run in runs}
    busy = {run.experiment_id for run in inventory.runs if run.id not in stale_runs}
    empty = [
        experiment
        for experiment in inventory.experiments
        if experiment.id not in busy
        and experiment.id != DEFAULT_EXPERIMENT
        and not _is_kept(experiment.tags)
        and is_old(experiment.updated, _ttl_days(experiment, ttl_days))
    ]
    used_models = {
        version.model
        for version in inventory.versions
        if (version.model, version.version) not in stale_keys
    }
    models = [
        model
        for model in inventory.models
        if model.name not in used_models
        and not model.aliases
        and not _is_kept(model.tags)
        and is_old(model.updated, ttl_days)
    ]
    return tuple(_as_stale(experiments, runs, empty, versions, models))


def _stale_versions(inventory: Inventory, is_old: Callable[[Version], bool]) -> list[Version]:
    kept_models = {model.name for model in inventory.models if _is_kept(model.tags)}
    return [
        version
        for version in inventory.versions
        if version.model not in kept_models and _is_unused(version) and is_old(version)
    ]


def _as_stale(
    experiments: Mapping[str, Experiment],
    runs: Iterable[Run],
    empty: Iterable[Experiment],
    versions: Iterable[Version],
    models: Iterable[Model],
) -> Iterable[Stale]:
    for run in runs:
        experiment = experiments.get(run.experiment_id)
        name = experiment.name if experiment else run.experiment_id
        yield Stale(Kind.RUN, run.id, run.name, name, run.touched)
    for experiment in empty:
        yield Stale(
            Kind.EXPERIMENT, experiment.id, experiment.name, experiment.name, experiment.updated
        )
    for version in versions:
        key = f"{version.model}/{version.version}"
        yield Stale(Kind.MODEL_VERSION, key, key, "", version.updated)
    for model in models:
        yield Stale(Kind.REGISTERED_MODEL, model.name, model.name, "", model.updated)
