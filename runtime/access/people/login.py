"""`trackstack login`: a signed-in person lets a computer have a token of theirs.

The page says which computer asks, and hands a code to it: by a redirect to loopback, which reaches
that very computer alone, or by the person, who types it there. See `tokens.grants`.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access import pages
from runtime.access.callers import Callers
from runtime.access.exchange import exchange_of
from runtime.access.people.api import JSON, as_object
from runtime.access.people.asking import Asking
from runtime.access.responses import answer, answer_error, answer_page
from runtime.access.rules import bodies
from runtime.access.rules.limits import FailureLimit
from runtime.client import server
from runtime.errors import UserError
from runtime.tokens.grants import Grants
from runtime.tokens.listing import time
from runtime.tokens.own import OwnTokens
from runtime.tokens.store import Owner, Role, Token

PATH, EXCHANGE = server.LOGIN, server.EXCHANGE
_FIELDS = ("challenge", "label", "role", "port", "state")
_STATE = re.compile(r"[\w-]{1,64}", re.ASCII)
_LARGEST = 1024


def page(prefix: str, callers: Callers) -> ASGIApp:
    """GET asks the person, POST is their consent."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asking, method = Asking.of(scope), exchange_of(scope).method
        if not asking.makes_own:
            reason = "Sign in yourself: a token that somebody made for themselves lets nobody in."
            await answer_page(send, 403, pages.message_page(prefix, "Not signed in", reason))
            return
        if method != "POST":
            given = parse_qs(scope.get("query_string", b"").decode("ascii", "replace"))
            first = {name: values[0] for name, values in given.items()}
            await answer_page(send, 200, _question(prefix, asking, first))
            return
        fields = await bodies.read_form(receive) or {}
        owner = Owner(asking.owner.name, _role(asking, fields), asking.owner.proof)
        grants = Grants(callers.engine)
        try:
            code = await asyncio.to_thread(
                grants.give, fields.get("challenge", ""), owner, _label(fields)
            )
        except UserError as error:
            await answer_page(send, 400, pages.message_page(prefix, "Not let in", str(error)))
            return
        await answer_page(send, 200, _given(fields, code))

    return app


def exchange(callers: Callers) -> ASGIApp:
    """A code and the verifier for a token; open to everybody, as often as wrong tokens are."""
    limit = FailureLimit()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        here = exchange_of(scope)
        if wait := limit.fail(here.address):
            message = "too many attempts from this address"
            await answer_error(send, 429, "RESOURCE_EXHAUSTED", message, retry_after=wait)
            return
        try:
            body = as_object(await bodies.read(receive, _LARGEST))
            made = await asyncio.to_thread(_take, callers, body)
        except UserError as error:
            await answer_error(send, 400, "INVALID_PARAMETER_VALUE", str(error))
            return
        callers.tokens.forget()
        here.caller = Token(f"{made['owner']}/{made['name']}", "", Role.named(made["role"]))
        await answer(send, 200, JSON, json.dumps(made).encode())

    return app


def _take(callers: Callers, body: Mapping[str, Any]) -> dict[str, Any]:
    verifier, code = str(body.get("verifier", "")), str(body.get("code", ""))
    grant = Grants(callers.engine).take(verifier, code)
    own: OwnTokens = callers.own
    role, given = grant.owner.role, grant.given
    value = own.add(grant.owner, grant.label, role, None, again=True, since=given)
    shared = callers.tokens.shared()
    [made] = [
        token
        for token in own.list(shared)
        if token.owner
        and token.owner.key == grant.owner.key
        and token.name == f"{token.owner.name}/{grant.label}"
    ]
    return {
        "id": made.id,
        "name": grant.label,
        "owner": grant.owner.name,
        "role": made.role.name.lower(),
        "expires": time(made.expires),
        "token": value,
    }


def _role(asking: Asking, fields: Mapping[str, str]) -> Role:
    """What is asked for, as far as the person has it; write where nothing is said."""
    names = {role.name.lower(): role for role in Role}
    return min(names.get(fields.get("role", ""), Role.WRITE), asking.caller.role)


def _label(fields: Mapping[str, str]) -> str:
    label = "".join(c for c in fields.get("label", "") if c.isprintable())[:56].strip()
    return f"login {label}".strip()


def _question(prefix: str, asking: Asking, fields: Mapping[str, str]) -> bytes:
    role = _role(asking, fields).name.lower()
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(fields[name])}">\n'
        for name in _FIELDS
        if name in fields
    )
    content = (
        f"<p>{escape(_label(fields).removeprefix('login ') or 'A computer')} asks for a token that "
        f"does what you may, with the role {role}: {escape(asking.caller.name)}.</p>\n"
        "<p>Go on only if you ran <code>trackstack login</code> there yourself, just now.</p>\n"
        f'<form method="post" action="{escape(prefix + PATH)}">\n{hidden}'
        "<button autofocus>Let it in</button></form>\n"
        f'<p><a href="{escape(prefix)}/">No</a></p>\n'
    )
    return pages.page("Let a computer in", content)


def _given(fields: Mapping[str, str], code: str) -> bytes:
    """The page that hands the code over: to loopback, else to the person."""
    port, state = fields.get("port", ""), fields.get("state", "")
    is_port = port.isascii() and port.isdigit() and 1024 <= int(port[:6]) <= 65535
    if is_port and _STATE.fullmatch(state):
        # By a page that leads on: a form's redirect would break the form's policy.
        target = escape(
            f"http://127.0.0.1:{int(port)}/?{urlencode({'code': code, 'state': state})}"
        )
        content = (
            f'<meta http-equiv="refresh" content="0; url={target}">\n'
            f'<p><a href="{target}">Go on</a>, and back to the terminal.</p>\n'
        )
        return pages.page("Let in", content)
    content = (
        f'<p class="code">{code}</p>\n'
        "<p>Type this code into the terminal in which you ran <code>trackstack login</code>, and "
        "nowhere else. It is valid for 5 minutes, once.</p>\n"
    )
    return pages.page("Let in", content)
