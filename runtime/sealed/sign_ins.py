"""The issuer's refresh tokens: by them it is asked whether a person still has their rights.

One for each person, encrypted under a key made of the stack's own. No part of a backup: each is
good once, and a restored store would have used ones.
"""

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from runtime.database.own_tables import rows_of
from runtime.sealed.keys import derived_key, own_keys
from runtime.settings import RuntimeSettings

_PURPOSE = b"trackstack refresh tokens"
# Who has no token of their own by then made none while they were signed in.
_UNUSED = timedelta(days=2)
_TABLES = MetaData()
_KEPT = Table(
    "trackstack_refresh_tokens",
    _TABLES,
    # As whose owner a person's tokens are: see `tokens.store.Owner`.
    Column("key", String(64), primary_key=True),
    Column("sealed", Text, nullable=False),
    # Tells one from the one in its place in every database: a text's digest.
    Column("mark", String(64), nullable=False),
    Column("asked", DateTime, nullable=False),
)


@dataclass(frozen=True)
class SignedIn:
    """A person as they signed in last, and the refresh token that they were given."""

    name: str
    issuer: str
    subject: str
    refresh_token: str

    @property
    def issuer_s_own(self) -> str:
        """Who they are, whatever their name is."""
        return f"{self.issuer} {self.subject}"


@dataclass(frozen=True)
class Claimed:
    """A refresh token that is this worker's to use now."""

    key: str
    mark: str
    signed_in: SignedIn


def is_kept(settings: RuntimeSettings) -> bool:
    """Whether there is a key to keep refresh tokens under."""
    return bool(own_keys(settings))


def forget(engine: Engine, key: str) -> None:
    """Forget the refresh token of the person of this owner's key."""
    with engine.begin() as connection:
        if engine.dialect.has_table(connection, _KEPT.name):
            connection.execute(delete(_KEPT).where(_KEPT.c.key == key))


class RefreshTokens:
    """The table; times are UTC, naive."""

    def __init__(self, engine: Engine, settings: RuntimeSettings) -> None:
        self._engine = engine
        keys = [derived_key(key, _PURPOSE) for key in own_keys(settings)]
        self._ring = MultiFernet([Fernet(key) for key in keys])

    def keep(self, key: str, signed_in: SignedIn, now: datetime) -> None:
        """Keep that of a sign-in, in the place of the one before."""
        row = {"key": key, "asked": now, **self._sealed(signed_in)}
        _TABLES.create_all(self._engine)
        # Who signs in twice at once keeps either.
        with suppress(IntegrityError), self._engine.begin() as connection:
            connection.execute(delete(_KEPT).where(_KEPT.c.key == key))
            connection.execute(insert(_KEPT).values(row))

    def due(self, holders: Collection[str], now: datetime, every: timedelta) -> Sequence[str]:
        """The keys of those ``holders`` who were last asked for longer than ``every`` ago."""
        wanted = select(_KEPT.c.key).where(_KEPT.c.asked <= now - every).order_by(_KEPT.c.asked)
        return [row.key for row in rows_of(self._engine, _KEPT, wanted) if row.key in holders]

    def forget_unused(self, holders: Collection[str], now: datetime) -> None:
        """Forget those of people who need none."""
        wanted = select(_KEPT.c.key).where(_KEPT.c.asked <= now - _UNUSED)
        for row in rows_of(self._engine, _KEPT, wanted):
            if row.key not in holders:
                forget(self._engine, row.key)

    def claim(self, key: str, now: datetime, every: timedelta) -> Claimed | None:
        """Take one to use it; None where another worker did, or it cannot be read any more.

        A refresh token is good once: used twice, the issuer takes it for stolen.
        """
        with self._engine.begin() as connection:
            is_due = (_KEPT.c.key == key) & (_KEPT.c.asked <= now - every)
            if not connection.execute(update(_KEPT).where(is_due).values(asked=now)).rowcount:
                return None
            row = connection.execute(select(_KEPT).where(_KEPT.c.key == key)).one()
        try:
            text = self._ring.decrypt(row.sealed)
        except InvalidToken:
            # Of a key that is no more: the person signs in again.
            forget(self._engine, key)
            return None
        return Claimed(key, row.mark, SignedIn(**json.loads(text)))

    def replace(self, claimed: Claimed, signed_in: SignedIn) -> bool:
        """Keep the next one; False where its person signed in, or was removed, meanwhile."""
        change = update(_KEPT).where(_KEPT.c.key == claimed.key, _KEPT.c.mark == claimed.mark)
        with self._engine.begin() as connection:
            return bool(connection.execute(change.values(self._sealed(signed_in))).rowcount)

    def drop(self, claimed: Claimed) -> bool:
        """Forget one that was refused; False as above."""
        gone = delete(_KEPT).where(_KEPT.c.key == claimed.key, _KEPT.c.mark == claimed.mark)
        with self._engine.begin() as connection:
            return bool(connection.execute(gone).rowcount)

    def _sealed(self, signed_in: SignedIn) -> dict[str, str]:
        sealed = self._ring.encrypt(json.dumps(asdict(signed_in)).encode()).decode()
        return {"sealed": sealed, "mark": sha256(sealed.encode()).hexdigest()}
