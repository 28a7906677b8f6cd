"""Owners are told what prune is going to delete, and nothing goes of which they were not."""

import http.server
import json
import ssl
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from infra.clouds.shared.generated import make_authority
from infra.rehearsal.host.authority import Authority
from runtime.database.engine import open_engine
from runtime.database.uri import make_directories
from runtime.errors import UserError
from runtime.retention import announcement, prune
from runtime.retention.entities import Kind, Stale
from runtime.retention.find import Server
from tests.background import in_background
from tests.runtime.filled import settings_of

_NOW = datetime(2026, 11, 20, tzinfo=timezone.utc)
_HOST = "owners.example.com"


def _stale(name: str) -> Stale:
    return Stale(Kind.RUN, name, f"run {name}", "e", 0)


@dataclass
class Owners:
    """Who listens behind TLS; answers with ``status``."""

    port: int = 0
    status: int = 204
    told: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def url(self) -> str:
        return f"https://{_HOST}:{self.port}/hook?key=s3cret"


@pytest.fixture
def owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Owners]:
    heard = Owners()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if heard.status < 300 and self.path == "/hook?key=s3cret":
                heard.told.append(json.loads(body))
            self.send_response(heard.status)
            self.send_header("Location", f"https://{_HOST}:{heard.port}/hook?key=s3cret")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    authority = Authority(*make_authority("tests"))
    (tmp_path / "ca.pem").write_text(authority.certificate)
    certificate, key = authority.issue(_HOST)
    (tmp_path / "chain.pem").write_bytes(certificate + key)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    def found(host: str, _port: int) -> str:
        assert host == _HOST
        return "127.0.0.1"

    monkeypatch.setattr(announcement, "address_of", found)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    heard.port = server.server_address[1]
    with in_background(server):
        yield heard


@dataclass
class Passes:
    """Scheduled passes over a store; each finds these stale."""

    folder: Path
    url: str

    def due(self, day: float, *names: str, dry_run: bool = False) -> list[str]:
        settings = settings_of(
            self.folder,
            TRACKSTACK_PRUNE_WEBHOOK=self.url,
            TRACKSTACK_PUBLIC_URL="https://mlflow.example.com",
        )
        make_directories(settings)
        none: Any = None
        server = Server(none, none, open_engine(settings), _NOW + timedelta(days=day))
        since = int((server.now - timedelta(days=30)).timestamp() * 1000)
        stale = [Stale(Kind.RUN, n, n, "e", 0, since) for n in names]
        return [entity.key for entity in prune.noted(settings, server, stale, dry_run).due]


def test_what_is_going_to_go_is_told_once_and_waits_for_its_notice(
    owners: Owners, tmp_path: Path
) -> None:
    passes = Passes(tmp_path, owners.url)
    # Weeks in reports that delete nothing are no notice.
    for day in (-20, -10, -1):
        passes.due(day, "a", dry_run=True)
    assert owners.told == []
    assert passes.due(0, "a") == []
    assert passes.due(3, "a", "b") == []
    assert passes.due(6, "a", "b") == []
    assert passes.due(7, "a", "b") == ["a"]
    assert passes.due(10, "b") == ["b"]
    assert [[e["id"] for e in each["entities"]] for each in owners.told] == [["a"], ["b"]]
    first = owners.told[0]
    assert (first["event"], first["deleted_from"]) == ("prune.announced", "2026-11-27T00:00:00Z")
    assert first["server"] == "https://mlflow.example.com"
    assert first["counts"]["run"] == 1


@pytest.mark.parametrize("status", [302, 404, 503])
def test_where_nobody_heard_nothing_goes_and_the_notice_has_not_begun(
    owners: Owners, tmp_path: Path, status: int
) -> None:
    passes = Passes(tmp_path, owners.url)
    owners.status = status
    for day in (0, 8):
        with pytest.raises(UserError, match=f"{_HOST} answers {status}") as failed:
            passes.due(day, "a")
        assert failed.value.exit_code == 75
        assert "s3cret" not in str(failed.value)
    owners.status = 200
    assert passes.due(9, "a") == []
    assert len(owners.told) == 1
    assert passes.due(16, "a") == ["a"]


def test_a_certificate_of_another_name_is_not_told(
    owners: Owners, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(_host: str, _port: int) -> str:
        return "127.0.0.1"

    monkeypatch.setattr(announcement, "address_of", found)
    other = owners.url.replace(_HOST, "other.example.com")
    with pytest.raises(UserError, match=r"other\.example\.com does not answer"):
        Passes(tmp_path, other).due(0, "a")
    assert owners.told == []


@pytest.mark.parametrize(
    "url",
    [
        *("http://owners.example.com/", "https://u:p@owners.example.com/", "file:///etc/passwd"),
        *("https:///x", "https://h:port/", "owners.example.com", "https://[::1"),
    ],
)
def test_an_address_is_https_and_nothing_else(url: str) -> None:
    with pytest.raises(UserError, match="pruneWebhook") as refused:
        announcement.announce(url, {})
    assert refused.value.exit_code == 2
    assert url not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "may"),
    [
        *((other, True) for other in ("203.0.114.7", "10.0.0.7", "192.168.1.1", "2a00:1450::1")),
        *((own, False) for own in ("127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::")),
        *((own, False) for own in ("169.254.169.254", "fe80::1", "fd00:ec2::254")),
        *((own, False) for own in ("168.63.129.16", "::ffff:169.254.169.254", "::ffff:127.0.0.1")),
        *((own, False) for own in ("224.0.0.1", "255.255.255.255", "240.0.0.1")),
    ],
)
def test_another_machine_is_told_and_this_one_s_metadata_is_not(address: str, may: bool) -> None:
    assert announcement.may_be_told(address) is may


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "169.254.169.254"])
def test_a_name_that_leads_here_is_refused(host: str) -> None:
    with pytest.raises(UserError, match="no other machine's"):
        announcement.address_of(host, 443)


def test_a_long_list_is_cut_and_counted() -> None:
    many = [_stale(str(number)) for number in range(announcement.MOST + 1)]
    told = announcement.payload(many, "https://m", _NOW, timedelta(days=7))
    assert (len(told["entities"]), told["counts"]["run"]) == (1000, 1001)
    assert not told["is_whole"]
    assert "1001 runs that nobody used will be deleted from 2026-11-27T00:00:00Z on" in told["text"]
