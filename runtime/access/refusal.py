"""The answer to a request without a valid caller: 401, or 429 after too many wrong tokens."""

from starlette.types import Scope, Send

from runtime.access import pages
from runtime.access.credentials import header
from runtime.access.exchange import exchange_of
from runtime.access.responses import answer_error, answer_page
from runtime.access.rules.limits import FailureLimit


class Refusal:
    """A page to sign in for browsers, an error for programs, and 429 for who guesses on."""

    def __init__(self, prefix: str, *, has_oidc: bool, token_is: str = "") -> None:
        """``token_is`` says where its owner finds the server's own token."""
        self._prefix, self._has_oidc, self._token_is = prefix, has_oidc, token_is
        self._failures = FailureLimit()

    async def answer(self, scope: Scope, send: Send, *, wrong: bool) -> None:
        """Refuse; ``wrong`` says that a token was presented, which counts as a guess."""
        exchange = exchange_of(scope)
        wait = self._failures.fail(exchange.address) if wrong else 0
        if wait:
            message = "too many wrong tokens from this address"
            await answer_error(send, 429, "RESOURCE_EXHAUSTED", message, retry_after=wait)
        elif "text/html" in header(scope["headers"], b"accept"):
            target = self._prefix + (exchange.path if exchange.method == "GET" else "/")
            page = pages.sign_in_page(
                self._prefix, target, self._token_is, wrong=wrong, has_oidc=self._has_oidc
            )
            await answer_page(send, 401, page)
        else:
            message = "a valid token is needed: set MLFLOW_TRACKING_TOKEN"
            await answer_error(send, 401, "UNAUTHENTICATED", message)
