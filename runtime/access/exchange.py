"""One request and what became of it."""

import re
import secrets
import time
from typing import Any

from starlette.types import Scope

from runtime.access.credentials import Person, header
from runtime.tokens.store import Token

_REQUEST_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


class Exchange:
    """One request and what became of it."""

    def __init__(self, scope: Scope, path: str) -> None:
        self.scope, self.path = scope, path
        self.method: str = scope["method"]
        self.caller: Token | Person | None = None
        self.status, self.began = 0, time.monotonic()
        given = header(scope["headers"], b"x-request-id")
        self.id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        # Where the sign-in by OpenID Connect says whom it let in.
        scope.setdefault("state", {})

    @property
    def address(self) -> str:
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    def entry(self) -> dict[str, Any]:
        """What the audit log says of it."""
        state: dict[str, Any] = self.scope["state"]
        caller: Token | Person | None = self.caller or state.get("signed_in")
        return {
            "who": caller.name if caller else state.get("turned_away"),
            "role": caller.role.name.lower() if caller else None,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "client": self.address,
            "request": self.id,
        }
