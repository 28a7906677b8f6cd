"""Whether a registry knows a login, by its own way of telling."""

import base64
from collections.abc import Generator
from pathlib import Path

import pytest

from infra.clouds.shared import registry
from infra.clouds.shared.registry import Login, is_refused
from infra.rehearsal.host.authority import Authority
from infra.rehearsal.host.endpoint import Endpoint, Request, Response

_KNOWN = f"Basic {base64.b64encode(b'ann:right').decode()}"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    """A registry as Docker Hub is one: it gives tokens, see
    https://distribution.github.io/distribution/spec/auth/token/.
    """
    authority = Authority.load()
    for name, text in zip(("tls.pem", "tls.key"), authority.issue("127.0.0.1"), strict=True):
        (tmp_path / name).write_bytes(text)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    endpoint = Endpoint("127.0.0.1", tmp_path)

    def token(request: Request) -> Response:
        assert request.query == {"service": "registry.docker.io"}, "no repository is asked about"
        is_known = request.headers.get("authorization") == _KNOWN
        return Response(200, body=b'{"token": "t"}') if is_known else Response(401)

    def root(request: Request) -> Response:
        if request.headers.get("authorization") == "Bearer t":
            return Response(200)
        challenge = f'Bearer realm="https://{endpoint.address}/token",service="registry.docker.io"'
        return Response(401, headers={"WWW-Authenticate": challenge})

    endpoint.routes |= {"/v2": root, "/token": token}
    yield endpoint.address
    endpoint.close()


def test_a_wrong_password_is_known_before_anything_is_built(
    hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Docker Hub's name is not where it answers.
    monkeypatch.setattr(registry, "_HUB_HOST", hub)
    for host in (hub, registry.DOCKER_HUB):
        assert not is_refused(host, Login("ann", "right"))
        assert is_refused(host, Login("ann", "wrong"))


def test_what_cannot_be_reached_refuses_nobody() -> None:
    assert not is_refused("127.0.0.1:9", Login("ann", "right"))
