"""Which rows are due: read in SQL, in batches, by MLflow's own tables."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    MetaData,
    Table,
    and_,
    exists,
    false,
    func,
    null,
    or_,
    select,
    true,
)

from runtime.database.schema import among
from runtime.gc.ownership import TRACES_WITHIN
from runtime.retention.stale import DEFAULT_EXPERIMENT

# SQLAlchemy's own type of a query counts its columns.
Query = Any
DELETED = "deleted"
# Registered versions that MLflow deletes stay as rows in this stage.
_DELETED_VERSION = "Deleted_Internal"


@dataclass(frozen=True)
class Kind:
    """A kind of entity that clients delete softly: its table, and where its artifacts are.

    ``within`` is the folder of an experiment's that holds them, with a slash behind; none for runs.
    """

    name: str
    table: str
    key: str
    location: str
    made_at: str
    deleted_at: str
    within: str = ""


RUNS = Kind("runs", "runs", "run_uuid", "artifact_uri", "start_time", "deleted_time")
LOGGED_MODELS = Kind(
    "logged_models",
    "logged_models",
    "model_id",
    "artifact_location",
    "creation_timestamp_ms",
    "last_updated_timestamp_ms",
    "models/",
)
EXPERIMENTS = Kind(
    "experiments",
    "experiments",
    "experiment_id",
    "artifact_location",
    "creation_time",
    "last_update_time",
)


def is_live_version(metadata: MetaData) -> ColumnElement[bool]:
    """Whether a registered version was not deleted; one without a stage was not."""
    stage = metadata.tables["model_versions"].c.current_stage
    return or_(stage.is_(None), stage != _DELETED_VERSION)


def _is_input(metadata: MetaData) -> ColumnElement[bool]:
    """Whether a live run has a logged model as its input that nobody deleted itself."""
    models, runs = metadata.tables["logged_models"].c, metadata.tables["runs"].c
    inputs = metadata.tables["inputs"].c
    of_live_run = exists().where(
        inputs.destination_type == "MODEL_INPUT",
        inputs.destination_id == models.model_id,
        inputs.source_type == "RUN_INPUT",
        runs.run_uuid == inputs.source_id,
        runs.lifecycle_stage != DELETED,
    )
    return and_(models.lifecycle_stage != DELETED, of_live_run)


def datasets_in_use(metadata: MetaData) -> Query:
    """The sources, as MLflow wrote them, of datasets that a run has which was not deleted.

    Only of those that can name artifacts of MLflow's.
    """
    datasets, inputs = metadata.tables["datasets"].c, metadata.tables["inputs"].c
    runs, source = metadata.tables["runs"].c, datasets.dataset_source
    of_live_run = exists().where(
        inputs.source_type == "DATASET",
        inputs.source_id == datasets.dataset_uuid,
        inputs.destination_type == "RUN",
        runs.run_uuid == inputs.destination_id,
        runs.lifecycle_stage != DELETED,
    )
    may_name = or_(*(source.contains(word) for word in ("rtifacts", "runs:/", "models:/")))
    return select(source).where(may_name, of_live_run)


def _is_registered(metadata: MetaData, kind: Kind) -> ColumnElement[bool]:
    """Whether a registered version that was not deleted still needs the entity's artifacts.

    Or a run that lives: its input may be a logged model of an experiment that was deleted.
    """
    versions = metadata.tables["model_versions"].c
    live = is_live_version(metadata)
    models = metadata.tables["logged_models"].c
    of_model = versions.source == "models:/" + models.model_id
    if kind is LOGGED_MODELS:
        by_version = exists().where(
            live, or_(of_model, versions.storage_location == models.artifact_location)
        )
        return or_(by_version, _is_input(metadata))
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


def not_due(metadata: MetaData, kind: Kind, before: int) -> ColumnElement[bool]:
    """Whether a row lives, or was deleted after ``before`` or at an unknown time."""
    columns = metadata.tables[kind.table].c
    return or_(
        columns.lifecycle_stage != DELETED,
        columns[kind.deleted_at].is_(None),
        columns[kind.deleted_at] > before,
    )


def due(metadata: MetaData, kind: Kind, before: int, after: Any, limit: int) -> Query:
    """Keys and experiments of what was deleted until ``before`` (ms since 1970), first made first.

    Starts behind the row ``after`` (None: at the first). What a registered version needs by its run
    or its logged model is not among them. What was made one after the other lies together in the
    tables: by key, each batch would touch pages all over them.
    """
    columns = metadata.tables[kind.table].c
    key, made = columns[kind.key], func.coalesce(columns[kind.made_at], 0)
    chosen = and_(_is_due(metadata, kind, before), ~_is_registered(metadata, kind))
    found = (key.label("key"), made.label("made"), columns.experiment_id)
    query = select(*found).where(chosen).order_by(made, key)
    if after is not None:
        query = query.where(or_(made > after.made, and_(made == after.made, key > after.key)))
    return query.limit(limit)


def still_due(dialect: str, metadata: MetaData, kind: Kind, before: int, keys: list[Any]) -> Query:
    """Of ``keys`` those that are still due.

    For good, where they are locked before (see ``transaction.lock``).
    """
    columns = metadata.tables[kind.table].c
    chosen = and_(
        among(dialect, columns[kind.key], keys),
        _is_due(metadata, kind, before),
        ~_is_registered(metadata, kind),
    )
    source_run = columns.source_run_id if kind is LOGGED_MODELS else null()
    found = (
        columns[kind.key].label("key"),
        columns[kind.location].label("location"),
        columns.experiment_id,
        source_run.label("source_run"),
    )
    return select(*found).where(chosen)


def shared_ids(
    connection: Connection, metadata: MetaData, within: str, keys: list[Any]
) -> frozenset[str]:
    """Those of ``keys`` that both a run and a trace have, because clients choose a trace's id.

    The keys are those of the kind that lies ``within``: runs, or else traces.
    """
    runs, traces = metadata.tables["runs"].c.run_uuid, metadata.tables["trace_info"].c.request_id
    others = {"": traces, TRACES_WITHIN: runs}.get(within)
    if others is None or not keys:
        return frozenset()
    query = select(others).where(among(connection.dialect.name, others, keys))
    return frozenset(connection.execute(query).scalars())


def count_registered(connection: Connection, metadata: MetaData, kind: Kind, before: int) -> int:
    """How many are due but for a registered version that needs them."""
    chosen = and_(_is_due(metadata, kind, before), _is_registered(metadata, kind))
    query = select(func.count()).select_from(metadata.tables[kind.table]).where(chosen)
    return connection.execute(query).scalar_one()


def due_experiments(metadata: MetaData, before: int, *, foreseen: bool = False) -> Query:
    """Deleted experiments that nothing is left in, but for MLflow's own.

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
            experiments.workspace,
        )
        .where(
            _is_due(metadata, EXPERIMENTS, before),
            experiments.experiment_id != int(DEFAULT_EXPERIMENT),
            ~or_(*left),
        )
        .order_by(experiments.experiment_id)
    )


