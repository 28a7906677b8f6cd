"""A transaction that holds its locks from the start."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text


@contextmanager
def transaction(engine: Engine) -> Generator[Connection]:
    """Commits at the end, and rolls back what fails.

    SQLite locks nothing at a SELECT: its writer's lock is taken before anything is looked at.
    """
    if engine.dialect.name != "sqlite":
        with engine.begin() as connection:
            yield connection
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("PRAGMA foreign_keys = ON"))
        connection.execute(text("PRAGMA busy_timeout = 30000"))
        connection.execute(text("BEGIN IMMEDIATE"))
        try:
            yield connection
        except BaseException:
            connection.execute(text("ROLLBACK"))
            raise
        connection.execute(text("COMMIT"))
