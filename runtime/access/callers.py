"""Finds the caller of a request: the holder of a token, or a person with a session."""

from runtime.access.credentials import Headers, Person, Sessions
from runtime.database.engine import open_engine
from runtime.settings import RuntimeSettings, secret_file
from runtime.tokens.known import MountedTokens, TokenSet
from runtime.tokens.store import Token


class Callers:
    """One worker's view of them."""

    def __init__(self, settings: RuntimeSettings, sessions: Sessions) -> None:
        self._settings, self._sessions = settings, sessions
        self._mounted = MountedTokens.of(settings, secret_file)
        # Made in the worker, not before the fork: database connections must not be shared.
        self._tokens: TokenSet | None = None

    async def by_token(self, value: str) -> Token | None:
        """The token of this value, where it is valid."""
        return await self._set().find(value)

    async def by_session(self, headers: Headers) -> Token | Person | None:
        """The person or token that a session cookie names, while it is still valid."""
        for session in self._sessions.read(headers):
            if await self._set().has_ended(session.id):
                continue
            if isinstance(session.holder, Person):
                return session.holder
            if found := await self._set().find_session(*session.holder):
                return found
        return None

    async def end_session(self, headers: Headers) -> None:
        """Have the sessions of a request's cookies be valid nowhere any more."""
        for session in self._sessions.read(headers):
            await self._set().end(session.id, session.until)

    def _set(self) -> TokenSet:
        if self._tokens is None:
            self._tokens = TokenSet(self._mounted, open_engine(self._settings))
        return self._tokens
