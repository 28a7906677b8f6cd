"""A server with issuer and database, as each of a team sees them."""

import json
import os
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, Table, create_engine, select, update

from infra.rehearsal.system.ports import find_free_port
from tests import warm
from tests.runtime.database.empty import put_empty_store
from tests.runtime.databases import postgresql
from tests.runtime.issuer import CLIENT_ID, issuing, signed_in
from tests.runtime.serving import Serving, serving
from tests.warm import TRACKSTACK

_KEY = "k" * 32


@dataclass
class Team:
    """The server, its database as whoever looks after it reaches that, and its address for users
    with what they need to reach it.
    """

    server: Serving
    database: str
    home: str
    trusting: Mapping[str, str] = field(default_factory=dict[str, str])

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
            "MLFLOW_TRACKING_URI": self.home,
            "MLFLOW_TRACKING_TOKEN": token,
            **self.trusting,
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
        return not_well(self.server.run("doctor", "--json"))

    def doctor_from_afar(self) -> list[str]:
        """Those that the server itself tells."""
        return not_well(self.laptop(self.server.token, "doctor", "--server", "--json"))

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


def not_well(done: "subprocess.CompletedProcess[str]") -> list[str]:
    """The checks of `doctor --json` that are not well."""
    found = [each["check"] for each in json.loads(done.stdout) if not each["well"]]
    assert done.returncode == bool(found)
    return found


def all_jobs_run(team: Team) -> None:
    """Once, now."""
    for job in ("gc", "prune"):
        done = team.server.run("scheduler", "--once", job)
        assert done.returncode == 0, done.stdout + done.stderr


def jobs_of(team: Team, token: str) -> list[str]:
    """The jobs that the status knows."""
    done = team.laptop(token, "status", "--json")
    return [job["name"] for job in json.loads(done.stdout)["jobs"]]


@contextmanager
def _database(kind: str, folder: Path) -> Generator[str]:
    if kind == "sqlite":
        put_empty_store(folder)
        yield f"sqlite:///{folder}/store/mydb.sqlite"
        return
    with postgresql() as server:
        yield server.new_database()


@contextmanager
def teaming(
    kind: str, folder: Path, *, home: str = "", trusting: Mapping[str, str] | None = None
) -> Generator[Team]:
    """A team's server on a database of this kind.

    ``home`` is its address for users where a proxy is before it; ``trusting`` are the variables by
    which a client trusts that.
    """
    port = find_free_port()
    home = home or f"http://127.0.0.1:{port}"
    with (
        _database(kind, folder) as uri,
        issuing(home, offline="given") as issuer,
        serving(
            folder,
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
        yield Team(server, uri, home, trusting or {})
