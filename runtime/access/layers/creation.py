"""Creation of experiments: only an administrator may choose where artifacts lie."""

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.exchange import Exchange, exchange_of
from runtime.access.responses import answer_error
from runtime.access.rules import bodies, locations
from runtime.access.rules.roles import plain
from runtime.tokens.store import Role


class Creation:
    """Refuses artifact locations but below ``destination``, a path or a URI, or in a store."""

    def __init__(self, app: ASGIApp, destination: str) -> None:
        self._app, self._destination = app, destination

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        if _creates(exchange) and exchange.known_caller().role < Role.ADMIN:
            body = await bodies.read(receive, locations.LARGEST_BODY)
            if body is None or not locations.may_create(body, self._destination):
                await answer_error(send, 403, "PERMISSION_DENIED", locations.REFUSAL)
                return
            receive = bodies.again(body, receive)
        await self._app(scope, receive, send)


def _creates(exchange: Exchange) -> bool:
    return exchange.method == "POST" and plain(exchange.path) == locations.CREATION
