"""Letting a computer in: by consent alone, once, for the code and the verifier together."""

import json
import re
import secrets
from html import escape, unescape
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from runtime.access.people import login
from runtime.client.server import challenge_of
from runtime.tokens.grants import MOST
from runtime.tokens.store import Role
from tests.runtime.access.people.site import PEOPLE, STACK, TOKENS, Headers, Site, bearer, made

_PAGE, _EXCHANGE = login.PATH, login.EXCHANGE


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return made(tmp_path)


def _verifier() -> str:
    return secrets.token_urlsafe(32)


def _consent(site: Site, session: Headers, verifier: str, **fields: str) -> str:
    """The code that the page gives once somebody consented."""
    done = site.form(_PAGE, session, challenge=challenge_of(verifier), label="lap", **fields)
    assert done.status == 200, done.body
    text = done.body.decode()
    if "port" in fields:
        [target] = re.findall(r'url=([^"]+)"', text)
        parts = urlsplit(unescape(target))
        assert (parts.scheme, parts.netloc) == ("http", f"127.0.0.1:{fields['port']}")
        query = parse_qs(parts.query)
        assert query["state"] == [fields["state"]]
        return query["code"][0]
    [code] = re.findall(r'class="code">([^<]+)<', text)
    return code


def _take(site: Site, verifier: str, code: str, address: str = "192.0.2.1") -> tuple[int, str]:
    body = json.dumps({"verifier": verifier, "code": code}).encode()
    done = site.ask("POST", _EXCHANGE, {}, body, address)
    return done.status, json.loads(done.body).get("token", "")


def test_a_computer_gets_a_token_by_the_code_that_is_typed_there(site: Site) -> None:
    ada, verifier = site.signed_in("ada", Role.WRITE), _verifier()
    asked = f"{_PAGE}?" + urlencode({"challenge": challenge_of(verifier), "label": "<lap>"})
    page = site.ask("GET", asked, ada)
    assert (page.status, b"&lt;lap&gt; asks" in page.body) == (200, True)
    assert b"<script" not in page.body
    code = _consent(site, ada, verifier)
    status, token = _take(site, verifier, code.lower().replace("-", " "))
    assert status == 200
    assert site.works(token)
    [listed] = site.api("GET", TOKENS, ada)[1]["tokens"]
    assert (listed["name"], listed["role"]) == ("login lap", "write")


def test_a_computer_with_a_browser_gets_the_code_by_loopback(site: Site) -> None:
    ada, verifier = site.signed_in("ada", Role.ADMIN), _verifier()
    code = _consent(site, ada, verifier, port="4711", state="abc", role="admin")
    assert _take(site, verifier, code)[0] == 200
    [listed] = site.api("GET", TOKENS, ada)[1]["tokens"]
    assert listed["role"] == "admin"
    for wrong in (
        {"port": "80"},
        {"port": "x"},
        {"port": "4711", "state": "a b"},
        {"port": "²²²²"},
    ):
        done = site.form(_PAGE, ada, challenge=challenge_of(_verifier()), **wrong)
        assert b"127.0.0.1" not in done.body, wrong


def test_neither_code_nor_verifier_alone_gives_anything_and_both_give_it_once(site: Site) -> None:
    ada, verifier = site.signed_in("ada", Role.WRITE), _verifier()
    assert _take(site, verifier, "BCDF-GHJK")[0] == 400, "before anybody consented"
    code = _consent(site, ada, verifier)
    assert _take(site, _verifier(), code)[0] == 400
    assert _take(site, verifier, "BCDF-GHJK")[0] == 400
    assert _take(site, verifier, code)[0] == 200
    assert _take(site, verifier, code)[0] == 400
    store = next((site.folder / "store").iterdir()).read_bytes()
    assert code.replace("-", "").encode() not in store


def test_five_wrong_codes_end_it(site: Site) -> None:
    ada, verifier = site.signed_in("ada", Role.WRITE), _verifier()
    code = _consent(site, ada, verifier)
    for _ in range(5):
        assert _take(site, verifier, "BCDF-GHJK")[0] == 400
    assert _take(site, verifier, code)[0] == 400


def test_an_address_has_so_many_tries(site: Site) -> None:
    found = [_take(site, _verifier(), "x", "192.0.2.9")[0] for _ in range(25)]
    assert found[:20] == [400] * 20
    assert found[-1] == 429


