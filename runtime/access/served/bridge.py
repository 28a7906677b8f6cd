"""The bridge to MLflow's Flask routes, which reads and answers piece by piece.

MLflow's own holds a whole request in memory, twice, and all of an answer that its client does not
take yet, such as a large artifact that somebody downloads in the web page. Here a request waits in
a file, and no more is read of an answer than its client takes. No thread waits for a client.
"""

import asyncio
import contextvars
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.routing import Mount
from starlette.types import Message, Receive, Scope, Send

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Any]

# Bytes of a request that are held in memory, of an answer that are read at once, and seconds after
# which less is sent too: an answer may be made while it is sent.
_IN_MEMORY, _PIECE, _PATIENCE = 1 << 20, 256 << 10, 0.05


def install(app: Any) -> None:
    """Put the bridge in place of MLflow's own; raises LookupError where there is none."""
    for route in app.routes:
        wsgi = getattr(getattr(route, "app", None), "app", None)
        if isinstance(route, Mount) and route.path == "" and callable(wsgi):
            route.app = Bridge(cast(WsgiApp, wsgi))
            return
    raise LookupError("MLflow's application has no Flask application at its root")


class Bridge:
    """A WSGI application as an ASGI one."""

    def __init__(self, wsgi: WsgiApp) -> None:
        self.app = wsgi

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        if scope["type"] != "http":
            return
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as body:
            if not await _spool(receive, body):
                return
            answer = _Answer(self.app, _request(scope, body))
            gone = asyncio.ensure_future(_disconnected(receive))
            try:
                await _forward(answer, gone, send)
            finally:
                gone.cancel()
                answer.close()


async def _spool(receive: Receive, body: IO[bytes]) -> bool:
    """Keep the request's body; False where its sender has gone."""
    more, size = True, 0
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        piece = message.get("body", b"")
        size += len(piece)
        if size > _IN_MEMORY:
            await run_in_threadpool(body.write, piece)
        else:
            body.write(piece)
        more = message.get("more_body", False)
    body.seek(0)
    return True


def _request(scope: Scope, body: IO[bytes]) -> dict[str, Any]:
    # What the application sees stays as MLflow has it.
    from starlette.middleware.wsgi import build_environ

    return {**build_environ(scope, b""), "wsgi.input": body}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _forward(answer: "_Answer", gone: "asyncio.Future[None]", send: Send) -> None:
    more = True
    while more and not gone.done():
        piece, more = await run_in_threadpool(answer.next_piece)
        if answer.start:
            await send(answer.start)
            answer.start = None
        await send({"type": "http.response.body", "body": piece, "more_body": more})


@dataclass
class _Answer:
    """What the application answers. Its methods that block are called one after the other."""

    wsgi: WsgiApp
    request: dict[str, Any]
    start: Message | None = None
    _pieces: Iterator[bytes] | None = None
    _iterable: Any = None
    # One for the whole answer, though each piece may be made by another thread.
    _context: contextvars.Context = field(default_factory=contextvars.copy_context)

    def next_piece(self) -> tuple[bytes, bool]:
        """The next bytes, and whether more may follow; raises what the application raises."""
        return self._context.run(self._next_piece)

    def close(self) -> None:
        """Let go of what the answer holds, such as a file."""
        if hasattr(self._iterable, "close"):
            self._context.run(self._iterable.close)
        self._iterable = None

    def _next_piece(self) -> tuple[bytes, bool]:
        if self._pieces is None:
            self._iterable = self.wsgi(self.request, self._start_response)
            self._pieces = iter(self._iterable)
        gathered, size, until = list[bytes](), 0, time.monotonic() + _PATIENCE
        for piece in self._pieces:
            gathered.append(piece)
            size += len(piece)
            if size >= _PIECE or time.monotonic() > until:
                return b"".join(gathered), True
        return b"".join(gathered), False

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if exc_info:
            raise exc_info[1].with_traceback(exc_info[2])
        pairs = [
            (name.strip().lower().encode("latin-1"), value.strip().encode("latin-1"))
            for name, value in headers
        ]
        code = int(status.split(" ", 1)[0])
        self.start = {"type": "http.response.start", "status": code, "headers": pairs}
        return _no_write


def _no_write(_piece: bytes) -> None:
    raise NotImplementedError("no application here writes by the callable of old")
