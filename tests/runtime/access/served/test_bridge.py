"""The bridge to WSGI alone: what it holds of a request and of an answer."""

import asyncio
import contextvars
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from flask import Flask, Response, request, stream_with_context
from starlette.types import Message, Receive, Scope, Send

from runtime.access.served.bridge import Bridge
from tests.runtime.access.layers import driving
from tests.runtime.access.layers.driving import Driven, http, websocket

_VERSION = {"http_version": "1.1"}


def drive(app: Bridge, scope: Scope, body: bytes | Sequence[bytes] = b"") -> Driven:
    """Send one request, from a client that stays until it has its answer."""

    async def staying(scope: Scope, receive: Receive, send: Send) -> None:
        async def receive_or_wait() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                await asyncio.Event().wait()
            return message

        await app(scope, receive_or_wait, send)

    return driving.drive(staying, scope, body)


def _flask(view: Callable[[], Any]) -> Bridge:
    app = Flask("test")
    app.add_url_rule("/", view_func=view, endpoint="x", methods=["GET", "POST"])
    return Bridge(app.wsgi_app)


def test_a_request_and_its_answer_come_through_whole() -> None:
    bridge = _flask(lambda: Response(request.get_data()[::-1], 201, {"x-more": "y"}))
    # One that stays in memory, and one that goes through a file.
    for body in (b"", b"abc", bytes(range(256)) * 8192):
        pieces = [body[: len(body) // 2], body[len(body) // 2 :]]
        scope = http("POST", "/", ("content-length", str(len(body))), **_VERSION)
        answer = drive(bridge, scope, pieces)
        assert (answer.status, answer.headers["x-more"]) == (201, "y")
        assert answer.body == body[::-1]


def test_nothing_more_is_read_than_the_client_takes() -> None:
    read, closed = [0], [False]

    def endless() -> Iterator[bytes]:
        try:
            while True:
                read[0] += 1
                yield b"x" * 65536
        finally:
            closed[0] = True

    async def slowly() -> None:
        gone = asyncio.Event()
        takes = asyncio.Semaphore(0)
        asked = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Message:
            if asked:
                return asked.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(_message: Message) -> None:
            await takes.acquire()

        scope = http("GET", "/", **_VERSION)
        answering = asyncio.create_task(_flask(lambda: Response(endless()))(scope, receive, send))
        for _ in range(6):
            takes.release()
            await asyncio.sleep(0.02)
        assert read[0] * 65536 < 4 << 20
        gone.set()
        takes.release()
        takes.release()
        await answering

    asyncio.run(slowly())
    assert closed[0]


def test_a_large_request_is_not_held_in_memory() -> None:
    def count() -> str:
        size = 0
        while piece := request.stream.read(65536):
            size += len(piece)
        return str(size)

    bridge, size = _flask(count), 64 << 20
    piece = b"x" * (1 << 20)
    scope = http("POST", "/", ("content-length", str(size)), **_VERSION)
    tracemalloc.start()
    answer = drive(bridge, scope, [piece] * 64)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.body == str(size).encode()
    assert peak < 8 << 20


def test_an_answer_made_while_it_is_sent_has_its_request_all_the_time() -> None:
    seen = contextvars.ContextVar("seen", default="")

    def words() -> Iterator[str]:
        for number in range(3):
            seen.set(seen.get() + str(number))
            yield request.path + seen.get() + "x" * 300_000

    bridge = _flask(lambda: Response(stream_with_context(words())))
    assert drive(bridge, http("GET", "/", **_VERSION)).body.replace(b"x", b"") == b"/0/01/012"


def test_what_the_application_raises_goes_on() -> None:
    def fails(_environ: Any, _start: Any) -> Any:
        raise RuntimeError("failed")

    with pytest.raises(RuntimeError, match="failed"):
        drive(Bridge(fails), http("GET", "/", **_VERSION))


def test_a_websocket_is_closed() -> None:
    assert drive(_flask(lambda: ""), websocket("/")).sent == [
        {"type": "websocket.close", "code": 1000}
    ]
