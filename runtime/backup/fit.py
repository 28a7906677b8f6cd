"""Finds rows that the new database would refuse, before any of its own is dropped.

SQLite takes texts of any length and any character; PostgreSQL and MySQL do not, and to MySQL keys
that differ in case or accent may be the same key.
"""

import functools
import json
import sqlite3
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import combinations, groupby
from pathlib import Path
from typing import Any, cast

from sqlalchemy import (
    JSON,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    text,
)
from sqlalchemy.pool import StaticPool

from runtime.backup import relocate, schema
from runtime.backup.format import rows
from runtime.backup.format.manifest import Manifest
from runtime.settings import variable

_NAMES = {"postgresql": "PostgreSQL", "mysql": "MySQL"}
_BATCH = 1000
# Whether a database takes two keys for one.
_AreOne = Callable[[Sequence[Any], Sequence[Any]], bool]


def problems(
    engine: Engine, of: Manifest, tables: Mapping[str, Path], scratch: Path, now: str
) -> Iterator[str]:
    """What of a backup's rows does not fit into a database: table, row, column, remedy.

    ``tables`` are the backup's parts as local files, ``now`` is what locations in the backup's own
    destination will begin with (see `relocate`). Reads the database's own settings, and changes
    nothing in it.
    """
    if engine.dialect.name != "mysql":
        yield from of_kind(engine.dialect.name, of, tables, scratch, now)
        return
    with engine.connect() as connection:
        yield from of_kind(
            "mysql", of, tables, scratch, now, functools.partial(_are_one, connection)
        )


def of_kind(
    dialect: str,
    of: Manifest,
    tables: Mapping[str, Path],
    scratch: Path,
    now: str | None = None,
    are_one: _AreOne | None = None,
) -> Iterator[str]:
    """As ``problems``, for a database of a kind, which need not be there.

    Where nobody says ``now``, locations stay as they are.

    ``are_one`` says whether two keys that look alike are equal to the database; without it, the
    least discerning collation is assumed.
    """
    known = tables_at(of.revision)
    for name, part in of.tables.items():
        if part.rows and name not in known.tables:
            yield f"the schema {of.revision} has no table {name}"
    if dialect not in _NAMES:
        return
    here = {name: file for name, file in tables.items() if name in known.tables}
    for name, file in here.items():
        yield from _of_values(dialect, known.tables[name], file)
        if now and of.roots:
            yield from _of_locations(dialect, known.tables[name], file, of.roots, now)
    if dialect == "mysql":
        for name, file in here.items():
            yield from _of_keys(are_one, known.tables[name], file, scratch / "keys")


@functools.cache
def tables_at(revision: str) -> MetaData:
    """MLflow's tables as its migrations make them at ``revision``, and Trackstack's; to be read
    only, since each is made once: it takes seconds.

    Today's models do not tell how long a text an older schema takes.
    """
    engine = create_engine("sqlite://", poolclass=StaticPool)
    try:
        schema.make_tables(engine, revision)
        with engine.connect() as connection:
            return rows.reflect(connection)
    finally:
        engine.dispose()


def _start(value: str) -> str:
    return repr(value if len(value) <= 40 else f"{value[:40]}…")


def _of_values(dialect: str, table: Table, file: Path) -> Iterator[str]:
    names = rows.columns_of(file)
    columns = [table.c[name] for name in names]
    texts = [
        (position, column.name, cast("Any", column.type).length)
        for position, column in enumerate(columns)
        if isinstance(column.type, String) and not isinstance(column.type, LargeBinary | JSON)
    ]
    key = _key(table)
    for row in rows.rows_of(file):
        for position, column, longest in texts:
            value = row[position]
            if not isinstance(value, str):
                continue
            if longest and len(value) > longest:
                wrong = f"has {len(value)} characters, {_NAMES[dialect]} takes {longest}; shorten"
            elif dialect == "postgresql" and "\0" in value:
                wrong = "has a NUL character, which PostgreSQL does not take; remove"
            else:
                continue
            wrong = f"{_where(table, column, value)} {wrong} it in the store and back that up again"
            yield f"{wrong}{_of_row(key, names, row, column)}"


