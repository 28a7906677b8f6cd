"""What is in use, read from the store: at a pass's begin, and what was added since at each batch.

Locations of runs and logged models never change, and nobody may choose them: those that are where
MLflow puts them need no look here, so that what is read does not grow with the runs. A trace that
has a run's id may be where the run is: ``decide.shared_ids`` looks for these batch by batch.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Join,
    MetaData,
    Table,
    and_,
    case,
    func,
    literal,
    select,
)

from runtime.artifacts.location import Destination
from runtime.gc import decide
from runtime.gc.claims import Claims, gather, named
from runtime.gc.decide import (
    EXPERIMENTS,
    LOGGED_MODELS,
    RUNS,
    Query,
    is_live_version,
    is_location,
    not_due,
)
from runtime.gc.ownership import TRACES_WITHIN

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class Needed:
    """What registered versions need, datasets of live runs, and other rows; and where each
    experiment is.
    """

    versions: Claims
    datasets: Claims
    others: Claims
    experiments: Mapping[int, str]


class _Kept(Generic[_Read]):
    """What was read; it is read again where the answer to ``stamp`` is another."""

    def __init__(self, stamp: Query, read: Callable[[Connection], _Read]) -> None:
        self._stamp, self._read = stamp, read
        self._known: tuple[Any, _Read] | None = None

    def get(self, connection: Connection) -> _Read:
        stamp = tuple(connection.execute(self._stamp).one())
        if self._known is None or self._known[0] != stamp:
            self._known = (stamp, self._read(connection))
        return self._known[1]


class InUse:
    """Of one pass; what is due is what was deleted until ``before`` (ms since 1970)."""

    def __init__(self, destination: Destination, metadata: MetaData, before: int) -> None:
        self._destination, self._metadata, self._before = destination, metadata, before
        self._lock = Lock()
        versions = metadata.tables["model_versions"].c
        experiments = metadata.tables["experiments"].c
        self._versions = _Kept(
            select(func.count(), func.max(versions.creation_time)), self._read_versions
        )
        self._datasets = _Kept(
            select(func.count()).select_from(metadata.tables["datasets"]), self._read_datasets
        )
        # A restore of an experiment brings its traces back; a purge of one changes nothing here.
        live = case((experiments.lifecycle_stage != decide.DELETED, experiments.experiment_id + 1))
        living = (func.sum(live), func.count(live))
        self._elsewhere = _Kept(select(*living), lambda found: list(self._read_elsewhere(found)))
        self._experiments = _Kept(
            select(
                func.max(experiments.experiment_id), func.max(experiments.creation_time), *living
            ),
            self._read_others,
        )

    def look(self, connection: Connection) -> Needed:
        """What is in use now; may be called from several threads, each with its connection."""
        with self._lock:
            versions = self._versions.get(connection)
            datasets = self._datasets.get(connection)
            others, experiments = self._experiments.get(connection)
        return Needed(versions, datasets, others, experiments)

    def _read_versions(self, connection: Connection) -> Claims:
        columns = self._metadata.tables["model_versions"].c
        query = select(columns.source, columns.storage_location)
        rows = connection.execute(query.where(is_live_version(self._metadata)))
        return gather(self._destination, {text for row in rows for text in row if text})

    def _read_datasets(self, connection: Connection) -> Claims:
        # Their URIs stand in JSON.
        return named(connection.execute(decide.datasets_in_use(self._metadata)).scalars())

    def _read_others(self, connection: Connection) -> tuple[Claims, Mapping[int, str]]:
        elsewhere = self._elsewhere.get(connection)
        columns = self._metadata.tables["experiments"].c
        rows = connection.execute(select(columns.experiment_id, columns.artifact_location))
        # Deleted ones, too: until they are purged, a client may restore them.
        experiments = {row.experiment_id: row.artifact_location or "" for row in rows}
        chosen = set(experiments.values())
        return gather(self._destination, elsewhere, chosen), experiments

    def _read_elsewhere(self, connection: Connection) -> Iterator[str]:
        """Locations that are not where MLflow puts those of their kind."""
        tables = self._metadata.tables
        for kind in (RUNS, LOGGED_MODELS):
            table = tables[kind.table]
            columns = (table.c[kind.key], table.c[kind.location])
            yield from self._not_made(connection, table, *columns, kind.within)
        infos, tags = tables["trace_info"], tables["trace_tags"]
        located = infos.join(tags, and_(tags.c.request_id == infos.c.request_id, is_location(tags)))
        columns = (infos.c.request_id, tags.c.value)
        # A trace goes with its experiment, which waits for the runs that a trace may lie in.
        waits = not_due(self._metadata, EXPERIMENTS, self._before)
        yield from self._not_made(connection, located, *columns, TRACES_WITHIN, waits)

    def _not_made(
        self,
        connection: Connection,
        source: Table | Join,
        key: Column[str],
        location: Column[str],
        within: str,
        *more: ColumnElement[bool],
    ) -> Iterator[str]:
        experiments = self._metadata.tables["experiments"]
        base = func.coalesce(experiments.c.artifact_location, "")
        tail = literal(within) + key + "/artifacts"
        query = (
            select(key, experiments.c.experiment_id, location)
            .select_from(
                source.join(experiments, key.table.c.experiment_id == experiments.c.experiment_id)
            )
            .where(location != base + "/" + tail, location != base + tail, *more)
        )
        for name, experiment, text in connection.execute(query):
            head = text.removesuffix(f"/{within}{name}/artifacts")
            if not self._destination.is_numbered(head, experiment):
                yield text
