"""A database that is away is one line, and so is a server that fails for another reason."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from runtime.doctor import Finding, findings_of, server_findings_of
from runtime.settings import RuntimeSettings, load
from tests.background import in_background
from tests.runtime.access.people.site import STACK, made, served


def _wrong(findings: list[Finding]) -> list[str]:
    return [finding.check for finding in findings if not finding.well]


def _client(uri: str, **more: str) -> RuntimeSettings:
    return load({"MLFLOW_TRACKING_URI": uri, "MLFLOW_TRACKING_TOKEN": STACK, **more})


def test_what_follows_from_a_database_that_is_away_is_not_said(tmp_path: Path) -> None:
    beside = {"TRACKSTACK_DATA_DIR": str(tmp_path), "TRACKSTACK_STACK": "prod"}
    site = made(tmp_path)
    with sqlite3.connect(tmp_path / "store" / "mydb.sqlite") as database:
        database.execute("CREATE TABLE trackstack_jobs (another INTEGER)")
    with served(site) as uri:
        [_, away, *_] = found = server_findings_of(_client(uri, **beside), alone=True)
        assert _wrong(found) == ["backend store"]
        assert away.advice == "see whether the database runs, and make logs STACK=prod"
    (tmp_path / "store" / "mydb.sqlite").write_bytes(b"no database" * 999)
    with served(site) as uri:
        assert _wrong(findings_of(_client(uri, **beside))) == ["backend store"]


class _Failing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(self.status())
        self.send_header("content-length", "6")
        self.end_headers()
        self.wfile.write(b"<html>")

    def status(self) -> int:
        if self.path == "/health":
            return 200
        return 500 if self.headers["Authorization"] == f"Bearer {STACK}" else 401

    def log_message(self, format: str, *_args: object) -> None:
        return


class _Another(_Failing):
    def status(self) -> int:
        return 200


@contextmanager
def _answering(handler: type[_Failing]) -> Generator[str]:
    server = HTTPServer(("127.0.0.1", 0), handler)
    with in_background(server):
        yield f"http://127.0.0.1:{server.server_port}"


def test_a_server_that_fails_is_not_taken_for_one_with_another_token() -> None:
    with _answering(_Failing) as uri:
        found = server_findings_of(_client(uri))
    [access] = [finding for finding in found if finding.check == "access"]
    assert access.found == "with the token the server answers 500, not 200"
    assert access.advice == "it fails at its work: make logs says why"


def test_a_page_for_everything_is_another_program(tmp_path: Path) -> None:
    with _answering(_Another) as uri:
        found = server_findings_of(_client(uri), alone=True)
    [access] = [finding for finding in found if not finding.well]
    assert access.found == "without a token the server answers 200, not 401"
