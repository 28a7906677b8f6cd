"""Leader election: one of several replicas runs a job that is due on all of them."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Engine, MetaData, String, Table, delete, insert, select

from runtime.database.lock import only_one

_WAIT_SECONDS = 30

_TABLES = MetaData()
_LEASES = Table(
    # The table's name since 0.1; stores that are up have it.
    "trackstack_turns",
    _TABLES,
    Column("job", String(20), primary_key=True),
    # Seconds since 1970.
    Column("due", BigInteger, nullable=False),
)


def acquire(engine: Engine, job: str, due: datetime) -> bool:
    """Whether this replica is the first to ask for a job's run that is due at that moment.

    Raises UserError (exit code 75) where others hold the store's lock for too long.
    """
    moment = int(due.timestamp())
    with only_one(engine, f"lease-{job}", wait_seconds=_WAIT_SECONDS):
        _TABLES.create_all(engine)
        with engine.begin() as connection:
            taken = connection.scalar(select(_LEASES.c.due).where(_LEASES.c.job == job))
            if taken is not None and taken >= moment:
                return False
            connection.execute(delete(_LEASES).where(_LEASES.c.job == job))
            connection.execute(insert(_LEASES).values(job=job, due=moment))
    return True
