"""Sign-in of people: the rules alone, and a real issuer with a real browser."""

import json
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.rehearsal.system.ports import find_free_port
from runtime import settings
from runtime.access.issuer.rules import (
    Rules,
    asked_scope,
    display_name,
    is_overage,
    rules_of,
    with_userinfo,
)
from runtime.errors import UserError
from runtime.tokens.store import Role
from tests.browser import browsing
from tests.runtime.issuer import CLIENT_ID, issuing
from tests.runtime.serving import Serving, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

_RULES = Rules(
    users=frozenset({"linus@example.com", "linus-7"}),
    groups=frozenset({"science"}),
    admin_groups=frozenset({"platform"}),
    read_groups=frozenset({"guests"}),
)


@pytest.mark.parametrize(
    ("given", "claims", "role"),
    [
        ({"groups": frozenset({"*"})}, {"sub": "any"}, Role.WRITE),
        ({"groups": frozenset({"*"})}, {"sub": "any", "groups": ["platform"]}, Role.ADMIN),
        ({"groups": frozenset({"*"})}, {"sub": "any", "groups": ["guests"]}, Role.WRITE),
        ({"read_groups": frozenset({"*"})}, {"sub": "any"}, Role.READ),
        ({"read_groups": frozenset({"*"})}, {"groups": ["science"]}, Role.WRITE),
        # A group of that name at the issuer is no word of the stack file.
        ({}, {"groups": ["*"]}, None),
    ],
)
def test_a_star_is_everybody_whom_the_issuer_lets_in(
    given: dict[str, Any], claims: dict[str, Any], role: Role | None
) -> None:
    assert replace(_RULES, **given).role_of(claims) == role


def test_not_everybody_is_an_admin() -> None:
    environment = {
        "TRACKSTACK_OIDC_ISSUER": "https://issuer.example",
        "TRACKSTACK_OIDC_CLIENT_ID": "x",
        "TRACKSTACK_ADMIN_GROUPS": "*",
    }
    with pytest.raises(UserError, match="TRACKSTACK_ADMIN_GROUPS"):
        rules_of(settings.load(environment))


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["science"]}, Role.WRITE),
        ({"groups": ["science", "platform"]}, Role.ADMIN),
        ({"roles": ["platform"]}, Role.ADMIN),
        ({"groups": ["guests"]}, Role.READ),
        # OCI IAM domains give objects.
        ({"groups": [{"name": "science", "id": "ocid1.group"}]}, Role.WRITE),
        ({"email": "linus@example.com", "email_verified": True}, Role.WRITE),
        ({"email": "linus@example.com", "email_verified": "true"}, Role.WRITE),
        # As Entra ID has it.
        ({"email": "linus@example.com", "xms_edov": "1"}, Role.WRITE),
        ({"sub": "linus-7"}, Role.WRITE),
        ({"oid": "linus-7"}, Role.WRITE),
        ({"email": "linus@example.com"}, None),
        ({"email": "linus@example.com", "email_verified": False}, None),
        ({"email": "linus@example.com", "email_verified": "false"}, None),
        ({"email": "linus@example.com", "email_verified": 0}, None),
        # What people choose for themselves, and an id that is another's address.
        ({"preferred_username": "linus@example.com"}, None),
        ({"preferred_username": "linus-7", "name": "linus-7"}, None),
        ({"sub": "linus@example.com"}, None),
        ({"sub": ["linus-7"]}, None),
        ({"groups": ["sales"]}, None),
        ({"groups": "science"}, None),
        ({"groups": [None, 7, {"id": "science"}]}, None),
        ({}, None),
    ],
)
def test_the_claims_give_a_role(claims: dict[str, Any], role: Role | None) -> None:
    assert _RULES.role_of(claims) == role


def test_another_claim_names_a_person_only_where_the_stack_file_says_so() -> None:
    rules = replace(_RULES, user_claim="upn")
    assert rules.role_of({"upn": "linus@example.com"}) == Role.WRITE
    assert rules.role_of({"preferred_username": "linus@example.com"}) is None
    assert _RULES.role_of({"upn": "linus@example.com"}) is None


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"sub": "1", "email": "ada@example.com", "email_verified": True}, "ada@example.com"),
        ({"sub": "1", "email": "ada@example.com"}, "ada@example.com (1)"),
        # A token's name, or somebody else's.
        ({"sub": "1", "preferred_username": "stack"}, "stack (1)"),
        ({"sub": "1"}, "(1)"),
        ({}, "(?)"),
    ],
)
def test_nobody_passes_for_another_in_the_audit_log(claims: dict[str, Any], name: str) -> None:
    assert display_name(claims) == name


def test_groups_are_asked_for_where_some_are_named_and_the_issuer_has_that_scope() -> None:
    """As OCI IAM and Okta do, which give none else; Entra ID has no such scope."""
    has, has_not = {"scopes_supported": ["openid", "groups"]}, {"scopes_supported": ["openid"]}
    assert asked_scope(_RULES, has) == "openid profile email groups"
    assert asked_scope(_RULES, has_not) == asked_scope(_RULES, {}) == "openid profile email"
    everybody = replace(
        _RULES, groups=frozenset({"*"}), admin_groups=frozenset(), read_groups=frozenset()
    )
    assert asked_scope(everybody, has) == "openid profile email"


def test_groups_that_were_left_out_are_seen() -> None:
    assert is_overage({"_claim_names": {"groups": "src1"}})
    assert is_overage({"hasgroups": True})
    assert not is_overage({"groups": []})


