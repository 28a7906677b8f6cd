"""Finds the caller of a request: the holder of a token, or a person with a session."""

from datetime import timedelta

from sqlalchemy import Engine

from runtime.access.credentials import SESSION_SECONDS, Headers, Person, Sessions
from runtime.database.engine import open_engine
from runtime.settings import RuntimeSettings, secret_file
from runtime.tokens.known import MountedTokens, TokenSet
from runtime.tokens.own import Limits, OwnTokens
from runtime.tokens.store import Token


class Callers:
    """One worker's view of them."""

    def __init__(self, settings: RuntimeSettings, sessions: Sessions) -> None:
        self._settings, self._sessions = settings, sessions
        self._mounted = MountedTokens.of(settings, secret_file)
        # Made in the worker, not before the fork: database connections must not be shared.
        self._tokens: TokenSet | None = None
        self._engine: Engine | None = None

    async def by_token(self, value: str, address: str = "") -> Token | None:
        """The token of this value, where it is valid; ``address`` is who presents it."""
        return await self.tokens.find(value, address)

    async def by_session(self, headers: Headers, address: str = "") -> Token | Person | None:
        """The person or token that a session cookie names, while it is still valid."""
        for session in self._sessions.read(headers):
            if await self.tokens.has_ended(session.id):
                continue
            if isinstance(session.holder, Person):
                began = session.until - timedelta(seconds=SESSION_SECONDS)
                name, role = session.holder.name, session.holder.role
                if await self.tokens.has_left(name, began):
                    continue
                return Person(name, await self.tokens.role_now(name, role))
            if found := await self.tokens.find_session(*session.holder, address):
                return found
        return None

    async def end_session(self, headers: Headers) -> None:
        """Have the sessions of a request's cookies be valid nowhere any more."""
        for session in self._sessions.read(headers):
            await self.tokens.end(session.id, session.until)

    @property
    def engine(self) -> Engine:
        """The backend database, as this worker reaches it."""
        if self._engine is None:
            self._engine = open_engine(self._settings)
        return self._engine

    @property
    def own(self) -> OwnTokens:
        """The tokens of people's own."""
        limits = Limits(self._settings.token_max_days, self._settings.token_sign_in_days)
        return OwnTokens(self.engine, limits)

    @property
    def tokens(self) -> TokenSet:
        """All that are valid."""
        if self._tokens is None:
            self._tokens = TokenSet(self._mounted, self.engine, self.own)
        return self._tokens
