"""Leader election: one of several replicas runs a job that is due on all of them."""

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Column, Engine, MetaData, String, Table, delete, insert, select

from runtime.database.lock import only_one

_WAIT_SECONDS = 30
# By how much replicas' clocks differ at most. A lease from further ahead was taken by a clock that
# was wrong, and would keep the job from running, a backup for one, until that time comes.
_APART = timedelta(hours=1)

_TABLES = MetaData()
_LEASES = Table(
    # The table's name since 0.1; stores that are up have it.
    "trackstack_turns",
    _TABLES,
    Column("job", String(20), primary_key=True),
    # Seconds since 1970.
    Column("due", BigInteger, nullable=False),
)


def acquire(engine: Engine, job: str, due: datetime, now: datetime) -> bool:
    """Whether this replica is the first to ask for a job's run that is due at that moment.

    A lease that lies far ahead of ``now`` counts for nothing.

    Raises UserError (exit code 75) where others hold the store's lock for too long.
    """
    moment, latest = int(due.timestamp()), (now + _APART).timestamp()
    with only_one(engine, f"lease-{job}", wait_seconds=_WAIT_SECONDS):
        _TABLES.create_all(engine)
        with engine.begin() as connection:
            taken = connection.scalar(select(_LEASES.c.due).where(_LEASES.c.job == job))
            if taken is not None and moment <= taken <= latest:
                return False
            connection.execute(delete(_LEASES).where(_LEASES.c.job == job))
            connection.execute(insert(_LEASES).values(job=job, due=moment))
    return True
