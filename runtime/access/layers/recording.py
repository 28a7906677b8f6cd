"""Metrics and audit: what became of each request, told once its answer has gone."""

import time
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.access import pages
from runtime.access.audit import AuditLog, is_worth_noting
from runtime.access.exchange import Exchange, exchange_of
from runtime.access.rules.limits import LineLimit
from runtime.metrics import Metrics

Observer = Callable[[Exchange], None]


class Recording:
    """Notes the answer's status, and tells ``observers`` of each request, however it ended."""

    def __init__(self, app: ASGIApp, observers: Sequence[Observer]) -> None:
        self._app, self._observers = app, observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = exchange_of(scope)

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            for observe in self._observers:
                observe(exchange)


def counted(metrics: Metrics) -> Observer:
    """Count requests and their seconds."""

    def observe(exchange: Exchange) -> None:
        seconds = time.monotonic() - exchange.began
        metrics.observe(exchange.method, exchange.path, exchange.status, seconds)

    return observe


def audited(log: AuditLog, *, reads: bool) -> Observer:
    """Write down what changes something and what was refused; with ``reads`` everything.

    Of what is refused to nobody that is known, a line a second an address: nobody without a token
    may push older lines out of the log. Each says how many were left out before it.
    """
    lines = LineLimit()

    def observe(exchange: Exchange) -> None:
        signs_in = exchange.path.startswith(pages.OIDC)
        if not is_worth_noting(exchange.method, exchange.status, reads=reads, writes=signs_in):
            return
        if exchange.caller or exchange.turned_away:
            log.write(exchange.entry())
        elif (left_out := lines.take(exchange.address)) is not None:
            log.write(exchange.entry() | ({"left_out": left_out} if left_out else {}))

    return observe
