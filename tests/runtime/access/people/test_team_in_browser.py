"""A team's day in real browsers, behind the stacks' own proxy: what each page shows and offers, and
what there is to see while scheduler, database and proxy are away in turn.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.plan.proxy import reverse_proxy
from infra.rehearsal.host.authority import Authority
from infra.rehearsal.system import daemon
from infra.rehearsal.system.ports import find_free_port
from infra.rehearsal.system.waiting import wait_for
from infra.settings import LocalContainer, parse
from runtime.settings import variable
from tests.browser import browsing
from tests.runtime.access.people.team import Team, all_jobs_run, teaming
from tests.runtime.database.outage import without
from tests.runtime.serving import REFUSED

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

_KEYS = {"cloud": "local", "compute": "container", "tls": "files", "tlsCertificateFile": "x"}
_ROLES = {"grace": "admin", "ada": "write", "rosalind": "read", "leo": "write"}
_LOG = """
import mlflow
mlflow.set_experiment("churn")
with mlflow.start_run(run_name="first-of-ada") as run:
    mlflow.log_metric("auc", 0.9)
print(f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}")
"""


class _Proxy:
    """The proxy's image with a stack's own configuration, on this machine's network."""

    def __init__(self, port: int) -> None:
        self.port, self.name = port, f"trackstack-test-front-{port}"

    def start(self, folder: Path, upstream: str) -> None:
        settings = parse(_KEYS)
        assert isinstance(settings, LocalContainer)
        workload = reverse_proxy(settings, ("localhost",), upstream=upstream)
        for name, text in zip(
            ("tls_certificate", "tls_key"), Authority.load().issue("localhost"), strict=True
        ):
            (folder / name).write_bytes(text)
        configuration = workload.environment["CADDYFILE"].replace(":443", f":{self.port}")
        daemon.docker(
            *("run", "--detach", "--name", self.name, "--network", "host"),
            *("--volume", f"{folder}:/run/secrets/trackstack:ro"),
            *("--env", f"CADDYFILE={configuration}", daemon.built_image("proxy")),
            *workload.command,
        )

    @contextmanager
    def away(self) -> Generator[None]:
        daemon.docker("stop", self.name)
        try:
            yield
        finally:
            daemon.docker("start", self.name)


@pytest.fixture
def proxy() -> Generator[_Proxy]:
    made = _Proxy(find_free_port())
    yield made
    daemon.docker("rm", "--force", made.name, check=False)


@pytest.fixture
def team(tmp_path: Path, proxy: _Proxy) -> Generator[Team]:
    home = f"https://localhost:{proxy.port}"
    trusting = {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(Authority.load().file)}
    with teaming("postgresql", tmp_path, home=home, trusting=trusting) as made:
        folder = tmp_path / "proxy"
        folder.mkdir()
        proxy.start(folder, made.server.uri.removeprefix("http://"))
        yield made


def _signs_in(team: Team, page: "Page", name: str, target: str = "/") -> None:
    page.goto(team.home + target)
    page.locator("#oidc").click()
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", "any")
    page.locator("button[type=submit]").click()
    page.locator("input[name=prompt][value=consent]").wait_for(state="attached")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(team.home + target)


def _makes_a_token(team: Team, page: "Page", role: str) -> str:
    page.goto(f"{team.home}/trackstack/account")
    page.fill("#name", "laptop")
    page.select_option("#role", role)
    page.get_by_role("button", name="Make a token").click()
    page.get_by_role("status").wait_for()
    return page.inner_text("pre >> nth=0")


def _told(team: Team, page: "Page") -> list[str]:
    """The problems that the status page shows."""
    page.goto(f"{team.home}/trackstack/")
    return page.get_by_role("alert").all_inner_texts()


