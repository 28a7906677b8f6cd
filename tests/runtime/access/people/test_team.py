"""A team's day on a real server, issuer and database: four people, and what status and doctor say.

An admin, one who writes, one who reads and one who leaves sign in, make tokens and work; then the
scheduler and the database are broken in turn.
"""

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from infra.rehearsal.system.waiting import wait_for
from tests.runtime.access.people.team import Team, all_jobs_run, jobs_of, teaming
from tests.runtime.database.outage import without
from tests.runtime.issuer import signed_in_for
from tests.runtime.serving import REFUSED

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

_TOKENS, _PEOPLE = "/trackstack/api/tokens", "/trackstack/api/people"


@pytest.fixture(params=["postgresql", "sqlite"])
def team(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Team]:
    with teaming(request.param, tmp_path) as made:
        yield made


def test_a_team_s_day(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    people = {name: team.browser(name) for name in ("grace", "ada", "rosalind", "leo")}
    roles = {"grace": "admin", "ada": "write", "rosalind": "read", "leo": "write"}
    tokens = dict[str, str]()
    for name, role in roles.items():
        status, made = team.api("POST", _TOKENS, people[name], name="laptop", role=role)
        assert (status, made["role"]) == (201, role)
        tokens[name] = made["token"]
    assert team.api("POST", _TOKENS, people["rosalind"], name="more", role="write")[0] == 400
    assert team.status(tokens["rosalind"]) == (0, [])
    assert team.doctor() == []

    run = _logs_a_run(team, tokens["ada"], monkeypatch)
    _reads_it_and_writes_nothing(team, run, tokens["rosalind"], monkeypatch)
    _a_link_to_it_ends_there(team, run)
    _leaves_and_is_stopped(team, people, tokens)

    with team.scheduler():
        wait_for(lambda: "gc" in jobs_of(team, tokens["ada"]), "the schedules", 60)
        all_jobs_run(team)
        assert team.status(tokens["rosalind"]) == (0, [])
        assert team.doctor() == []
    _the_scheduler_has_been_dead_for_a_day(team, tokens)
    all_jobs_run(team)
    assert team.status(tokens["ada"]) == (0, [])

    with without(team.database):
        code, [problem] = team.status(tokens["ada"])
        assert code == 1
        assert problem.startswith("the backend store does not answer")
        page = team.server.request("GET", "/trackstack/", headers=people["grace"])
        assert page.status == 200
        assert b"the backend store does not answer" in page.body
        assert team.doctor() == ["backend store"]
        assert team.doctor_from_afar() == ["backend store"]
        # Who was stopped stays so, whatever is away.
        assert team.server.request("GET", "/version", tokens["leo"]).status in REFUSED
    wait_for(lambda: team.status(tokens["ada"]) == (0, []), "the database", 30)
    assert team.doctor() == team.doctor_from_afar() == []


def _client(team: Team, token: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    client = team.server.client(monkeypatch)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", token)
    return client


def _logs_a_run(team: Team, token: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    client = _client(team, token, monkeypatch)
    run = client.create_run(client.create_experiment("churn"), run_name="first")
    client.log_metric(run.info.run_id, "auc", 0.9)
    client.log_text(run.info.run_id, "what was found", "note.txt")
    client.set_terminated(run.info.run_id)
    return run.info


def _reads_it_and_writes_nothing(
    team: Team, run: Any, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = _client(team, token, monkeypatch)
    assert client.get_run(run.run_id).data.metrics == {"auc": 0.9}
    files = [file.path for file in client.list_artifacts(run.run_id)]
    assert files == ["note.txt"]
    for write in (
        lambda: client.log_metric(run.run_id, "auc", 1.0),
        lambda: client.create_run(run.experiment_id),
        lambda: client.delete_run(run.run_id),
        lambda: client.log_text(run.run_id, "mine", "note.txt"),
    ):
        with pytest.raises(Exception, match=r"PERMISSION_DENIED|403"):
            write()
    assert client.get_run(run.run_id).data.metrics == {"auc": 0.9}


def _a_link_to_it_ends_there(team: Team, run: Any) -> None:
    shared = f"/#/experiments/{run.experiment_id}/runs/{run.run_id}"
    _, ended_at = signed_in_for(team.server.uri, "rosalind", shared)
    assert ended_at == team.server.uri + shared


def _leaves_and_is_stopped(
    team: Team, people: dict[str, dict[str, str]], tokens: dict[str, str]
) -> None:
    server, began = team.server, time.monotonic()
    assert server.request("GET", "/version", tokens["leo"]).status == 200
    gone = f"{_PEOPLE}?name={quote('leo@example.com')}"
    assert team.api("DELETE", gone, people["rosalind"])[0] == 403
    assert team.api("DELETE", gone, people["grace"])[0] == 200
    server.wait_until(tokens["leo"], *REFUSED)
    assert time.monotonic() - began < 15
    assert server.request("GET", "/trackstack/account", headers=people["leo"]).status == 401
    with pytest.raises(LookupError, match="an admin has removed you"):
        team.browser("leo")
    status, said = team.api("GET", "/trackstack/api/changes", people["grace"])
    assert status == 200
    assert ("grace@example.com", "DELETE", _PEOPLE) in {
        (each["who"], each["method"], each["path"]) for each in said["changes"]
    }
    assert team.api("GET", "/trackstack/api/changes", people["ada"])[0] == 403


def _the_scheduler_has_been_dead_for_a_day(team: Team, tokens: dict[str, str]) -> None:
    assert team.status(tokens["ada"]) == (0, []), "nothing was due meanwhile"
    team.hours_pass(30)
    late = [f"{job} is overdue: nobody runs the schedules" for job in ("gc", "prune")]
    assert team.status(tokens["ada"]) == (1, late)
    assert team.doctor() == ["jobs"]
    assert team.doctor_from_afar() == ["jobs"]
