"""Forwarding, the innermost layer: the request as MLflow may see it."""

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.credentials import without_credentials
from runtime.access.exchange import KEY, Exchange, exchange_of
from runtime.access.rules.limits import is_streamed


class Forwarding:
    """Hands what was let in to ``mlflow``, without credentials and without what is ours."""

    def __init__(self, mlflow: ASGIApp, prefix: str) -> None:
        self._mlflow, self._prefix = mlflow, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        if not exchange.is_let_in:
            raise PermissionError("a request came to MLflow that no role let in")
        await self._mlflow(self._seen(scope, exchange), receive, send)

    def _seen(self, scope: Scope, exchange: Exchange) -> Scope:
        seen = {**scope, "headers": without_credentials(scope["headers"])}
        del seen[KEY]
        if exchange.method in ("GET", "PUT") and is_streamed(exchange.path):
            # MLflow's router that streams artifacts knows no static prefix: below one, MLflow
            # would hold them in memory.
            raw: bytes = scope.get("raw_path") or scope["path"].encode()
            seen["path"] = exchange.path
            seen["raw_path"] = raw.removeprefix(self._prefix.encode())
        return seen
