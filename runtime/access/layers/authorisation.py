"""Authorisation: whether the caller's role allows what is asked for."""

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.exchange import WEBSOCKET, Exchange, exchange_of
from runtime.access.responses import answer_error, close
from runtime.access.rules import bodies, queries
from runtime.access.rules.roles import is_known, required_role
from runtime.tokens.store import Role


class Authorisation:
    """Lets in whose role is high enough; with ``protect_registry`` see `required_role`."""

    def __init__(self, app: ASGIApp, *, protect_registry: bool) -> None:
        self._app, self._protect_registry = app, protect_registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        needed = self._required_role(exchange)
        exchange.reads = needed is Role.READ
        if exchange.known_caller().role >= needed:
            await self._let_in(scope, receive, send)
        elif exchange.method == WEBSOCKET:
            await close(send)
        elif exchange.path == queries.PATH:
            await self._query(scope, receive, send)
        else:
            await self._deny(exchange, send)

    def _required_role(self, exchange: Exchange) -> Role:
        # What goes through a websocket is not looked at, so that it may change something.
        method = "POST" if exchange.method == WEBSOCKET else exchange.method
        return required_role(method, exchange.path, protect_registry=self._protect_registry)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange_of(scope).is_let_in = True
        await self._app(scope, receive, send)

    async def _query(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GraphQL for who may only read: what is a query for certain, and nothing else."""
        body = await bodies.read(receive, queries.LARGEST_BODY)
        if body is not None and queries.is_query(body):
            exchange_of(scope).reads = True
            await self._let_in(scope, bodies.again(body, receive), send)
        else:
            await self._deny(exchange_of(scope), send)

    async def _deny(self, exchange: Exchange, send: Send) -> None:
        caller = exchange.known_caller()
        has = f"{caller.name!r} has {caller.role.name.lower()}"
        if is_known(exchange.method, exchange.path):
            needed = self._required_role(exchange).name.lower()
            message = f"this needs the role {needed}; {has}"
            await answer_error(send, 403, "PERMISSION_DENIED", message)
        else:
            # As MLflow says it: its client then tries an older route.
            message = "there is no such route, or one that is not known here and thus "
            message += f"needs the role admin; {has}"
            await answer_error(send, 404, "ENDPOINT_NOT_FOUND", message)
