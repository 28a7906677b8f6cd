"""Which store a backup is of: one row in its database, made at the first backup.

A store that another's backup is restored into is another store from then on: what it is backed up
to must not count against the backups of the first.
"""

import uuid
from pathlib import Path

from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, insert, select

# In no backup: a copy of the row would be a second store of the same identity.
TABLE = "trackstack_store"
_STORE = Table(
    TABLE,
    MetaData(),
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("id", String(36), nullable=False),
)


def known(engine: Engine) -> str | None:
    """The store's identity; None where it was never backed up, or is not there."""
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():
        # Not to be made by a look at it.
        return None
    with engine.connect() as connection:
        if not engine.dialect.has_table(connection, TABLE):
            return None
        return connection.scalar(select(_STORE.c.id))


def ensure(engine: Engine) -> str:
    """The store's identity, made where it has none yet; for one job at a time."""
    found = known(engine)
    if found:
        return found
    made = str(uuid.uuid4())
    _STORE.create(engine, checkfirst=True)
    with engine.begin() as connection:
        connection.execute(insert(_STORE), {"one": 1, "id": made})
    return made


def renounce(engine: Engine, of: str | None) -> None:
    """Have the store be another from now on, unless it is the one that ``of`` says."""
    if of is None or known(engine) != of:
        _STORE.drop(engine, checkfirst=True)
