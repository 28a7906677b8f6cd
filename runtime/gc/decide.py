"""Which rows are due: read in SQL, in batches, by MLflow's own tables."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    MetaData,
    Select,
    and_,
    exists,
    false,
    func,
    or_,
    select,
    true,
)

from runtime.gc.schema import among

DELETED = "deleted"
# Registered versions that MLflow deletes stay as rows in this stage.
_DELETED_VERSION = "Deleted_Internal"


@dataclass(frozen=True)
class Kind:
    """A kind of entity that clients delete softly: its table, and where its artifacts are."""

    name: str
    table: str
    key: str
    location: str
    made_at: str
    deleted_at: str


RUNS = Kind("runs", "runs", "run_uuid", "artifact_uri", "start_time", "deleted_time")
LOGGED_MODELS = Kind(
    "logged_models",
    "logged_models",
    "model_id",
    "artifact_location",
    "creation_timestamp_ms",
    "last_updated_timestamp_ms",
)
EXPERIMENTS = Kind(
    "experiments",
    "experiments",
    "experiment_id",
    "artifact_location",
    "creation_time",
    "last_update_time",
)


def _is_registered(metadata: MetaData, kind: Kind) -> ColumnElement[bool]:
    """Whether a registered version that was not deleted still needs the entity's artifacts."""
    versions = metadata.tables["model_versions"].c
    live = versions.current_stage != _DELETED_VERSION
    models = metadata.tables["logged_models"].c
    of_model = versions.source == "models:/" + models.model_id
    if kind is LOGGED_MODELS:
        return exists().where(
            live, or_(of_model, versions.storage_location == models.artifact_location)
        )
    runs = metadata.tables["runs"].c
    by_run = exists().where(live, versions.run_id == runs.run_uuid)
    by_model = exists().where(live, models.source_run_id == runs.run_uuid, of_model)
    return or_(by_run, by_model)


def _is_due(metadata: MetaData, kind: Kind, before: int) -> ColumnElement[bool]:
    columns = metadata.tables[kind.table].c
    deleted = and_(columns.lifecycle_stage == DELETED, columns[kind.deleted_at] <= before)
    if kind is not LOGGED_MODELS:
        return deleted
    # MLflow marks a deleted experiment's runs as deleted, and not its logged models.
    experiments = metadata.tables["experiments"].c
    with_experiment = exists().where(
        experiments.experiment_id == columns.experiment_id,
        experiments.lifecycle_stage == DELETED,
        experiments[EXPERIMENTS.deleted_at] <= before,
    )
    return or_(deleted, with_experiment)


def due(metadata: MetaData, kind: Kind, before: int, after: Any, limit: int) -> Select[Any, Any]:
    """Keys of what was deleted until ``before`` (ms since 1970), in the order in which it was made.

    Starts behind the row ``after`` (None: at the first). What a registered version needs is not
    among them. What was made one after the other lies together in the tables: by key, each batch
    would touch pages all over them.
    """
    columns = metadata.tables[kind.table].c
    key, made = columns[kind.key], func.coalesce(columns[kind.made_at], 0)
    chosen = and_(_is_due(metadata, kind, before), ~_is_registered(metadata, kind))
    query = select(key.label("key"), made.label("made")).where(chosen).order_by(made, key)
    if after is not None:
        query = query.where(or_(made > after.made, and_(made == after.made, key > after.key)))
    return query.limit(limit)


def still_due(
    dialect: str, metadata: MetaData, kind: Kind, before: int, keys: list[Any]
) -> Select[Any, Any]:
    """Of ``keys`` those that are still due, locked: a restore wins or waits."""
    columns = metadata.tables[kind.table].c
    chosen = and_(
        among(dialect, columns[kind.key], keys),
        _is_due(metadata, kind, before),
        ~_is_registered(metadata, kind),
    )
    key, location = columns[kind.key].label("key"), columns[kind.location].label("location")
    return select(key, location).where(chosen).with_for_update()


def count_registered(connection: Connection, metadata: MetaData, kind: Kind, before: int) -> int:
    """How many are due but for a registered version that needs them."""
    chosen = and_(_is_due(metadata, kind, before), _is_registered(metadata, kind))
    query = select(func.count()).select_from(metadata.tables[kind.table]).where(chosen)
    return connection.execute(query).scalar_one()


def due_experiments(metadata: MetaData, before: int, *, foreseen: bool = False) -> Select[Any, Any]:
    """Deleted experiments that nothing is left in.

    One with a run or a logged model that was restored, is younger, is registered or could not
    be deleted waits for it: deleting the experiment would take it along. ``foreseen``: as if
    what is due in them were deleted already.
    """
    experiments = metadata.tables["experiments"].c
    left = [
        exists().where(
            metadata.tables[kind.table].c.experiment_id == experiments.experiment_id,
            or_(
                false() if foreseen else true(),
                ~_is_due(metadata, kind, before),
                _is_registered(metadata, kind),
            ),
        )
        for kind in (RUNS, LOGGED_MODELS)
    ]
    return (
        select(
            experiments.experiment_id.label("key"),
            experiments.artifact_location.label("location"),
        )
        .where(_is_due(metadata, EXPERIMENTS, before), ~or_(*left))
        .order_by(experiments.experiment_id)
    )


def ended_jobs(metadata: MetaData, before: int) -> ColumnElement[bool]:
    """Records of MLflow's jobs that succeeded, failed, timed out or were cancelled."""
    from mlflow.entities._job_status import JobStatus

    final = [status.to_int() for status in JobStatus if JobStatus.is_finalized(status)]
    jobs = metadata.tables["jobs"].c
    return and_(jobs.status.in_(final), jobs.creation_time < before)
