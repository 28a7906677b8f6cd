"""An empty store's tables at a given revision, and a store that is being restored."""

from typing import Any, cast

from sqlalchemy import Column, Engine, MetaData, String, Table, inspect, select, text

from runtime.backup import identity
from runtime.backup.format.rows import VERSION_TABLE, known_tables, reflect
from runtime.errors import UserError
from runtime.tokens.store import TABLES

# There from a restore's first change to its last: whoever finds it finds half a store.
_MARK = Table("trackstack_restore", MetaData(), Column("backup", String(200), primary_key=True))
_REVISIONS = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - a constant
# What MLflow's migrations put into an empty store.
_NOT_DATA = frozenset({VERSION_TABLE, "workspaces", _MARK.name})


def check_whole(engine: Engine) -> None:
    """Raise UserError where a restore has begun and not ended."""
    if inspect(engine).has_table(_MARK.name):
        raise UserError(
            "a restore of this store did not end; run `trackstack restore` again, which begins anew"
        )


def is_unfinished(engine: Engine) -> bool:
    """Whether a restore has begun and not ended."""
    return inspect(engine).has_table(_MARK.name)


def holds_data(engine: Engine) -> bool:
    """Whether there is more than what a server that starts on an empty store makes by itself."""
    with engine.connect() as connection:
        metadata = reflect(connection)
        for table in known_tables().tables.values():
            if table.name not in metadata.tables or table.name in _NOT_DATA:
                continue
            query = select(text("1")).select_from(table).limit(1)
            if table.name == "experiments":
                query = query.where(table.c.experiment_id != 0)
            if connection.execute(query).first():
                return True
    return False


def has_revision(revision: str) -> bool:
    """Whether this MLflow knows the schema revision."""
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError
    from mlflow.store.db import utils

    scripts = ScriptDirectory.from_config(cast(Any, utils)._get_alembic_config(""))
    try:
        scripts.get_revision(revision)
    except CommandError:
        return False
    return True


def check_known(engine: Engine, store: str) -> None:
    """Raise UserError where the schema is of a newer MLflow, whose tables this one does not know.

    ``store`` is how the store is shown.
    """
    with engine.connect() as connection:
        if not engine.dialect.has_table(connection, VERSION_TABLE):
            return
        found = [str(each) for each in connection.execute(_REVISIONS).scalars()]
    if unknown := [each for each in found if not has_revision(each)]:
        raise UserError(
            f"the schema of {store} ({unknown[0]}) is of a newer MLflow than this one; run that "
            "version again, or restore the backup that was made before it came"
        )


def make_empty(engine: Engine, backup: str) -> None:
    """Drop MLflow's and Trackstack's tables, and mark the store as being restored."""
    with engine.begin() as connection:
        _MARK.create(connection, checkfirst=True)
        connection.execute(_MARK.delete())
        connection.execute(_MARK.insert(), {"backup": backup})
    metadata = MetaData()
    with engine.begin() as connection:
        metadata.reflect(connection)
        names = known_tables().tables.keys() | {VERSION_TABLE}
        if engine.dialect.name == "mysql":
            connection.execute(text("SET SESSION foreign_key_checks = 0"))
        # Half-made copies of tables are what a killed migration leaves; what jobs noted of rows
        # that go, goes with them.
        kept = {_MARK.name, identity.TABLE}
        ours = [
            table
            for name, table in metadata.tables.items()
            if name in names
            or name.startswith("_alembic_tmp_")
            or (name.startswith("trackstack_") and name not in kept)
        ]
        metadata.drop_all(connection, tables=ours)


def make_tables(engine: Engine, revision: str) -> None:
    """Make MLflow's tables at ``revision`` by its own migrations, and Trackstack's; all empty.

    Tables that are there stay as they are.
    """
    from alembic import command
    from mlflow.store.db import utils
    from mlflow.store.tracking.dbmodels.initial_models import Base

    others = set(inspect(engine).get_table_names())
    Base.metadata.create_all(engine)
    config = cast(Any, utils)._get_alembic_config(str(engine.url))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    TABLES.create_all(engine)
    with engine.begin() as connection:
        metadata = reflect(connection)
        for table in reversed(metadata.sorted_tables):
            if table.name not in others and table.name != VERSION_TABLE:
                connection.execute(table.delete())


def finish(engine: Engine) -> None:
    """The store is whole."""
    _MARK.drop(engine)
