"""Retries with back-off: what could not be deleted waits, and stops nothing else.

Kept in the backend database, so that every gc knows it, wherever it runs; in no backup, because a
restored store may try everything at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

from runtime.database.schema import among

# Milliseconds: the first wait, which doubles with each failure, and the longest.
_FIRST_WAIT, _LONGEST_WAIT = 10 * 60 * 1000, 24 * 60 * 60 * 1000

_TABLES = MetaData()
_FAILURES = Table(
    "trackstack_gc_failures",
    _TABLES,
    Column("entity", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("retry_at", BigInteger, nullable=False),
    Column("reason", String(500), nullable=False),
)


def wait_after(failures: int) -> int:
    """How long to wait after so many failures in a row, in milliseconds."""
    return min(_FIRST_WAIT << (failures - 1), _LONGEST_WAIT) if failures < 32 else _LONGEST_WAIT


@dataclass(frozen=True)
class Quarantine:
    """Of one pass at ``now`` (milliseconds since 1970); with ``retry``, nothing waits."""

    now: int
    retry: bool = False

    @staticmethod
    def prepare(engine: Engine) -> None:
        """Make the table where it is missing."""
        _TABLES.create_all(engine)

    def waiting(self, connection: Connection) -> dict[str, str]:
        """Those that are not to be tried yet, with the reason."""
        if self.retry:
            return {}
        rows = connection.execute(
            select(_FAILURES.c.entity, _FAILURES.c.reason).where(_FAILURES.c.retry_at > self.now)
        )
        return {row.entity: row.reason for row in rows}

    def note(self, connection: Connection, failed: Mapping[str, str], gone: Iterable[str]) -> None:
        """Let those that failed wait longer than before; forget those that are gone."""
        keys = list(failed)
        known = select(_FAILURES.c.entity, _FAILURES.c.failures).where(_FAILURES.c.entity.in_(keys))
        before = {row.entity: row.failures for row in connection.execute(known)} if keys else {}
        for entity, reason in failed.items():
            failures = before.get(entity, 0) + 1
            values = {
                "failures": failures,
                "retry_at": self.now + wait_after(failures),
                "reason": reason[:500],
            }
            if entity in before:
                of_it = _FAILURES.c.entity == entity
                connection.execute(update(_FAILURES).where(of_it).values(values))
            else:
                connection.execute(insert(_FAILURES).values(entity=entity, **values))
        if ended := list(gone):
            entities = among(connection.dialect.name, _FAILURES.c.entity, ended)
            connection.execute(delete(_FAILURES).where(entities))
