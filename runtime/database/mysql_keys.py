"""What MLflow's migrations need of a MySQL server beside MLflow's own steps.

A server that replicates within a group, as the highly available ones of clouds do, takes no table
without a primary key. MLflow drops some and makes others in a second statement.
https://dev.mysql.com/doc/refman/8.4/en/group-replication-requirements.html
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event

_DROP = re.compile(r"ALTER TABLE (?P<table>\S+) DROP PRIMARY KEY", re.IGNORECASE)
_ADD = re.compile(
    r"ALTER TABLE (?P<table>\S+) (?P<add>ADD CONSTRAINT \S+ PRIMARY KEY .+)",
    re.IGNORECASE | re.DOTALL,
)
_NOTHING = "DO 0"
_HELD = "trackstack_dropped_primary_key"
# What servers say that let no migration pass, and what their owner can do about it.
_CURES = {
    1419: "the server keeps a binary log and lets nobody but SUPER make MLflow's trigger; set "
    "log_bin_trust_function_creators = ON in its configuration",
    3750: "the server takes no table without a primary key; set sql_require_primary_key = OFF in "
    "its configuration while `trackstack upgrade` runs",
}


def swap(held: str, statement: str) -> tuple[str, str, str]:
    """What becomes of a statement after one that was held back. Pure.

    Returns what is to be run before it, what is to be run in its place, and what is held back now;
    each may be empty but for the second.
    """
    if found := _DROP.fullmatch(statement.strip()):
        return held, _NOTHING, found.group(0)
    dropped, added = _DROP.fullmatch(held), _ADD.fullmatch(statement.strip())
    if dropped and added and dropped["table"] == added["table"]:
        return "", f"{held}, {added['add']}", ""
    return held, statement, ""


@contextmanager
def keys_at_once(engine: Engine) -> Generator[None]:
    """Have the primary keys of a store on MySQL swapped in one statement each."""
    if engine.dialect.name != "mysql":
        yield
        return
    event.listen(engine, "before_cursor_execute", _before, retval=True)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", _before)


def _before(
    connection: Connection, cursor: Any, statement: str, parameters: Any, *_: object
) -> tuple[str, Any]:
    before, instead, held = swap(connection.info.pop(_HELD, ""), statement)
    if before:
        cursor.execute(before)
    if held:
        connection.info[_HELD] = held
    return instead, parameters


def explained(error: Exception) -> str:
    """The driver's own words, in one line, with what the server's owner can do where that is known.

    SQLAlchemy would add the statement and its values.
    """
    cause: Any = getattr(error, "orig", None) or error
    reason = str(cause).strip().splitlines()[0]
    code = cause.args[0] if cause.args else 0
    return f"{reason}; {_CURES[code]}" if code in _CURES else reason
