"""`trackstack gc`: purge for good what clients deleted, so that its names can be used again.

`mlflow gc` decides and deletes one run and one artifact at a time, and one artifact that cannot be
deleted ends it. Here what is due is read in SQL, and deleted in batches, each in one short
transaction: its rows are locked and looked at again (a restore that came first wins, one that
comes later waits and finds the run gone), their artifacts are deleted concurrently, and then the
rows of those whose artifacts are gone. A crash in between leaves rows without artifacts, still
marked deleted, which the next pass picks up. An entity whose artifacts cannot be deleted keeps its
rows, is reported, and waits longer with each failure before it is tried again.
"""

import json
import sys
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy import Connection, Engine, MetaData, func, select, text

from runtime import duration
from runtime import settings as runtime_settings
from runtime.errors import UserError
from runtime.gc import artifacts, decide, orphans, schema
from runtime.gc.decide import EXPERIMENTS, LOGGED_MODELS, RUNS, Kind
from runtime.gc.quarantine import Quarantine
from runtime.lock import only_one
from runtime.settings import RuntimeSettings
from runtime.store import open_engine

if TYPE_CHECKING:
    from rich.progress import TaskID

# SQLite has one writer: a batch there holds up the server, so that it is kept short.
_BATCH = {"sqlite": 100}
_DEFAULT_BATCH = 500
# Batches that are looked up at once: each look reads all that is due.
_AHEAD = 40
# While the database deletes the rows of one batch, the artifacts of another are deleted here.
_SIDE_BY_SIDE = {"postgresql": 3}


@dataclass
class Report:
    """What a pass did, or with a dry run would do: counts by kind, and what was left."""

    dry_run: bool
    deleted: dict[str, int] = field(default_factory=dict[str, int])
    kept_registered: dict[str, int] = field(default_factory=dict[str, int])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    quarantined: dict[str, str] = field(default_factory=dict[str, str])

    def count(self, kind: Kind, number: int) -> None:
        self.deleted[kind.name] = self.deleted.get(kind.name, 0) + number