def test_a_team_s_day_in_the_browser(team: Team, proxy: _Proxy) -> None:
    with browsing() as first:
        browser = first.context.browser
        assert browser
        pages = {
            name: browser.new_context(ignore_https_errors=True, locale="en").new_page()
            for name in _ROLES
        }
        tokens = dict[str, str]()
        for name, page in pages.items():
            _signs_in(team, page, name)
            tokens[name] = _makes_a_token(team, page, _ROLES[name])
        offered = pages["rosalind"].locator("#role option").all_inner_texts()
        assert offered == ["read"]
        assert _told(team, pages["rosalind"]) == []

        shared = _logs_a_run(team, tokens["ada"])
        pages["rosalind"].goto(team.home + shared)
        pages["rosalind"].get_by_role("heading", name="first-of-ada").first.wait_for()
        somebody = browser.new_context(ignore_https_errors=True, locale="en").new_page()
        _signs_in(team, somebody, "ada", shared)

        _leaves(team, pages, tokens)
        _each_part_away_in_turn(team, pages, tokens, proxy)


def _logs_a_run(team: Team, token: str) -> str:
    """By the client, in a process of its own; the link to the run."""
    given = {
        "PATH": os.environ["PATH"],
        "MLFLOW_TRACKING_URI": team.home,
        "MLFLOW_TRACKING_TOKEN": token,
        **team.trusting,
    }
    done = subprocess.run(
        [sys.executable, "-c", _LOG], env=given, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def _leaves(team: Team, pages: "dict[str, Page]", tokens: dict[str, str]) -> None:
    """An admin removes who leaves; the admin sees it among the changes, nobody else does."""
    done = team.laptop(tokens["grace"], "token", "people", "remove", "leo@example.com")
    assert done.returncode == 0, done.stderr
    team.server.wait_until(tokens["leo"], *REFUSED)
    assert "a valid token is needed" in team.laptop(tokens["leo"], "status").stderr

    def is_signed_out() -> bool:
        pages["leo"].goto(f"{team.home}/trackstack/account")
        return pages["leo"].locator("#oidc").is_visible()

    wait_for(is_signed_out, "the sign-in page", 15)
    _told(team, pages["grace"])
    assert "DELETE" in (pages["grace"].text_content("details") or "")
    _told(team, pages["ada"])
    assert "leo@example.com" not in (pages["ada"].text_content("main") or "")


def _each_part_away_in_turn(
    team: Team, pages: "dict[str, Page]", tokens: dict[str, str], proxy: _Proxy
) -> None:
    ada = pages["ada"]
    with team.scheduler():
        wait_for(lambda: "gc" in _status_page(team, ada), "the schedules", 60)
        all_jobs_run(team)
        assert _told(team, ada) == []
    team.hours_pass(30)
    late = [f"{job} is overdue: nobody runs the schedules" for job in ("gc", "prune")]
    assert _told(team, ada) == late
    all_jobs_run(team)
    assert _told(team, ada) == []

    with without(team.database):
        [problem] = _told(team, ada)
        assert problem.startswith("the backend store does not answer")
    wait_for(lambda: _told(team, ada) == [], "the database", 30)

    with proxy.away():
        with pytest.raises(Exception, match="ERR_CONNECTION_REFUSED"):
            ada.goto(f"{team.home}/trackstack/")
        status = team.laptop(tokens["ada"], "status")
        assert status.returncode != 0
        assert "nothing listens there" in status.stderr + status.stdout
        # Beside the server it is asked where users ask, too.
        users = {variable("given_tracking_uri"): team.home, **team.trusting}
        found = json.loads(team.server.run("doctor", "--json", **users).stdout)
        not_well = {each["check"]: each["found"] for each in found if not each["well"]}
        assert list(not_well) == ["server"]
        assert "nothing listens there" in not_well["server"]
    wait_for(lambda: team.laptop(tokens["ada"], "status").returncode == 0, "the proxy", 30)
    assert _told(team, ada) == [], "still signed in"


def _status_page(team: Team, page: "Page") -> str:
    page.goto(f"{team.home}/trackstack/")
    return page.inner_text("main")
