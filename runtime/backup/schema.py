"""An empty store's tables at a given revision, and what a store holds."""

from sqlalchemy import Engine, MetaData, inspect, select, text
from sqlalchemy.exc import DBAPIError

from runtime.backup.format.rows import known_tables, reflect
from runtime.database import identity, migration
from runtime.database.mysql_keys import explained, keys_at_once
from runtime.database.state import MARK, VERSION_TABLE
from runtime.errors import UserError
from runtime.tokens.store import TABLES

# What MLflow's migrations put into an empty store.
_NOT_DATA = frozenset({VERSION_TABLE, "workspaces", MARK.name})


def holds_data(engine: Engine) -> bool:
    """Whether there is more than what a server that starts on an empty store makes by itself."""
    with engine.connect() as connection:
        there = set(inspect(connection).get_table_names())
        for table in known_tables().tables.values():
            if table.name not in there or table.name in _NOT_DATA:
                continue
            query = select(text("1")).select_from(table).limit(1)
            if table.name == "experiments":
                query = query.where(table.c.experiment_id != 0)
            if connection.execute(query).first():
                return True
    return False


def make_empty(engine: Engine, backup: str) -> None:
    """Drop MLflow's and Trackstack's tables, and mark the store as being restored."""
    with engine.begin() as connection:
        MARK.create(connection, checkfirst=True)
        connection.execute(MARK.delete())
        connection.execute(MARK.insert(), {"backup": backup})
    metadata = MetaData()
    with engine.begin() as connection:
        metadata.reflect(connection)
        names = known_tables().tables.keys() | {VERSION_TABLE}
        if engine.dialect.name == "mysql":
            connection.execute(text("SET SESSION foreign_key_checks = 0"))
        # Half-made copies of tables are what a killed migration leaves; what jobs noted of rows
        # that go, goes with them.
        kept = {MARK.name, *identity.TABLES}
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

    Tables that are there stay as they are. Raises UserError where the database refuses one.
    """
    from mlflow.store.tracking.dbmodels.initial_models import Base

    others = set(inspect(engine).get_table_names())
    Base.metadata.create_all(engine)
    try:
        with keys_at_once(engine), engine.begin() as connection:
            migration.run(connection, revision)
    except DBAPIError as error:
        raise UserError(f"tables at {revision} cannot be made: {explained(error)}") from None
    TABLES.create_all(engine)
    with engine.begin() as connection:
        metadata = reflect(connection)
        for table in reversed(metadata.sorted_tables):
            if table.name not in others and table.name != VERSION_TABLE:
                connection.execute(table.delete())


def finish(engine: Engine) -> None:
    """The store is whole."""
    MARK.drop(engine)
