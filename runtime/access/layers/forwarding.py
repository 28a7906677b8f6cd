"""Forwarding, the innermost layer: the request as MLflow may see it."""

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.credentials import without_credentials
from runtime.access.exchange import KEY, Exchange, exchange_of
from runtime.access.served.statements import Bounds, bounded
from runtime.tokens.store import Role


class Forwarding:
    """Hands what was let in to ``mlflow``, without credentials and without what is ours.

    What only reads has ``seconds`` for each of its queries, 0 for any time, and whoever may only
    read changes nothing in the store, by whichever route.
    """

    def __init__(self, mlflow: ASGIApp, *, seconds: float = 0) -> None:
        self._mlflow, self._seconds = mlflow, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        if not exchange.is_let_in:
            raise PermissionError("a request came to MLflow that no role let in")
        with bounded(self._bounds(exchange)):
            await self._mlflow(_seen(scope), receive, send)

    def _bounds(self, exchange: Exchange) -> Bounds:
        seconds = self._seconds if exchange.reads else 0
        return Bounds(seconds, changes=exchange.known_caller().role > Role.READ)


def _seen(scope: Scope) -> Scope:
    seen = {**scope, "headers": without_credentials(scope["headers"])}
    del seen[KEY]
    return seen
