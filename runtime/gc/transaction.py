"""A transaction that holds its locks from the start, and the rows that it locks."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, select, text

from runtime.database.schema import among
from runtime.gc.decide import DELETED, Kind, Query


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


def lock_deleted(metadata: MetaData, experiments: Iterable[int]) -> Query:
    """Those of ``experiments`` that are deleted, locked against a restore.

    Shared, because batches side by side are of the same experiment; and by key alone, because
    MySQL locks all that it looks at.
    """
    columns = metadata.tables["experiments"].c
    of_them = columns.experiment_id.in_(sorted(set(experiments)))
    query = select(columns.experiment_id).where(of_them, columns.lifecycle_stage == DELETED)
    return query.with_for_update(read=True)


def lock(dialect: str, metadata: MetaData, kind: Kind, keys: list[Any]) -> Query:
    """The rows with these keys, locked: a restore, or whoever registers them, wins or waits.

    By key alone, as ``lock_deleted``; and in a query of its own, because one that had to wait
    decides by what it saw before.
    """
    column = metadata.tables[kind.table].c[kind.key]
    return select(column).where(among(dialect, column, keys)).with_for_update()
