"""Routes of Trackstack's own: Starlette's Router, with a stricter match than its Route's."""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Match, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.exchange import exchange_of


class Own(BaseRoute):
    """Answers a path, or where it ends in "/" all below it, with ``app``.

    Another spelling or method is no match, where Starlette would redirect, or answer 405: it goes
    on to the next check, so that it tells nothing to who may not know.
    """

    def __init__(self, path: str, app: ASGIApp, *methods: str) -> None:
        """Without ``methods``, any."""
        self._path, self._app, self._methods = path, app, methods

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        exchange = exchange_of(scope)
        path, own = exchange.path, self._path
        is_here = path.startswith(own) if own.endswith("/") else path == own
        is_method = not self._methods or exchange.method in self._methods
        is_match = is_here and is_method and scope["type"] == "http"
        return (Match.FULL if is_match else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def own_routes(app: ASGIApp, routes: Sequence[Own]) -> ASGIApp:
    """The layer: one of ``routes`` where it matches, else ``app``."""
    return Router(routes, default=app, redirect_slashes=False)
