"""The answer to a request without a valid caller: 401, or 429 after too many wrong tokens."""

from starlette.types import Scope, Send

from runtime.access import pages
from runtime.access.credentials import header
from runtime.access.exchange import exchange_of
from runtime.access.responses import answer_error, answer_page
from runtime.access.rules.limits import FailureLimit


class Refusal:
    """A page to sign in for browsers, an error for programs, and 429 for who guesses on."""

    def __init__(self, site: pages.Site) -> None:
        self._site = site
        self._failures = FailureLimit()

    async def answer(
        self, scope: Scope, send: Send, *, wrong: bool, target: str | None = None
    ) -> None:
        """Refuse; ``wrong`` says that a token was presented, which counts as a guess.

        ``target`` is where a browser wanted to go, unless it is what it asks for.
        """
        exchange = exchange_of(scope)
        wait = self._failures.fail(exchange.address) if wrong else 0
        if wait:
            message = "too many wrong tokens from this address"
            await answer_error(send, 429, "RESOURCE_EXHAUSTED", message, retry_after=wait)
        elif "text/html" in header(scope["headers"], b"accept"):
            page = pages.sign_in_page(self._site, target or self._asked(scope), wrong=wrong)
            await answer_page(send, 401, page)
        else:
            message = "a valid token is needed: set MLFLOW_TRACKING_TOKEN"
            await answer_error(send, 401, "UNAUTHENTICATED", message)

    def _asked(self, scope: Scope) -> str:
        """What a browser asks for, with its query, where it can ask for it again."""
        exchange = exchange_of(scope)
        if exchange.method != "GET":
            return f"{self._site.prefix}/"
        query: bytes = scope.get("query_string", b"")
        more = f"?{query.decode('latin-1')}" if query else ""
        return f"{self._site.prefix}{exchange.path}{more}"
