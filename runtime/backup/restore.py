"""`trackstack restore`: a backup into an empty store, before the server starts."""

import json
from collections.abc import Mapping, Set
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
from sqlalchemy import Engine

from runtime import settings as runtime_settings
from runtime.database import identity, state
from runtime.database.clock import now_of
from runtime.database.engine import open_engine
from runtime.database.lock import only_one
from runtime.database.uri import make_directories, shown_store
from runtime.errors import UserError
from runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from runtime.artifacts.tree import Tree
    from runtime.backup.format.manifest import Manifest

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
        raise UserError(
            "the store is not empty; --force (FORCE=1 with make) replaces what it holds", 2
        )
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
    accept: Set[str] = frozenset(),
    recovers: bool = False,
    keeps: bool = True,
) -> dict[str, object]:
    """Fill the store and the artifact destination; returns what was done.

    ``accept`` are paths of artifacts that are not brought, as where the backup's are broken. Where
    a stack ``recovers``, its store is the backup's again if its destination still names that one,
    and artifacts that stand there stay as they are: they may be newer than the backup's.

    All of the backup is looked at before anything is changed: each table by its checksum, its rows
    by whether the store's database takes them, each artifact by its checksum where the backup lies
    in a directory, else by its size, and the artifact destination by whether it takes them. Killed
    at any point it can be run again, and no server starts on half a store meanwhile. Raises
    UserError where the store is not empty or the backup is broken or does not fit.

    What is replaced by ``force`` is kept first, unless ``keeps`` is false: as `upgrade` keeps it.
    """
    from runtime.artifacts import owner
    from runtime.artifacts.tree import Tree, told
    from runtime.backup import arrival, filling, make, relocate, schema
    from runtime.backup.format import manifest, parts
    from runtime.backup.upgrade import keep_replaced, upgrade
    from runtime.tokens.store import Token, TokenTable

    tree = make.destination(settings, from_uri)
    make_directories(settings)
    engine = open_engine(settings)
    with (
        only_one(engine, "restore"),
        only_one(engine, "gc"),
        told(f"the restore into {shown_store(settings)}"),
        TemporaryDirectory() as folder,
    ):
        of = manifest.read_for(tree, name, identity.known(engine))
        own = manifest.held(tree, of)
        target = Tree(settings.artifacts_destination)
        brings_artifacts = with_artifacts and of.artifacts is not None
        unfinished = state.is_unfinished(engine)
        has_rows = not unfinished and schema.holds_data(engine)
        check(
            unfinished=unfinished,
            has_rows=has_rows,
            has_artifacts=brings_artifacts and arrival.holds_files(target),
            known_revision=state.has_revision(of.revision),
            force=force,
        )
        into = target if brings_artifacts else None
        asked = _Asked(into, accept, recovers)
        now = relocate.beginning(settings)
        checked = _check_parts(engine, own, of, Path(folder), asked, now)
        left = len(accept) + checked.others
        files = of.artifacts.files - left if of.artifacts and brings_artifacts else 0
        done: dict[str, object] = {"name": of.name, "rows": of.rows, "files": files}
        done |= {"dry_run": dry_run, "left_out": sorted(accept) if into else []}
        done |= {"others": checked.others}
        if dry_run:
            return done
        with ExitStack() as stack:
            settle = None
            if checked.listing:
                # Before a row is changed: whatever a disk or a store refuses is known then.
                brought = arrival.brought(own, checked.listing, target)
                settle = stack.enter_context(brought)
            # What a killed restore brought is not the store's own.
            kept = frozenset[Token]() if unfinished else TokenTable(engine).valid()
            done["kept"] = keep_replaced(settings, engine) if has_rows and keeps else None
            # Before that too: a kill must not leave the one's rows with the other's identity.
            named = target if brings_artifacts or recovers else None
            owner.name_store(engine, named, of.store, recovers=recovers)
            loaded = filling.load_database(engine, of, checked.tables)
            parts.refuse(filling.compare(engine, loaded), "the restore is not complete")
            # They were compared as they were backed up.
            relocate.lead_to(engine, of.roots, settings)
            if settle:
                done["files"] = settle() + checked.standing
            note = state.Restored(of.name, of.rows, int(str(done["files"])), checked.others)
            state.note_restored(engine, note, now_of(engine))
            done["disabled_tokens"] = TokenTable(engine).disable(kept)
        schema.finish(engine)
    if migrate:
        done["upgraded"] = upgrade(settings, back_up=False)
    return done


@dataclass(frozen=True)
class _Checked:
    """A backup's parts as local files; ``listing`` where artifacts are to be brought.

    So many artifacts are ``standing`` at the target and need not be, and in the places of so many
    stand ``others``, which are left there.
    """

    tables: Mapping[str, Path]
    listing: Path | None
    standing: int = 0
    others: int = 0


