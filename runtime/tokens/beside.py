"""Tokens in the store at hand: what commands do beside the server, or without it."""

from collections.abc import Mapping, Sequence
from typing import Any

from runtime import duration
from runtime.database.engine import open_briefly
from runtime.errors import UserError
from runtime.settings import RuntimeSettings, secret_file
from runtime.tokens.known import MountedTokens
from runtime.tokens.listing import time, told
from runtime.tokens.makers import TokenMakers
from runtime.tokens.own import Limits, OwnTokens
from runtime.tokens.store import Role, TokenTable
from runtime.tokens.uses import TokenUses


class StoredTokens:
    """As `ServedTokens`, by the store itself."""

    def __init__(self, settings: RuntimeSettings) -> None:
        self._settings, engine = settings, open_briefly(settings)
        limits = Limits(settings.token_max_days, settings.token_sign_in_days)
        self._shared, self._own = TokenTable(engine), OwnTokens(engine, limits)
        self._uses, self._makers = TokenUses(engine), TokenMakers(engine)

    def add(self, name: str, role: str, expires: str | None) -> str:
        if not (0 < len(name) <= 64 and name.isprintable()):
            raise UserError("a token's name has 1 to 64 printable characters", 2)
        try:
            lifetime = None if expires is None else duration.parse_age(expires)
        except ValueError as error:
            raise UserError(f"--expires: {error}", 2) from None
        return self._shared.add(name, Role.named(role), lifetime)

    def list(self) -> list[dict[str, Any]]:
        shared = self._shared.list()
        mounted = MountedTokens.of(self._settings, secret_file).list()
        tokens = [*shared, *self._own.list([*mounted, *shared])]
        return told(tokens, self._uses.list(), self._makers.list())

    def revoke(self, name: str) -> None:
        self._shared.revoke(name)
        self._uses.forget(name)
        self._makers.forget(name)

    def revoke_own(self, token_id: str) -> None:
        self._own.revoke(token_id, None)
        self._uses.forget(f"~{token_id}")

    def rotate(self, name: str) -> str:
        self._makers.forget(name)
        return self._shared.rotate(name)

    def enable(self, name: str) -> None:
        self._shared.enable(name)

    def people(self) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "name": known.name,
                "role": known.role.name.lower() if known.role else None,
                "signed_in": time(known.signed_in),
                "removed": known.is_removed,
            }
            for known in self._own.people.list().values()
        ]

    def remove(self, name: str) -> None:
        self._own.remove(name)

    def let_in(self, name: str) -> None:
        self._own.people.let_in(name)
