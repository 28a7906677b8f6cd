"""A request to a name that MLflow does not answer to: what to set, in place of MLflow's own words.

MLflow decides it, against DNS rebinding, and says so in a line that names no way out.
"""

import sys

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.access import pages
from runtime.access.credentials import header
from runtime.access.responses import answer_error, answer_page
from runtime.settings import variable

# MLflow's own, which a test compares.
REFUSED = b"Invalid Host header"
_TITLE = "This server does not answer to that name"
# So many names are told in the log, once each: they are texts of whoever asks.
_MOST_TOLD = 20
_LONGEST = 128


class KnownHost:
    """Passes on to ``app``; ``public_url`` is the address that the server knows of itself."""

    def __init__(self, app: ASGIApp, public_url: str | None, scheme: str, prefix: str) -> None:
        self._app, self._public = app, public_url
        self._scheme, self._prefix = scheme, prefix
        self._told = set[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message | None = None

        async def send_or_explain(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] == 403:
                start = message
                return
            if start is not None:
                if message.get("body", b"").startswith(REFUSED):
                    await self._explain(scope, send)
                    start = None
                    return
                await send(start)
                start = None
            await send(message)

        await self._app(scope, receive, send_or_explain)

    async def _explain(self, scope: Scope, send: Send) -> None:
        given = header(scope["headers"], b"host")[:_LONGEST]
        host = "".join(sign if sign.isalnum() or sign in ".-:[]" else "?" for sign in given)
        known = f"it answers as {self._public} alone; " if self._public else ""
        message = (
            f"this server does not answer to the name {host}: {known}where it is started, set "
            f"{variable('given_public_url')}={self._scheme}://{host}{self._prefix}, or list the "
            f"name in {variable('allowed_hosts')} (a stack has the key hostname)"
        )
        if host not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(host)
            print(f"trackstack: {message}", file=sys.stderr, flush=True)
        if "text/html" in header(scope["headers"], b"accept"):
            page = pages.message_page(self._prefix, _TITLE, message)
            await answer_page(send, 403, page)
        else:
            await answer_error(send, 403, "PERMISSION_DENIED", message)