@dataclass(frozen=True)
class _Asked:
    """``target``, to which the artifacts are to be brought, all but those of ``accept``, and where
    ``leaves`` but for what stands there.
    """

    target: "Tree | None"
    accept: Set[str]
    leaves: bool


def _check_parts(
    engine: Engine,
    own: "Tree",
    of: "Manifest",
    scratch: Path,
    asked: _Asked,
    now: str,
) -> _Checked:
    """Raise UserError where any of it is broken, or does not fit into the database or target."""
    from runtime.backup import arrival, fit
    from runtime.backup.format import artifacts, parts

    target, accept = asked.target, asked.accept
    tables = parts.tables(own, of, scratch)
    listing = parts.listing(own, of, scratch) if target else None
    if listing and accept:
        whole, listing = listing, scratch / "accepted"
        if artifacts.without(whole, accept, listing) != len(accept):
            raise UserError(f"{own.uri} has not all of the artifacts {sorted(accept)}", 2)
    broken = parts.broken_artifacts(own, listing) if listing else iter(())
    what = f"{own.uri} is broken, nothing was changed (--accept PATH goes without an artifact)"
    parts.refuse(broken, what)
    unfit = fit.problems(engine, of, tables, scratch, now)
    parts.refuse(unfit, f"{own.uri} does not fit into this database, nothing was changed")
    standing = others = 0
    if target and listing and asked.leaves:
        whole, listing = listing, scratch / "missing"
        standing, others = arrival.without_standing(target, whole, listing)
    if target and listing:
        refused = arrival.problems(target, listing)
        parts.refuse(refused, f"{target.uri} does not take the artifacts, nothing was changed")
    return _Checked(tables, listing, standing, others)


def fill_empty(settings: RuntimeSettings, engine: Engine) -> None:
    """Restore the backup that TRACKSTACK_RESTORE_BACKUP names, where the store holds no data yet.

    Replicas that start together restore once. What an earlier store left among the artifacts
    stays as it is.
    """
    from runtime.backup import schema

    with only_one(engine, "recovery", wait_seconds=_WAIT_SECONDS):
        if not state.is_unfinished(engine) and schema.holds_data(engine):
            return
        name = settings.restore_backup
        click.echo(f"trackstack: restoring {name}", err=True)
        done = restore(
            settings, None, name, force=True, with_artifacts=True, migrate=True, recovers=True
        )
        click.echo(f"trackstack: restored {done['rows']} rows, {done['files']} artifacts", err=True)
        if others := done["others"]:
            click.echo(
                f"trackstack: {others} artifacts that stood there are others than the backup's, "
                "and were left as they are",
                err=True,
            )
        _tell_of_tokens(done)


def _tell_of_tokens(done: Mapping[str, object]) -> None:
    if number := done.get("disabled_tokens"):
        click.echo(
            f"trackstack: {number} named tokens came with it and are disabled, since they may have "
            "been revoked; see `trackstack token list`, and `trackstack token enable NAME`",
            err=True,
        )


@click.command()
@click.argument("name", required=False)
@click.option("--from", "from_uri", metavar="URI", help="Default: TRACKSTACK_BACKUP_DESTINATION.")
@click.option("--force", is_flag=True, help="Replace what the store holds.")
@click.option("--no-copy", is_flag=True, help="Keep no copy of the database that --force replaces.")
@click.option("--no-artifacts", is_flag=True, help="The database alone.")
@click.option(
    "--accept",
    metavar="PATH",
    multiple=True,
    help="Go without this artifact, which is broken; may be given several times.",
)
@click.option("--no-upgrade", is_flag=True, help="Leave the backup's schema, for its own MLflow.")
@click.option("--dry-run", is_flag=True, help="Check store and backup; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(
    name: str | None,
    from_uri: str | None,
    force: bool,
    no_copy: bool,
    no_artifacts: bool,
    accept: tuple[str, ...],
    no_upgrade: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Restore a backup into an empty store, before the server starts.

    By default the newest that has artifacts. All of it is checked before anything is changed. The
    store is MLFLOW_BACKEND_STORE_URI, of whichever kind: a backup of SQLite restores to
    PostgreSQL or MySQL as well, and back. An older schema is then migrated to this MLflow's. Stop
    the server first. A restore that was killed is simply run again. Where an artifact of the backup
    is broken nothing is restored, unless --accept names it.

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
        accept=frozenset(accept),
        keeps=not no_copy,
    )
    if as_json:
        click.echo(json.dumps(done))
    else:
        verb = "would restore" if dry_run else "restored"
        click.echo(f"{verb} {done['name']}: {done['rows']} rows, {done['files']} artifacts")
        _tell_of_tokens(done)
