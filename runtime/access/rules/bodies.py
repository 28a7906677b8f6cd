"""Requests' bodies: counted as they come, and read where the check itself needs to know one."""

from urllib.parse import parse_qs

from starlette.types import Message, Receive, Scope, Send

from runtime.access.credentials import header
from runtime.access.responses import answer_error

_LARGEST_FORM, _MOST_FIELDS = 4096, 8


class TooLargeError(Exception):
    """The request has more bytes than its route takes; that is answered already."""


class Limited:
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


def announced(scope: Scope) -> int:
    """The bytes that a request says it has; 0 where it does not say."""
    length = header(scope["headers"], b"content-length")
    return int(length) if length.isdecimal() else 0


async def read(receive: Receive, most: int) -> bytes | None:
    """The whole body; None where it is larger than ``most`` bytes, or its sender has gone."""
    body, more = b"", True
    while more:
        message: Message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > most:
            return None
    return body


def again(body: bytes, receive: Receive) -> Receive:
    """A way to receive a body that was read already; what follows it comes from ``receive``."""
    is_given = False

    async def receive_again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


async def read_form(receive: Receive) -> dict[str, str] | None:
    """The first values of a small form's fields; None where it is no small form."""
    body = await read(receive, _LARGEST_FORM)
    if body is None:
        return None
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        return None
    return {name: values[0] for name, values in fields.items()}
