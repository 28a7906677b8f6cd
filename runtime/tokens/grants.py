"""What a signed-in person lets a computer have: for some minutes, one token, for one code.

The computer chooses a verifier, and opens the page with the SHA-256 of it, the challenge. The
person's consent leaves a row here with the hash of a code, which goes back to that computer or is
typed there. Code and verifier together, once, give a token: who sees either alone has nothing.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    func,
    select,
    update,
)
from sqlalchemy import insert as inserted
from sqlalchemy.exc import IntegrityError

from runtime.client.server import challenge_of
from runtime.errors import UserError
from runtime.tokens.store import Owner, Role, hash_of, utc_now

# How long a consent waits to be taken, and how many wrong codes end it.
VALID = timedelta(minutes=5)
_TRIES = 5
# So many may wait at once for one owner: nobody fills the store with them.
MOST = 20
# Without those that look alike.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ23456789"
_WRONG = "the code is wrong, was used, or is older than 5 minutes: begin anew"

_TABLES = MetaData()
_GRANTS = Table(
    "trackstack_grants",
    _TABLES,
    Column("challenge", String(43), primary_key=True),
    Column("code", String(64), nullable=False),
    Column("owner", String(255), nullable=False),
    Column("proof", String(16), nullable=False),
    Column("role", String(8), nullable=False),
    Column("label", String(64), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("until", DateTime, nullable=False),
)


@dataclass(frozen=True)
class Grant:
    """Whose token a computer may have, what it will be called, and when they consented (UTC)."""

    owner: Owner
    label: str
    given: datetime


class Grants:
    """The consents in the backend database. No part of a backup: they last for minutes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def give(self, challenge: str, owner: Owner, label: str) -> str:
        """Note a consent; returns the code to hand over, as people type it.

        Raises UserError where the challenge is none, or was used, or too many wait.
        """
        if len(challenge) != 43:
            raise UserError("this link is not whole: begin anew with `trackstack login`", 2)
        code = "".join(secrets.choice(_LETTERS) for _ in range(8))
        row = {
            "challenge": challenge,
            "code": hash_of(code),
            "owner": owner.name[:255],
            "proof": owner.proof,
            "role": owner.role.name.lower(),
            "label": label[:64],
            "tries": 0,
            "until": utc_now() + VALID,
        }
        _TABLES.create_all(self._engine)
        try:
            with self._engine.begin() as connection:
                connection.execute(_GRANTS.delete().where(_GRANTS.c.until < utc_now()))
                same = (_GRANTS.c.owner == row["owner"], _GRANTS.c.proof == row["proof"])
                waiting = select(func.count()).select_from(_GRANTS).where(*same)
                if connection.execute(waiting).scalar_one() >= MOST:
                    raise UserError("too many sign-ins of yours wait: try again in 5 minutes", 2)
                connection.execute(inserted(_GRANTS).values(row))
        except IntegrityError:
            raise UserError("this link was used: begin anew with `trackstack login`", 2) from None
        return f"{code[:4]}-{code[4:]}"

    def take(self, verifier: str, code: str) -> Grant:
        """What was consented to, once; raises UserError for nothing, and for a wrong code.

        Asks nothing of the store that only the holder of the verifier could not ask.
        """
        if not verifier.isascii():
            # Not every text of JSON has bytes.
            raise UserError(_WRONG, 2)
        this = _GRANTS.c.challenge == challenge_of(verifier)
        presented = hash_of("".join(c for c in code.upper() if c.isalnum()))
        with self._engine.begin() as connection:
            if not self._engine.dialect.has_table(connection, _GRANTS.name):
                raise UserError(_WRONG, 2)
            counted = update(_GRANTS).where(this, _GRANTS.c.tries < _TRIES)
            # Counted before it is compared: codes tried side by side are all counted.
            if not connection.execute(counted.values(tries=_GRANTS.c.tries + 1)).rowcount:
                raise UserError(_WRONG, 2)
        with self._engine.begin() as connection:
            row = connection.execute(select(_GRANTS).where(this)).first()
            if (
                row is None
                or row.until < utc_now()
                or not hmac.compare_digest(row.code, presented)
                # Of two that take it at the same time one does.
                or not connection.execute(_GRANTS.delete().where(this)).rowcount
            ):
                raise UserError(_WRONG, 2)
        owner = Owner(row.owner, Role.named(row.role), row.proof)
        return Grant(owner, row.label, row.until - VALID)
