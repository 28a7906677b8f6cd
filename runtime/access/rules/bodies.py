"""Requests' bodies, read where the check itself needs to know one."""

from urllib.parse import parse_qs

from starlette.types import Message, Receive

_LARGEST_FORM, _MOST_FIELDS = 4096, 8
# In no text that PostgreSQL takes, not even to look for it.
NUL = "\0"


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
    first = {name: values[0] for name, values in fields.items()}
    return None if any(NUL in value for value in first.values()) else first
