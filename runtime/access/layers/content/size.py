"""Body-size limit: a request is counted as it comes, and refused before it fills the memory."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.access.credentials import header
from runtime.access.exchange import exchange_of
from runtime.access.responses import answer_error
from runtime.access.rules.limits import largest


class TooLargeError(Exception):
    """The request has more bytes than its route takes; that is answered already."""


class BodyLimit:
    """Refuses larger bodies with 413. ``request`` and ``artifact`` are in bytes, 0 for any."""

    def __init__(self, app: ASGIApp, *, request: int, artifact: int) -> None:
        self._app, self._request, self._artifact = app, request, artifact

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = exchange_of(scope)
        most = largest(
            exchange.method, exchange.path, request=self._request, artifact=self._artifact
        )
        body = _Limited(most, receive, send)
        try:
            if most and _announced(scope) > most:
                await body.refuse()
            await self._app(scope, body.receive, body.send)
        except Exception:
            if not body.refused:
                raise


class _Limited:
    """The two ends of a connection, for one request of at most ``most`` bytes (0: any number)."""

    def __init__(self, most: int, receive: Receive, send: Send) -> None:
        self._most, self._seen = most, 0
        self._receive, self._send = receive, send
        self._is_answered = False
        self.refused = False

    async def refuse(self) -> None:
        """Answer 413 and raise TooLargeError."""
        message = f"a request to this route may have at most {self._most} bytes"
        await answer_error(self._send, 413, "INVALID_PARAMETER_VALUE", message)
        self.refused = True
        raise TooLargeError

    async def receive(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._most and self._seen > self._most:
            if self._is_answered:
                return {"type": "http.disconnect"}
            await self.refuse()
        return message

    async def send(self, message: Message) -> None:
        self._is_answered = True
        # What the application makes of the error that ended its request is of no interest.
        if not self.refused:
            await self._send(message)


def _announced(scope: Scope) -> int:
    """The bytes that a request says it has; 0 where it does not say."""
    length = header(scope["headers"], b"content-length")
    return int(length) if length.isdecimal() else 0
