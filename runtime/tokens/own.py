"""Tokens of one's own: whoever is signed in makes them, within the role and the time they have.

Each ends with what its owner had when they made it: a person's so many days after they last signed
in, or at once where an admin removes them or the issuer gives them no role any more; another
token's holder's with that token. A role that sinks takes theirs along. No part of a backup.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    Engine,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    select,
)
from sqlalchemy import insert as inserted
from sqlalchemy.exc import IntegrityError

from runtime.database.own_tables import rows_of
from runtime.errors import UserError
from runtime.sealed import sign_ins
from runtime.tokens.people import Known, People
from runtime.tokens.store import Owner, Role, Token, generate, hash_of, utc_now

# So many of one owner's: nobody fills the store, nor slows the check.
MOST = 50
_TABLES = MetaData()
OWN = Table(
    "trackstack_own_tokens",
    _TABLES,
    Column("id", String(16), primary_key=True),
    Column("owner_key", String(64), nullable=False),
    Column("owner", String(255), nullable=False),
    Column("proof", String(16), nullable=False),
    Column("label", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("role", String(8), nullable=False),
    Column("created", DateTime, nullable=False),
    Column("expires", DateTime),
    UniqueConstraint("owner_key", "label"),
)


@dataclass(frozen=True)
class Limits:
    """How long tokens of one's own may be valid, in days; None for ever."""

    max_days: int | None
    """From when they are made."""
    sign_in_days: int | None
    """From when their owner last signed in by the issuer."""


def shown_label(token: Token) -> str:
    """What its owner called a token of their own."""
    return token.name.removeprefix(f"{token.owner.name}/") if token.owner else token.name


def effective(
    tokens: Iterable[Token], people: Mapping[str, Known], parents: Iterable[Token], limits: Limits
) -> list[Token]:
    """The tokens as they are valid now: with the end and the role that their owners leave. Pure.

    Those that count for nothing any more are disabled. ``people`` are by their owners' keys.
    """
    by_proof = {(parent.name, parent.proof): parent for parent in parents}
    return [_effective(token, people, by_proof, limits) for token in tokens]


def _effective(
    token: Token,
    people: Mapping[str, Known],
    parents: Mapping[tuple[str, str], Token],
    limits: Limits,
) -> Token:
    owner = token.owner
    if owner is None or token.created is None:
        return token
    if owner.proof:
        parent = parents.get((owner.name, owner.proof))
        if parent is None or parent.is_disabled:
            return replace(token, is_disabled=True)
        role, end = parent.role, parent.expires
    else:
        known = people.get(owner.key)
        role = known.role if known else None
        if known is None or role is None or known.has_ended(token.created):
            return replace(token, is_disabled=True)
        end = _later(known.signed_in, limits.sign_in_days)
    # The stack's own limit counts for older tokens, too.
    ends = [t for t in (token.expires, end, _later(token.created, limits.max_days)) if t]
    return replace(token, role=min(token.role, role), expires=min(ends, default=None))


def _later(since: datetime | None, days: int | None) -> datetime | None:
    return None if since is None or days is None else since + timedelta(days=days)


