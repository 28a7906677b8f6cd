"""Trackstack's own routes: sign-in, sign-out, metrics, backups."""

import asyncio
import json

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime import metrics
from runtime.access import backups, pages
from runtime.access.callers import Callers
from runtime.access.credentials import Person, Sessions, is_same_origin
from runtime.access.exchange import exchange_of
from runtime.access.refusal import Refusal
from runtime.access.responses import answer, answer_error, answer_page, redirect
from runtime.access.rules import bodies
from runtime.retention.store import beside
from runtime.settings import RuntimeSettings, variable


class SignIn:
    """Takes the form of the sign-in page: a token for a session."""

    def __init__(
        self, prefix: str, callers: Callers, refusal: Refusal, sessions: Sessions, *, https: bool
    ) -> None:
        """``https`` says that users come by it, also where the last hop to here does not."""
        self._prefix, self._callers, self._refusal = prefix, callers, refusal
        self._sessions, self._https = sessions, https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        form = await bodies.read_form(receive)
        if form is None or not is_same_origin(exchange.method, scope["headers"]):
            await answer_error(send, 403, "PERMISSION_DENIED", "not a sign-in from this page")
            return
        token = await self._callers.by_token(form.get("token", ""), exchange.address)
        if token is None:
            target = pages.local_target(form.get("next", ""), self._prefix)
            await self._refusal.answer(scope, send, wrong=True, target=target)
            return
        exchange.caller = token
        cookie = self._sessions.issue(token, secure=self._https or scope["scheme"] == "https")
        await redirect(send, pages.local_target(form.get("next", ""), self._prefix), cookie)


def sign_out(prefix: str, callers: Callers, sessions: Sessions, *, has_oidc: bool) -> ASGIApp:
    """End the session; where the issuer made it, lead on to end the issuer's too."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        await callers.end_session(scope["headers"])
        if has_oidc and isinstance(exchange_of(scope).caller, Person):
            # A page that leads on: a form's redirect to the issuer would break the form's policy.
            page = pages.leaving_page(prefix + pages.OIDC_LOGOUT)
            await answer_page(send, 200, page, sessions.end)
        else:
            await redirect(send, prefix + "/", sessions.end)

    return app


def metrics_page(worker: metrics.Metrics) -> ASGIApp:
    """All metrics, for Prometheus."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        # In a thread: it asks the database.
        content = await asyncio.to_thread(worker.render)
        await answer(send, 200, [(b"content-type", metrics.CONTENT_TYPE)], content)

    return app


def backup_requests(settings: RuntimeSettings) -> ASGIApp:
    """Backups by request."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        method = exchange_of(scope).method
        status, content = await asyncio.to_thread(backups.respond, settings, method)
        await answer(send, status, [(b"content-type", b"application/json")], content)

    return app


def store_question(settings: RuntimeSettings) -> ASGIApp:
    """Whether a job that asks has this server's own store at hand."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        content = await asyncio.to_thread(beside.respond, settings, scope["query_string"])
        await answer(send, 200, [(b"content-type", b"application/json")], content)

    return app


# What MLflow's page asks for wherever it begins, and what says that there is none: a refusal would
# stand in each browser's list of what failed.
_NO_ASSISTANT: dict[str, dict[str, object]] = {
    "config": {"providers": {}, "projects": {}, "remote_access_allowed": False},
    "providers": {"providers": [], "resolved": None, "gateway_vendor_options": {}},
}


async def no_assistant(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers for MLflow's assistant where it is off."""
    exchange = exchange_of(scope)
    said = _NO_ASSISTANT.get(exchange.path.rpartition("/")[2])
    if exchange.method == "GET" and said:
        json_type = [(b"content-type", b"application/json")]
        await answer(send, 200, json_type, json.dumps(said).encode())
        return
    refused = (
        f"the assistant is off on this server: {variable('assistant')}=true turns it on, as the "
        "stack's key `assistant` does"
    )
    await answer_error(send, 403, "PERMISSION_DENIED", refused)
