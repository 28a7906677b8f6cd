"""What is stale and unused. Pure: entities in, decisions with their reasons out.

Times are milliseconds since 1970 and stay whole numbers: clients choose them, also such as no
calendar has.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from runtime.duration import MOST_DAYS, NEVER
from runtime.retention.parents import without_parents_of_kept

KEEP_TAG = "trackstack.keep"
TTL_TAG = "trackstack.ttl_days"
# MLflow's own experiment, which cannot be made again under its number.
DEFAULT_EXPERIMENT = "0"
_DAY_MS = 24 * 60 * 60 * 1000
_NOT_KEPT = ("false", "0", "no", "off")


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
    """``touched`` is the newest of its start, its end and its last metrics; 0 where unknown.

    ``in_progress`` is a run that has not ended, or that a client took up again. ``metrics`` are
    the names of its metrics.
    """

    id: str
    name: str
    experiment_id: str
    touched: int
    tags: Mapping[str, str]
    in_progress: bool = False
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    ``model_id`` is the logged model that it was made of, where it says so.
    """

    model: str
    version: str
    updated: int
    stage: str
    aliases: tuple[str, ...]
    run_id: str | None
    tags: Mapping[str, str]
    source: str = ""
    model_id: str | None = None

    @property
    def uses(self) -> frozenset[str]:
        """Ids of runs and logged models that it was made of, as far as it says so.

        One without a run id may still have a run's, or a logged model's, folder as its source.
        """
        named = (self.run_id, self.model_id, *re.split(r"[/:?#]", self.source))
        return frozenset(name for name in named if name)


@dataclass(frozen=True)
class Model:
    """A registered model."""

    name: str
    updated: int
    aliases: tuple[str, ...]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Inventory:
    """All live entities of a server.

    ``used`` are experiments and runs that are in use by what they hold (traces, logged models,
    datasets), as far as that was asked: (kind, key).
    """

    experiments: tuple[Experiment, ...]
    runs: tuple[Run, ...]
    versions: tuple[Version, ...]
    models: tuple[Model, ...]
    used: frozenset["Key"] = frozenset()


# An entity's, as MLflow's API takes it.
Key = tuple[Kind, str]


@dataclass(frozen=True)
class Question:
    """Whether an experiment, or these runs of it, hold anything that is as new as ``since``.

    ``whole`` says that the experiment itself would be stale.
    """

    experiment: str
    since: int
    whole: bool
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Stale:
    """An entity to prune; ``key`` is what MLflow's API takes, ``touched`` in ms since 1970."""

    kind: Kind
    key: str
    name: str
    experiment: str
    touched: int

    def age_days(self, now: datetime) -> int:
        return (_milliseconds(now) - self.touched) // _DAY_MS


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _is_kept(tags: Mapping[str, str]) -> bool:
    # Whoever sets the tag means it, unless they say that they do not.
    return KEEP_TAG in tags and tags[KEEP_TAG].strip().lower() not in _NOT_KEPT


def _ttl_days(experiment: Experiment | None, default: int) -> int | None:
    """Days, by the experiment's tag where that says any; None is for ever."""
    text = experiment.tags.get(TTL_TAG, "").strip() if experiment else ""
    if text.lower() == NEVER:
        return None
    # A tag that is no number must not make anything stale sooner than the default.
    digits = text.lstrip("0") if text.isascii() and text.isdigit() else ""
    if not digits:
        return default
    # Python refuses to read thousands of digits.
    long = len(digits) > len(str(MOST_DAYS)) or int(digits) > MOST_DAYS
    return None if long else int(digits)


def _since(now: datetime, days: int) -> int:
    return _milliseconds(now) - days * _DAY_MS


def _is_old(touched: int, now: datetime, days: int | None) -> bool:
    return days is not None and touched < _since(now, days)


def _is_unused(version: Version) -> bool:
    in_stage = version.stage not in ("None", "Archived", "")
    return not (version.aliases or in_stage or _is_kept(version.tags))


def decide(inventory: Inventory, now: datetime, ttl_days: int | None) -> tuple[Stale, ...]:
    """Everything that is older than its time to live and that nothing uses.

    A run is kept while it has not ended, by its tag, by any registered version made of it, by a
    run nested in it that is kept and by its experiment's tag; an experiment by a run that is not
    stale; both by what they hold; a version by an alias, a stage or its tag; a registered model by
    a version that is not stale.
    Time to live is ``ttl_days``, or the whole number in the experiment's tag
    ``trackstack.ttl_days``, for ever where that is more than MOST_DAYS. Where ``ttl_days`` is
    None nothing is stale, whatever a tag says.
    """
    if ttl_days is None:
        return ()

    def is_old(touched: int, days: int | None) -> bool:
        return _is_old(touched, now, days)

    experiments = {experiment.id: experiment for experiment in inventory.experiments}
    versions = _stale_versions(inventory, lambda version: is_old(version.updated, ttl_days))
    stale_keys = {(version.model, version.version) for version in versions}
    registered = {name for version in inventory.versions for name in version.uses}

    def is_stale_run(run: Run) -> bool:
        experiment = experiments.get(run.experiment_id)
        kept = _is_kept(run.tags) or (experiment is not None and _is_kept(experiment.tags))
        in_use = run.in_progress or run.id in registered or (Kind.RUN, run.id) in inventory.used
        # Nobody knows how old a run without any time is.
        in_use = in_use or not run.touched
        return not kept and not in_use and is_old(run.touched, _ttl_days(experiment, ttl_days))

    old = [run.id for run in inventory.runs if is_stale_run(run)]
    stale_runs = without_parents_of_kept(old, {run.id: run.tags for run in inventory.runs})
    runs = [run for run in inventory.runs if run.id in stale_runs]
    busy = {run.experiment_id for run in inventory.runs if run.id not in stale_runs}
    empty = [
        experiment
        for experiment in inventory.experiments
        if experiment.id not in busy
        and (Kind.EXPERIMENT, experiment.id) not in inventory.used
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


def questions(
    inventory: Inventory, stale: Iterable[Stale], now: datetime, ttl_days: int
) -> tuple[Question, ...]:
    """What has to be asked before these are deleted, because the inventory does not have it."""
    experiment_of = {run.id: run.experiment_id for run in inventory.runs}
    runs: dict[str, list[str]] = {}
    whole: set[str] = set()
    for entity in stale:
        if entity.kind is Kind.RUN:
            runs.setdefault(experiment_of[entity.key], []).append(entity.key)
        elif entity.kind is Kind.EXPERIMENT:
            whole.add(entity.key)
    asked: list[Question] = []
    for experiment in inventory.experiments:
        days = _ttl_days(experiment, ttl_days)
        if days is not None and (experiment.id in whole or experiment.id in runs):
            of_it = tuple(runs.get(experiment.id, ()))
            since = max(0, _since(now, days))
            asked.append(Question(experiment.id, since, experiment.id in whole, of_it))
    return tuple(asked)


def loose_models(inventory: Inventory) -> frozenset[str]:
    """Logged models that versions were made of, where no live run stands for them."""
    live = {run.id for run in inventory.runs}
    return frozenset(
        name
        for version in inventory.versions
        if not version.uses & live
        for name in version.uses
        if name.startswith("m-")
    )


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