@dataclass(frozen=True)
class Collector:
    """One pass over a store."""

    engine: Engine
    metadata: MetaData
    destination: str
    before: int
    report: Report
    quarantine: Quarantine = field(default_factory=lambda: Quarantine(_now()))
    progress: Callable[[str, int], None] = lambda _kind, _number: None
    _reporting: Lock = field(default_factory=Lock)

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
        if self.report.dry_run:
            for keys in self._batches(kind):
                self.report.count(kind, len(keys))
            return
        side_by_side = _SIDE_BY_SIDE.get(self.engine.dialect.name, 1)
        batches, one_at_a_time, ended = self._batches(kind), Lock(), Event()

        def delete() -> None:
            while not ended.is_set():
                with one_at_a_time:
                    keys = next(batches, None)
                if keys is None:
                    return
                self._delete_batch(kind, keys)

        with ThreadPoolExecutor(side_by_side) as pool:
            try:
                for worker in [pool.submit(delete) for _ in range(side_by_side)]:
                    worker.result()
            finally:
                # After a failure or Ctrl-C, the others end their batch and begin no other.
                ended.set()

    def _batches(self, kind: Kind) -> Iterator[list[Any]]:
        limit = _BATCH.get(self.engine.dialect.name, _DEFAULT_BATCH)
        last: Any = None
        while True:
            query = decide.due(self.metadata, kind, self.before, last, limit * _AHEAD)
            with self.engine.connect() as connection:
                rows = connection.execute(query).all()
            if not rows:
                return
            last = rows[-1]
            for start in range(0, len(rows), limit):
                yield [row.key for row in rows[start : start + limit]]

    def _delete_batch(self, kind: Kind, keys: list[Any]) -> None:
        with _begin(self.engine) as connection:
            dialect = self.engine.dialect.name
            query = decide.still_due(dialect, self.metadata, kind, self.before, keys)
            waiting = self.report.quarantined
            rows = [row for row in connection.execute(query) if str(row.key) not in waiting]
            locations = {
                row.key: artifacts.resolve(row.location, self.destination)
                for row in rows
                if row.location
            }
            failed = artifacts.delete_all(set(locations.values()))
            gone = [row.key for row in rows if locations.get(row.key) not in failed]
            if gone:
                schema.delete_rows(connection, self.metadata, kind.table, gone)
            reasons = {
                str(key): failed[location]
                for key, location in locations.items()
                if location in failed
            }
            self.quarantine.note(connection, reasons, map(str, gone))
        with self._reporting:
            self.report.count(kind, len(gone))
            self.report.failed.update(reasons)
            self.progress(kind.name, len(gone))

    def _collect_experiments(self) -> None:
        self.report.deleted.setdefault(EXPERIMENTS.name, 0)
        with self.engine.connect() as connection:
            query = decide.due_experiments(self.metadata, self.before, foreseen=self.report.dry_run)
            rows = connection.execute(query).all()
        if self.report.dry_run:
            self.report.count(EXPERIMENTS, len(rows))
            return
        for row in rows:
            self._delete_experiment(row.key, self._own_location(row.key, row.location))

    def _own_location(self, key: int, location: str | None) -> str | None:
        """The experiment's folder, where its number shows that it was made for it alone.

        A location that a user chose may be shared, or hold other things.
        """
        own = location and location.rstrip("/").endswith(f"/{key}")
        return artifacts.resolve(location, self.destination) if location and own else None

    def _delete_experiment(self, key: int, location: str | None) -> None:
        with _begin(self.engine) as connection:
            query = decide.due_experiments(self.metadata, self.before)
            experiment = self.metadata.tables["experiments"].c.experiment_id
            if not connection.execute(query.where(experiment == key).with_for_update()).first():
                return
            failed = artifacts.delete_all([location] if location else [])
            if failed:
                self.report.failed[f"experiment {key}"] = next(iter(failed.values()))
                return
            self._delete_rollups(connection, key)
            schema.delete_rows(connection, self.metadata, "experiments", [key])
        self.report.count(EXPERIMENTS, 1)

    def _collect_jobs(self) -> None:
        """Records of MLflow's own jobs that ended; those that run or wait are left alone."""
        jobs = self.metadata.tables["jobs"]
        ended = decide.ended_jobs(self.metadata, self.before)
        limit = _BATCH.get(self.engine.dialect.name, _DEFAULT_BATCH)
        self.report.deleted.setdefault(jobs.name, 0)
        while True:
            with _begin(self.engine) as connection:
                if self.report.dry_run:
                    count = select(func.count()).select_from(jobs).where(ended)
                    self.report.deleted[jobs.name] = connection.execute(count).scalar_one()
                    return
                keys = connection.execute(select(jobs.c.id).where(ended).limit(limit)).scalars()
                if not (some := list(keys)):
                    return
                schema.delete_rows(connection, self.metadata, jobs.name, some)
            self.report.deleted[jobs.name] += len(some)

    def _delete_rollups(self, connection: Connection, experiment: int) -> None:
        """These tables have no foreign key, and SQLite gives an experiment's number out again."""
        for table in self.metadata.sorted_tables:
            if "rollup" in table.name and "experiment_id" in table.c:
                connection.execute(table.delete().where(table.c.experiment_id == experiment))


def _begin(engine: Engine) -> Any:
    """A transaction that holds its locks from the start."""
    if engine.dialect.name != "sqlite":
        return engine.begin()
    return _SqliteWrite(engine)


class _SqliteWrite:
    """SQLite locks nothing at a SELECT: take the writer's lock before looking."""

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def __enter__(self) -> Connection:
        self._connection.execute(text("PRAGMA foreign_keys = ON"))
        self._connection.execute(text("PRAGMA busy_timeout = 30000"))
        self._connection.execute(text("BEGIN IMMEDIATE"))
        return self._connection

    def __exit__(self, kind: object, _value: object, _traceback: object) -> None:
        self._connection.execute(text("COMMIT" if kind is None else "ROLLBACK"))
        self._connection.close()


def _before(older_than: str) -> int:
    try:
        age = duration.parse_age(older_than)
    except ValueError as error:
        raise UserError(f"--older-than: {error}", 2) from None
    moment = datetime.now(timezone.utc) - min(age, timedelta(days=36500))
    return int(moment.timestamp() * 1000)


def _now() -> int:
    return int(datetime.now(timezone.utc).timestamp() * 1000)


def _open(settings: RuntimeSettings) -> tuple[Engine, MetaData]:
    engine, metadata = open_engine(settings), schema.tables()
    with engine.connect() as connection:
        if not engine.dialect.has_table(connection, "experiments"):
            raise UserError(
                f"there is no MLflow store in {settings.backend_store}; "
                "set MLFLOW_BACKEND_STORE_URI to the server's"
            )
    return engine, metadata


