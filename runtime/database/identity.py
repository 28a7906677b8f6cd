"""Which store this is: one row in its database, made when it is first needed.

A store that another's backup is restored into is another store from then on: what it is backed up
to must not count against the backups of the first, and what the first has of artifacts is not its
own.
"""

import uuid
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, insert, select

from runtime.database.lock import only_one

_WAIT_SECONDS = 60
_METADATA = MetaData()


def _table(name: str) -> Table:
    return Table(
        name,
        _METADATA,
        Column("one", Integer, primary_key=True, autoincrement=False),
        Column("id", String(36), nullable=False),
    )


_STORE = _table("trackstack_store")
# Of a store that a backup was restored into: the store that the backup is of.
_PARENT = _table("trackstack_store_parent")
# In no backup: a copy of the row would be a second store of the same identity.
TABLES = frozenset(_METADATA.tables)


def known(engine: Engine) -> str | None:
    """The store's identity; None where nothing has asked for it yet, or it is not there."""
    return _read(engine, _STORE)


def parent(engine: Engine) -> str | None:
    """The store that this one was restored from a backup of; None where there is none."""
    return _read(engine, _PARENT)


def ensure(engine: Engine) -> str:
    """The store's identity, made where it has none yet."""
    if found := known(engine):
        return found
    with only_one(engine, "identity", wait_seconds=_WAIT_SECONDS):
        return known(engine) or _write(engine, _STORE, str(uuid.uuid4()))


def renounce(
    engine: Engine, of: str | None, *, recovers: bool = False, stays: bool = False
) -> None:
    """Have the store be another from now on, unless it is the one that ``of`` says.

    ``of`` is whose backup it gets (None: nobody knows). Where it ``recovers`` that very store, it
    takes its place; where it ``stays`` itself, as its artifact destination names it, only its
    parent is noted.
    """
    if of is not None and known(engine) == of:
        return
    for table in (_PARENT,) if stays else (_STORE, _PARENT):
        table.drop(engine, checkfirst=True)
    if of is not None:
        _write(engine, _STORE if recovers else _PARENT, of)


def hold(connection: Connection, *, shared: bool = False) -> None:
    """Lock the store's row until the transaction ends; nothing where it has none yet.

    Between those who hold it shared and the one who has it alone.
    """
    if connection.dialect.name != "sqlite" and connection.dialect.has_table(
        connection, _STORE.name
    ):
        connection.execute(select(_STORE.c.id).with_for_update(read=shared)).all()


def _read(engine: Engine, table: Table) -> str | None:
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():
        # Not to be made by a look at it.
        return None
    with engine.connect() as connection:
        if not engine.dialect.has_table(connection, table.name):
            return None
        return connection.scalar(select(table.c.id))


def _write(engine: Engine, table: Table, id: str) -> str:
    table.create(engine, checkfirst=True)
    with engine.begin() as connection:
        connection.execute(insert(table), {"one": 1, "id": id})
    return id
