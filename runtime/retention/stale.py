"""What is stale and unused. Pure: entities in, decisions with their reasons out."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime

from runtime.duration import MOST_DAYS, NEVER
from runtime.retention.entities import (
    Experiment,
    Inventory,
    Kind,
    Question,
    Run,
    Stale,
    Version,
    days_before,
    is_kept,
)

TTL_TAG = "trackstack.ttl_days"
# MLflow's own experiment, which cannot be made again under its number.
DEFAULT_EXPERIMENT = "0"


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


def _is_old(touched: int, now: datetime, days: int | None) -> bool:
    return days is not None and touched < days_before(now, days)


def _is_unused(version: Version) -> bool:
    in_stage = version.stage not in ("None", "Archived", "")
    return not (version.aliases or in_stage or is_kept(version.tags))


def decide(inventory: Inventory, now: datetime, ttl_days: int | None) -> tuple[Stale, ...]:
    """Everything that is older than its time to live and that nothing uses.

    A run is kept while it has not ended, by its tag, by any registered version made of it, by a
    run that is kept and nested in it or made from it, and by its experiment's tag; an experiment by
    a run that is not stale; both by what they hold; a version by an alias, a stage or its tag; a
    registered model by a version that is not stale.
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
    holding = {name for version in inventory.versions for name in version.folders}

    def is_stale_run(run: Run) -> bool:
        experiment = experiments.get(run.experiment_id)
        kept = is_kept(run.tags) or (experiment is not None and is_kept(experiment.tags))
        in_use = run.in_progress or run.id in registered or (Kind.RUN, run.id) in inventory.used
        # Nobody knows how old a run without any time is.
        in_use = in_use or not run.touched
        return not kept and not in_use and is_old(run.touched, _ttl_days(experiment, ttl_days))

    old = [run.id for run in inventory.runs if is_stale_run(run)]
    stale_runs, used_experiments = _kept_along(old, inventory.runs)
    runs = [run for run in inventory.runs if run.id in stale_runs]
    busy = {run.experiment_id for run in inventory.runs if run.id not in stale_runs}
    empty = [
        experiment
        for experiment in inventory.experiments
        if experiment.id not in busy | used_experiments | holding
        and (Kind.EXPERIMENT, experiment.id) not in inventory.used
        and experiment.id != DEFAULT_EXPERIMENT
        and not is_kept(experiment.tags)
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
        and not is_kept(model.tags)
        and is_old(model.updated, ttl_days)
    ]

    def since(experiment: Experiment | None) -> int:
        days = _ttl_days(experiment, ttl_days)
        return days_before(now, days) if days is not None else 0

    return (
        *(_stale_run(run, experiments.get(run.experiment_id), since) for run in runs),
        *(Stale(Kind.EXPERIMENT, e.id, e.name, e.name, e.updated, since(e)) for e in empty),
        *(_stale_version(version, since(None)) for version in versions),
        *(Stale(Kind.REGISTERED_MODEL, m.name, m.name, "", m.updated, since(None)) for m in models),
    )


def _kept_along(stale: Collection[str], runs: Iterable[Run]) -> tuple[set[str], set[str]]:
    """The stale runs without those that a kept run is nested in or was made from, at any depth;
    and the experiments
    that kept runs point to.

    ``runs`` are all live ones.
    """
    left, experiments = set(stale), set[str]()
    by_id = {run.id: run for run in runs}
    # What was taken out of the stale is met once, so that runs that point in a circle end.
    kept = [run for run in by_id.values() if run.id not in left]
    while kept:
        for kind, key in kept.pop().points_to:
            if kind is Kind.EXPERIMENT:
                experiments.add(key)
            elif key in left:
                left.remove(key)
                kept.append(by_id[key])
    return left, experiments


def _stale_run(
    run: Run, experiment: Experiment | None, since: Callable[[Experiment | None], int]
) -> Stale:
    name = experiment.name if experiment else run.experiment_id
    return Stale(Kind.RUN, run.id, run.name, name, run.touched, since(experiment))


def _stale_version(version: Version, since: int) -> Stale:
    key = f"{version.model}/{version.version}"
    return Stale(Kind.MODEL_VERSION, key, key, "", version.updated, since)


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
            since = max(0, days_before(now, days))
            asked.append(Question(experiment.id, since, experiment.id in whole, of_it))
    return tuple(asked)


def logged_models(inventory: Inventory) -> frozenset[str]:
    """Ids of the logged models that versions were made of."""
    return frozenset(
        name for version in inventory.versions for name in version.uses if name.startswith("m-")
    )


def _stale_versions(inventory: Inventory, is_old: Callable[[Version], bool]) -> list[Version]:
    kept_models = {model.name for model in inventory.models if is_kept(model.tags)}
    return [
        version
        for version in inventory.versions
        if version.model not in kept_models and _is_unused(version) and is_old(version)
    ]
