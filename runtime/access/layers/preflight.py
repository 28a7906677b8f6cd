"""Preflights: a browser asks without a token whether a page of another origin may ask with one."""

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.credentials import header
from runtime.access.exchange import exchange_of
from runtime.access.responses import answer

_ANY = "*"
_METHODS = b"GET, POST, PUT, PATCH, DELETE"
_SECONDS = b"600"


class Preflight:
    """Answers those of ``origins``, as `https://app.example.com`; all others go on to ``app``.

    The answer tells nothing of what there is. What is asked then needs a token as ever: the session
    of a browser is of no use from there.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self._app, self._origins = app, frozenset(origin.rstrip("/") for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope["headers"]
        origin = header(headers, b"origin")
        if (
            exchange_of(scope).method == "OPTIONS"
            and header(headers, b"access-control-request-method")
            and origin
            and not self._origins.isdisjoint((origin, _ANY))
        ):
            wanted = header(headers, b"access-control-request-headers")
            allowed = [
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-allow-methods", _METHODS),
                (b"access-control-allow-headers", wanted.encode("latin-1")),
                (b"access-control-max-age", _SECONDS),
                (b"vary", b"Origin"),
            ]
            await answer(send, 204, allowed, b"")
        else:
            await self._app(scope, receive, send)
