"""Signs that the store has lost data since the last backup."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, Table, func, not_, or_, select

from runtime.artifacts.location import Destination
from runtime.artifacts.tree import Tree
from runtime.backup.format import rows
from runtime.errors import UserError

# Tags by which MLflow notes that a run's artifacts hold a model or tables.
_NOTED = ("mlflow.log-model.history", "mlflow.loggedArtifacts")
_DELETED_VERSION = "Deleted_Internal"


def _within(column: "Column[str]", destination: str) -> ColumnElement[bool]:
    starts = Destination(destination).beginnings()
    return or_(*(column.startswith(start, autoescape=True) for start in starts))


def _count(connection: Connection, table: Table, where: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).select_from(table).where(where)) or 0


def count_outside(connection: Connection, destination: str) -> int:
    """How many runs have their artifacts elsewhere than in ``destination``."""
    runs = rows.known_tables().tables["runs"]
    return _count(connection, runs, not_(_within(runs.c.artifact_uri, destination)))


@dataclass(frozen=True)
class Owners:
    """What has its artifacts in the store: ``runs`` that may have some, and ``with_artifacts``,
    runs and versions of models that certainly have.
    """

    runs: int
    with_artifacts: int


def owners(connection: Connection, destination: str) -> Owners:
    """Count those whose artifacts are to lie in ``destination``; a schema may be an older one's."""
    known = rows.known_tables().tables
    runs, tags, versions = known["runs"], known["tags"], known["model_versions"]
    within = _within(runs.c.artifact_uri, destination)
    own = select(runs.c.run_uuid).where(within)
    noted = tags.c.key.in_(_NOTED) & tags.c.run_uuid.in_(own)
    of_run = versions.c.source.startswith("runs:/") & versions.c.run_id.in_(own)
    held = _within(versions.c.source, destination) | of_run
    alive = versions.c.current_stage != _DELETED_VERSION
    return Owners(
        _count(connection, runs, within),
        _count(connection, tags, noted) + _count(connection, versions, held & alive),
    )


def check_artifacts(
    connection: Connection, source: Tree, destination: str, tell: Callable[[str], object]
) -> None:
    """Raise UserError where ``source`` has no file although the database says that it must.

    ``tell`` is told where it merely could have some.
    """
    if next(source.files(), None):
        return
    found = owners(connection, destination)
    if found.with_artifacts:
        raise UserError(
            f"{destination} holds no file, but {found.with_artifacts} runs and versions of models "
            "have artifacts there; is its disk mounted? Nothing was backed up; --no-artifacts "
            "backs up the database alone"
        )
    if found.runs:
        tell(f"{destination} holds no file; {found.runs} runs would have their artifacts there")
