"""The account page: who is signed in, their tokens, and for admins everybody's. No script."""

import asyncio
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access import pages
from runtime.access.callers import Callers
from runtime.access.exchange import exchange_of
from runtime.access.people.api import service
from runtime.access.people.asking import Asking
from runtime.access.people.tokens import RefusedError, Tokens
from runtime.access.responses import answer_error, answer_page
from runtime.access.rules import bodies
from runtime.errors import UserError
from runtime.tokens.store import Role

FORM = f"{pages.ACCOUNT}/tokens"


def account(prefix: str, callers: Callers, public_url: str) -> ASGIApp:
    """The page; ``?all=true`` has everybody's tokens for admins."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        wanted = parse_qs(scope.get("query_string", b"").decode("ascii", "replace"))
        asking = Asking.of(scope)
        shows_all = asking.is_admin and wanted.get("all") == ["true"]
        page = await asyncio.to_thread(
            lambda: _page(prefix, public_url, asking, service(callers), shows_all=shows_all)
        )
        await answer_page(send, 200, page)

    return app


def form(prefix: str, callers: Callers, public_url: str) -> ASGIApp:
    """Takes the page's forms: make a token, revoke one."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asking, fields = Asking.of(scope), await bodies.read_form(receive)
        if fields is None or not asking.is_signed_in:
            await answer_error(send, 403, "PERMISSION_DENIED", "not a form of the account page")
            return
        status, page = await asyncio.to_thread(
            lambda: _taken(prefix, public_url, asking, service(callers), fields)
        )
        exchange_of(scope).status = status
        await answer_page(send, status, page)

    return app


def _taken(
    prefix: str, public_url: str, asking: Asking, tokens: Tokens, fields: Mapping[str, str]
) -> tuple[int, bytes]:
    """What was asked for, done; status and page."""
    said, shows_all = "", fields.get("all") == "true" and asking.is_admin
    status = 200
    try:
        if fields.get("action") == "revoke":
            tokens.revoke(asking, fields.get("id", ""), fields.get("shared", ""))
        else:
            days = fields.get("days", "").strip()
            age = {"expires": f"{days}d"} if days else {}
            said = _made(tokens.add(asking, {**fields, **age, "shared": False}))
    except (RefusedError, UserError) as error:
        status = 403 if isinstance(error, RefusedError) else 400
        said = f'<p class="wrong" role="alert">{escape(str(error))}</p>\n'
    return status, _page(prefix, public_url, asking, tokens, said, shows_all=shows_all)


def _made(made: Mapping[str, Any]) -> str:
    """The value, shown once."""
    return (
        f'<p role="status">The token {escape(made["name"])}, shown this once:</p>\n'
        f"<pre>{escape(made['token'])}</pre>\n"
    )


def _page(
    prefix: str,
    public_url: str,
    asking: Asking,
    tokens: Tokens,
    said: str = "",
    *,
    shows_all: bool,
) -> bytes:
    caller, action = asking.caller, escape(prefix + FORM)
    listed = tokens.list(asking, all_of_them=shows_all)
    rows = "".join(_row(token, action, shows_all=shows_all) for token in listed)
    whose = "<th>Owner" if shows_all else ""
    table = (
        f'<div class="table"><table>\n<tr><th>Name{whose}<th>Role<th>Ends<th>Last used<th></tr>\n'
        f"{rows}</table></div>\n"
        if listed
        else "<p>None yet.</p>\n"
    )
    title = "Everybody's tokens" if shows_all else "Your tokens"
    other = f"{prefix}{pages.ACCOUNT}" + ("" if shows_all else "?all=true")
    word = "Your own tokens" if shows_all else "Everybody's tokens"
    link = f'<p><a href="{escape(other)}">{word}</a></p>\n' if asking.is_admin else ""
    content = (
        f"<p>{escape(caller.name)}, {caller.role.name.lower()}</p>\n{said}"
        f"<h2>{title}</h2>\n{table}{link}"
        f"{_form(asking, tokens.max_days, action) if asking.makes_own else ''}"
        f"<h2>From a laptop</h2>\n<pre>{escape(pages.paste(public_url))}</pre>\n"
        f'<form method="post" action="{escape(prefix + pages.SIGN_OUT)}">'
        "<button>Sign out</button></form>\n"
        f'<p><a href="{escape(prefix)}/">Back to MLflow</a>, '
        f'<a href="{escape(prefix)}/trackstack/">how the server is</a></p>\n'
    )
    return pages.page("Signed in to MLflow", content, wide=True)


def _row(token: Mapping[str, Any], action: str, *, shows_all: bool) -> str:
    whose = token["owner"] or f"shared, of {token['made_by'] or 'a command'}"
    owner = f"<td>{escape(whose)}" if shows_all else ""
    used = token["used"] or "never"
    source = f" from {token['used_from']}" if token["used_from"] else ""
    ends = (token["expires"] or "never") if token["valid"] else "has ended"
    which = ("id", token["id"]) if token["id"] else ("shared", token["name"])
    again = '<input type="hidden" name="all" value="true">' if shows_all else ""
    return (
        f"<tr><td>{escape(token['name'])}{owner}<td>{token['role']}<td>{ends}"
        f"<td>{escape(used + source)}<td>"
        f'<form method="post" action="{action}">'
        f'<input type="hidden" name="{which[0]}" value="{escape(which[1])}">{again}'
        '<button class="small" name="action" value="revoke" '
        f'aria-label="Revoke {escape(token["name"])}">Revoke</button></form></tr>\n'
    )


def _form(asking: Asking, max_days: int | None, action: str) -> str:
    roles = [role.name.lower() for role in Role if role <= asking.caller.role]
    chosen = min(Role.WRITE, asking.caller.role).name.lower()
    options = "".join(
        f"<option{' selected' if role == chosen else ''}>{role}</option>" for role in roles
    )
    most = f' max="{max_days}"' if max_days else ""
    said = f"Days, at most {max_days}" if max_days else "Days; empty for no end of its own"
    return (
        f'<form method="post" action="{action}">\n<h2>Make a token</h2>\n'
        '<label for="name">Name</label><input id="name" name="name" maxlength="64" required>\n'
        f'<label for="role">Role</label><select id="role" name="role">{options}</select>\n'
        f'<label for="days">{said}</label>'
        f'<input id="days" name="days" type="number" min="1"{most}>\n'
        '<button name="action" value="make">Make a token</button>\n</form>\n'
    )
