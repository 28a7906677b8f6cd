"""`trackstack upgrade`: bring the backend store to this MLflow's schema, before it is served."""

import json
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

import click
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from runtime import sealed
from runtime import settings as runtime_settings
from runtime.database.engine import can_connect, open_engine
from runtime.database.lock import MIGRATION, SERVERS_LOOK_SECONDS, only_one
from runtime.database.migration import migrate
from runtime.database.mysql_keys import explained
from runtime.database.state import check_known, check_whole, revisions
from runtime.database.uri import make_directories, shown_store, store_uri
from runtime.errors import UserError
from runtime.settings import RuntimeSettings

# A migration of a large store takes its time.
_WAIT_SECONDS = 3600


def _copy_sqlite(source: Path, copy: Path) -> None:
    """A consistent copy, even while a server writes to it."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(copy)) as new:
        old.backup(new)
    shutil.copymode(source, copy)


def keep(settings: RuntimeSettings, engine: Engine, before: str) -> str:
    """Keep the database as it is ``before`` a job; returns where: a SQLite file's copy lies beside
    it, else a backup of it where those are.
    """
    if engine.dialect.name == "sqlite":
        source = Path(str(engine.url.database))
        stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        copy = source.with_name(f"{source.name}.before-{before}-{stamp}")
        _copy_sqlite(source, copy)
        return str(copy)
    from runtime.backup import make

    uri = settings.backup_destination or str(settings.data_dir.resolve() / "backups")
    tree = make.destination(settings, uri)
    return f"{tree.uri}/{make.back_up(settings, tree, with_artifacts=False).name}"


def keep_replaced(settings: RuntimeSettings, engine: Engine) -> str:
    """Keep the database before a restore replaces it; returns where, and says so at once: whatever
    comes next. Raises UserError where it cannot be kept.
    """
    try:
        kept = keep(settings, engine, "restore")
    except (UserError, SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise UserError(
            f"what the store holds cannot be kept ({explained(error)}), nothing was changed; "
            "--no-copy goes on without a copy of it"
        ) from None
    click.echo(f"trackstack: what the store holds is kept in {kept}", err=True)
    return kept


def _undone(engine: Engine, has: str | None, backup: str | None) -> str:
    """How things are after a migration that failed."""
    if not has or not backup:
        return "the store was empty before"
    if engine.dialect.name != "mysql" and revisions(engine)[0] == has:
        return f"the store is as it was, at {has}; its copy is in {backup}"
    tree, _, name = backup.rpartition("/")
    # MySQL ends a transaction at every change of a table.
    return (
        "the migration may have been done in part; stop the server and restore with: trackstack "
        f"restore --from {tree} {name} --force --no-artifacts --no-upgrade --no-copy"
    )


def upgrade(settings: RuntimeSettings, *, back_up: bool = True) -> dict[str, str | None]:
    """Migrate the store where its schema is older; returns what was done.

    One replica at a time: another waits, and finds it done. Raises UserError where the store is of
    a newer MLflow, and one that says how to go back where a migration fails.
    """
    make_directories(settings)
    engine = open_engine(settings)
    can_connect(engine, settings)
    with only_one(engine, "upgrade", wait_seconds=_WAIT_SECONDS):
        check_whole(engine)
        # Before a backup: a server that is started again and again would make one each time.
        check_known(engine, shown_store(settings))
        has, should = revisions(engine)
        if has == should:
            sealed.rewrap(settings, engine)
            return {"from": has, "to": should, "backup": None}
        with only_one(engine, MIGRATION):
            if has:
                # Until no server that is up writes any more, and what it had begun is written: the
                # backup is what a failed migration of MySQL is undone from.
                time.sleep(2 * SERVERS_LOOK_SECONDS)
            backup = keep(settings, engine, "upgrade") if has and back_up else None
            try:
                migrate(engine)
            except Exception as error:
                after = _undone(engine, has, backup)
                raise UserError(
                    f"the migration to {should} failed ({explained(error)}); {after}"
                ) from None
        _verify(settings, should)
        sealed.rewrap(settings, engine)
    return {"from": has, "to": should, "backup": backup}


def _verify(settings: RuntimeSettings, should: str) -> None:
    """Open the store as the server will."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(store_uri(settings), "mlflow-artifacts:/")
    cast(Any, store).search_experiments(max_results=1)
    done, _ = revisions(open_engine(settings))
    if done != should:
        raise UserError(f"the store is at {done} after the migration, not at {should}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(as_json: bool) -> None:
    """Migrate the backend store to this MLflow's schema; make it where it is empty.

    Takes the store from MLFLOW_BACKEND_STORE_URI and backs it up first: a SQLite file beside
    itself, another database to TRACKSTACK_BACKUP_DESTINATION (else backups/ under the data
    directory). Replicas that start together migrate once. Where a migration fails or is killed,
    SQLite and PostgreSQL are as before, with all that clients wrote meanwhile; for MySQL the
    message has the command that restores.

    \b
    Example:
      MLFLOW_BACKEND_STORE_URI_FILE=/run/secrets/uri trackstack upgrade
    """
    settings = runtime_settings.load()
    try:
        done = upgrade(settings)
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or type(error).__name__
        raise UserError(f"cannot open {shown_store(settings)}: {reason}", 75) from None
    if as_json:
        click.echo(json.dumps(done))
    elif done["from"] == done["to"]:
        click.echo(f"{shown_store(settings)} is at {done['to']} already")
    else:
        click.echo(
            f"{shown_store(settings)} is at {done['to']} now (was {done['from'] or 'empty'})"
        )
        if done["backup"]:
            click.echo(f"the state before is in {done['backup']}")
