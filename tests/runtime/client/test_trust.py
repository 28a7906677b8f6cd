"""`trackstack login` at a server whose certificate is of an authority of its stack's own."""

from collections.abc import Generator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate
from starlette.types import ASGIApp, Receive, Scope, Send

from infra.clouds.shared.generated import make_authority
from infra.operations.status import told
from infra.rehearsal.host.authority import Authority
from runtime.access.responses import answer
from runtime.client.server import AUTHORITY, ask
from runtime.client.trust import authority_for, fingerprint
from runtime.errors import UserError
from tests.runtime.access.people.site import Site, made, served


class _Proxied:
    """A stack's server and what its proxy answers itself."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(*make_authority("tests certificate authority"))
        self.offered, self.site = self.authority.certificate, made(folder / "store")
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        chain, key = self.authority.issue("127.0.0.1")
        self.certificate.write_bytes(chain)
        self.key.write_bytes(key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = self.site.app
        if scope.get("path") == AUTHORITY and self.offered:
            await answer(send, 200, [], self.offered.encode())
        else:
            await app(scope, receive, send)


@pytest.fixture
def proxied(tmp_path: Path) -> _Proxied:
    return _Proxied(tmp_path)


@pytest.fixture
def uri(proxied: _Proxied, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[str]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "laptop"))
    monkeypatch.delenv("MLFLOW_TRACKING_SERVER_CERT_PATH", raising=False)
    site = Site(proxied, proxied.site.people, proxied.site.shared, tmp_path)
    with served(site, certificate=proxied.certificate, key=proxied.key) as found:
        yield found


def _no(_question: str) -> bool:
    return False


def test_the_authority_is_kept_once_its_fingerprint_was_agreed_to(
    proxied: _Proxied, uri: str
) -> None:
    asked: list[str] = []

    def yes(question: str) -> bool:
        asked.append(question)
        return True

    kept = authority_for(uri, None, None, yes)
    assert kept
    assert Path(kept).read_text() == proxied.offered
    assert Path(kept).stat().st_mode & 0o077 == 0
    assert fingerprint(proxied.offered) in asked[0]
    assert ask(uri, "GET", "/health", authority=kept)[0] == 200
    # The second time nobody is asked.
    assert authority_for(uri, None, None, _no) == kept


def test_a_fingerprint_that_is_known_is_compared_and_nobody_asked(
    proxied: _Proxied, uri: str
) -> None:
    right = fingerprint(proxied.offered)
    with pytest.raises(UserError, match="somebody may be in between"):
        authority_for(uri, None, right.replace(right[:2], "00"), _no)
    assert authority_for(uri, None, right.lower().replace(":", ""), _no)
    # `make status` prints it for whoever looks after the stack.
    outputs = {"tracking_uri": uri, "version": "1", "ca_certificate": proxied.offered}
    assert f"trackstack login {uri} --fingerprint {right}" in told("prod", outputs, "up")


def test_who_does_not_agree_keeps_nothing(proxied: _Proxied, uri: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not trusted"):
        authority_for(uri, None, None, _no)
    assert not list((tmp_path / "laptop").rglob("*.pem"))


def test_an_authority_that_the_certificate_is_not_of_is_not_kept(
    proxied: _Proxied, uri: str, tmp_path: Path
) -> None:
    proxied.offered = make_authority("somebody else")[0]
    with pytest.raises(UserError, match="its certificate is not trusted"):
        authority_for(uri, None, fingerprint(proxied.offered), _no)
    assert not list((tmp_path / "laptop").rglob("*.pem"))


@pytest.mark.parametrize("offered", ["", "no certificate"])
def test_a_server_that_offers_none_needs_a_file(
    proxied: _Proxied, uri: str, offered: str, tmp_path: Path
) -> None:
    proxied.offered = offered
    with pytest.raises(UserError, match="--ca FILE"):
        authority_for(uri, None, None, lambda _: True)
    file = tmp_path / "ca.pem"
    file.write_text(proxied.authority.certificate)
    assert authority_for(uri, str(file), None, _no) == str(file)


def test_a_file_that_was_named_is_the_only_one_trusted(uri: str, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_text(make_authority("somebody else")[0])
    with pytest.raises(UserError, match="its certificate is not trusted"):
        authority_for(uri, str(other), None, lambda _: True)


def test_another_name_is_told_so_and_no_authority_offered(proxied: _Proxied, uri: str) -> None:
    port = uri.rpartition(":")[2]
    file = proxied.certificate.with_name("ca.pem")
    file.write_text(proxied.authority.certificate)
    with pytest.raises(UserError, match="its certificate is for another name: use"):
        authority_for(f"https://localhost:{port}", str(file), None, lambda _: True)


def test_plain_http_to_this_machine_needs_none(proxied: _Proxied) -> None:
    with served(proxied.site) as plain:
        assert authority_for(plain, None, None, _no) is None


def test_a_fingerprint_is_openssl_s(proxied: _Proxied) -> None:
    made_of = load_pem_x509_certificate(proxied.offered.encode()).fingerprint(SHA256())
    assert fingerprint(proxied.offered) == made_of.hex(":").upper()
