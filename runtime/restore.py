"""`trackstack restore`: a backup into an empty store, before the server starts."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from sqlalchemy import Engine

from runtime import settings as runtime_settings
from runtime.errors import UserError
from runtime.lock import only_one
from runtime.settings import RuntimeSettings
from runtime.store import open_engine

_SCRATCH = ".trackstack-restore"
# As long as a restore of a large store takes another replica.
_WAIT_SECONDS = 6 * 3600


def check(
    *, unfinished: bool, has_rows: bool, has_artifacts: bool, known_revision: bool, force: bool
) -> None:
    """Raise UserError where a restore must not begin. Pure."""
    if not known_revision:
        raise UserError("the backup is of a newer MLflow than this one; restore with its version")
    if force or unfinished:
        return
    if has_rows:
        raise UserError("the store is not empty; --force replaces what it holds", 2)
    if has_artifacts:
        raise UserError(
            "the artifact store is not empty; --no-artifacts leaves it as it is, --force writes "
            "the backup's files over it",
            2,
        )


def restore(
    settings: RuntimeSettings,
    from_uri: str | None,
    name: str | None,
    *,
    force: bool,
    with_artifacts: bool,
    migrate: bool,
    dry_run: bool = False,
) -> dict[str, object]:
    """Fill the store and the artifact destination; returns what was done.

    Killed at any point it can be run again, and no server starts on half a store meanwhile.
    Raises UserError where the store is not empty or the backup is broken.
    """
    from runtime.backup import artifacts, make, manifest, schema
    from runtime.backup.place import Place
    from runtime.upgrade import upgrade

    place = make.destination(settings, from_uri)
    of = manifest.read(place, name)
    own = place.at(of.name)
    settings.make_directories()
    engine = open_engine(settings)
    target = Place(settings.artifacts_destination)
    brings_artifacts = with_artifacts and of.artifacts is not None
    done: dict[str, object] = {"name": of.name, "rows": of.rows, "files": 0, "dry_run": dry_run}
    with only_one(engine, "restore"), only_one(engine, "gc"):
        unfinished = schema.is_unfinished(engine)
        check(
            unfinished=unfinished,
            has_rows=not unfinished and schema.holds_data(engine),
            has_artifacts=brings_artifacts and bool(target.list()),
            known_revision=schema.has_revision(of.revision),
            force=force,
        )
        if dry_run:
            return done
        with TemporaryDirectory() as folder:
            make.load_database(engine, own, of, Path(folder))
            _complain(make.compare(engine, of))
            if brings_artifacts and of.artifacts:
                listing = make.fetch_part(own, of.artifacts, Path(folder))
                with make.scratch_of(target, _SCRATCH) as scratch:
                    bring = artifacts.copy_out(own.at(make.ARTIFACTS), listing, scratch, target)
                done["files"], broken = bring
                _complain(broken)
        schema.finish(engine)
    if migrate:
        done["upgraded"] = upgrade(settings, back_up=False)
    return done


def fill_empty(settings: RuntimeSettings, engine: Engine) -> None:
    """Restore the backup that TRACKSTACK_RESTORE_BACKUP names, where the store holds no data yet.

    Replicas that start together restore once. What an earlier store left among the artifacts is
    written over: the backup's files are the same, or are what its rows mean.
    """
    from runtime.backup import schema

    with only_one(engine, "recovery", wait_seconds=_WAIT_SECONDS):
        if not schema.is_unfinished(engine) and schema.holds_data(engine):
            return
        name = settings.restore_backup
        click.echo(f"trackstack: restoring {name}", err=True)
        done = restore(settings, None, name, force=True, with_artifacts=True, migrate=True)
        click.echo(f"trackstack: restored {done['rows']} rows, {done['files']} artifacts", err=True)


def _complain(problems: list[str]) -> None:
    if problems:
        shown = "\n".join(problems[:20])
        raise UserError(f"the restore is not complete, {len(problems)} things are wrong:\n{shown}")


@click.command()
@click.argument("name", required=False)
@click.option("--from", "from_uri", metavar="URI", help="Default: TRACKSTACK_BACKUP_DESTINATION.")
@click.option("--force", is_flag=True, help="Replace what the store holds.")
@click.option("--no-artifacts", is_flag=True, help="The database alone.")
@click.option("--no-upgrade", is_flag=True, help="Leave the backup's schema, for its own MLflow.")
@click.option("--dry-run", is_flag=True, help="Check that it could begin; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(
    name: str | None,
    from_uri: str | None,
    force: bool,
    no_artifacts: bool,
    no_upgrade: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Restore a backup (default: the newest) into an empty store, before the server starts.

    The store is MLFLOW_BACKEND_STORE_URI, of whichever kind: a backup of SQLite restores to
    PostgreSQL or MySQL as well, and back. An older schema is then migrated to this MLflow's. Stop
    the server first. A restore that was killed is simply run again.

    \b
    Examples:
      trackstack restore --from /backups
      trackstack restore --from /backups 20261121T035500Z-3fa2 --force --json
    """
    settings = runtime_settings.load()
    done = restore(
        settings,
        from_uri,
        name,
        force=force,
        with_artifacts=not no_artifacts,
        migrate=not no_upgrade,
        dry_run=dry_run,
    )
    if as_json:
        click.echo(json.dumps(done))
    else:
        verb = "would restore" if dry_run else "restored"
        click.echo(f"{verb} {done['name']}: {done['rows']} rows, {done['files']} artifacts")
