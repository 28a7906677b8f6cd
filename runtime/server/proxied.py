"""Who asks where a proxy stands before the server: X-Forwarded-For from a proxy that is known."""

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

Headers = Iterable[tuple[bytes, bytes]]

_NAME = b"x-forwarded-for"
# Whoever connects: where nobody but the proxy can.
_ANYBODY = "*"


def behind(app: ASGIApp, proxies: str) -> ASGIApp:
    """``app`` as the ``proxies`` (addresses and networks, or ``*``) say who asks; "" for none."""
    if not proxies:
        return app
    told = ProxyHeadersMiddleware(app, proxies)  # type: ignore[arg-type]
    return _LastHop(told) if proxies.strip() == _ANYBODY else told  # type: ignore[arg-type,return-value]


class _LastHop:
    """Believes the proxy alone: the address that it added, not what a caller sent before."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "headers" in scope:
            scope = {**scope, "headers": last_hop(scope["headers"])}
        await self._app(scope, receive, send)


def last_hop(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers with the last address of X-Forwarded-For alone. Pure."""
    headers = list(headers)
    given = [value for name, value in headers if name == _NAME]
    others = [pair for pair in headers if pair[0] != _NAME]
    last = given[-1].split(b",")[-1].strip() if given else b""
    return [*others, (_NAME, last)] if last else others
