"""Searches: how much a query string may ask for, on whichever of MLflow's two applications.

What a body asks for is looked at where MLflow reads it: see `bounding`.
"""

from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.exchange import exchange_of
from runtime.access.responses import answer_error
from runtime.access.rules import conditions


class Searching:
    """Refuses searches of more than ``most`` conditions and orders; 0 for any number."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope.get("query_string", b"")
        if self._most and query and conditions.may_ask(exchange_of(scope).path):
            asked = conditions.of_query(parse_qs(query.decode("latin-1")))
            if refusal := conditions.refusal(asked, self._most):
                await answer_error(send, 400, "INVALID_PARAMETER_VALUE", refusal)
                return
        await self._app(scope, receive, send)
