"""Named bearer tokens, in the backend database.

A token is 256 random bits. Stored is its SHA-256 alone: a slow password hash defends guessable
secrets, and there is nothing to guess in 256 bits, so that a fast one costs no security and
keeps the check out of every request's way.
"""

import hashlib
import secrets
from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import IntEnum

from sqlalchemy import Column, DateTime, Engine, MetaData, String, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from runtime.database.own_tables import rows_of
from runtime.errors import UserError

STACK_TOKEN, JOB_TOKEN, RUNNER_TOKEN = "stack", "jobs", "mlflow-jobs"
# Of tokens that are in no table.
RESERVED = frozenset({STACK_TOKEN, JOB_TOKEN, RUNNER_TOKEN})
# A disabled token's end lies so much before its own, in the past: whichever version of Trackstack
# reads it, it is valid nowhere. Without an end of its own it is this one.
_LONG_AGO = timedelta(days=365250)
_DISABLED_BEFORE, _NO_END = datetime(2000, 1, 1), datetime(1000, 1, 1)

# What Trackstack itself keeps in the backend database.
TABLES = MetaData()
_TOKENS = Table(
    "trackstack_tokens",
    TABLES,
    Column("name", String(64), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("role", String(8), nullable=False),
    Column("created", DateTime, nullable=False),
    Column("expires", DateTime),
)


class Role(IntEnum):
    """What a token may do; each role may also do what the ones before it may."""

    READ = 1
    WRITE = 2
    ADMIN = 3

    @classmethod
    def named(cls, name: str) -> "Role":
        return cls[name.upper()]


@dataclass(frozen=True)
class Owner:
    """Whose a token of one's own is: a person, or the holder of another token."""

    name: str
    role: Role
    proof: str = ""
    """What the other token's hash begins with; none for a person."""

    @property
    def key(self) -> str:
        """Tells owners apart in every database, also where it takes A for a; 64 characters."""
        return hash_of(f"{'token' if self.proof else 'person'}:{self.name}")


@dataclass(frozen=True)
class Token:
    """A token without its value."""

    name: str
    hash: str
    role: Role
    created: datetime | None = None
    expires: datetime | None = None
    is_disabled: bool = False
    id: str = ""
    owner: Owner | None = None
    """Of a token of one's own, as `id` is; none for those that the stack or a command made."""

    @property
    def proof(self) -> str:
        """What a session of its holder is bound to: another value is another token."""
        return self.hash[:16]

    @property
    def use_key(self) -> str:
        """What its uses are noted under; at most 64 characters."""
        return f"~{self.id}" if self.id else self.name

    def is_valid(self, now: datetime) -> bool:
        return not self.is_disabled and (self.expires is None or now < self.expires)


def hash_of(token: str) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()


def generate() -> str:
    """A new token: 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def utc_now() -> datetime:
    # Naive UTC: SQLite and MySQL keep no time zone.
    return datetime.now(timezone.utc).replace(tzinfo=None)


def _end_of(lifetime: timedelta | None, now: datetime) -> datetime | None:
    """When a token made ``now`` expires; raises UserError for a time that means nothing."""
    if lifetime is None:
        return None
    if lifetime <= timedelta(0):
        raise UserError("--expires: a token that is valid for no time is of no use", 2)
    try:
        return now + lifetime
    except OverflowError:
        raise UserError(
            "--expires: that is later than the year 9999; leave it out for a token without end", 2
        ) from None


def _disabled(expires: datetime | None) -> datetime:
    return _NO_END if expires is None else expires - _LONG_AGO


def _token(name: str, hash_: str, role: str, created: datetime, end: datetime | None) -> Token:
    """A row of the table."""
    is_disabled = end is not None and end < _DISABLED_BEFORE
    if end is not None and is_disabled:
        end = None if end == _NO_END else end + _LONG_AGO
    return Token(name, hash_, Role.named(role), created, end, is_disabled)


class TokenTable:
    """The named tokens in the backend database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self) -> None:
        """Make the table where it is missing."""
        TABLES.create_all(self._engine)

    def list(self) -> list[Token]:
        """All named tokens, by name; none where the table was never made."""
        rows = rows_of(self._engine, _TOKENS, select(_TOKENS).order_by(_TOKENS.c.name))
        return [_token(r.name, r.hash, r.role, r.created, r.expires) for r in rows]

    def valid(self) -> frozenset[Token]:
        """The named tokens that are valid now."""
        now = utc_now()
        return frozenset(token for token in self.list() if token.is_valid(now))

    def add(self, name: str, role: Role, lifetime: timedelta | None) -> str:
        """Make a token, valid for ``lifetime`` (None: for ever), and return its value.

        The value is kept nowhere. Raises UserError where the name is taken.
        """
        if name in RESERVED:
            raise UserError(
                f"{name!r} is the name of a token that the stack itself has: choose another", 2
            )
        token, now = generate(), utc_now()
        expires = _end_of(lifetime, now)
        self.create()
        values = {
            "name": name,
            "hash": hash_of(token),
            "role": role.name.lower(),
            "created": now,
            "expires": expires,
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(_TOKENS).values(values))
        except IntegrityError:
            raise UserError(
                f"there is a token {name!r} already; `trackstack token rotate {name}` renews it", 2
            ) from None
        return token

    def revoke(self, name: str) -> None:
        """Delete a token; raises UserError where there is none of that name."""
        self.create()
        with self._engine.begin() as connection:
            done = connection.execute(_TOKENS.delete().where(_TOKENS.c.name == name))
        self._found(name, done.rowcount)

    def disable(self, kept: Set[Token]) -> int:
        """Disable all tokens but those ``kept``; returns how many are disabled now.

        As after a restore: it may have brought back what was revoked since.
        """
        hashes = {token.hash for token in kept}
        tokens = [token for token in self.list() if token.hash not in hashes]
        with self._engine.begin() as connection:
            for token in tokens:
                this = _TOKENS.c.name == token.name
                end = _disabled(token.expires)
                connection.execute(update(_TOKENS).where(this).values(expires=end))
        return len(tokens)

    def enable(self, name: str) -> None:
        """Make a disabled token valid until its end; raises UserError where there is none."""
        found = [token for token in self.list() if token.name == name]
        self._found(name, len(found))
        with self._engine.begin() as connection:
            change = update(_TOKENS).where(_TOKENS.c.name == name)
            connection.execute(change.values(expires=found[0].expires))

    def rotate(self, name: str) -> str:
        """Replace a token's value, at once; raises UserError where there is none.

        A disabled one is enabled: the old value is dead, and only the caller gets the new one.
        """
        self.create()
        token = generate()
        change = update(_TOKENS).where(_TOKENS.c.name == name)
        with self._engine.begin() as connection:
            done = connection.execute(change.values(hash=hash_of(token), created=utc_now()))
        self._found(name, done.rowcount)
        self.enable(name)
        return token

    @staticmethod
    def _found(name: str, rows: int) -> None:
        if not rows:
            raise UserError(f"there is no token {name!r}; see `trackstack token list`", 2)
