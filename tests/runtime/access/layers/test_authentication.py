"""Authentication alone, on a real store of tokens."""

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.types import Scope

from runtime.access.callers import Callers
from runtime.access.credentials import Sessions
from runtime.access.exchange import exchange_of
from runtime.access.layers.authentication import Authentication
from runtime.access.pages import Site
from runtime.access.refusal import Refusal
from runtime.database.engine import open_engine
from runtime.database.uri import make_directories
from runtime.settings import load
from runtime.tokens.store import Role, Token, TokenTable
from tests.runtime.access.layers.driving import (
    Driven,
    Inner,
    asked,
    drive,
    driven,
    http,
    websocket,
)


@dataclass(frozen=True)
class _Site:
    layer: Authentication
    inner: Inner
    token: str
    cookies: Mapping[str, str]
    callers: Callers
    sessions: Sessions

    def ask(self, *headers: tuple[str, str], method: str = "GET") -> Driven:
        return drive(self.layer, asked(http(method, "/version", *headers)))

    def caller(self) -> tuple[str, Role] | None:
        found = exchange_of(self.inner.scopes[-1]).caller if self.inner.scopes else None
        return (found.name, found.role) if found else None


@pytest.fixture
def site(tmp_path: Path) -> _Site:
    settings = load({"TRACKSTACK_DATA_DIR": str(tmp_path)})
    make_directories(settings)
    table = TokenTable(open_engine(settings))
    table.create()
    token = table.add("ada", Role.WRITE, None)
    sessions, inner = Sessions("secret"), Inner()
    cookies = {
        "token": sessions.issue(table.list()[0], secure=False),
        "person": sessions.issue_person("pia", Role.READ, secure=False),
        "forged": Sessions("other").issue_person("eve", Role.ADMIN, secure=False),
    }
    callers = Callers(settings, sessions)
    layer = Authentication(inner, callers, Refusal(Site("")))
    found = {name: cookie.split(";")[0] for name, cookie in cookies.items()}
    return _Site(layer, inner, token, found, callers, sessions)


def test_a_token_says_who_asks(site: _Site) -> None:
    assert site.ask(("authorization", f"Bearer {site.token}")).status == 200
    assert site.caller() == ("ada", Role.WRITE)
    password = base64.b64encode(f"any:{site.token}".encode()).decode()
    assert site.ask(("authorization", f"Basic {password}"), method="POST").status == 200


@pytest.mark.parametrize("scheme", ["Bearer", "Basic", "Digest", ""])
def test_whoever_presents_nothing_valid_gets_no_further(site: _Site, scheme: str) -> None:
    for value in ("wrong", "", site.token[:-1], f"{site.token}x", "\u00e9"):
        answer = site.ask(("authorization", f"{scheme} {value}"))
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    both = ("authorization", f"Bearer {site.token}")
    assert site.ask(both, both).status == 401
    assert site.inner.scopes == []


def test_a_browser_gets_the_page_and_a_program_an_error(site: _Site) -> None:
    assert b"<form" in site.ask(("accept", "text/html")).body
    assert json.loads(site.ask().body)["error_code"] == "UNAUTHENTICATED"


def test_who_guesses_is_told_to_wait_and_who_knows_is_not(site: _Site) -> None:
    statuses = [site.ask(("authorization", "Bearer guess")).status for _ in range(40)]
    assert (statuses[0], statuses[-1]) == (401, 429)
    # What is presented rightly, and what presents nothing, is no guess.
    assert site.ask(("authorization", f"Bearer {site.token}")).status == 200
    assert site.ask().status == 401


@pytest.mark.parametrize(
    ("kind", "caller"), [("token", ("ada", Role.WRITE)), ("person", ("pia", Role.READ))]
)
def test_a_session_says_who_asks_from_our_own_pages(
    site: _Site, kind: str, caller: tuple[str, Role]
) -> None:
    cookie = ("cookie", site.cookies[kind])
    for foreign in ([("sec-fetch-site", "cross-site")], [("origin", "http://evil.example")], []):
        assert site.ask(cookie, *foreign, method="POST").status == 403
    assert site.inner.scopes == []
    assert site.ask(cookie, ("sec-fetch-site", "same-origin"), method="POST").status == 200
    assert site.caller() == caller


def test_a_forged_session_is_none(site: _Site) -> None:
    assert site.ask(("cookie", site.cookies["forged"])).status == 401
    # With a wrong token beside a good session, the token counts.
    headers = [("authorization", "Bearer x"), ("cookie", site.cookies["token"])]
    assert site.ask(*headers).status == 401
    assert site.inner.scopes == []


def test_a_session_is_found_beside_others_of_its_name(site: _Site) -> None:
    """Of another path of this host, say: the browser sends both, in an order of its own."""
    good, name = site.cookies["token"], site.cookies["token"].split("=")[0]
    ended = site.sessions.issue_person("old", Role.ADMIN, secure=False).split(";")[0]
    asyncio.run(site.callers.end_session([(b"cookie", ended.encode())]))
    gone = site.sessions.issue(Token("gone", "0" * 64, Role.ADMIN), secure=False).split(";")[0]
    for other in (f"{name}=", f"{name}=x.y.z", site.cookies["forged"], ended, gone):
        assert site.ask(("cookie", other)).status == 401, other
        for both in (f"{other}; {good}", f"{good}; {other}"):
            assert site.ask(("cookie", both)).status == 200, both
            assert site.caller() == ("ada", Role.WRITE)
        # As HTTP/2 may bring them.
        assert site.ask(("cookie", other), ("cookie", good)).status == 200


def test_signing_out_ends_every_session_that_the_browser_has(site: _Site) -> None:
    both = "; ".join([site.cookies["token"], site.cookies["person"]])
    asyncio.run(site.callers.end_session([(b"cookie", both.encode())]))
    for cookie in (both, site.cookies["token"], site.cookies["person"]):
        assert site.ask(("cookie", cookie)).status == 401


def test_a_websocket_is_opened_by_a_token_alone(site: _Site) -> None:
    same = ("sec-fetch-site", "same-origin")
    for headers in ([], [("authorization", "Bearer x")], [("cookie", site.cookies["token"]), same]):
        assert drive(site.layer, asked(websocket("/x", *headers))).is_closed
    assert site.inner.scopes == []
    token = ("authorization", f"Bearer {site.token}")
    assert not drive(site.layer, asked(websocket("/x", token))).is_closed
    assert site.caller() == ("ada", Role.WRITE)


def test_a_request_that_did_not_come_by_the_entrance_fails(site: _Site) -> None:
    for scope in (http("GET", "/version"), {"type": "lifespan"}):
        with pytest.raises(KeyError):
            drive(site.layer, scope)
    assert site.inner.scopes == []


def test_requests_side_by_side_are_not_taken_for_each_other(site: _Site) -> None:
    good = http("GET", "/good", ("authorization", f"Bearer {site.token}"))
    bad = http("GET", "/bad", ("cookie", site.cookies["forged"]))

    async def all_at_once(*scopes: Scope) -> list[Driven]:
        return await asyncio.gather(*(driven(site.layer, asked(scope)) for scope in scopes))

    answers = asyncio.run(all_at_once(*[good, bad] * 20))
    assert [answer.status for answer in answers] == [200, 401] * 20
    assert {scope["path"] for scope in site.inner.scopes} == {"/good"}
