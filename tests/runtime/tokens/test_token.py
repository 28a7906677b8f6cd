"""Named tokens against a real server with two workers."""

import json
import time
from typing import Any

import pytest

from infra.rehearsal.system.waiting import wait_for
from tests.runtime.serving import REFUSED, Serving

pytestmark = pytest.mark.slow

_PATH = "/api/2.0/mlflow/experiments/search?max_results=1"


def test_a_token_is_valid_until_it_is_rotated_or_revoked_without_a_restart(server: Serving) -> None:
    first = server.run("token", "add", "ci").stdout.strip()
    server.wait_until(first, 200)
    second = server.run("token", "rotate", "ci").stdout.strip()
    assert second != first
    server.wait_until(second, 200)
    server.wait_until(first, *REFUSED)
    assert server.run("token", "revoke", "ci").returncode == 0
    server.wait_until(second, *REFUSED)


def test_a_token_expires(server: Serving) -> None:
    token = server.run("token", "add", "brief", "--expires", "3s").stdout.strip()
    time.sleep(3)
    assert server.request("GET", _PATH, token).status in REFUSED


def test_list_shows_names_and_roles_and_no_value(server: Serving) -> None:
    token = server.run("token", "add", "listed", "--role", "read").stdout.strip()
    done = server.run("token", "list", "--json")
    assert {entry["name"]: entry["role"] for entry in json.loads(done.stdout)}["listed"] == "read"
    assert token not in done.stdout
    # Of the names that other tests have made with this server, one may hold this one.
    rows = server.run("token", "list").stdout.splitlines()
    (line,) = (row for row in rows if row.split()[0] == "listed")
    assert line.endswith("Z, expires never, never used")


def test_the_database_holds_no_token(server: Serving) -> None:
    token = server.run("token", "add", "hidden").stdout.strip()
    for file in server.data_dir.rglob("*"):
        if file.is_file() and file.name != "token":
            content = file.read_bytes()
            assert token.encode() not in content, file
            assert server.token.encode() not in content, file


def test_mistakes_are_told(server: Serving) -> None:
    server.run("token", "add", "twice")
    again = server.run("token", "add", "twice")
    assert again.returncode == 2
    assert "trackstack token rotate twice" in again.stderr
    missing = server.run("token", "revoke", "nobody")
    assert missing.returncode == 2
    assert "there is no token 'nobody'" in missing.stderr
    assert server.run("token", "add", "x", "--expires", "soon").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("stack",), "'stack' is the name of a token that the stack itself has"),
        (("jobs", "--role", "read"), "'jobs' is the name of a token that the stack itself has"),
        (("mlflow-jobs",), "'mlflow-jobs' is the name of a token that the stack itself has"),
        (("never", "--expires", "0s"), "--expires: a token that is valid for no time"),
        (("never", "--expires", "0d0h"), "--expires: a token that is valid for no time"),
        (("long", "--expires", "3000000d"), "--expires: that is later than the year 9999"),
    ],
)
def test_what_makes_no_sense_makes_no_token(
    server: Serving, arguments: tuple[str, ...], words: str
) -> None:
    done = server.run("token", "add", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    listed = json.loads(server.run("token", "list", "--json").stdout)
    assert arguments[0] not in {entry["name"] for entry in listed}


def test_the_mounted_token_rotates_without_a_restart(server: Serving) -> None:
    file = server.data_dir / "token"
    try:
        file.write_text(f"{server.token}\nsecond-token\n")
        server.wait_until("second-token", 200)
        server.wait_until(server.token, 200)
    finally:
        file.write_text(server.token)
    server.wait_until("second-token", *REFUSED)


def test_the_token_serves_as_a_password(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "anyone")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", server.token)
    client: Any = mlflow.MlflowClient(tracking_uri=server.uri)
    assert client.search_experiments(max_results=1)


def test_list_says_when_a_token_was_last_used(server: Serving) -> None:
    token = server.run("token", "add", "busy").stdout.strip()

    def used() -> dict[str, Any]:
        listed = json.loads(server.run("token", "list", "--json").stdout)
        return {entry["name"]: entry["used"] for entry in listed}

    assert used()["busy"] is None
    server.wait_until(token, 200)
    wait_for(lambda: used()["busy"], "its use", 10)
    assert "busy" in server.run("token", "list").stdout
    server.run("token", "revoke", "busy")
    server.run("token", "add", "busy")
    assert used()["busy"] is None
