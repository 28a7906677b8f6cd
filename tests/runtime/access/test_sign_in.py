"""Signing in with a browser's means: a form, a cookie, an origin."""

import base64
import hashlib
import re
from urllib.parse import urlencode

import pytest

from infra.rehearsal.system.waiting import wait_for
from runtime.access.credentials import Person, Sessions
from runtime.tokens.store import Role
from tests.runtime.serving import Answer, Serving

pytestmark = pytest.mark.slow

_SEARCH = "/ajax-api/2.0/mlflow/experiments/search"
_JSON = {"content-type": "application/json"}


def _sign_in(server: Serving, token: str, target: str = "/", site: str = "same-origin") -> Answer:
    form = urlencode({"token": token, "next": target}).encode()
    # An address of its own: what other tests do wrong is not counted here.
    headers = {"accept": "text/html", "sec-fetch-site": site, "x-forwarded-for": "192.0.2.1"}
    return server.request("POST", "/trackstack/sign-in", headers=headers, body=form)


def _cookie(answer: Answer) -> str:
    return answer.headers["set-cookie"].split(";")[0]


def test_a_page_without_a_session_asks_for_the_token(server: Serving) -> None:
    answer = server.request("GET", "/", headers={"accept": "text/html"})
    assert answer.status == 401
    assert b'<form method="post" action="/trackstack/sign-in">' in answer.body
    # Its one script is named by the page's policy, and nothing comes from elsewhere.
    [script] = re.findall(rb"<script>(.*?)</script>", answer.body, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in answer.headers["content-security-policy"]
    assert answer.body.count(b"<script") == 1


def test_the_token_opens_a_session_that_reads_and_writes(server: Serving) -> None:
    answer = _sign_in(server, server.token, "/#/experiments")
    assert (answer.status, answer.headers["location"]) == (303, "/#/experiments")
    flags = answer.headers["set-cookie"]
    assert "HttpOnly" in flags
    assert "SameSite=Lax" in flags
    assert server.token not in flags
    headers = {"cookie": _cookie(answer), "sec-fetch-site": "same-origin", **_JSON}
    done = server.request("POST", _SEARCH, headers=headers, body=b'{"max_results": 1}')
    assert done.status == 200


def test_another_site_cannot_use_the_session(server: Serving) -> None:
    cookie = _cookie(_sign_in(server, server.token))
    for foreign in ({"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}, {}):
        headers = {"cookie": cookie, **_JSON, **foreign}
        answer = server.request("POST", _SEARCH, headers=headers, body=b'{"max_results": 1}')
        assert answer.status == 403, foreign


def test_a_wrong_token_is_told_and_opens_nothing(server: Serving) -> None:
    answer = _sign_in(server, "wrong")
    assert answer.status == 401
    assert b"This token is not valid." in answer.body
    assert "set-cookie" not in answer.headers
    assert _sign_in(server, server.token, site="cross-site").status == 403


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "/\\evil", "x"])
def test_signing_in_leads_nowhere_else(server: Serving, target: str) -> None:
    assert _sign_in(server, server.token, target).headers["location"] == "/"


def test_a_forged_cookie_opens_nothing(server: Serving) -> None:
    cookie = _cookie(_sign_in(server, server.token))
    for forged in (cookie[:-1], cookie + "x", cookie.split("=")[0] + "=a.b.c"):
        assert server.request("GET", "/version", headers={"cookie": forged}).status == 401


def test_signing_out_ends_the_session_in_the_browser(server: Serving) -> None:
    cookie = _cookie(_sign_in(server, server.token))
    headers = {"cookie": cookie, "sec-fetch-site": "same-origin"}
    answer = server.request("POST", "/trackstack/sign-out", headers=headers)
    assert answer.status == 303
    assert "Max-Age=0" in answer.headers["set-cookie"]


def test_a_copy_of_the_cookie_is_worth_nothing_after_signing_out(server: Serving) -> None:
    cookie, other = (_cookie(_sign_in(server, server.token)) for _ in range(2))
    headers = {"cookie": cookie, "sec-fetch-site": "same-origin"}
    assert server.request("GET", "/version", headers=headers).status == 200
    assert server.request("POST", "/trackstack/sign-out", headers=headers).status == 303
    wait_for(
        lambda: all(
            server.request("GET", "/version", headers=headers).status == 401 for _ in range(8)
        ),
        "the end in every worker",
        10,
    )
    assert server.request("GET", "/version", headers={"cookie": other}).status == 200


def test_two_stacks_of_a_host_sign_nobody_out_of_each_other() -> None:
    one, two = Sessions("one"), Sessions("two")
    assert one.cookie != two.cookie
    cookies = "; ".join(
        sessions.issue_person("ada", Role.READ, secure=False).split(";")[0]
        for sessions in (one, two)
    )
    for sessions in (one, two):
        (session,) = sessions.read([(b"cookie", cookies.encode())])
        assert session.holder == Person("ada", Role.READ)


@pytest.mark.parametrize(
    "other",
    [
        'prefs={"a":1}',
        "a b=c",
        "a/b=c",
        "a[b]=1",
        "abc",
        "Expires=1",
        "name=\u00e9",
        "trackstack_session=stale",
        "trackstack_session=",
        "=;;",
    ],
)
def test_cookies_of_other_programs_sign_nobody_out(server: Serving, other: str) -> None:
    cookie = _cookie(_sign_in(server, server.token))
    for both in (f"{other}; {cookie}", f"{cookie}; {other}"):
        assert server.request("GET", "/version", headers={"cookie": both}).status == 200, both


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "http://["}, 403),
        # Somebody's link, and the page itself.
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),
        ({"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}, 200),
        ({"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, 200),
        ({}, 200),
    ],
)
def test_a_page_of_another_port_reads_nothing_with_the_session(
    server: Serving, headers: dict[str, str], status: int
) -> None:
    cookie = _cookie(_sign_in(server, server.token))
    answer = server.request(
        "GET", f"{_SEARCH}?max_results=1", headers={"cookie": cookie, **headers}
    )
    assert answer.status == status


@pytest.mark.parametrize("header", ["Basic \u00e9", "Basic ====", "Basic /w==", "Bearer \u00e9"])
def test_a_malformed_authorization_is_no_token(server: Serving, header: str) -> None:
    headers = {"authorization": header, "x-forwarded-for": "192.0.2.2"}
    assert server.request("GET", "/version", headers=headers).status == 401


def test_a_malformed_sign_in_is_refused(server: Serving) -> None:
    many = "&".join(f"field{number}=x" for number in range(20))
    form = {"content-type": "application/x-www-form-urlencoded", "x-forwarded-for": "192.0.2.3"}
    for body, headers in (
        (many, {"sec-fetch-site": "same-origin"}),
        ("token=x", {"origin": "http://["}),
        ("x" * 5000, {"sec-fetch-site": "same-origin"}),
    ):
        answer = server.request(
            "POST", "/trackstack/sign-in", headers={**form, **headers}, body=body.encode()
        )
        assert answer.status == 403, (body[:20], headers)
    assert _sign_in(server, server.token, "//[").headers["location"] == "/"
