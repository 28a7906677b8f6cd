"""A database's rows as text that every kind of database can take back.

The vendors' own tools each write what only their own server reads, and the image would need all
of them. Rows as JSON make one format for SQLite, PostgreSQL and MySQL, so that a backup also moves
a store from one to another; the tables themselves are made by MLflow's migrations.
"""

import base64
import functools
import gzip
import hashlib
import json
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import (
    JSON,
    URL,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    Float,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    create_engine,
    insert,
    select,
    text,
)
from sqlalchemy.pool import NullPool

from runtime.database.state import VERSION_TABLE
from runtime.tokens.store import TABLES

_FETCH_ROWS = 1000
_BATCH_ROWS, _BATCH_BYTES = 1000, 4 << 20
# Types whose values differ by database unless they are asked for by MLflow's own type.
_PLAIN = (Boolean, Date, DateTime, Float, LargeBinary)


@dataclass(frozen=True)
class TableDump:
    """``digest`` is the sum of the rows' SHA-256: the same in whichever order they come, and
    whichever sign a zero has, which not every database keeps.
    """

    rows: int
    digest: str


@functools.cache
def known_tables() -> MetaData:
    """MLflow's tables by its own models, and Trackstack's; one for all, to be read only."""
    from runtime.database.schema import tables

    metadata = MetaData()
    for table in (*tables().tables.values(), *TABLES.tables.values()):
        table.to_metadata(metadata)
    return metadata


def reflect(connection: Connection) -> MetaData:
    """The tables that are there, of those that MLflow, its older versions or Trackstack know."""
    metadata, known = MetaData(), known_tables()
    metadata.reflect(connection)
    for table in metadata.tables.values():
        for column in table.columns:
            _use_plain_type(column, known.tables.get(table.name))
    return metadata


def _use_plain_type(column: "Column[Any]", model: Table | None) -> None:
    own = model.c.get(column.name) if model is not None else None
    if (own is not None and isinstance(own.type, JSON)) or isinstance(column.type, JSON):
        column.type = JSON(none_as_null=True)
    elif own is not None and isinstance(own.type, _PLAIN):
        column.type = own.type
    elif isinstance(column.type, Numeric):
        column.type = Float(53)


@contextmanager
def snapshot(engine: Engine, scratch: Path) -> Generator[Connection]:
    """A connection that sees the store as it is now, whatever is written meanwhile."""
    if engine.dialect.name == "sqlite":
        # A long read of the file itself would hold up its one writer.
        copy = scratch / "snapshot.sqlite"
        source = str(engine.url.database)
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(copy)) as new:
            old.backup(new)
        # By its parts: in a URI a question mark would end the path.
        copied = create_engine(URL.create("sqlite", database=str(copy)), poolclass=NullPool)
        with copied.connect() as connection:
            yield connection
        copy.unlink()
        return
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        yield connection


def revision(connection: Connection) -> str:
    """The schema's revision."""
    query = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - a constant
    return str(connection.execute(query).scalar_one())


def _columns(table: Table) -> list["Column[Any]"]:
    """Those that are written, by name; generated ones come by themselves."""
    return sorted((c for c in table.columns if c.computed is None), key=lambda c: c.name)


def _encode(column: "Column[Any]", value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, date):
        return value.isoformat()
    # MySQL and SQLite keep truth as a number.
    return bool(value) if isinstance(column.type, Boolean) and value is not None else value


def _decode(column: "Column[Any]", value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, LargeBinary):
        return base64.b64decode(value)
    if isinstance(column.type, DateTime):
        return datetime.fromisoformat(value)
    if isinstance(column.type, Date):
        return date.fromisoformat(value)
    return bool(value) if isinstance(column.type, Boolean) else value


