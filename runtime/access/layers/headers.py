"""Response headers: security headers for browsers, and the request's id."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.access.exchange import exchange_of
from runtime.access.responses import RawHeaders

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


class ResponseHeaders:
    """Adds headers to every answer, MLflow's and ours, but for those that it has."""

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self._app = app
        public = urlsplit(public_url)
        # On localhost it would hold for every other server on this machine too.
        is_secure = public.scheme == "https" and public.hostname != "localhost"
        self._always = [_NOSNIFF, _REFERRER, *([_ONE_YEAR] if is_secure else [])]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = exchange_of(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                policy = _ARTIFACT_POLICY if _ARTIFACT.match(exchange.path) else _PAGE_POLICY
                request_id = (b"x-request-id", exchange.id.encode())
                message = _with_missing(message, [*self._always, policy, request_id])
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _with_missing(message: Message, headers: Iterable[tuple[bytes, bytes]]) -> Message:
    """The start of an answer with those of ``headers`` that it lacks."""
    given: RawHeaders = list(message.get("headers", []))
    has = {name.lower() for name, _ in given}
    return {**message, "headers": given + [pair for pair in headers if pair[0] not in has]}
