"""Routes of Trackstack's own.

Not by Starlette's Router: it redirects other spellings and answers other methods with 405, before
anybody was asked for a token, and leaves itself in the scope, where MLflow's own would find it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.exchange import exchange_of


@dataclass(frozen=True)
class Own:
    """Answers exactly ``path``, or where it ends in "/" all below it, with ``app``."""

    path: str
    app: ASGIApp
    methods: tuple[str, ...] = ()
    """Any where it is empty."""

    def matches(self, method: str, path: str) -> bool:
        if self.methods and method not in self.methods:
            return False
        return path == self.path or (self.path[-1] == "/" and path.startswith(self.path))


class OwnRoutes:
    """One of ``routes`` where it matches; everything else goes on to ``app``, the next check."""

    def __init__(self, app: ASGIApp, routes: Sequence[Own]) -> None:
        self._app, self._routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            exchange = exchange_of(scope)
            for route in self._routes:
                if route.matches(exchange.method, exchange.path):
                    app = route.app
                    break
        await app(scope, receive, send)