class OwnTokens:
    """The tokens of their own that people have, in the backend database."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine, self.limits = engine, limits
        self.people = People(engine)

    def list(
        self, parents: Iterable[Token], people: Mapping[str, Known] | None = None
    ) -> list[Token]:
        """All of them as they are valid now; ``parents`` are all other tokens.

        ``people`` are those of `People.list`, where they were read already.
        """
        known = self.people.list() if people is None else people
        return effective(self._rows(), known, parents, self.limits)

    def add(
        self,
        owner: Owner,
        label: str,
        role: Role,
        lifetime: timedelta | None,
        *,
        again: bool = False,
        since: datetime | None = None,
    ) -> str:
        """Make a token, valid for ``lifetime`` (None: as long as may be), and return its value.

        With ``again`` it takes the place of the owner's that has this label; ``since`` is when a
        person consented to it, where that is not now. Raises UserError where the label is taken or
        the owner may not have it.
        """
        if not (0 < len(label) <= 64 and label.isprintable()):
            raise UserError("a token's name has 1 to 64 printable characters", 2)
        if role > owner.role:
            raise UserError(f"your role is {owner.role.name.lower()}: a token has no more", 2)
        most = self.limits.max_days
        if lifetime is not None and lifetime <= timedelta(0):
            raise UserError("a token that is valid for no time is of no use", 2)
        if lifetime is not None and most is not None and lifetime > timedelta(days=most):
            raise UserError(f"a token of one's own is valid for at most {most} days", 2)
        now, value = utc_now(), generate()
        if not owner.proof:
            self._check_person(owner, since or now)
        try:
            end = None if lifetime is None else now + lifetime
        except OverflowError:
            raise UserError("that is later than the year 9999", 2) from None
        _TABLES.create_all(self._engine)
        self._forget(owner, OWN.c.label == label if again else OWN.c.expires < now)
        if len(self._rows(owner)) >= MOST:
            raise UserError(f"you have {MOST} tokens: revoke one that you do not need", 2)
        row = {
            "id": secrets.token_hex(8),
            "owner_key": owner.key,
            "owner": owner.name[:255],
            "proof": owner.proof,
            "label": label,
            "hash": hash_of(value),
            "role": role.name.lower(),
            "created": now,
            "expires": end,
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(inserted(OWN).values(row))
        except IntegrityError:
            raise UserError(f"you have a token {label!r} already: revoke it first", 2) from None
        return value

    def _check_person(self, owner: Owner, began: datetime) -> None:
        known = self.people.list().get(owner.key)
        # Without a row: of a session that is older than what notes people.
        if known is None or known.role is None or known.has_ended(began):
            raise UserError("sign out and in again first: this session is an old one", 2)

    def revoke(self, token_id: str, owner: Owner | None) -> None:
        """Delete a token, of ``owner`` alone where one is given.

        Raises UserError where there is none.
        """
        _TABLES.create_all(self._engine)
        gone = OWN.delete().where(OWN.c.id == token_id)
        if owner:
            gone = gone.where(OWN.c.owner_key == owner.key)
        with self._engine.begin() as connection:
            if not connection.execute(gone).rowcount:
                raise UserError("there is no such token of yours", 2)

    def remove(self, name: str) -> None:
        """Remove a person: what they made and began ends, and they are let in no more."""
        self.people.remove(name)
        _TABLES.create_all(self._engine)
        key = Owner(name, Role.READ).key
        with self._engine.begin() as connection:
            connection.execute(OWN.delete().where(OWN.c.owner_key == key))
        sign_ins.forget(self._engine, key)

    def holders(self) -> frozenset[str]:
        """The owners' keys of people who have tokens that have not ended of themselves."""
        now = utc_now()
        return frozenset(
            token.owner.key
            for token in self._rows()
            if token.owner and not token.owner.proof and token.is_valid(now)
        )

    def _forget(self, owner: Owner, which: ColumnElement[bool]) -> None:
        """Delete an owner's: their names are free again."""
        with self._engine.begin() as connection:
            connection.execute(OWN.delete().where(OWN.c.owner_key == owner.key, which))

    def _rows(self, owner: Owner | None = None) -> "list[Token]":
        wanted = select(OWN).order_by(OWN.c.owner, OWN.c.label)
        if owner:
            wanted = wanted.where(OWN.c.owner_key == owner.key)
        return [
            Token(
                f"{row.owner}/{row.label}",
                row.hash,
                Role.named(row.role),
                row.created,
                row.expires,
                id=row.id,
                owner=Owner(row.owner, Role.named(row.role), row.proof),
            )
            for row in rows_of(self._engine, OWN, wanted)
        ]
