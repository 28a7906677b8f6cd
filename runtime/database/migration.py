"""MLflow's own migrations of its schema."""

import functools
from typing import Any, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from runtime.database.mysql_keys import keys_at_once

# How long clients may be at a write of theirs before a migration begins.
_PATIENCE_SECONDS = 60


def migrate(engine: Engine) -> None:
    """Bring a store to this MLflow's schema; an empty one is made.

    On SQLite and PostgreSQL in one transaction: what fails, or is killed, leaves everything as it
    was, with all that clients have written. On SQLite no client writes meanwhile.
    """
    from mlflow.store.db import utils

    library = cast(Any, utils)
    with engine.connect() as connection:
        is_empty = not engine.dialect.has_table(connection, "experiments")
    with keys_at_once(engine):
        if engine.dialect.name == "sqlite":
            _migrate_sqlite(engine)
        elif is_empty:
            library._initialize_tables(engine)
        else:
            library._upgrade_db(engine)


def _migrate_sqlite(engine: Engine) -> None:
    from mlflow.store.tracking.dbmodels.initial_models import Base

    writing = create_engine(
        engine.url, poolclass=NullPool, connect_args={"timeout": _PATIENCE_SECONDS}
    )
    # Python's driver would begin no transaction for changes of tables, and MLflow's own script
    # opens a connection for itself.
    event.listen(writing, "connect", _leave_transactions)
    event.listen(writing, "begin", _begin)
    with writing.begin() as connection:
        if not engine.dialect.has_table(connection, "experiments"):
            # Of an empty one, the tables that MLflow's first migration begins with.
            Base.metadata.create_all(connection)
        run(connection, "heads")


def _leave_transactions(connection: Any, _record: object) -> None:
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    # At once, not with the first write: what is read until then would be old.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@functools.cache
def scripts() -> Any:
    """Alembic's directory of the migrations; to read them takes a while, and they do not change."""
    from alembic.script import ScriptDirectory
    from mlflow.store.db import utils

    return ScriptDirectory.from_config(cast(Any, utils)._get_alembic_config(""))


def run(connection: Connection, revision: str) -> None:
    """Run the migrations up to ``revision`` in the transaction of ``connection``."""
    from alembic.runtime.environment import EnvironmentContext
    from mlflow.store.db import utils

    def steps(at: Any, _context: object) -> Any:
        return scripts()._upgrade_revs(revision, at)

    config = cast(Any, utils)._get_alembic_config("")
    with EnvironmentContext(config, scripts(), fn=steps) as environment:
        environment.configure(connection=connection, render_as_batch=True)
        environment.run_migrations()
