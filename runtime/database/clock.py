"""The time of a store: the earlier of this machine's and the database's."""

import time
from datetime import datetime, timezone

from sqlalchemy import Engine, text

# SQLite's is that of this machine. In milliseconds since 1970, whatever the session's time zone.
_DATABASE_CLOCK = {
    "postgresql": "SELECT extract(epoch FROM clock_timestamp()) * 1000",
    "mysql": "SELECT timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) / 1000",
}


def now_of(engine: Engine) -> int:
    """Now, in ms since 1970: by this machine's clock or the database's, whichever is behind.

    A clock that is ahead would make what was used or deleted a minute ago old enough.
    """
    now = int(time.time() * 1000)
    query = _DATABASE_CLOCK.get(engine.dialect.name)
    if query is None:
        return now
    with engine.connect() as connection:
        return min(now, int(connection.execute(text(query)).scalar_one()))


def moment(ms: int) -> datetime:
    """A time that a store has, in ms since 1970, in UTC."""
    return datetime.fromtimestamp(ms / 1000, timezone.utc)