def collect(older_than: str | None, dry_run: bool, retry: bool = False) -> Report:
    """Purge what was deleted longer ago than ``older_than`` (default: MLFLOW_TRACKING_GC_TTL).

    ``retry`` tries again what waits in quarantine. An age of ``never`` purges nothing. Raises
    UserError where the store has no schema yet or another gc works on it.
    """
    settings = runtime_settings.load()
    age = older_than or settings.gc_ttl
    if age == duration.NEVER:
        click.echo("nothing is purged: the age is never; --older-than names another", err=True)
        kinds = (RUNS.name, LOGGED_MODELS.name, EXPERIMENTS.name, "jobs")
        return Report(dry_run, deleted=dict.fromkeys(kinds, 0))
    before = _before(age)
    engine, metadata = _open(settings)
    quarantine = Quarantine(_now(), retry)
    destination, report = settings.artifacts_destination, Report(dry_run)
    with only_one(engine, "gc"), _progress() as progress:
        return Collector(engine, metadata, destination, before, report, quarantine, progress).run()


@contextmanager
def _progress() -> Generator[Callable[[str, int], None]]:
    """A line on a terminal that counts what is deleted; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _kind, _number: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        tasks: dict[str, TaskID] = {}
        counts: dict[str, int] = {}

        def advance(kind: str, number: int) -> None:
            counts[kind] = counts.get(kind, 0) + number
            if kind not in tasks:
                tasks[kind] = shown.add_task(kind)
            shown.update(tasks[kind], description=f"{kind.replace('_', ' ')}: {counts[kind]}")

        yield advance


def look_for_orphans(delete: bool) -> tuple[list[orphans.Orphan], dict[str, str]]:
    """The orphans of the store, and where ``delete`` says so, those that could not be deleted.

    Raises UserError where the artifacts are in no directory, or another gc works on the store.
    """
    settings = runtime_settings.load()
    engine, metadata = _open(settings)
    with only_one(engine, "gc"):
        with engine.connect() as connection:
            found = orphans.find(connection, metadata, settings.artifacts_destination)
        return found, orphans.delete(found) if delete else {}


def _show(report: Report) -> None:
    verb = "would delete" if report.dry_run else "deleted"
    counts = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in report.deleted.items())
    click.echo(f"{verb} {counts}")
    for name, number in report.kept_registered.items():
        if number:
            what = name.replace("_", " ")
            click.echo(f"kept {number} deleted {what} that a registered version needs")
    for key, reason in report.failed.items():
        click.echo(f"could not delete the artifacts of {key}: {reason}", err=True)
    for key, reason in report.quarantined.items():
        click.echo(f"not tried again yet: {key} ({reason}); --retry tries it now", err=True)


def _run_orphans(delete: bool, as_json: bool) -> None:
    found, failed = look_for_orphans(delete)
    if as_json:
        shown = [{"path": str(orphan.path), "bytes": orphan.size} for orphan in found]
        click.echo(json.dumps({"orphans": shown, "deleted": delete, "failed": failed}))
    else:
        for orphan in found:
            click.echo(f"{orphan.size:>14} {orphan.path}")
        verb = "deleted" if delete else "found; --orphans --delete-orphans deletes"
        click.echo(f"{len(found)} orphans, {sum(o.size for o in found)} bytes: {verb}")
        for path, reason in failed.items():
            click.echo(f"could not delete {path}: {reason}", err=True)
    if failed:
        raise SystemExit(1)


@click.command()
@click.option(
    "--older-than",
    metavar="AGE",
    help="Default: MLFLOW_TRACKING_GC_TTL (30d0h0m0s); never purges nothing.",
)
@click.option("--dry-run", is_flag=True, help="Count what would be deleted; delete nothing.")
@click.option("--retry", is_flag=True, help="Try again now what could not be deleted before.")
@click.option("--orphans", "orphaned", is_flag=True, help="Find artifacts that no row points to.")
@click.option("--delete-orphans", is_flag=True, help="With --orphans: delete them.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(
    older_than: str | None,
    dry_run: bool,
    retry: bool,
    orphaned: bool,
    delete_orphans: bool,
    as_json: bool,
) -> None:
    """Purge what clients deleted: runs, logged models and experiments, with their artifacts.

    A deleted experiment's name is free again afterwards. Records of MLflow's jobs that ended go
    too. Needs no running server. What cannot be deleted is tried again after 10 minutes, then 20,
    up to a day. Exits 1 where something could not be deleted, 75 where another gc works.

    \b
    Examples:
      trackstack gc --dry-run
      trackstack gc --older-than 12h --json
      trackstack gc --orphans
    """
    if delete_orphans and not orphaned:
        raise UserError("--delete-orphans: look at them first; it goes with --orphans", 2)
    if orphaned:
        _run_orphans(delete_orphans and not dry_run, as_json)
        return
    report = collect(older_than, dry_run, retry)
    if as_json:
        click.echo(json.dumps(asdict(report)))
    else:
        _show(report)
    if report.failed:
        raise SystemExit(1)