def default_experiment(metadata: MetaData, before: int) -> Query:
    """MLflow's own experiment, where it would be due."""
    key = metadata.tables["experiments"].c.experiment_id
    is_due = _is_due(metadata, EXPERIMENTS, before)
    return select(key).where(is_due, key == int(DEFAULT_EXPERIMENT))


def is_location(trace_tags: Table) -> ColumnElement[bool]:
    """Whether a trace's tag is the location of its artifacts."""
    from mlflow.utils.mlflow_tags import MLFLOW_ARTIFACT_LOCATION

    return trace_tags.c.key == MLFLOW_ARTIFACT_LOCATION


def traces(metadata: MetaData, experiment: int, limit: int) -> Query:
    """Traces of an experiment, the first by key, with their locations."""
    found, tags = metadata.tables["trace_info"], metadata.tables["trace_tags"]
    of_it = and_(tags.c.request_id == found.c.request_id, is_location(tags))
    return (
        select(
            found.c.request_id.label("key"),
            tags.c.value.label("location"),
            found.c.experiment_id,
            null().label("source_run"),
        )
        .select_from(found.outerjoin(tags, of_it))
        .where(found.c.experiment_id == experiment)
        .order_by(found.c.request_id)
        .limit(limit)
    )


def ended_jobs(metadata: MetaData, before: int) -> ColumnElement[bool]:
    """Records of MLflow's jobs that succeeded, failed, timed out or were cancelled."""
    from mlflow.entities._job_status import JobStatus

    final = [status.to_int() for status in JobStatus if JobStatus.is_finalized(status)]
    jobs = metadata.tables["jobs"].c
    return and_(jobs.status.in_(final), jobs.creation_time < before)
