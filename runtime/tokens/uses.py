"""When each token was last used, to the hour: which one can be revoked is seen there."""

import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Column, DateTime, Engine, MetaData, String, Table, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from runtime.tokens.store import utc_now

# Seconds after which a worker notes a token's use anew.
_EVERY = 3600.0
# No part of a backup: what was used elsewhere says nothing here.
_TABLES = MetaData()
_USES = Table(
    "trackstack_token_uses",
    _TABLES,
    Column("name", String(64), primary_key=True),
    Column("used", DateTime, nullable=False),
)


class TokenUses:
    """The uses in the backend database, as one worker notes them."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._clock = engine, clock
        self._noted: dict[str, float] = {}

    def is_due(self, name: str) -> bool:
        """Whether a use of token ``name`` now is to be written; True once an hour."""
        now = self._clock()
        if now - self._noted.get(name, float("-inf")) < _EVERY:
            return False
        self._noted[name] = now
        return True

    def write(self, name: str) -> None:
        """Note a use now. Where the database does not take it, it stays unknown."""
        try:
            _TABLES.create_all(self._engine)
            change = update(_USES).where(_USES.c.name == name).values(used=utc_now())
            with self._engine.begin() as connection:
                if not connection.execute(change).rowcount:
                    connection.execute(insert(_USES).values(name=name, used=utc_now()))
        except IntegrityError:
            # Another worker was first.
            return
        except SQLAlchemyError:
            self._noted.pop(name, None)

    def list(self) -> dict[str, datetime]:
        """The last use of each token, by its name; UTC."""
        with self._engine.connect() as connection:
            if not self._engine.dialect.has_table(connection, _USES.name):
                return {}
            return {row.name: row.used for row in connection.execute(select(_USES))}

    def forget(self, name: str) -> None:
        """A token of this name that is made later was not used yet."""
        with self._engine.begin() as connection:
            if self._engine.dialect.has_table(connection, _USES.name):
                connection.execute(_USES.delete().where(_USES.c.name == name))