def test_userinfo_of_another_subject_is_refused() -> None:
    claims: dict[str, Any] = {"sub": "ada", "email": "ada@example.com", "groups": []}
    more = {"sub": "ada", "groups": ["science"], "email": "other@example.com"}
    found = {"sub": "ada", "email": "ada@example.com", "groups": ["science"]}
    assert with_userinfo(claims, more) == found
    for other in ({"sub": "boss", "groups": ["platform"]}, {"groups": ["platform"]}, {}):
        with pytest.raises(ValueError, match="another subject"):
            with_userinfo(claims, other)
    with pytest.raises(ValueError, match="another subject"):
        with_userinfo({}, {})


def test_userinfo_verifies_no_other_address_than_its_own() -> None:
    signed: dict[str, Any] = {"sub": "7", "email": "linus@example.com"}
    for verified in ({"email_verified": True}, {"xms_edov": "1"}):
        for more in (
            {"sub": "7", "email": "other@example.com", **verified},
            {"sub": "7", **verified},
        ):
            assert _RULES.role_of(with_userinfo(signed, more)) is None
        same = {**signed, **verified}
        assert _RULES.role_of(with_userinfo(signed, same)) is Role.WRITE
        assert _RULES.role_of(with_userinfo({"sub": "7"}, same)) is Role.WRITE
        # What the issuer has signed stays as it is.
        not_verified = {**signed, **dict.fromkeys(verified, False)}
        assert _RULES.role_of(with_userinfo(not_verified, same)) is None


def test_an_issuer_without_rules_is_refused() -> None:
    given = {
        "TRACKSTACK_OIDC_ISSUER": "https://login.example.com",
        "TRACKSTACK_OIDC_CLIENT_ID": "x",
    }
    with pytest.raises(UserError, match="nobody is named who may sign in"):
        rules_of(settings.load(given))
    with pytest.raises(UserError, match="must be an https:// address"):
        settings.load({**given, "TRACKSTACK_OIDC_ISSUER": "http://login.example.com"})


@dataclass(frozen=True)
class Site:
    """A server whose people sign in at an issuer, with an experiment to look at."""

    server: Serving
    audit: Path
    run: str
    """The run's path in the web page."""

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line)["audit"] for line in self.audit.read_text().splitlines()]


@pytest.fixture(scope="module", params=["", "/team/mlflow"], ids=["at the root", "below a path"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Site]:
    folder, port = tmp_path_factory.mktemp("oidc"), find_free_port()
    home, audit = f"http://127.0.0.1:{port}{request.param}", folder / "audit.jsonl"
    with (
        issuing(home) as issuer,
        serving(
            folder / "server",
            port=port,
            MLFLOW_STATIC_PREFIX=request.param,
            TRACKSTACK_PUBLIC_URL=home,
            TRACKSTACK_OIDC_ISSUER=issuer,
            TRACKSTACK_OIDC_CLIENT_ID=CLIENT_ID,
            TRACKSTACK_ALLOWED_GROUPS="data-science",
            TRACKSTACK_ADMIN_GROUPS="platform",
            TRACKSTACK_AUDIT_LOG=str(audit),
        ) as server,
    ):
        with pytest.MonkeyPatch.context() as patch:
            client = server.client(patch)
            run = client.create_run(client.create_experiment("seen-by-ada"), run_name="first-run")
            client.log_text(run.info.run_id, "the artifact's own words", "note.txt")
            client.set_terminated(run.info.run_id)
        path = f"/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
        yield Site(server, audit, path)


def _sign_in(page: "Page", site: Site, name: str) -> None:
    page.goto(f"{site.server.uri}/")
    page.get_by_text("Sign in with your organization").click()
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", "any")
    page.click("button[type=submit]")
    page.get_by_role("button", name="Continue").click()


@pytest.mark.slow
def test_a_person_signs_in_sees_an_experiment_opens_an_artifact_and_leaves(
    site: Site, tmp_path: Path
) -> None:
    with browsing() as page:
        _sign_in(page, site, "ada")
        page.wait_for_url(f"{site.server.uri}/**")
        page.goto(f"{site.server.uri}/#/experiments")
        page.get_by_text("seen-by-ada").first.wait_for()
        page.screenshot(path=str(tmp_path / "experiments.png"))
        page.goto(f"{site.server.uri}/#{site.run}/artifacts")
        page.get_by_text("note.txt").first.click()
        page.get_by_text("the artifact's own words").first.wait_for()
        page.screenshot(path=str(tmp_path / "artifact.png"))

        page.goto(f"{site.server.uri}/trackstack/account")
        assert "ada@example.com, write" in page.inner_text("main")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Yes, sign me out").click()
        page.wait_for_url(f"{site.server.uri}/**")
        assert "Sign in to MLflow" in page.inner_text("main")
    signed_in = [entry for entry in site.entries() if entry["path"] == "/trackstack/oidc/end"]
    assert [(entry["who"], entry["status"]) for entry in signed_in] == [("ada@example.com", 303)]


@pytest.mark.slow
def test_who_is_in_no_allowed_group_is_told_so(site: Site, tmp_path: Path) -> None:
    with browsing() as page:
        _sign_in(page, site, "eve")
        page.get_by_role("alert").wait_for()
        assert "eve@example.com: you are in none of the groups" in page.inner_text("main")
        page.screenshot(path=str(tmp_path / "refused.png"))
        page.goto(f"{site.server.uri}/")
        assert "Sign in to MLflow" in page.inner_text("main")
    refused = [entry for entry in site.entries() if entry["who"] == "eve@example.com"]
    assert [entry["status"] for entry in refused] == [403]


@pytest.mark.slow
def test_an_answer_that_nobody_asked_for_is_refused(site: Site) -> None:
    answer = site.server.request("GET", "/trackstack/oidc/end?code=stolen&state=made-up")
    assert answer.status == 403
    assert "set-cookie" not in {name.lower() for name in answer.headers}
