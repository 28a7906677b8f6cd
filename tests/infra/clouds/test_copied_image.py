"""Copying an image from registry to registry: it stays the same, to the digest."""

import base64
import io
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
import requests

from infra.clouds.shared import registry
from infra.clouds.shared.registry import Login, Repository
from infra.rehearsal.system import daemon
from runtime.errors import UserError


def test_logins_are_those_that_docker_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert registry.login_of_docker("r.example.org") == Login()
    auth = base64.b64encode(b"ann:p:w").decode()
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"auths": {"r.example.org": {"auth": auth}}}))
    assert registry.login_of_docker("r.example.org") == Login("ann", "p:w")
    assert registry.login_of_docker("other.example.org") == Login()
    config.write_text(json.dumps({"credsStore": "that-is-not-here"}))
    assert registry.login_of_docker("r.example.org") == Login()


@pytest.mark.slow
def test_a_copy_has_the_digest_and_a_second_one_sends_nothing(tmp_path: Path) -> None:
    own = daemon.registry()
    login = Login(own.username, own.password)
    mark = secrets.token_hex(4)
    source, target = (f"{own.address}/{mark}-{name}" for name in ("from", "to"))
    (tmp_path / "Dockerfile").write_text(f"FROM {daemon.base_image()}\nLABEL mark={mark}\n")
    config = tmp_path / "config"
    config.mkdir()
    auth = base64.b64encode(f"{own.username}:{own.password}".encode()).decode()
    (config / "config.json").write_text(json.dumps({"auths": {own.address: {"auth": auth}}}))
    daemon.docker("build", "--quiet", "--tag", f"{source}:1", str(tmp_path))
    digest = daemon.push(f"{source}:1", config).partition("@")[2]
    to = Repository(target, login)
    registry.copy(Repository(source, login), digest, to)
    daemon.docker("--config", str(config), "pull", "--quiet", f"{target}@{digest}")
    registry.copy(Repository(target, login), digest, to)

    with pytest.raises(UserError, match="refuses your login"):
        registry.copy(Repository(source, Login("ann", "wrong")), digest, to)
    with pytest.raises(UserError, match="has no sha256:"):
        registry.copy(Repository(source, login), f"sha256:{'0' * 64}", to)
    with pytest.raises(UserError, match="cannot be reached"):
        registry.copy(Repository(f"127.0.0.1:1/{mark}", login), digest, to)
    # A tag is what it names now, of one platform; the daemon's own list has several.
    assert registry.resolve(Repository(source, login), "1", "linux/amd64").startswith("sha256:")
    with pytest.raises(UserError, match="has no 2"):
        registry.resolve(Repository(source, login), "2", "linux/amd64")
    for name in (f"{source}:1", f"{target}@{digest}"):
        daemon.docker("image", "rm", "--force", name, check=False)


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("postgres:17", "docker.io"),
        ("docker.io/library/postgres:17", "docker.io"),
        ("team/app", "docker.io"),
        ("r.example.org/team/app@sha256:1", "r.example.org"),
        ("localhost:5000/app", "localhost:5000"),
    ],
)
def test_the_registry_of_a_name_is_docker_s_own_unless_it_says_another(
    image: str, host: str
) -> None:
    assert registry.registry_of(image) == host


def test_the_login_of_docker_hub_is_found_under_docker_s_name_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    auth = base64.b64encode(b"ann:secret").decode()
    kept = {"auths": {"https://index.docker.io/v1/": {"auth": auth}}}
    (tmp_path / "config.json").write_text(json.dumps(kept))
    assert registry.login_of_docker(registry.DOCKER_HUB) == Login("ann", "secret")


@pytest.mark.parametrize(
    ("image", "name", "reference"),
    [
        ("caddy", "docker.io/library/caddy", "latest"),
        ("docker.io/library/caddy:2.10.2-alpine", "docker.io/library/caddy", "2.10.2-alpine"),
        ("team/proxy:2", "docker.io/team/proxy", "2"),
        ("localhost:5000/proxy", "localhost:5000/proxy", "latest"),
        ("r.example:5000/a/proxy:2@sha256:ab", "r.example:5000/a/proxy", "sha256:ab"),
        ("r.example/a/proxy@sha256:ab", "r.example/a/proxy", "sha256:ab"),
    ],
)
def test_images_are_named_as_docker_reads_them(image: str, name: str, reference: str) -> None:
    assert registry.source_of(image) == (name, reference)


def test_a_file_of_logins_that_is_named_goes_before_docker_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = base64.b64encode(b"ann:p").decode()
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {"r.example.org": {"auth": auth}}}))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    assert registry.login_of_docker("r.example.org") == Login("ann", "p")


class _Listed(Repository):
    """Has one list of images, as registries give it."""

    def ask(self, method: str, url: str, **options: Any) -> requests.Response:
        answer = requests.Response()
        answer.status_code = 200
        kinds = [("linux", "arm64", "a"), ("linux", "amd64", "b"), ("windows", "amd64", "c")]
        listed = [
            {"digest": f"sha256:{d}", "platform": {"os": system, "architecture": kind}}
            for system, kind, d in kinds
        ]
        answer.raw = io.BytesIO(json.dumps({"manifests": listed}).encode())
        return answer


def test_of_an_image_for_several_platforms_that_of_the_machines_is_taken() -> None:
    hub = _Listed("docker.io/library/caddy", Login())
    assert registry.resolve(hub, "2", "linux/amd64") == "sha256:b"
    with pytest.raises(UserError, match="is not for linux/s390x"):
        registry.resolve(hub, "2", "linux/s390x")
