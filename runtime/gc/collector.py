"""One pass over a store: batch by batch, each in one short transaction."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, func, select

from runtime.artifacts import deletion as artifacts
from runtime.artifacts.location import Destination, NotOwnError
from runtime.database import identity, schema
from runtime.gc import decide
from runtime.gc.decide import EXPERIMENTS, LOGGED_MODELS, RUNS, Kind, Query
from runtime.gc.in_use import InUse
from runtime.gc.judge import Judgement, judge
from runtime.gc.ownership import TRACES_WITHIN
from runtime.gc.quarantine import Quarantine
from runtime.gc.report import Report
from runtime.gc.transaction import lock, lock_deleted, transaction

# SQLite has one writer: a batch there holds up the server, so that it is kept short.
BATCH = {"sqlite": 100}
_DEFAULT_BATCH = 500
# Batches that are looked up at once: each look reads all that is due.
_AHEAD = 40
# While the database deletes the rows of one batch, the artifacts of another are deleted here.
_SIDE_BY_SIDE = {"postgresql": 3}


@dataclass
class Collector:
    """One pass; due is what was deleted until ``before`` (ms since 1970)."""

    engine: Engine
    metadata: MetaData
    destination: Destination
    before: int
    report: Report
    quarantine: Quarantine = field(default_factory=lambda: Quarantine(int(time.time() * 1000)))
    progress: Callable[[str, int], None] = lambda _kind, _number: None

    def __post_init__(self) -> None:
        self._reporting = Lock()
        self._in_use = InUse(self.destination, self.metadata, self.before)
        # Of a dry run: experiments that something stays in.
        self._waiting = set[int]()
        self._limit = BATCH.get(self.engine.dialect.name, _DEFAULT_BATCH)

    def run(self) -> Report:
        """Delete runs and logged models, then the experiments that are left empty, and old jobs."""
        if not self.report.dry_run:
            self.quarantine.prepare(self.engine)
            with self.engine.connect() as connection:
                self.report.quarantined.update(self.quarantine.waiting(connection))
        for kind in (RUNS, LOGGED_MODELS):
            self._collect(kind)
        self._collect_experiments()
        self._collect_jobs()
        return self.report

    def _collect(self, kind: Kind) -> None:
        self.report.deleted.setdefault(kind.name, 0)
        with self.engine.connect() as connection:
            registered = decide.count_registered(connection, self.metadata, kind, self.before)
            self.report.kept_registered[kind.name] = registered
        side_by_side = _SIDE_BY_SIDE.get(self.engine.dialect.name, 1)
        batches, one_at_a_time, ended = self._batches(kind), Lock(), Event()

        def work() -> None:
            while not ended.is_set():
                with one_at_a_time:
                    rows = next(batches, None)
                if rows is None:
                    return
                (self._foresee if self.report.dry_run else self._delete_batch)(kind, rows)

        with ThreadPoolExecutor(side_by_side) as pool:
            try:
                for worker in [pool.submit(work) for _ in range(side_by_side)]:
                    worker.result()
            finally:
                # After a failure or Ctrl-C, the others end their batch and begin no other.
                ended.set()

    def _batches(self, kind: Kind) -> Iterator[Sequence[Any]]:
        """Rows with ``key`` and ``experiment_id``."""
        last: Any = None
        while True:
            query = decide.due(self.metadata, kind, self.before, last, self._limit * _AHEAD)
            with self.engine.connect() as connection:
                if last is None:
                    # Before the first batch locks anything: it may take long.
                    self._in_use.look(connection)
                rows = connection.execute(query).all()
            if not rows:
                return
            last = rows[-1]
            for start in range(0, len(rows), self._limit):
                yield rows[start : start + self._limit]

    def _still_due(
        self, connection: Connection, kind: Kind, keys: list[Any]
    ) -> tuple[list[Any], Judgement]:
        dialect = self.engine.dialect.name
        query = decide.still_due(dialect, self.metadata, kind, self.before, keys)
        if not self.report.dry_run and dialect != "sqlite":
            connection.execute(lock(dialect, self.metadata, kind, keys)).all()
        waiting = self.report.quarantined
        rows = [row for row in connection.execute(query) if str(row.key) not in waiting]
        return rows, self._judge(connection, kind.within, rows)

    def _judge(self, connection: Connection, within: str, rows: Sequence[Any]) -> Judgement:
        needed = self._in_use.look(connection)
        keys = [row.key for row in rows]
        shared = decide.shared_ids(connection, self.metadata, within, keys)
        return judge(self.destination, needed, within, rows, shared)

    def _foresee(self, kind: Kind, batch: Sequence[Any]) -> None:
        with self.engine.connect() as connection:
            rows, judgement = self._still_due(connection, kind, [row.key for row in batch])
        with self._reporting:
            staying = [row.experiment_id for row in rows if judgement.stays(row.key)]
            self._waiting.update(staying)
            self.report.count(kind, len(rows) - len(staying))
            self.report.note(kind, judgement)

    def _delete_batch(self, kind: Kind, batch: Sequence[Any]) -> None:
        with transaction(self.engine) as connection:
            identity.hold(connection, shared=True)
            if kind is LOGGED_MODELS:
                # Theirs makes them due. A run is marked itself, and a restore of its experiment
                # changes the run's own row.
                experiments = (row.experiment_id for row in batch)
                connection.execute(lock_deleted(self.metadata, experiments)).all()
            rows, judgement = self._still_due(connection, kind, [row.key for row in batch])
            failed = artifacts.delete_all(set(judgement.places.values()))
            reasons = {
                str(key): failed[place]
                for key, place in judgement.places.items()
                if place in failed
            }
            gone = [
                row.key
                for row in rows
                if str(row.key) not in reasons and not judgement.stays(row.key)
            ]
            if gone:
                schema.delete_rows(connection, self.metadata, kind.table, gone)
            self.quarantine.note(connection, reasons, map(str, gone))
        with self._reporting:
            self.report.count(kind, len(gone))
            self.report.note(kind, judgement)
            self.report.failed.update(reasons)
            self.progress(kind.name, len(gone))

    def _collect_experiments(self) -> None:
        self.report.deleted.setdefault(EXPERIMENTS.name, 0)
        with self.engine.connect() as connection:
            query = decide.due_experiments(self.metadata, self.before, foreseen=self.report.dry_run)
            rows = connection.execute(query).all()
            if connection.execute(decide.default_experiment(self.metadata, self.before)).first():
                reason = "MLflow cannot make it again; restore it"
                self.report.kept[f"experiment {decide.DEFAULT_EXPERIMENT}"] = reason
        for row in rows:
            if not self.report.dry_run:
                self._delete_experiment(row)
            elif row.key not in self._waiting:
                self._folder(row)
                self.report.count(EXPERIMENTS, 1)

    def _folder(self, experiment: Any) -> str | None:
        """The place of an experiment's own folder; None where it has none, which is reported."""
        if not experiment.location:
            return None
        try:
            return self.destination.folder(
                experiment.key, experiment.workspace, experiment.location
            )
        except NotOwnError as error:
            self.report.kept_artifacts[f"experiment {experiment.key}"] = str(error)
            return None

    def _delete_experiment(self, experiment: Any) -> None:
        name = f"experiment {experiment.key}"
        if not self._delete_traces(experiment, name):
            return
        with transaction(self.engine) as connection:
            if not connection.execute(self._still_empty(experiment.key, read=False)).first():
                return
            # All that was the experiment's is gone by now: what is still there is something else's.
            folder = self._folder(experiment)
            if folder and not artifacts.remove_empty(folder):
                self.report.kept_artifacts[name] = (
                    f"{folder} is not empty; what it holds is not its own"
                )
            self._delete_rollups(connection, experiment.key)
            schema.delete_rows(connection, self.metadata, EXPERIMENTS.table, [experiment.key])
        self.report.count(EXPERIMENTS, 1)

    def _still_empty(self, key: int, *, read: bool) -> Query:
        """An experiment that is due and that no run is left in, locked; shared with ``read``."""
        of_it = self.metadata.tables["experiments"].c.experiment_id == key
        query = decide.due_experiments(self.metadata, self.before).where(of_it)
        return query.with_for_update(read=read)

    def _delete_traces(self, experiment: Any, name: str) -> bool:
        """Delete a due experiment's traces with their artifacts; whether none is left."""
        listed: dict[str, set[str] | None] = {}
        while True:
            with transaction(self.engine) as connection:
                identity.hold(connection, shared=True)
                if not connection.execute(self._still_empty(experiment.key, read=True)).first():
                    return False
                query = decide.traces(self.metadata, experiment.key, self._limit)
                rows: Sequence[Any] = connection.execute(query).all()
                if not rows:
                    return True
                judgement = self._judge(connection, TRACES_WITHIN, rows)
                failed = _delete_present(judgement.places, listed)
                gone = [
                    row.key
                    for row in rows
                    if judgement.places.get(row.key) not in failed and not judgement.stays(row.key)
                ]
                if gone:
                    schema.delete_rows(connection, self.metadata, "trace_info", gone)
            if judgement.left:
                reason = next(iter(judgement.left.values()))
                self.report.kept_artifacts[f"traces of {name}"] = reason
            if failed:
                self.report.failed[name] = next(iter(failed.values()))
            named = dict.fromkeys(judgement.registered, "a registered version names it")
            self.report.kept.update(judgement.kept | named)
            if len(gone) < len(rows):
                return False

    def _collect_jobs(self) -> None:
        """Records of MLflow's own jobs that ended; those that run or wait are left alone."""
        jobs = self.metadata.tables["jobs"]
        ended = decide.ended_jobs(self.metadata, self.before)
        self.report.deleted.setdefault(jobs.name, 0)
        while True:
            with transaction(self.engine) as connection:
                if self.report.dry_run:
                    count = select(func.count()).select_from(jobs).where(ended)
                    self.report.deleted[jobs.name] = connection.execute(count).scalar_one()
                    return
                query = select(jobs.c.id).where(ended).limit(self._limit)
                if not (some := list(connection.execute(query).scalars())):
                    return
                schema.delete_rows(connection, self.metadata, jobs.name, some)
            self.report.deleted[jobs.name] += len(some)

    def _delete_rollups(self, connection: Connection, experiment: int) -> None:
        """These tables have no foreign key, and SQLite gives an experiment's number out again."""
        for table in self.metadata.sorted_tables:
            if "rollup" in table.name and "experiment_id" in table.c:
                connection.execute(table.delete().where(table.c.experiment_id == experiment))


def _delete_present(
    places: Mapping[str, str], listed: dict[str, set[str] | None]
) -> Mapping[str, str]:
    """Delete the artifacts of traces, places by key; returns those that failed, with the reason.

    Few traces have any. ``listed`` remembers what is in the folders that hold them, so that a
    store is asked once and not for each trace.
    """
    found: set[str] = set()
    for key, place in places.items():
        folder = place.removesuffix(f"/{key}/artifacts")
        try:
            if folder not in listed:
                listed[folder] = artifacts.entries(folder)
        except Exception as error:
            return dict.fromkeys(places.values(), f"{type(error).__name__}: {error}")
        names = listed[folder]
        if names is None or key in names:
            found.add(place)
    return artifacts.delete_all(found)
