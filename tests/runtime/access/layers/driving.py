"""ASGI applications driven by hand: one request, and what came of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.access.exchange import KEY, Exchange
from runtime.tokens.store import Role, Token

CALLERS = {role: Token(role.name.lower(), "0" * 64, role) for role in Role}


@dataclass
class Inner:
    """An application that stands for what is further in: answers 200, and keeps what it was asked.

    ``fails`` raises once it has the body, as an application may.
    """

    fails: bool = False
    scopes: list[Scope] = field(default_factory=list[Scope])
    bodies: list[bytes] = field(default_factory=list[bytes])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(dict(scope))
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        if self.fails:
            raise RuntimeError("the application failed")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-inner", b"1")]})
        await send({"type": "http.response.body", "body": b"inner"})


@dataclass
class Driven:
    """What an application sent."""

    sent: list[Message]

    @property
    def status(self) -> int:
        """The answer's status; 0 where there is none."""
        starts = [m for m in self.sent if m["type"] == "http.response.start"]
        assert len(starts) < 2
        return starts[0]["status"] if starts else 0

    @property
    def headers(self) -> Mapping[str, str]:
        return {name.decode().lower(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def is_closed(self) -> bool:
        """Whether a websocket was refused before it was accepted."""
        return self.sent == [{"type": "websocket.close", "code": 1008}]


def http(method: str, path: str, *headers: tuple[str, str], **more: Any) -> Scope:
    """A request's scope as a server makes it; ``more`` replaces its keys."""
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "client": ("192.0.2.1", 4711),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        **more,
    }


def websocket(path: str, *headers: tuple[str, str], **more: Any) -> Scope:
    """A websocket's scope."""
    scope = http("", path, *headers, type="websocket", scheme="ws", **more)
    del scope["method"]
    return scope


def asked(scope: Scope, caller: Role | None = None, **found: Any) -> Scope:
    """The scope as it comes from the entrance, with what the layers before have found."""
    exchange = Exchange.of(scope)
    exchange.caller = CALLERS[caller] if caller else None
    for name, value in found.items():
        setattr(exchange, name, value)
    return {**scope, KEY: exchange}


def drive(app: ASGIApp, scope: Scope, body: bytes | Sequence[bytes] = b"") -> Driven:
    """Send one request; a sequence is sent piece by piece."""
    return asyncio.run(driven(app, scope, body))


async def driven(app: ASGIApp, scope: Scope, body: bytes | Sequence[bytes] = b"") -> Driven:
    """The same within a running loop."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    done = Driven([])

    async def receive() -> Message:
        if not pieces:
            return {"type": "http.disconnect"}
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        done.sent.append(message)

    await app(scope, receive, send)
    return done
