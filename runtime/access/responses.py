"""What the access check answers itself."""

import json

from starlette.types import Send

from runtime.access import pages

RawHeaders = list[tuple[bytes, bytes]]

_PAGE_HEADERS: RawHeaders = [(k.encode(), v.encode()) for k, v in pages.HEADERS.items()]


async def answer(send: Send, status: int, headers: RawHeaders, body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def answer_page(send: Send, status: int, page: bytes, cookie: str = "") -> None:
    headers = list(_PAGE_HEADERS)
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if cookie:
        headers.append((b"set-cookie", cookie.encode()))
    await answer(send, status, headers, page)


async def answer_error(
    send: Send, status: int, code: str, message: str, retry_after: int = 0
) -> None:
    """In the shape of MLflow's own errors, so that its client shows the message."""
    headers = [(b"content-type", b"application/json")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if retry_after:
        headers.append((b"retry-after", str(retry_after).encode()))
    body = json.dumps({"error_code": code, "message": message}).encode()
    await answer(send, status, headers, body)


async def redirect(send: Send, target: str, cookie: str) -> None:
    headers = [(b"location", target.encode()), (b"set-cookie", cookie.encode())]
    await answer(send, 303, headers, b"")


async def close(send: Send) -> None:
    """Refuse a websocket: before it is accepted, this is answered as HTTP 403."""
    await send({"type": "websocket.close", "code": 1008})
