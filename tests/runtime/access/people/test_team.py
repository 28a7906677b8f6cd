"""A team's day on a real server, issuer and database: four people, and what status and doctor say.

An admin, one who writes, one who reads and one who leaves sign in, make tokens and work; then the
scheduler and the database are broken in turn.
"""

import json
import os
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import MetaData, Table, create_engine, select, update

from infra.rehearsal.system.ports import find_free_port
from infra.rehearsal.system.waiting import wait_for
from tests import warm
from tests.runtime.database.empty import put_empty_store
from tests.runtime.database.outage import without
from tests.runtime.databases import postgresql
from tests.runtime.issuer import CLIENT_ID, issuing, signed_in, signed_in_for
from tests.runtime.serving import REFUSED, Serving, serving
from tests.warm import TRACKSTACK

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

_TOKENS, _PEOPLE = "/trackstack/api/tokens", "/trackstack/api/people"
_KEY = "k" * 32


@dataclass
class Team:
    """The server, and its database as whoever looks after it reaches that."""

    server: Serving
    database: str

    def browser(self, name: str) -> dict[str, str]:
        return signed_in(self.server.uri, name)

    def api(
        self, method: str, path: str, browser: dict[str, str], **wanted: Any
    ) -> tuple[int, dict[str, Any]]:
        body = json.dumps(wanted).encode()
        answer = self.server.request(method, path, headers=browser, body=body)
        return answer.status, json.loads(answer.body)

    def laptop(self, token: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command where there is nothing but the server's address and a token."""
        environment = {
            "PATH": os.environ["PATH"],
            "MLFLOW_TRACKING_URI": self.server.uri,
            "MLFLOW_TRACKING_TOKEN": token,
        }
        return warm.run(
            [TRACKSTACK, *arguments], env=environment, capture_output=True, text=True, timeout=120
        )

    def status(self, token: str) -> tuple[int, list[str]]:
        """Exit code and problems."""
        done = self.laptop(token, "status", "--json")
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)["problems"]

    def doctor(self) -> list[str]:
        """The checks that are not well, as doctor beside the server says."""
        return _not_well(self.server.run("doctor", "--json"))

    def doctor_from_afar(self) -> list[str]:
        """Those that the server itself tells."""
        return _not_well(self.laptop(self.server.token, "doctor", "--server", "--json"))

    @contextmanager
    def scheduler(self) -> Generator[None]:
        process = subprocess.Popen(
            [TRACKSTACK, "scheduler"],
            env=dict(self.server.environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)

    def hours_pass(self, hours: int) -> None:
        """For what the store knows of the jobs."""
        ago, engine = timedelta(hours=hours), create_engine(self.database)
        jobs = Table("trackstack_jobs", MetaData(), autoload_with=engine)
        with engine.begin() as connection:
            for row in connection.execute(select(jobs)).all():
                run = json.loads(row.run)
                began = datetime.fromisoformat(run["started"]) - ago
                run["started"] = began.isoformat(timespec="seconds")
                values = {"since": row.since - ago, "run": json.dumps(run)}
                connection.execute(update(jobs).where(jobs.c.name == row.name).values(values))
        engine.dispose()


def _not_well(done: "subprocess.CompletedProcess[str]") -> list[str]:
    found = [each["check"] for each in json.loads(done.stdout) if not each["well"]]
    assert done.returncode == bool(found)
    return found


@contextmanager
def _database(kind: str, folder: Path) -> Generator[str]:
    if kind == "sqlite":
        put_empty_store(folder)
        yield f"sqlite:///{folder}/store/mydb.sqlite"
        return
    with postgresql() as server:
        yield server.new_database()


@pytest.fixture(params=["postgresql", "sqlite"])
def team(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Team]:
    port = find_free_port()
    home = f"http://127.0.0.1:{port}"
    with (
        _database(request.param, tmp_path) as uri,
        issuing(home, offline="given") as issuer,
        serving(
            tmp_path,
            port=port,
            MLFLOW_BACKEND_STORE_URI=uri,
            TRACKSTACK_PUBLIC_URL=home,
            TRACKSTACK_OIDC_ISSUER=issuer,
            TRACKSTACK_OIDC_CLIENT_ID=CLIENT_ID,
            TRACKSTACK_ALLOWED_GROUPS="data-science",
            TRACKSTACK_ADMIN_GROUPS="platform",
            TRACKSTACK_READ_GROUPS="guests",
            TRACKSTACK_SECRETS_KEY=_KEY,
            TRACKSTACK_STACK="team",
        ) as server,
    ):
        yield Team(server, uri)


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
        wait_for(lambda: "gc" in _jobs(team, tokens["ada"]), "the schedules", 60)
        _all_jobs_run(team)
        assert team.status(tokens["rosalind"]) == (0, [])
        assert team.doctor() == []
    _the_scheduler_has_been_dead_for_a_day(team, tokens)
    _all_jobs_run(team)
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


def _jobs(team: Team, token: str) -> list[str]:
    done = team.laptop(token, "status", "--json")
    return [job["name"] for job in json.loads(done.stdout)["jobs"]]


def _all_jobs_run(team: Team) -> None:
    for job in ("gc", "prune"):
        done = team.server.run("scheduler", "--once", job)
        assert done.returncode == 0, done.stdout + done.stderr


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
