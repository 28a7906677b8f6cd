"""The tokens that a worker knows: the stack's own from its mounted secret, and the named ones."""

import asyncio
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from runtime.settings import RuntimeSettings, variable
from runtime.tokens.ended import EndedSessions
from runtime.tokens.store import (
    JOB_TOKEN,
    RESERVED,
    RUNNER_TOKEN,
    STACK_TOKEN,
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


class TokenSet:
    """All valid tokens, as this worker last saw them. Used from one event loop."""

    def __init__(self, mounted: MountedTokens, engine: Engine) -> None:
        self._mounted, self._table = mounted, TokenTable(engine)
        self._uses, self._ended = TokenUses(engine), EndedSessions(engine)
        self._ended_ids: frozenset[str] = frozenset()
        self._writing: set[asyncio.Task[None]] = set()
        self._tokens: list[Token] = []
        self._read_at = float("-inf")
        self._renewal: asyncio.Task[None] | None = None

    async def find(self, token: str) -> Token | None:
        """The token of this value, where it is valid."""
        presented = hash_of(token)
        await self._keep_fresh()
        return self._used(lambda known: hmac.compare_digest(known.hash, presented))

    async def find_session(self, name: str, proof: str) -> Token | None:
        """The token that a signed-in browser named, as long as it is the same one."""
        await self._keep_fresh()
        return self._used(
            lambda known: known.name == name and hmac.compare_digest(known.hash[:16], proof)
        )

    async def has_ended(self, session: str) -> bool:
        """Whether somebody has signed out of the session of this id."""
        await self._keep_fresh()
        return session in self._ended_ids

    async def end(self, session: str, until: datetime) -> None:
        """End a session here at once, and elsewhere within 5 s; see `EndedSessions.end`."""
        self._ended_ids |= {session}
        await asyncio.to_thread(self._ended.end, session, until)

    def _used(self, matches: Callable[[Token], bool]) -> Token | None:
        """The token that matches, its use being noted beside the request."""
        found = self._match(matches)
        if found and self._uses.is_due(found.name):
            task = asyncio.create_task(asyncio.to_thread(self._uses.write, found.name))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        return found

    def _match(self, matches: Callable[[Token], bool]) -> Token | None:
        now = utc_now()
        # No early exit: the time taken does not tell which token came close.
        found = [known for known in self._tokens if matches(known)]
        return found[0] if found and found[0].is_valid(now) else None

    async def _keep_fresh(self) -> None:
        age = time.monotonic() - self._read_at
        if age < _RENEW_AFTER:
            return
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew())
        if age > _RENEW_BEFORE:
            await asyncio.shield(self._renewal)

    async def _renew(self) -> None:
        try:
            named = await asyncio.to_thread(self._table.list)
            self._ended_ids = await asyncio.to_thread(self._ended.list)
        except SQLAlchemyError:
            # Without its database MLflow answers nothing anyway; the stack's token stays known.
            named = [token for token in self._tokens if token.name not in RESERVED]
        self._tokens = self._mounted.list() + named
        self._read_at = time.monotonic()
