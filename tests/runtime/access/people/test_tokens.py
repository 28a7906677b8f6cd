"""The API of tokens and people: who may have, see and end what."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from runtime.access.people import openapi
from runtime.database.engine import open_engine
from runtime.jobs.runs import JobRuns
from runtime.settings import load
from runtime.tokens.store import Role
from tests.runtime.access.people.site import ACCOUNT, PEOPLE, STACK, TOKENS, Site, bearer, made
from tests.runtime.databases import postgresql


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return made(tmp_path)


def test_a_person_makes_sees_and_revokes_own_tokens(site: Site) -> None:
    ada, bob = site.signed_in("ada", Role.WRITE), site.signed_in("bob", Role.ADMIN)
    status, token = site.api("POST", TOKENS, ada, name="laptop", role="read", expires="30d")
    assert status == 201
    assert site.works(token["token"])
    status, listed = site.api("GET", TOKENS, ada)
    [entry] = listed["tokens"]
    assert (entry["name"], entry["owner"], entry["role"]) == ("laptop", "ada", "read")
    assert token["token"] not in json.dumps(listed)
    assert (listed["max_days"], entry["valid"]) == (90, True)
    assert site.api("GET", TOKENS, bob)[1]["tokens"] == []
    assert site.api("DELETE", f"{TOKENS}?id={token['id']}", ada)[0] == 200
    assert not site.works(token["token"])


def test_what_is_not_to_be_had_is_refused_with_the_reason(site: Site) -> None:
    ada, ben = site.signed_in("ada", Role.READ), site.signed_in("ben", Role.WRITE)
    token = site.api("POST", TOKENS, ben, name="x")[1]
    team = site.shared.add("team", Role.WRITE, None)
    for headers, wanted, status, said in (
        (ada, {"name": "x", "role": "write"}, 400, "your role is read"),
        (ada, {"name": "x", "expires": "91d"}, 400, "at most 90 days"),
        (ada, {"name": "x", "expires": "soon"}, 400, "is not an age"),
        (ada, {"name": "x", "role": "owner"}, 400, "read, write or admin"),
        (ada, {"role": "read"}, 400, "name: is missing"),
        (ada, {"name": "x", "shared": True}, 403, "only admins"),
        # A token that leaks makes no others, of whichever kind it is.
        (bearer(token["token"]), {"name": "y"}, 403, "sign in at"),
        (bearer(team), {"name": "y"}, 403, "sign in at"),
        (bearer("the-jobs-own"), {"name": "y"}, 403, "sign in at"),
    ):
        answer, body = site.api("POST", TOKENS, headers, **wanted)
        assert answer == status, (wanted, body)
        assert said in body["message"]
    # Another site's page may use no session.
    foreign = {**ben, "sec-fetch-site": "cross-site"}
    assert site.api("POST", TOKENS, foreign, name="y")[0] == 403
    assert site.ask("POST", TOKENS, ben, b"[]").status == 400
    assert site.ask("POST", TOKENS, ben, b"{" * 5000).status == 400
    assert site.api("DELETE", f"{TOKENS}?id={token['id']}", ada)[0] == 400
    assert site.api("GET", f"{TOKENS}?all=true", ben)[0] == 403
    assert site.api("PATCH", f"{TOKENS}?shared=team", ben, action="rotate")[0] == 403
    assert site.api("DELETE", f"{TOKENS}?shared=team", ben)[0] == 403
    assert site.works(team)


@pytest.mark.slow
def test_a_nul_character_which_not_each_database_takes_is_refused(tmp_path: Path) -> None:
    with postgresql() as server:
        site = made(tmp_path, MLFLOW_BACKEND_STORE_URI=server.new_database())
        ada, admin = site.signed_in("ada", Role.WRITE), bearer(STACK)
        for method, path, headers, body, status in (
            ("DELETE", f"{TOKENS}?id=%00", ada, b"", 400),
            ("DELETE", f"{TOKENS}?shared=ci%00", admin, b"", 400),
            ("PATCH", f"{TOKENS}?shared=%00", admin, b'{"action": "rotate"}', 400),
            ("DELETE", f"{PEOPLE}?name=%00", admin, b"", 400),
            ("POST", f"{ACCOUNT}/tokens", ada, b"action=revoke&id=%00", 403),
            ("POST", "/trackstack/login", ada, b"challenge=%00" + b"a" * 42, 400),
        ):
            assert site.ask(method, path, headers, body).status == status, path


def test_an_admin_s_token_does_what_the_command_does_beside_the_store(site: Site) -> None:
    admin = bearer(STACK)
    made_one = site.api("POST", TOKENS, admin, name="ci", role="write", expires="1d", shared=True)
    assert made_one[0] == 201
    first = made_one[1]["token"]
    assert site.works(first)
    second = site.api("PATCH", f"{TOKENS}?shared=ci", admin, action="rotate")[1]["token"]
    assert (site.works(first), site.works(second)) == (False, True)
    ada = site.signed_in("ada", Role.WRITE)
    own = site.api("POST", TOKENS, ada, name="laptop")[1]
    listed = site.api("GET", f"{TOKENS}?all=true", admin)[1]["tokens"]
    assert {(t["name"], t["owner"]) for t in listed} == {("ci", None), ("laptop", "ada")}
    assert site.api("DELETE", f"{TOKENS}?shared=ci", admin)[0] == 200
    assert site.api("DELETE", f"{TOKENS}?id={own['id']}", admin)[0] == 200
    assert not site.works(second)
    assert not site.works(own["token"])
    assert site.api("POST", TOKENS, admin, name="stack", shared=True)[0] == 400


def test_who_is_removed_is_out_at_once_with_session_and_tokens(site: Site) -> None:
    ada, admin = site.signed_in("ada", Role.WRITE), bearer(STACK)
    token = site.api("POST", TOKENS, ada, name="laptop")[1]["token"]
    assert site.api("DELETE", f"{PEOPLE}?name=ada", ada)[0] == 403
    assert site.api("DELETE", f"{PEOPLE}?name=ada", admin)[0] == 200
    assert not site.works(token)
    assert site.ask("GET", ACCOUNT, ada).status == 401
    assert not site.people.sign_in("ada", Role.WRITE)
    [person] = site.api("GET", PEOPLE, admin)[1]["people"]
    assert (person["name"], person["removed"]) == ("ada", True)
    assert site.api("POST", f"{PEOPLE}?name=ada", admin)[0] == 200
    assert site.people.sign_in("ada", Role.WRITE)
    assert not site.works(token)


def test_the_account_page_makes_a_token_shows_it_once_and_revokes_it(site: Site) -> None:
    ada = site.signed_in("<ada>", Role.WRITE)
    page = site.ask("GET", ACCOUNT, ada)
    assert page.status == 200
    assert b"<script" not in page.body
    assert b"&lt;ada&gt;, write" in page.body
    assert b"trackstack login http" in page.body
    assert b"<option>admin" not in page.body
    done = site.form(f"{ACCOUNT}/tokens", ada, action="make", name="<lap>", role="read", days="5")
    assert b"&lt;lap&gt;, shown this once" in done.body
    value = done.body.split(b"<pre>")[1].split(b"</pre>")[0].decode()
    assert site.works(value)
    assert value.encode() not in site.ask("GET", ACCOUNT, ada).body
    token_id = site.api("GET", TOKENS, ada)[1]["tokens"][0]["id"]
    wrong = site.form(f"{ACCOUNT}/tokens", ada, action="make", name="x", days="400")
    assert (wrong.status, b"at most 90 days" in wrong.body) == (400, True)
    foreign = {**ada, "sec-fetch-site": "cross-site"}
    assert site.form(f"{ACCOUNT}/tokens", foreign, action="revoke", id=token_id).status == 403
    assert site.works(value)
    assert site.form(f"{ACCOUNT}/tokens", ada, action="revoke", id=token_id).status == 200
    assert not site.works(value)


def test_the_holder_of_a_shared_token_makes_own_ones_when_signed_in_with_it(site: Site) -> None:
    team = site.shared.add("team", Role.WRITE, None)
    done = site.form("/trackstack/sign-in", {"sec-fetch-site": "same-origin"}, token=team)
    session = {
        "cookie": done.headers["set-cookie"].split(";")[0],
        "sec-fetch-site": "same-origin",
    }
    token = site.api("POST", TOKENS, session, name="mine")[1]["token"]
    assert site.works(token)
    assert site.api("PATCH", f"{TOKENS}?shared=team", bearer(STACK), action="rotate")[0] == 200
    assert not site.works(token)


def test_the_audit_log_names_who_used_which_token(site: Site) -> None:
    token = site.api("POST", TOKENS, site.signed_in("ada", Role.WRITE), name="laptop")[1]["token"]
    assert site.works(token)
    lines = [json.loads(line) for line in (site.folder / "audit.jsonl").read_text().splitlines()]
    assert [line["audit"]["who"] for line in lines] == ["ada", "ada/laptop"]


def test_the_description_is_of_what_is_answered(site: Site) -> None:
    ada = site.signed_in("ada", Role.WRITE)
    status, document = site.api("GET", openapi.DOCUMENT, ada)
    assert (status, document) == (200, openapi.document())
    schemas = document["components"]["schemas"]

    def check(name: str, found: dict[str, Any]) -> None:
        whole = {"components": document["components"], "$ref": f"#/components/schemas/{name}"}
        validator: Any = Draft202012Validator(whole)
        validator.validate(found)
        assert set(schemas[name]["properties"]) == set(found)

    site.api("POST", TOKENS, ada, name="laptop")
    engine = open_engine(load({"TRACKSTACK_DATA_DIR": str(site.folder)}))
    JobRuns(engine).schedule({"gc": "*/10 * * * *"})
    check("Token", site.api("GET", TOKENS, ada)[1]["tokens"][0])
    check("Person", site.api("GET", PEOPLE, bearer(STACK))[1]["people"][0])
    found = site.api("GET", openapi.STATUS, ada)[1]
    check("Status", found)
    check("Job", found["jobs"][0])
    check("Error", site.api("POST", TOKENS, ada)[1])
    check("Error", site.api("GET", PEOPLE, ada)[1])


def test_a_session_has_no_more_than_its_person_has_since(site: Site) -> None:
    before = site.signed_in("ada", Role.ADMIN)
    assert site.api("GET", PEOPLE, before)[0] == 200
    site.signed_in("ada", Role.READ)
    fresh = made(site.folder)
    assert fresh.api("GET", PEOPLE, before)[0] == 403
    assert fresh.api("POST", TOKENS, before, name="x", shared=True, role="admin")[0] == 403
    assert fresh.api("POST", TOKENS, before, name="x", role="write")[0] == 400


def test_a_token_of_one_s_own_makes_nothing_that_outlives_it(site: Site) -> None:
    ada = site.signed_in("ada", Role.ADMIN)
    own = bearer(site.api("POST", TOKENS, ada, name="laptop", role="admin")[1]["token"])
    team = site.shared.add("team", Role.ADMIN, None)
    assert site.api("GET", f"{TOKENS}?all=true", own)[0] == 200
    assert site.api("POST", TOKENS, own, name="x", shared=True)[0] == 403
    for action in ("rotate", "enable"):
        assert site.api("PATCH", f"{TOKENS}?shared=team", own, action=action)[0] == 403
    assert site.api("POST", TOKENS, ada, name="x", shared=True)[0] == 201
    assert site.api("POST", TOKENS, bearer(team), name="y", shared=True)[0] == 201


def test_the_jobs_token_makes_none_where_it_is_an_admin_s(tmp_path: Path) -> None:
    given = {"TRACKSTACK_PROTECT_REGISTRY": "true", "TRACKSTACK_PRUNE_REGISTRY": "true"}
    jobs, site = bearer("the-jobs-own"), made(tmp_path, **given)
    assert site.api("GET", PEOPLE, jobs)[0] == 200, "an admin's"
    assert site.api("POST", TOKENS, jobs, name="x", shared=True)[0] == 403


def test_a_body_too_deep_to_be_read_is_the_caller_s_mistake(site: Site) -> None:
    ada = site.signed_in("ada", Role.READ)
    assert site.ask("POST", TOKENS, ada, b"[" * 4000).status == 400


def test_a_shared_token_says_which_admin_gave_it_its_value(site: Site) -> None:
    ann, bob = site.signed_in("ann", Role.ADMIN), site.signed_in("bob", Role.ADMIN)
    assert site.api("POST", TOKENS, ann, name="ci", role="write", shared=True)[0] == 201
    site.shared.add("old", Role.READ, None)

    def makers() -> dict[str, str | None]:
        listed = site.api("GET", f"{TOKENS}?all=true", bob)[1]["tokens"]
        return {token["name"]: token["made_by"] for token in listed}

    assert makers() == {"ci": "ann", "old": None}
    assert b"shared, of ann" in site.ask("GET", f"{ACCOUNT}?all=true", bob).body
    assert site.api("PATCH", f"{TOKENS}?shared=ci", bob, action="rotate")[0] == 200
    assert makers()["ci"] == "bob"
    assert site.api("DELETE", f"{TOKENS}?shared=ci", bob)[0] == 200
    site.shared.add("ci", Role.READ, None)
    assert makers()["ci"] is None
