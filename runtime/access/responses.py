"""What the access check answers itself, and the headers that it adds to what MLflow answers."""

import json
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import Message, Send

from runtime.access import pages

RawHeaders = list[tuple[bytes, bytes]]

_PAGE_HEADERS: RawHeaders = [(k.encode(), v.encode()) for k, v in pages.HEADERS.items()]
_NOSNIFF = (b"x-content-type-options", b"nosniff")
_REFERRER = (b"referrer-policy", b"same-origin")
# MLflow's own page has inline script and styles, so its sources cannot be narrowed further.
_PAGE_POLICY = (
    b"content-security-policy",
    b"frame-ancestors 'self'; object-src 'none'; base-uri 'self'; form-action 'self'",
)
# Somebody's artifact, opened by itself, must not run as a page of this server.
_ARTIFACT = re.compile(
    r"/+((model-versions/)?get-artifact|(ajax-)?api/[23]\.0/(mlflow-artifacts/"
    r"|mlflow/(get-trace-artifact|logged-models/[^/]+/artifacts/files)))"
)
_ARTIFACT_POLICY = (b"content-security-policy", b"sandbox; default-src 'none'")
_ONE_YEAR = (b"strict-transport-security", b"max-age=31536000")


def security_headers(path: str, public_url: str) -> RawHeaders:
    """What is added to an answer of MLflow's, unless it has it."""
    policy = _ARTIFACT_POLICY if _ARTIFACT.match(path) else _PAGE_POLICY
    headers: RawHeaders = [_NOSNIFF, _REFERRER, policy]
    public = urlsplit(public_url)
    # It would hold for every other server on this machine too.
    if public.scheme == "https" and public.hostname != "localhost":
        headers.append(_ONE_YEAR)
    return headers


def add_missing(message: Message, headers: Iterable[tuple[bytes, bytes]]) -> Message:
    """The start of an answer with those of ``headers`` that it lacks."""
    given: RawHeaders = list(message.get("headers", []))
    has = {name.lower() for name, _ in given}
    return {**message, "headers": given + [pair for pair in headers if pair[0] not in has]}


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
