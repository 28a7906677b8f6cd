"""Sign-in of people: the rules alone, and a real issuer with a real browser."""

import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.rehearsal.system.ports import find_free_port
from runtime import settings
from runtime.access.oidc import Rules, display_name, is_overage, rules_of, user_names
from runtime.errors import UserError
from runtime.tokens.store import Role
from tests.browser import browsing
from tests.runtime.issuer import CLIENT_ID, issuing
from tests.runtime.serving import Serving, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

_RULES = Rules(
    users=frozenset({"linus@example.com"}),
    groups=frozenset({"science"}),
    admin_groups=frozenset({"platform"}),
    read_groups=frozenset({"guests"}),
)


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["science"]}, Role.WRITE),
        ({"groups": ["science", "platform"]}, Role.ADMIN),
        ({"roles": ["platform"]}, Role.ADMIN),
        ({"groups": ["guests"]}, Role.READ),
        # OCI IAM domains give objects.
        ({"groups": [{"name": "science", "id": "ocid1.group"}]}, Role.WRITE),
        ({"email": "linus@example.com"}, Role.WRITE),
        ({"email": "linus@example.com", "email_verified": False}, None),
        ({"groups": ["sales"]}, None),
        ({"groups": "science"}, None),
        ({"groups": [None, 7, {"id": "science"}]}, None),
        ({}, None),
    ],
)
def test_the_claims_give_a_role(claims: dict[str, Any], role: Role | None) -> None:
    assert _RULES.role_of(claims) == role


def test_a_person_is_named_by_what_the_issuer_says() -> None:
    assert user_names({"sub": "1", "preferred_username": "ada"}) == {"1", "ada"}
    assert display_name({"sub": "1", "email": "ada@example.com"}) == "ada@example.com"
    assert is_overage({"_claim_names": {"groups": "src1"}})
    assert not is_overage({"groups": []})


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
        assert "ada, write" in page.inner_text("main")
        page.click("button")
        page.get_by_role("button", name="Yes, sign me out").click()
        page.wait_for_url(f"{site.server.uri}/**")
        assert "Sign in to MLflow" in page.inner_text("main")
    signed_in = [entry for entry in site.entries() if entry["path"] == "/trackstack/oidc/end"]
    assert [(entry["who"], entry["status"]) for entry in signed_in] == [("ada", 303)]


@pytest.mark.slow
def test_who_is_in_no_allowed_group_is_told_so(site: Site, tmp_path: Path) -> None:
    with browsing() as page:
        _sign_in(page, site, "eve")
        page.get_by_role("alert").wait_for()
        assert "eve: you are in none of the groups" in page.inner_text("main")
        page.screenshot(path=str(tmp_path / "refused.png"))
        page.goto(f"{site.server.uri}/")
        assert "Sign in to MLflow" in page.inner_text("main")
    refused = [entry for entry in site.entries() if entry["who"] == "eve"]
    assert [entry["status"] for entry in refused] == [403]


@pytest.mark.slow
def test_an_answer_that_nobody_asked_for_is_refused(site: Site) -> None:
    answer = site.server.request("GET", "/trackstack/oidc/end?code=stolen&state=made-up")
    assert answer.status == 403
    assert "set-cookie" not in {name.lower() for name in answer.headers}
