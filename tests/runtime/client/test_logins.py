"""What is kept for which server, and who gets it."""

import stat
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests

from runtime.client.env import lines
from runtime.client.logins import Login, Logins, normal
from runtime.client.request_auth import TrackstackAuthProvider
from runtime.client.server import ask
from runtime.errors import UserError


def _login(url: str, token: str = "t") -> Login:
    return Login(normal(url), token, "1", "ada", "write")


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://MLflow.example.com/", "https://mlflow.example.com"),
        ("HTTPS://a.example:443", "https://a.example"),
        ("https://a.example:8443/team/", "https://a.example:8443/team"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_a_server_has_one_spelling(given: str, url: str) -> None:
    assert normal(given) == url


@pytest.mark.parametrize(
    "given",
    [
        "",
        "mlflow",
        "ftp://a.example",
        "https://u:p@a.example",
        "https://a.example/?x=1",
        "https://:1",
        "http://a.example",
        "https://a.example:x",
        "file:///etc/passwd",
        "https://a.example/#x",
    ],
)
def test_what_is_no_safe_address_is_refused(given: str) -> None:
    with pytest.raises(UserError):
        normal(given)


def test_the_file_is_one_s_own(tmp_path: Path) -> None:
    path = tmp_path / "new" / "logins.json"
    logins = Logins(path)
    assert logins.all() == {}
    logins.keep(_login("https://dev.example", "one"))
    logins.keep(_login("https://prod.example", "two"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [login.token for login in logins.all().values()] == ["one", "two"]
    logins.keep(_login("https://dev.example", "three"))
    assert logins.of("https://dev.example/").token == "three"
    assert list(logins.all()) == ["https://prod.example", "https://dev.example"]
    logins.drop("https://dev.example")
    assert list(logins.all()) == ["https://prod.example"]
    assert [p.name for p in path.parent.iterdir()] == ["logins.json"]
    path.chmod(0o640)
    with pytest.raises(UserError, match="chmod 600"):
        logins.all()
    path.chmod(0o600)
    path.write_text("[]")
    with pytest.raises(UserError, match="remove it"):
        logins.all()


@pytest.mark.parametrize(
    ("asked", "token"),
    [
        ("https://a.example/api/2.0/mlflow/runs/get?run_id=1", "a"),
        ("https://a.example:443/x", "a"),
        ("https://a.example", "a"),
        ("https://a.example/team/api", "team"),
        ("https://a.example/teams", "a"),
        ("https://a.example:8443/x", None),
        ("http://a.example/x", None),
        ("https://a.example.evil.example/x", None),
        ("https://evil.example/https://a.example/", None),
        ("https://a.example@evil.example/x", None),
        ("https://b.example/team/x", "b"),
        ("https://b.example/teamwork", None),
    ],
)
def test_a_token_goes_to_its_own_server_alone(
    asked: str, token: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for url, value in (
        ("https://a.example", "a"),
        ("https://a.example/team", "team"),
        ("https://b.example/team", "b"),
    ):
        Logins().keep(_login(url, value))
    auth = TrackstackAuthProvider().get_auth()
    prepared = requests.Request("GET", asked, auth=auth).prepare()
    assert prepared.headers.get("Authorization") == (f"Bearer {token}" if token else None)
    given = requests.Request("GET", asked, headers={"Authorization": "Bearer x"}, auth=auth)
    assert given.prepare().headers["Authorization"] == "Bearer x"


def test_the_lines_for_a_shell_leave_nothing_of_another_server() -> None:
    login = Login("https://a.example", "secret", "1", "ada", "write", None, "/a b/ca.pem")
    assert lines(login, with_token=False) == [
        "export MLFLOW_TRACKING_URI=https://a.example",
        "export MLFLOW_TRACKING_AUTH=trackstack",
        "export MLFLOW_TRACKING_SERVER_CERT_PATH='/a b/ca.pem'",
        "unset MLFLOW_TRACKING_INSECURE_TLS",
        "unset MLFLOW_TRACKING_PASSWORD",
        "unset MLFLOW_TRACKING_TOKEN",
        "unset MLFLOW_TRACKING_USERNAME",
    ]
    assert "export MLFLOW_TRACKING_TOKEN=secret" in lines(login, with_token=True)
    assert "unset MLFLOW_TRACKING_AUTH" in lines(login, with_token=True)


def test_plain_http_to_this_machine_passes_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:
            return

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert ask(url, "GET", "/", token="secret") == (200, {})
