"""`trackstack gc`: purge for good what clients deleted, so that its names can be used again.

`mlflow gc` decides and deletes one run and one artifact at a time, and one artifact that cannot be
deleted ends it. Here what is due is read in SQL, and deleted in batches, each in one short
transaction: its rows are locked and looked at again (a restore that came first wins, one that
comes later waits and finds the run gone), the artifacts that are provably its own and that nothing
else needs (``gc.ownership``, ``gc.in_use``) are deleted concurrently, and then its rows. A crash in
between leaves rows without artifacts, still marked deleted, which the next pass picks up. An entity
whose artifacts cannot be deleted keeps its rows, is reported, and waits longer with each failure
before it is tried again.
"""

import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from sqlalchemy import Engine, MetaData

from runtime import duration
from runtime import settings as runtime_settings
from runtime.artifacts.location import Destination
from runtime.artifacts.owner import claim_all
from runtime.database import schema
from runtime.database.clock import moment, now_of
from runtime.database.engine import open_engine
from runtime.database.lock import only_one
from runtime.database.state import restored_at
from runtime.database.uri import shown_store
from runtime.errors import UserError
from runtime.gc import orphans
from runtime.gc.collector import Collector
from runtime.gc.decide import EXPERIMENTS, LOGGED_MODELS, RUNS
from runtime.gc.in_use import InUse
from runtime.gc.quarantine import Quarantine
from runtime.gc.report import Report
from runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from rich.progress import TaskID


def _age_ms(older_than: str) -> int:
    try:
        age = duration.parse_age(older_than)
    except ValueError as error:
        raise UserError(f"--older-than: {error}", 2) from None
    return int(min(age, timedelta(days=36500)).total_seconds() * 1000)


def _open(settings: RuntimeSettings) -> tuple[Engine, MetaData]:
    """The store; raises UserError where it is not whole, or of another MLflow's schema."""
    from runtime.database.state import check_whole, has_revision, older, revisions

    engine, metadata = open_engine(settings), schema.tables()
    check_whole(engine)
    has, should = revisions(engine)
    if has is None:
        raise UserError(
            f"there is no MLflow store in {shown_store(settings)}; "
            "set MLFLOW_BACKEND_STORE_URI to the server's"
        )
    if has != should and has_revision(has):
        raise older(shown_store(settings))
    if has != should:
        raise UserError(
            f"the schema of {shown_store(settings)} is newer than this MLflow's ({has}); "
            "run gc by the version of Trackstack that serves it"
        )
    return engine, metadata


def _check_artifacts(engine: Engine, settings: RuntimeSettings, *, mark: bool) -> None:
    """Raise UserError where the artifacts are another store's, or cannot be had (exit code 75)."""
    try:
        claim_all(engine, settings, mark=mark)
    except UserError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        where = settings.artifacts_destination
        raise UserError(
            f"nothing is deleted: the artifacts in {where} cannot be had: "
            f"{type(error).__name__}: {reason}",
            75,
        ) from None


def collect(older_than: str | None, dry_run: bool, retry: bool = False) -> Report:
    """Purge what was deleted longer ago than ``older_than`` (default: MLFLOW_TRACKING_GC_TTL).

    ``retry`` tries again what waits in quarantine. An age of ``never`` purges nothing. By default
    what had been deleted before a restore waits from then: it may be what the restore is for.
    Raises UserError where the store has no schema yet, or another MLflow's, or another gc works on
    it.
    """
    settings = runtime_settings.load()
    given = older_than or settings.gc_ttl
    if given == duration.NEVER:
        click.echo("nothing is purged: the age is never; --older-than names another", err=True)
        kinds = (RUNS.name, LOGGED_MODELS.name, EXPERIMENTS.name, "jobs")
        return Report(dry_run, deleted=dict.fromkeys(kinds, 0))
    age = _age_ms(given)
    engine, metadata = _open(settings)
    now = now_of(engine)
    before = now - age
    if older_than is None and (restored := restored_at(engine) or 0) > before:
        click.echo(
            "what was deleted before a backup was restored here counts as deleted then, at "
            f"{moment(restored):%Y-%m-%dT%H:%M:%SZ}: it is purged {given} later; --older-than "
            "names another age",
            err=True,
        )
        before = 0
    _check_artifacts(engine, settings, mark=not dry_run)
    destination = Destination(settings.artifacts_destination, settings.default_artifact_root)
    quarantine, report = Quarantine(now, retry), Report(dry_run)
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

    Raises UserError where the artifacts are in a store that does not list all that it has, or are
    another store's, or another gc works on the store.
    """
    settings = runtime_settings.load()
    engine, metadata = _open(settings)
    _check_artifacts(engine, settings, mark=delete)
    destination = Destination(settings.artifacts_destination, settings.default_artifact_root)
    with only_one(engine, "gc"):
        with engine.connect() as connection:
            # Nothing is due here: what was deleted is not purged yet.
            needed = InUse(destination, metadata, before=0).look(connection)
            found = orphans.find(connection, metadata, destination, needed)
        return found, orphans.delete(found) if delete else {}


def _show(report: Report) -> None:
    verb, left = ("would delete", "would leave") if report.dry_run else ("deleted", "left")
    counts = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in report.deleted.items())
    click.echo(f"{verb} {counts}")
    for name, number in report.kept_registered.items():
        if number:
            what = name.replace("_", " ")
            click.echo(f"kept {number} deleted {what} that a registered version or a run needs")
    for key, reason in report.kept.items():
        click.echo(f"kept {key}: {reason}")
    for key, reason in report.kept_artifacts.items():
        click.echo(f"{left} the artifacts of {key}: {reason}")
    for key, reason in report.failed.items():
        click.echo(f"could not delete the artifacts of {key}: {reason}", err=True)
    for key, reason in report.quarantined.items():
        click.echo(f"not tried again yet: {key} ({reason}); --retry tries it now", err=True)


def _run_orphans(delete: bool, as_json: bool) -> None:
    found, failed = look_for_orphans(delete)
    if as_json:
        shown = [{"path": orphan.place, "bytes": orphan.size} for orphan in found]
        click.echo(json.dumps({"orphans": shown, "deleted": delete, "failed": failed}))
    else:
        for orphan in found:
            click.echo(f"{orphan.size:>14} {orphan.place}")
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
    too. Needs no running server. Artifacts go only where they are provably the entity's own: where
    MLflow puts them, below the artifact destination, and needed by nothing else; others stay and
    are listed. Experiment 0 stays. What cannot be deleted is tried again after 10 minutes, then 20,
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
