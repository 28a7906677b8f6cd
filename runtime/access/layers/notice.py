"""MLflow's web page with what this server adds to it: see `page_parts`."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.access.exchange import exchange_of
from runtime.access.layers.page_parts import PageParts

_PAGE = "/"
# What a browser has of before may be of another role.
_CONDITIONS = (b"if-none-match", b"if-modified-since")
_KEPT = (b"etag", b"last-modified", b"content-length", b"cache-control")


class Notice:
    """Adds the parts to the page, which no browser keeps; everything else is as it is."""

    def __init__(self, app: ASGIApp, parts: PageParts) -> None:
        self._app, self._parts = app, parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        if scope["type"] != "http" or (exchange.method, exchange.path) != ("GET", _PAGE):
            await self._app(scope, receive, send)
            return
        added = self._parts.head().encode(), self._parts.foot(exchange.known_caller()).encode()
        asked = [pair for pair in scope["headers"] if pair[0].lower() not in _CONDITIONS]
        await self._app({**scope, "headers": asked}, receive, _Page(added, send).send)


class _Page:
    """The answer's end of a connection: holds the page, which is small, until it is whole."""

    def __init__(self, added: tuple[bytes, bytes], send: Send) -> None:
        self._added, self._send = added, send
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if self._start is None or message.get("more_body"):
            return
        headers = [pair for pair in self._start["headers"] if pair[0].lower() not in _KEPT]
        is_page = any(name.lower() == b"content-type" and b"html" in v for name, v in headers)
        body = self._body
        if is_page:
            head, foot = self._added
            body = body.replace(b"<head>", b"<head>" + head, 1)
            body = body.replace(b"</body>", foot + b"</body>", 1)
        length = (b"content-length", str(len(body)).encode())
        headers += [length, (b"cache-control", b"no-store")]
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})
