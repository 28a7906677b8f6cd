"""A server stands still while another migrates its store: replicas of an earlier image, say, which
an update leaves up until the new one is ready.
"""

import time
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.responses import answer_error, close

_RETRY_SECONDS = 30
_MESSAGE = "the store is being migrated; nothing is read or written meanwhile, try again in a while"


class Standstill:
    """Answers 503 while ``is_migrating``, which is asked once in ``seconds`` at most; where it
    cannot be asked, the request itself will show why.
    """

    def __init__(self, app: ASGIApp, is_migrating: Callable[[], bool], seconds: float) -> None:
        self._app, self._ask, self._seconds = app, is_migrating, seconds
        self._asked, self._found = -seconds, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = time.monotonic()
        if now - self._asked >= self._seconds:
            # Before the answer: requests at the same time need not ask, too.
            self._asked = now
            self._found = await run_in_threadpool(self._look)
        if not self._found:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await close(send)
        else:
            await answer_error(
                send, 503, "TEMPORARILY_UNAVAILABLE", _MESSAGE, retry_after=_RETRY_SECONDS
            )

    def _look(self) -> bool:
        try:
            return self._ask()
        except Exception:
            return False
