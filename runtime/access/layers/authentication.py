"""Authentication: finds the caller by token or session; anybody else is refused."""

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.callers import Callers
from runtime.access.credentials import bearer_token, is_same_origin
from runtime.access.exchange import exchange_of
from runtime.access.refusal import Refusal
from runtime.access.responses import answer_error, close


class Authentication:
    """Says in the exchange who asks."""

    def __init__(self, app: ASGIApp, callers: Callers, refusal: Refusal) -> None:
        self._app, self._callers, self._refusal = app, callers, refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange, headers = exchange_of(scope), scope["headers"]
        is_http, presented = scope["type"] == "http", bearer_token(headers)
        if presented:
            exchange.caller = await self._callers.by_token(presented, exchange.address)
        elif is_http:
            # Not for a websocket: it is open to scripts of other origins.
            exchange.caller = await self._callers.by_session(headers, exchange.address)
        if exchange.caller is None:
            if is_http:
                await self._refusal.answer(scope, send, wrong=presented is not None)
            else:
                await close(send)
        elif presented is None and not is_same_origin(exchange.method, headers):
            await answer_error(send, 403, "PERMISSION_DENIED", "cross-origin request")
        else:
            await self._app(scope, receive, send)