def test_nobody_consents_for_another_nor_with_a_token_of_one_s_own(site: Site) -> None:
    ada, challenge = site.signed_in("ada", Role.WRITE), challenge_of(_verifier())
    foreign = {**ada, "sec-fetch-site": "cross-site"}
    assert site.form(_PAGE, foreign, challenge=challenge).status == 403
    own = site.api("POST", TOKENS, ada, name="x")[1]["token"]
    assert site.form(_PAGE, {"authorization": f"Bearer {own}"}, challenge=challenge).status == 403
    done = site.form("/trackstack/sign-in", {"sec-fetch-site": "same-origin"}, token=own)
    by_own = {"cookie": done.headers["set-cookie"].split(";")[0], "sec-fetch-site": "same-origin"}
    assert site.form(_PAGE, by_own, challenge=challenge).status == 403
    assert site.ask("GET", f"{_PAGE}?challenge={challenge}", {}).status == 401
    assert site.form(_PAGE, ada, challenge="short").status == 400
    assert site.form(_PAGE, ada, challenge=challenge).status == 200
    assert site.form(_PAGE, ada, challenge=challenge).status == 400, "once"


def test_signing_in_again_takes_the_place_of_the_token_before(site: Site) -> None:
    ada, tokens = site.signed_in("ada", Role.READ), list[str]()
    for _ in range(2):
        verifier = _verifier()
        tokens.append(_take(site, verifier, _consent(site, ada, verifier, role="admin"))[1])
    assert [site.ask("GET", TOKENS, {"authorization": f"Bearer {t}"}).status for t in tokens] == [
        401,
        200,
    ]
    [listed] = site.api("GET", TOKENS, ada)[1]["tokens"]
    assert listed["role"] == "read", "no more than the person has"


def test_signing_in_first_leads_back_to_what_was_asked_for(site: Site) -> None:
    asked = f"{_PAGE}?challenge=a%26b&label=x"
    page = site.ask("GET", asked, {"accept": "text/html"}).body.decode()
    [target] = re.findall(r'name="next" value="([^"]*)"', page)
    assert unescape(target) == asked
    form = {"sec-fetch-site": "same-origin", "accept": "text/html"}
    wrong = site.form("/trackstack/sign-in", form, token="x", next=f"{asked}#/a").body.decode()
    assert f'name="next" value="{escape(asked)}#/a"' in wrong, "a wrong token loses nothing"
    done = site.form("/trackstack/sign-in", form, token=STACK, next=f"{asked}#/a")
    assert done.headers["location"] == f"{asked}#/a"


def test_the_sign_in_page_says_of_which_stack_it_is_and_what_to_type(tmp_path: Path) -> None:
    site = made(tmp_path / "named", TRACKSTACK_STACK="azure-<prod>")
    page = site.ask("GET", "/", {"accept": "text/html"}).body
    assert b"The stack azure-&lt;prod&gt;" in page
    assert b"trackstack login http://127.0.0.1:5000\n" in page


def test_a_consent_ends_with_what_its_person_may(site: Site) -> None:
    ada, verifier = site.signed_in("ada", Role.WRITE), _verifier()
    code = _consent(site, ada, verifier)
    admin = bearer(STACK)
    assert site.api("DELETE", f"{PEOPLE}?name=ada", admin)[0] == 200
    assert site.api("POST", f"{PEOPLE}?name=ada", admin)[0] == 200
    site.signed_in("ada", Role.WRITE)
    assert _take(site, verifier, code)[0] == 400


def test_so_many_consents_wait_for_one_person(site: Site) -> None:
    ada, bob = site.signed_in("ada", Role.READ), site.signed_in("bob", Role.READ)
    for _ in range(MOST):
        assert site.form(_PAGE, ada, challenge=challenge_of(_verifier())).status == 200
    full = site.form(_PAGE, ada, challenge=challenge_of(_verifier()))
    assert (full.status, b"wait" in full.body) == (400, True)
    assert site.form(_PAGE, bob, challenge=challenge_of(_verifier())).status == 200


@pytest.mark.parametrize("body", [b'{"verifier": "\\ud800", "code": "x"}', b"[" * 1024])
def test_what_is_no_verifier_is_the_caller_s_mistake(site: Site, body: bytes) -> None:
    ada = site.signed_in("ada", Role.READ)
    assert site.form(_PAGE, ada, challenge=challenge_of(_verifier())).status == 200
    assert site.ask("POST", _EXCHANGE, {}, body).status == 400