class _Summing:
    def __init__(self) -> None:
        self._rows = self._sum = 0

    def add(self, line: bytes) -> None:
        self._rows += 1
        self._sum += int.from_bytes(hashlib.sha256(_by_value(line)).digest(), "big")

    def each(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The same lines, added as they pass."""
        for line in lines:
            self.add(line.rstrip(b"\n"))
            yield line

    def done(self) -> TableDump:
        return TableDump(self._rows, f"{self._sum % (1 << 256):064x}")


def _by_value(line: bytes) -> bytes:
    """A row with 0.0 for -0.0, which is equal to it."""
    return _json(_without_sign(json.loads(line))) if b"-0.0" in line else line


def _without_sign(value: Any) -> Any:
    if isinstance(value, float):
        return value + 0.0
    if isinstance(value, list):
        return [_without_sign(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {k: _without_sign(each) for k, each in cast("dict[str, Any]", value).items()}
    return value


def _json(values: Any) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def _lines(connection: Connection, table: Table) -> Iterator[bytes]:
    columns = _columns(table)
    streamed = connection.execution_options(yield_per=_FETCH_ROWS)
    for row in streamed.execute(select(*columns)):
        values = [_encode(column, value) for column, value in zip(columns, row, strict=True)]
        yield _json(values)


def dump(connection: Connection, table: Table, file: Path) -> TableDump:
    """Write the table's rows to ``file``: column names, then a JSON list a row, compressed."""
    summing = _Summing()
    with gzip.open(file, "wb", compresslevel=3) as out:
        out.write(json.dumps([column.name for column in _columns(table)]).encode() + b"\n")
        for line in _lines(connection, table):
            summing.add(line)
            out.write(line + b"\n")
    return summing.done()


def summarise(connection: Connection, table: Table) -> TableDump:
    """What ``dump`` would find, without writing it."""
    summing = _Summing()
    for line in _lines(connection, table):
        summing.add(line)
    return summing.done()


def _batches(lines: Iterable[bytes]) -> Iterator[list[list[Any]]]:
    batch, size = list[list[Any]](), 0
    for line in lines:
        batch.append(json.loads(line))
        size += len(line)
        if len(batch) >= _BATCH_ROWS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def columns_of(file: Path) -> list[str]:
    """The names of a dump's columns, in the order of its rows' values."""
    with gzip.open(file, "rb") as lines:
        return cast("list[str]", json.loads(next(lines)))


def rows_of(file: Path) -> Iterator[list[Any]]:
    """A dump's rows, as they are written: numbers, texts, truths, and dates as texts."""
    with gzip.open(file, "rb") as lines:
        next(lines)
        for line in lines:
            yield json.loads(line)


def load(engine: Engine, table: Table, file: Path) -> TableDump:
    """Insert a dump's rows into the empty ``table``, in short transactions; returns what they are
    as ``summarise`` has it.
    """
    summing = _Summing()
    columns = [table.c[name] for name in columns_of(file)]
    with gzip.open(file, "rb") as lines:
        next(lines)
        for batch in _batches(summing.each(lines)):
            rows = [
                {c.name: _decode(c, value) for c, value in zip(columns, row, strict=True)}
                for row in batch
            ]
            with engine.begin() as connection:
                _prepare(connection)
                connection.execute(insert(table), rows)
    _continue_numbers(engine, table)
    return summing.done()


def _prepare(connection: Connection) -> None:
    if connection.dialect.name == "mysql":
        # Else a 0, as of the first experiment, becomes the next free number.
        mode = "SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')"
        connection.execute(text(mode))
        connection.execute(text("SET SESSION foreign_key_checks = 0"))


def _continue_numbers(engine: Engine, table: Table) -> None:
    """PostgreSQL's sequences know nothing of rows that brought their number along."""
    if engine.dialect.name != "postgresql":
        return
    with engine.begin() as connection:
        for column in table.primary_key.columns:
            name = text("SELECT pg_get_serial_sequence(:table, :column)")
            sequence = connection.execute(
                name, {"table": table.name, "column": column.name}
            ).scalar()
            if sequence:
                last = select(column).order_by(column.desc()).limit(1).scalar_subquery()
                connection.execute(select(_setval(str(sequence), last)))


def _setval(sequence: str, last: Any) -> Any:
    from sqlalchemy import func

    # An empty table's sequence begins at 1: its third argument says that 1 is not used yet.
    return func.setval(sequence, func.greatest(func.coalesce(last, 1), 1), last.is_not(None))
