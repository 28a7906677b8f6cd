"""Whose turn it is, of several replicas on which a job is due at the same moment."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Engine, MetaData, String, Table, delete, insert, select

from runtime.database.lock import only_one

_WAIT_SECONDS = 30

_TABLES = MetaData()
_TURNS = Table(
    "trackstack_turns",
    _TABLES,
    Column("job", String(20), primary_key=True),
    # Seconds since 1970.
    Column("due", BigInteger, nullable=False),
)


def take_turn(engine: Engine, job: str, due: datetime) -> bool:
    """Whether this replica is the first to come for what was due at that moment.

    Raises UserError (exit code 75) where others hold the store's lock for too long.
    """
    moment = int(due.timestamp())
    with only_one(engine, f"turn-{job}", wait_seconds=_WAIT_SECONDS):
        _TABLES.create_all(engine)
        with engine.begin() as connection:
            taken = connection.scalar(select(_TURNS.c.due).where(_TURNS.c.job == job))
            if taken is not None and taken >= moment:
                return False
            connection.execute(delete(_TURNS).where(_TURNS.c.job == job))
            connection.execute(insert(_TURNS).values(job=job, due=moment))
    return True
