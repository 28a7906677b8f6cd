"""Sessions that somebody has signed out of: a copy of their cookie is worth nothing any more."""

from datetime import datetime

from sqlalchemy import Column, DateTime, Engine, MetaData, String, Table, insert, select
from sqlalchemy.exc import IntegrityError

from runtime.database.own_tables import rows_of
from runtime.tokens.store import utc_now

# No part of a backup: a session lasts for hours.
_TABLES = MetaData()
_ENDED = Table(
    "trackstack_ended_sessions",
    _TABLES,
    Column("id", String(32), primary_key=True),
    Column("until", DateTime, nullable=False),
)


class EndedSessions:
    """They stay in the backend database until they would have ended of themselves."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def end(self, session: str, until: datetime) -> None:
        """End the session of this id, which is valid until ``until`` (UTC)."""
        _TABLES.create_all(self._engine)
        try:
            with self._engine.begin() as connection:
                connection.execute(_ENDED.delete().where(_ENDED.c.until < utc_now()))
                connection.execute(insert(_ENDED).values(id=session, until=until))
        except IntegrityError:
            # It was ended twice.
            return

    def list(self) -> frozenset[str]:
        """The ids of all that were ended before their time."""
        ended = select(_ENDED.c.id).where(_ENDED.c.until >= utc_now())
        return frozenset(row.id for row in rows_of(self._engine, _ENDED, ended))
