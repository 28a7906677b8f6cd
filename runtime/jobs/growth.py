"""How the store grows: a row a day, made with the first job of the day that ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    Engine,
    Integer,
    MetaData,
    Table,
    delete,
    func,
    insert,
    select,
    table,
    text,
)
from sqlalchemy.exc import IntegrityError

from runtime.database.own_tables import rows_of

# A year and a month: last year's season is seen beside this one's.
_KEPT = timedelta(days=400)
# Dialect -> the bytes of the whole database, as its server tells them.
_SIZES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
    "mysql": "SELECT SUM(data_length + index_length) FROM information_schema.tables "
    "WHERE table_schema = DATABASE()",
}

# No part of a backup: how another store grew says nothing here.
_TABLES = MetaData()
_GROWTH = Table(
    "trackstack_growth",
    _TABLES,
    Column("day", Date, primary_key=True),
    Column("runs", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)


@dataclass(frozen=True)
class Day:
    """How many runs there were, deleted ones too, and the database's bytes."""

    day: date
    runs: int
    bytes: int


def size(connection: Connection) -> int:
    """The whole database's bytes, as its server tells them now; 0 where it does not."""
    asked = _SIZES.get(connection.dialect.name)
    return int(connection.execute(text(asked)).scalar() or 0) if asked else 0


class Growth:
    """The table."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, today: date) -> None:
        """Count what there is, once a day: what comes later in the day is left alone."""
        _TABLES.create_all(self._engine)
        with self._engine.connect() as connection:
            if connection.execute(select(_GROWTH.c.day).where(_GROWTH.c.day == today)).first():
                return
            if not self._engine.dialect.has_table(connection, "runs"):
                return
            runs = connection.execute(select(func.count()).select_from(table("runs"))).scalar_one()
            row = {"day": today, "runs": runs, "bytes": size(connection)}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(_GROWTH).values(row))
                connection.execute(delete(_GROWTH).where(_GROWTH.c.day < today - _KEPT))
        except IntegrityError:
            # Another replica's scheduler was first.
            return

    def list(self) -> Sequence[Day]:
        """The days that are known, the oldest first."""
        rows = rows_of(self._engine, _GROWTH, select(_GROWTH).order_by(_GROWTH.c.day))
        return [Day(row.day, row.runs, row.bytes) for row in rows]
