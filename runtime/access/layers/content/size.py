"""Body-size limit: a request is counted as it comes, and refused before it fills the memory."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.access.credentials import header
from runtime.access.exchange import exchange_of
from runtime.access.responses import answer_error
from runtime.access.rules.limits import heaviest, largest, weight


class TooLargeError(Exception):
    """The request has more bytes than its route takes; that is answered already."""


class BodyLimit:
    """Refuses larger bodies with 413. ``request`` and ``artifact`` are in bytes, 0 for any.

    So it does JSON of so many small values that it would fill the memory once it is read.
    """

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
        heavy = heaviest(exchange.method, exchange.path, request=self._request)
        body = _Limited(most, heavy, receive, send)
        try:
            if most and _announced(scope) > most:
                await body.refuse_bytes()
            await self._app(scope, body.receive, body.send)
        except Exception:
            if not body.refused:
                raise


class _Limited:
    """The two ends of a connection, for one request of at most ``most`` bytes (0: any number), with
    JSON of at most the weight ``heavy`` (0: any).
    """

    def __init__(self, most: int, heavy: int, receive: Receive, send: Send) -> None:
        self._most, self._seen = most, 0
        self._heavy, self._weight = heavy, 0
        self._receive, self._send = receive, send
        self._is_answered = False
        self.refused = False

    async def refuse_bytes(self) -> None:
        """Answer 413 and raise TooLargeError."""
        await self._refuse(f"a request to this route may have at most {self._most} bytes")

    async def _refuse(self, message: str) -> None:
        await answer_error(self._send, 413, "INVALID_PARAMETER_VALUE", message)
        self.refused = True
        raise TooLargeError

    async def receive(self) -> Message:
        message = await self._receive()
        piece = message.get("body", b"")
        self._seen += len(piece)
        self._weight += weight(piece) if self._heavy else 0
        is_large = 0 < self._most < self._seen
        if is_large or 0 < self._heavy < self._weight:
            if self._is_answered:
                return {"type": "http.disconnect"}
            if is_large:
                await self.refuse_bytes()
            await self._refuse("the JSON of this request has too many values: send fewer at once")
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