def _of_locations(
    dialect: str, table: Table, file: Path, before: Sequence[str], now: str
) -> Iterator[str]:
    """Locations that fit as they are, and not any more where they lead to the new destination."""
    names, key = rows.columns_of(file), _key(table)
    located = [
        (names.index(column), column, only, cast("Any", table.c[column].type).length)
        for of, column, only in relocate.LOCATIONS
        if of == table.name and column in names
    ]
    for row in rows.rows_of(file) if located else ():
        for position, column, only, longest in located:
            value = row[position]
            if not isinstance(value, str) or (only and row[names.index("key")] != only):
                continue
            moved = relocate.moved(value, before, now)
            if longest and len(moved) > max(longest, len(value)):
                yield (
                    f"{_where(table, column, moved)} would have {len(moved)} characters, "
                    f"{_NAMES[dialect]} takes {longest}; restore with a shorter "
                    f"{variable('given_artifacts_destination')}{_of_row(key, names, row, column)}"
                )


def _key(table: Table) -> list[str]:
    return [column.name for column in table.primary_key.columns]


def _where(table: Table, column: str, value: str) -> str:
    return f"table {table.name}, column {column}: {_start(value)}"


def _of_row(key: Sequence[str], names: Sequence[str], row: Sequence[Any], column: str) -> str:
    which = ", ".join(f"{n}={_shown(row[names.index(n)])}" for n in key if n != column)
    return f" (row {which})" if which else ""


def _shown(value: object) -> str:
    return _start(value) if isinstance(value, str) else str(value)


def _keys_of(table: Table) -> list[list[str]]:
    """The columns of each key that no two rows may share, of those with a text in them."""
    uniques = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    indexes = [index for index in table.indexes if index.unique]
    keys = [table.primary_key, *uniques, *indexes]
    return [
        [column.name for column in key.columns]
        for key in keys
        if any(isinstance(column.type, String) for column in key.columns)
    ]


def _folded(value: Any) -> Any:
    """Equal for all texts that any collation takes for equal, and for some more."""
    if not isinstance(value, str):
        return value
    plain = unicodedata.normalize("NFKD", value.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c)).rstrip(" ")


def _of_keys(are_one: _AreOne | None, table: Table, file: Path, scratch: Path) -> Iterator[str]:
    columns = rows.columns_of(file)
    for key in _keys_of(table):
        if not set(key) <= set(columns):
            continue
        positions = [columns.index(name) for name in key]
        keys = ([row[position] for position in positions] for row in rows.rows_of(file))
        # To SQL nothing is the same as no value.
        whole = (each for each in keys if None not in each)
        for group in _look_alikes(whole, scratch):
            for one, other in combinations(group, 2):
                if are_one is None or are_one(one, other):
                    shown = " and ".join(_start(json.dumps(each)[1:-1]) for each in (one, other))
                    yield (
                        f"table {table.name}, columns {', '.join(key)}: {shown} are the same to "
                        "this database's collation; make it with utf8mb4_bin, or rename one"
                    )


def _look_alikes(keys: Iterator[list[Any]], scratch: Path) -> Iterator[list[list[Any]]]:
    """Groups of keys that fold to one. On disk: there are as many keys as rows."""
    scratch.unlink(missing_ok=True)
    with closing(sqlite3.connect(scratch)) as found:
        found.execute("PRAGMA journal_mode = OFF")
        found.execute("CREATE TABLE keys (folded TEXT, own TEXT)")
        add = "INSERT INTO keys VALUES (?, ?)"
        batch = list[tuple[str, str]]()
        for key in keys:
            batch.append((json.dumps([_folded(each) for each in key]), json.dumps(key)))
            if len(batch) >= _BATCH:
                found.executemany(add, batch)
                batch.clear()
        found.executemany(add, batch)
        found.execute("CREATE INDEX by_folded ON keys (folded)")
        query = (
            "SELECT folded, own FROM keys WHERE folded IN "
            "(SELECT folded FROM keys GROUP BY folded HAVING count(*) > 1) ORDER BY folded, own"
        )
        for _, group in groupby(found.execute(query), lambda row: row[0]):
            yield [json.loads(own) for _, own in group]


def _are_one(connection: Connection, one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two keys are equal to the collation that the database gives its tables."""
    query = text("SELECT @@character_set_database, @@collation_database")
    charset, collation = (str(name) for name in connection.execute(query).one())
    # The names are the server's own.
    this, that = (f"CONVERT(:{name} USING {charset}) COLLATE {collation}" for name in "ab")
    same = text(f"SELECT {this} = {that}")
    return all(
        a == b or (isinstance(a, str) and connection.scalar(same, {"a": a, "b": b}))
        for a, b in zip(one, other, strict=True)
    )
