"""Tokens by request: everybody's own, and for admins everybody's and the shared ones.

What `trackstack token` does beside the store can so be done wherever the server answers.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine

from runtime import duration
from runtime.access.people.asking import Asking
from runtime.errors import UserError
from runtime.tokens.known import TokenSet
from runtime.tokens.listing import told
from runtime.tokens.makers import TokenMakers
from runtime.tokens.own import OwnTokens
from runtime.tokens.store import JOB_TOKEN, STACK_TOKEN, Role, TokenTable
from runtime.tokens.uses import TokenUses

_NO_SHARED = (
    "only admins make and change shared tokens, signed in as themselves, or with a shared token or "
    "the stack's: a token of one's own makes nothing that outlives it"
)


class RefusedError(Exception):
    """What the caller's role or way of asking does not allow; the reason is the message."""


class Tokens:
    """What a caller may do with tokens. Asks the database, so not for an event loop.

    Each method raises `RefusedError`, or UserError where the request itself is wrong.
    """

    def __init__(self, known: TokenSet, own: OwnTokens, engine: Engine) -> None:
        self._known, self._own, self._shared = known, own, TokenTable(engine)
        self._uses, self._makers = TokenUses(engine), TokenMakers(engine)

    @property
    def max_days(self) -> int | None:
        """Days that a token of one's own may be valid; None for any."""
        return self._own.limits.max_days

    def list(self, asking: Asking, *, all_of_them: bool = False) -> list[dict[str, Any]]:
        """The caller's own; everybody's and the shared ones with ``all_of_them``, for admins."""
        if all_of_them and not asking.is_admin:
            raise RefusedError("only admins see everybody's tokens")
        shared, uses = self._known.shared(), self._uses.list()
        own = self._own.list(shared)
        if all_of_them:
            mounted = (STACK_TOKEN, JOB_TOKEN)
            tokens = [*(t for t in shared if t.name not in mounted), *own]
        else:
            key = asking.owner.key
            tokens = [t for t in own if t.owner and t.owner.key == key]
        return told(tokens, uses, self._makers.list())

    def add(self, asking: Asking, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Make a token of the caller's own, or with ``shared`` true one that is nobody's.

        The value is in the answer, and kept nowhere.
        """
        name, lifetime = _text(wanted, "name"), _age(wanted)
        if wanted.get("shared"):
            if not asking.makes_shared:
                raise RefusedError(_NO_SHARED)
            if not (0 < len(name) <= 64 and name.isprintable()):
                raise UserError("a token's name has 1 to 64 printable characters", 2)
            role = _role(wanted, Role.WRITE)
            value = self._shared.add(name, role, lifetime)
            self._makers.note(name, asking.owner.name)
            self._known.forget()
            return {"name": name, "role": role.name.lower(), "token": value}
        if not asking.makes_own:
            raise RefusedError(
                "a token makes no token of one's own: sign in at /trackstack/account, or by "
                "`trackstack login`"
            )
        owner = asking.owner
        role = _role(wanted, min(Role.WRITE, owner.role))
        value = self._own.add(owner, name, role, lifetime)
        self._known.forget()
        [made] = [t for t in self.list(asking) if t["name"] == name]
        return {**made, "token": value}

    def revoke(self, asking: Asking, token_id: str, shared: str) -> None:
        """End the token of this id, or for admins the shared one of this name."""
        if shared:
            if not asking.is_admin:
                raise RefusedError("only admins end shared tokens")
            self._shared.revoke(shared)
            self._uses.forget(shared)
            self._makers.forget(shared)
        else:
            self._own.revoke(token_id, None if asking.is_admin else asking.owner)
            self._uses.forget(f"~{token_id}")
        self._known.forget()

    def change(self, asking: Asking, shared: str, action: str) -> dict[str, Any]:
        """For admins: give a shared token another value (``rotate``), or ``enable`` it."""
        if not asking.makes_shared:
            raise RefusedError(_NO_SHARED)
        if action == "rotate":
            answer = {"name": shared, "token": self._shared.rotate(shared)}
            self._makers.note(shared, asking.owner.name)
        elif action == "enable":
            self._shared.enable(shared)
            answer = {"name": shared}
        else:
            raise UserError("action: is rotate or enable", 2)
        self._known.forget()
        return answer


def _text(wanted: Mapping[str, Any], field: str) -> str:
    value = wanted.get(field)
    if not isinstance(value, str):
        raise UserError(f"{field}: is missing, or no text", 2)
    return value


def _role(wanted: Mapping[str, Any], default: Role) -> Role:
    given = wanted.get("role") or default.name.lower()
    try:
        return Role.named(str(given))
    except KeyError:
        raise UserError(f"role: is read, write or admin, not {str(given)[:64]!r}", 2) from None


def _age(wanted: Mapping[str, Any]) -> timedelta | None:
    given = wanted.get("expires")
    if given is None or given == "":
        return None
    try:
        return duration.parse_age(str(given)[:64])
    except ValueError as error:
        raise UserError(f"expires: {error}", 2) from None
