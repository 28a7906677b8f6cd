"""Forwarding, the innermost layer: the request as MLflow may see it."""

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.credentials import without_credentials
from runtime.access.exchange import KEY, exchange_of


class Forwarding:
    """Hands what was let in to ``mlflow``, without credentials and without what is ours."""

    def __init__(self, mlflow: ASGIApp) -> None:
        self._mlflow = mlflow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        if not exchange.is_let_in:
            raise PermissionError("a request came to MLflow that no role let in")
        await self._mlflow(_seen(scope), receive, send)


def _seen(scope: Scope) -> Scope:
    seen = {**scope, "headers": without_credentials(scope["headers"])}
    del seen[KEY]
    return seen
