"""The tokens that a worker knows: the stack's own from its mounted secret, and the named ones."""

import asyncio
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from runtime.settings import RuntimeSettings, variable
from runtime.tokens.ended import EndedSessions
from runtime.tokens.own import OwnTokens
from runtime.tokens.people import Known
from runtime.tokens.store import (
    JOB_TOKEN,
    RESERVED,
    RUNNER_TOKEN,
    STACK_TOKEN,
    Owner,
    Role,
    Token,
    TokenTable,
    hash_of,
    utc_now,
)
from runtime.tokens.uses import TokenUses

# Seconds: a snapshot older than the first is renewed beside the request, older than the second
# before it. Adding and revoking are thus effective within 5 s in every worker and replica.
_RENEW_AFTER, _RENEW_BEFORE = 2.0, 4.0
# Seconds: a token that is not known may be a new one, so that a snapshot older than this is renewed
# before it is refused. Guesses so cost the database no more than a few reads a second.
_RENEW_FOR_UNKNOWN = 0.25


@dataclass(frozen=True)
class _Mounted:
    """A value, or a file with one token a line (two while it rotates)."""

    name: str
    role: Role
    value: SecretStr | None
    path: Path | None

    def read(self) -> list[Token]:
        text = self.value.get_secret_value() if self.value else ""
        if self.path:
            try:
                text = self.path.read_text()
            except OSError:
                text = ""
        return [Token(self.name, hash_of(line), self.role) for line in text.split()]


class MountedTokens:
    """The tokens that the stack gives its server: its own, and the one of its jobs."""

    def __init__(self, *mounted: _Mounted) -> None:
        self._mounted = mounted

    @classmethod
    def of(cls, settings: RuntimeSettings, file: Callable[[str], Path | None]) -> "MountedTokens":
        """From the settings; ``file`` finds the file that a secret variable is mounted from."""
        # Prune must be able to delete what it may delete, and no more.
        deletes = settings.protect_registry and settings.prune_registry
        jobs = Role.ADMIN if deletes else Role.WRITE
        return cls(
            _Mounted(
                STACK_TOKEN,
                Role.ADMIN,
                *_source(variable("tracking_token"), settings.tracking_token, file),
            ),
            _Mounted(JOB_TOKEN, jobs, *_source(variable("job_token"), settings.job_token, file)),
            _Mounted(RUNNER_TOKEN, Role.WRITE, settings.runner_token, None),
        )

    def list(self) -> list[Token]:
        """The tokens as they are now; none where a file is gone."""
        return [token for mounted in self._mounted for token in mounted.read()]


def _source(
    name: str, value: SecretStr | None, file: Callable[[str], Path | None]
) -> tuple[SecretStr | None, Path | None]:
    path = file(name)
    return (None if path else value), path


@dataclass(frozen=True)
class _Snapshot:
    """What a worker last saw."""

    shared: tuple[Token, ...] = ()
    """The stack's own, and the named ones."""
    own: Mapping[str, Token] = field(default_factory=dict[str, Token])
    """The tokens of people's own that are valid, by their hash: there may be thousands."""
    people: Mapping[str, Known] = field(default_factory=dict[str, Known])
    ended: frozenset[str] = frozenset()
    """The ids of ended sessions."""


class TokenSet:
    """All valid tokens, as this worker last saw them. Used from one event loop."""

    def __init__(self, mounted: MountedTokens, engine: Engine, own: OwnTokens) -> None:
        self._mounted, self._table, self._own = mounted, TokenTable(engine), own
        self._uses, self._ended = TokenUses(engine), EndedSessions(engine)
        self._writing: set[asyncio.Task[None]] = set()
        self._seen = _Snapshot()
        self._read_at = float("-inf")
        self._renewal: asyncio.Task[None] | None = None

    async def find(self, token: str, address: str = "") -> Token | None:
        """The token of this value, where it is valid; ``address`` is who presents it."""
        presented = hash_of(token)
        await self._keep_fresh()
        found = self._by_hash(presented)
        if found is None and time.monotonic() - self._read_at > _RENEW_FOR_UNKNOWN:
            await self._keep_fresh(_RENEW_FOR_UNKNOWN)
            found = self._by_hash(presented)
        return self._used(found, address)

    async def find_session(self, name: str, proof: str, address: str = "") -> Token | None:
        """The token that a signed-in browser named, as long as it is the same one."""
        await self._keep_fresh()
        known = [*self._seen.shared, *(t for t in self._seen.own.values() if t.name == name)]
        matching = [t for t in known if t.name == name and hmac.compare_digest(t.proof, proof)]
        return self._used(_valid(matching), address)

    async def has_ended(self, session: str) -> bool:
        """Whether somebody has signed out of the session of this id."""
        await self._keep_fresh()
        return session in self._seen.ended

    async def has_left(self, name: str, began: datetime) -> bool:
        """Whether what a person began then has ended: an admin, or the issuer, saw to it."""
        await self._keep_fresh()
        known = self._seen.people.get(Owner(name, Role.READ).key)
        return known is not None and known.has_ended(began)

    async def role_now(self, name: str, role: Role) -> Role:
        """The role of a person's session that began with ``role``: less where it sank since."""
        await self._keep_fresh()
        known = self._seen.people.get(Owner(name, Role.READ).key)
        return min(role, known.role) if known and known.role else role

    async def end(self, session: str, until: datetime) -> None:
        """End a session here at once, and elsewhere within 5 s; see `EndedSessions.end`."""
        self._seen = replace(self._seen, ended=self._seen.ended | {session})
        await asyncio.to_thread(self._ended.end, session, until)

    def shared(self) -> list[Token]:
        """All but those of people's own. Asks the database, so not for an event loop."""
        return self._mounted.list() + self._table.list()

    def forget(self) -> None:
        """Look anew at the next request: something was changed here."""
        self._read_at = float("-inf")

    def _by_hash(self, presented: str) -> Token | None:
        # No early exit: the time taken does not tell which token came close.
        matching = [t for t in self._seen.shared if hmac.compare_digest(t.hash, presented)]
        # What is looked up is the hash of what was presented: its beginning cannot be chosen.
        own = self._seen.own.get(presented)
        return _valid(matching + ([own] if own else []))

    def _used(self, found: Token | None, address: str) -> Token | None:
        """The token that was found, its use being noted beside the request."""
        if found and self._uses.is_due(found.use_key):
            write = asyncio.to_thread(self._uses.write, found.use_key, address)
            task = asyncio.create_task(write)
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        return found

    async def _keep_fresh(self, before: float = _RENEW_BEFORE) -> None:
        age = time.monotonic() - self._read_at
        if age < min(_RENEW_AFTER, before):
            return
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew())
        if age > before:
            await asyncio.shield(self._renewal)

    async def _renew(self) -> None:
        try:
            self._seen = await asyncio.to_thread(self._read)
        except SQLAlchemyError:
            # Without its database MLflow answers nothing anyway; the stack's token stays known.
            named = [token for token in self._seen.shared if token.name not in RESERVED]
            self._seen = replace(self._seen, shared=(*self._mounted.list(), *named))
        self._read_at = time.monotonic()

    def _read(self) -> _Snapshot:
        shared = (*self._mounted.list(), *self._table.list())
        people = self._own.people.list()
        valid = (token for token in self._own.list(shared, people) if not token.is_disabled)
        return _Snapshot(shared, {token.hash: token for token in valid}, people, self._ended.list())


def _valid(tokens: Sequence[Token]) -> Token | None:
    return tokens[0] if tokens and tokens[0].is_valid(utc_now()) else None
