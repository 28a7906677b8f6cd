"""What comes to need artifacts while gc deletes them: it waits for the rows that it names.

gc locks the rows of what it deletes before it looks at what needs them, and holds them until the
artifacts and the rows are gone. MLflow's registry looks at no run when it adds a version, so that
one could be registered in between. Here, in the server, whatever names a run or a logged model
takes their rows first, shared and until its own commit: it comes before gc's look, or it waits and
is told that they are gone. What names a folder of many waits for gc's batch.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, MetaData, event, select

from runtime.artifacts.location import MAY_BE_CUT, Destination, fully_unquoted
from runtime.database import identity
from runtime.database.schema import among, tables
from runtime.gc.claims import Claims, named

_Row = Any


@dataclass(frozen=True)
class Arrival:
    """``texts`` of a row that may name artifacts; with ``folders``, all that lies in them, too."""

    texts: tuple[str, ...]
    folders: bool = False


def install(destination: Destination) -> Callable[[], None]:
    """Have rows that MLflow's stores add in this process wait for gc; returns what takes it back.

    ``destination`` is where the store's artifacts are.
    """
    from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
    from mlflow.store.tracking.dbmodels.models import SqlDataset, SqlExperiment, SqlInput

    metadata = tables()
    readers: dict[Any, Callable[[Connection, MetaData, _Row], Arrival]] = {
        SqlModelVersion: _of_version,
        SqlExperiment: _of_experiment,
        SqlDataset: _of_dataset,
        SqlInput: _of_input,
    }
    listeners: list[tuple[Any, Any]] = []
    for kind, read in readers.items():

        def before(_mapper: Any, connection: Connection, row: _Row, read: Any = read) -> None:
            _hold(connection, metadata, destination, read(connection, metadata, row))

        event.listen(kind, "before_insert", before)
        listeners.append((kind, before))

    def take_back() -> None:
        for kind, before in listeners:
            event.remove(kind, "before_insert", before)

    return take_back


def _of_version(_connection: Connection, _metadata: MetaData, row: _Row) -> Arrival:
    return Arrival(_given(row.source, row.storage_location, row.run_id), folders=True)


def _of_experiment(_connection: Connection, _metadata: MetaData, row: _Row) -> Arrival:
    texts = _given(row.artifact_location)
    # As for `claims.gather`: an experiment beside or above others harms none of them.
    cut = any(MAY_BE_CUT.search(fully_unquoted(text)) for text in texts)
    return Arrival(texts, folders=cut)


def _of_dataset(_connection: Connection, _metadata: MetaData, row: _Row) -> Arrival:
    return Arrival(_given(row.dataset_source))


def _of_input(connection: Connection, metadata: MetaData, row: _Row) -> Arrival:
    if row.destination_type == "MODEL_INPUT":
        return Arrival(_given(row.destination_id))
    if row.source_type != "DATASET":
        return Arrival(())
    datasets = metadata.tables["datasets"].c
    query = select(datasets.dataset_source).where(datasets.dataset_uuid == row.source_id)
    # One that is added along with it is read by itself.
    return Arrival(_given(connection.execute(query).scalar()))


def _given(*texts: str | None) -> tuple[str, ...]:
    return tuple(text for text in texts if text)


def _hold(
    connection: Connection, metadata: MetaData, destination: Destination, arrival: Arrival
) -> None:
    read = {text: set(destination.meant(text)) for text in arrival.texts}
    found = set[str]()
    claims = named((*read, *(place for places in read.values() for place in places)))
    for table, key, ids in _named(connection, metadata, claims):
        column = metadata.tables[table].c[key]
        query = select(column).where(among(connection.dialect.name, column, ids))
        there = set(connection.execute(query).scalars())
        # The least lock that a deletion waits for; the run can be logged to meanwhile.
        lock = query.with_for_update(read=True, key_share=True)
        held = set(connection.execute(lock).scalars()) if there else there
        if gone := sorted(there - held):
            raise _purged(gone)
        found |= {key.removeprefix("m-") for key in held}
    for text, places in read.items():
        is_one = named((text, *places)).ids & found
        if arrival.folders and not is_one and any(map(destination.may_hold, places)):
            identity.hold(connection)
            return


def _named(
    connection: Connection, metadata: MetaData, claims: Claims
) -> Iterator[tuple[str, str, list[str]]]:
    """By table and key, what is named, and the logged models of runs that ``runs:/`` names."""
    if not claims.ids:
        return
    yield "runs", "run_uuid", sorted(claims.ids)
    models = {f"m-{id}" for id in claims.ids}
    if claims.runs:
        columns = metadata.tables["logged_models"].c
        of_runs = among(connection.dialect.name, columns.source_run_id, sorted(claims.runs))
        models |= set(connection.execute(select(columns.model_id).where(of_runs)).scalars())
    yield "logged_models", "model_id", sorted(models)


def _purged(keys: Iterable[str]) -> Exception:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

    shown = ", ".join(keys)
    return MlflowException(f"{shown} was purged meanwhile by gc", RESOURCE_DOES_NOT_EXIST)
