"""When each token was last used, to the hour, and from where: so is seen which can be revoked."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Engine,
    MetaData,
    String,
    Table,
    func,
    insert,
    select,
    update,
)
from sqlalchemy import inspect as inspected
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from runtime.tokens.own import OWN
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
    # Stores of 0.1.0 lack it until a use is noted.
    Column("address", String(64)),
)


@dataclass(frozen=True)
class Use:
    """A token's last use: when (UTC), and from which address, where that is known."""

    when: datetime
    address: str | None


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

    def write(self, name: str, address: str = "") -> None:
        """Note a use now. Where the database does not take it, it stays unknown."""
        values = {"used": utc_now(), "address": address[:64] or None}
        try:
            self._make()
            change = update(_USES).where(_USES.c.name == name).values(values)
            with self._engine.begin() as connection:
                if not connection.execute(change).rowcount:
                    connection.execute(insert(_USES).values(name=name, **values))
                    self._forget_ended(connection)
        except IntegrityError:
            # Another worker was first.
            return
        except SQLAlchemyError:
            self._noted.pop(name, None)

    def _forget_ended(self, connection: Connection) -> None:
        """As many rows as tokens: those of people's own end by themselves."""
        if self._engine.dialect.has_table(connection, OWN.name):
            there = func.substr(_USES.c.name, 2).in_(select(OWN.c.id))
            connection.execute(_USES.delete().where(_USES.c.name.like("~%"), ~there))

    def _make(self) -> None:
        _TABLES.create_all(self._engine)
        if not self._has_addresses():
            with self._engine.begin() as connection:
                connection.exec_driver_sql(f"ALTER TABLE {_USES.name} ADD address VARCHAR(64)")

    def _has_addresses(self) -> bool:
        columns = inspected(self._engine).get_columns(_USES.name)
        return any(column["name"] == "address" for column in columns)

    def list(self) -> dict[str, Use]:
        """The last use of each token, by its name; of one's own by `Token.use_key`."""
        with self._engine.connect() as connection:
            if not self._engine.dialect.has_table(connection, _USES.name):
                return {}
        columns = [_USES.c.name, _USES.c.used]
        columns += [_USES.c.address] if self._has_addresses() else []
        with self._engine.connect() as connection:
            rows = connection.execute(select(*columns)).mappings()
            return {row["name"]: Use(row["used"], row.get("address")) for row in rows}

    def forget(self, name: str) -> None:
        """A token of this name that is made later was not used yet."""
        with self._engine.begin() as connection:
            if self._engine.dialect.has_table(connection, _USES.name):
                connection.execute(_USES.delete().where(_USES.c.name == name))
