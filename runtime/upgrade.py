"""`trackstack upgrade`: bring the backend store to this MLflow's schema, before it is served."""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

import click
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from runtime import settings as runtime_settings
from runtime.errors import UserError
from runtime.settings import RuntimeSettings
from runtime.store import open_engine


def revisions(engine: Engine) -> tuple[str | None, str]:
    """The schema revision that the store has (None: it is empty) and the one it should have."""
    from mlflow.store.db import utils

    library = cast(Any, utils)
    with engine.connect() as connection:
        empty = not engine.dialect.has_table(connection, "experiments")
    has = None if empty else str(library._get_schema_version(engine))
    return has, str(library._get_latest_schema_revision())


def _back_up_sqlite(engine: Engine) -> Path | None:
    """A consistent copy beside the file, even while a server writes to it."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return None
    source = Path(engine.url.database)
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    copy = source.with_name(f"{source.name}.before-upgrade-{stamp}")
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(copy)) as new:
        old.backup(new)
    shutil.copymode(source, copy)
    return copy


def _migrate(engine: Engine, empty: bool) -> None:
    from mlflow.store.db import utils

    library = cast(Any, utils)
    if empty:
        library._initialize_tables(engine)
    else:
        library._upgrade_db(engine)


def upgrade(settings: RuntimeSettings) -> dict[str, str | None]:
    """Migrate the store where its schema is older; returns what was done.

    Raises UserError that says how to restore where a migration fails.
    """
    settings.make_directories()
    engine = open_engine(settings)
    has, should = revisions(engine)
    if has == should:
        return {"from": has, "to": should, "backup": None}
    copy = _back_up_sqlite(engine) if has else None
    try:
        _migrate(engine, empty=has is None)
    except Exception as error:
        advice = (
            f"stop the server and restore with: cp {copy} {engine.url.database}"
            if copy
            else "restore the database from the backup that was made before the upgrade"
        )
        raise UserError(f"the migration to {should} failed ({error}); {advice}") from None
    done, _ = revisions(engine)
    if done != should:
        raise UserError(f"the store is at {done} after the migration, not at {should}")
    return {"from": has, "to": should, "backup": str(copy) if copy else None}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(as_json: bool) -> None:
    """Migrate the backend store to this MLflow's schema; make it where it is empty.

    Takes the store from MLFLOW_BACKEND_STORE_URI. A SQLite file is copied first.

    \b
    Example:
      MLFLOW_BACKEND_STORE_URI_FILE=/run/secrets/uri trackstack upgrade
    """
    settings = runtime_settings.load()
    try:
        done = upgrade(settings)
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or type(error).__name__
        raise UserError(f"cannot open {settings.backend_store}: {reason}", 75) from None
    if as_json:
        click.echo(json.dumps(done))
    elif done["from"] == done["to"]:
        click.echo(f"{settings.backend_store} is at {done['to']} already")
    else:
        click.echo(
            f"{settings.backend_store} is at {done['to']} now (was {done['from'] or 'empty'})"
        )
        if done["backup"]:
            click.echo(f"the state before is in {done['backup']}")
