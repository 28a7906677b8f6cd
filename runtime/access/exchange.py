"""One request and its outcome: what the layers of the access check hand to each other."""

import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

from starlette.types import Scope

from runtime.access.credentials import Person, header
from runtime.tokens.store import Token

# Where it lies in the ASGI scope.
KEY = "trackstack"
# What stands for a method where there is none.
WEBSOCKET = "WEBSOCKET"
# Characters of a path, and of a method, that the audit log takes.
_LONGEST_PATH, _LONGEST_METHOD = 512, 32
_REQUEST_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


@dataclass(slots=True)
class Exchange:
    """One request, and what the layers that it came through have found."""

    method: str
    path: str
    """Decoded, without the path prefix: what every decision is made by."""
    address: str
    id: str
    began: float
    """Seconds of the monotonic clock."""
    caller: Token | Person | None = None
    """Who asks: set by authentication, and by a sign-in for whom it lets in."""
    turned_away: str | None = None
    """Whom the issuer knows, but who may not sign in."""
    is_let_in: bool = False
    """Set by authorisation: the caller's role allows this."""
    reads: bool = False
    """Set by authorisation: it may change nothing, whoever asks for it."""
    status: int = 0
    """The answer's, once it has begun."""

    @classmethod
    def of(cls, scope: Scope) -> "Exchange":
        """What is known of a request (HTTP or websocket) when it comes."""
        given = header(scope["headers"], b"x-request-id")
        client = scope.get("client")
        return cls(
            method=scope["method"] if scope["type"] == "http" else WEBSOCKET,
            path=str(scope["path"]),
            address=str(client[0]) if client else "",
            id=given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8),
            began=time.monotonic(),
        )

    def known_caller(self) -> Token | Person:
        """Who asks; raises LookupError where authentication did not come first."""
        if self.caller is None:
            raise LookupError("nobody was found to be asking")
        return self.caller

    def entry(self) -> dict[str, Any]:
        """What the audit log says of it."""
        return {
            "who": self.caller.name if self.caller else self.turned_away,
            "role": self.caller.role.name.lower() if self.caller else None,
            "method": self.method[:_LONGEST_METHOD],
            "path": self.path[:_LONGEST_PATH],
            "status": self.status,
            "client": self.address,
            "request": self.id,
        }


def exchange_of(scope: Scope) -> Exchange:
    """The exchange in a scope; raises KeyError where the request did not come by the entrance."""
    return scope[KEY]
