"""The people whom the issuer has named: with which role, when last, and whom an admin removed.

What somebody makes while signed in ends with this: see `own`. No part of a backup, as a restored
store must let nobody in who was removed since.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Boolean, Column, DateTime, Engine, MetaData, String, Table, select, update
from sqlalchemy import insert as inserted
from sqlalchemy.exc import IntegrityError

from runtime.database.own_tables import rows_of
from runtime.errors import UserError
from runtime.tokens.store import Owner, Role, hash_of, utc_now

_TABLES = MetaData()
_PEOPLE = Table(
    "trackstack_people",
    _TABLES,
    Column("key", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    # None while the issuer gives no right to enter.
    Column("role", String(8)),
    Column("signed_in", DateTime),
    # What began before it has ended: sessions, and tokens.
    Column("ended", DateTime),
    Column("removed", Boolean, nullable=False, default=False),
)
# As whom somebody signed in last, by the issuer's own id for them.
_SUBJECTS = Table(
    "trackstack_subjects",
    _TABLES,
    Column("subject", String(64), primary_key=True),
    Column("key", String(64), nullable=False),
)


@dataclass(frozen=True)
class Known:
    """A person as the store knows them; times in UTC."""

    name: str
    role: Role | None
    signed_in: datetime | None
    ended: datetime | None
    is_removed: bool

    def has_ended(self, began: datetime) -> bool:
        """Whether what this person began then is over."""
        return self.is_removed or (self.ended is not None and began <= self.ended)


class People:
    """The people in the backend database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self) -> Mapping[str, Known]:
        """All who ever signed in, by their owner's key."""
        rows = rows_of(self._engine, _PEOPLE, select(_PEOPLE).order_by(_PEOPLE.c.name))
        return {
            row.key: Known(
                row.name,
                Role.named(row.role) if row.role else None,
                row.signed_in,
                row.ended,
                bool(row.removed),
            )
            for row in rows
        }

    def sign_in(self, name: str, role: Role | None, subject: str = "") -> bool:
        """Note what the issuer says of a person now; returns whether they may enter.

        With no role all that they began ends. ``subject`` is the issuer's own id for them: who was
        removed stays so under another address.
        """
        now, key = utc_now(), _key(name)
        people, last = self.list(), self._last_key(subject)
        known, before = people.get(key), people.get(last) if last else None
        if (known is None and role is None) or (before and before.is_removed):
            return False
        seen = {"signed_in": now} if role else {"ended": now}
        self._write(name, role=role.name.lower() if role else None, **seen)
        if role is None or (known and known.is_removed):
            return False
        if subject and last != key:
            self._bind(subject, key)
        return True

    def remove(self, name: str) -> None:
        """End all that a person began, and let them in no more, whatever the issuer says."""
        self._write(name, ended=utc_now(), removed=True)

    def let_in(self, name: str) -> None:
        """Take a removal back; raises UserError where there is none."""
        known = self.list().get(_key(name))
        if known is None or not known.is_removed:
            raise UserError(f"{name!r} is not removed", 2)
        self._write(name, removed=False)

    def _last_key(self, subject: str) -> str | None:
        with self._engine.connect() as connection:
            if not subject or not self._engine.dialect.has_table(connection, _SUBJECTS.name):
                return None
            this = _SUBJECTS.c.subject == hash_of(subject)
            return connection.execute(select(_SUBJECTS.c.key).where(this)).scalar()

    def _bind(self, subject: str, key: str) -> None:
        """Where another worker does the same now, one of them is the last."""
        row = {"subject": hash_of(subject), "key": key}
        _TABLES.create_all(self._engine)
        with suppress(IntegrityError), self._engine.begin() as connection:
            connection.execute(_SUBJECTS.delete().where(_SUBJECTS.c.subject == row["subject"]))
            connection.execute(inserted(_SUBJECTS).values(row))

    def _write(self, name: str, **values: object) -> None:
        _TABLES.create_all(self._engine)
        change = update(_PEOPLE).where(_PEOPLE.c.key == _key(name)).values(**values)
        with self._engine.begin() as connection:
            if connection.execute(change).rowcount:
                return
        try:
            with self._engine.begin() as connection:
                new = inserted(_PEOPLE).values(**{"key": _key(name), "name": name[:255], **values})
                connection.execute(new)
        except IntegrityError:
            # Another worker was first.
            with self._engine.begin() as connection:
                connection.execute(change)


def _key(name: str) -> str:
    return Owner(name, Role.READ).key
