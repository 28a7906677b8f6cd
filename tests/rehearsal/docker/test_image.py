"""Builds, pulls and the first word with the daemon, as the real provider does them."""

import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from infra.rehearsal.docker.image import Image, RemoteImage
from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.resource import Call, Cloud
from infra.rehearsal.system import daemon

pytestmark = pytest.mark.slow


def _built(image: Image, folder: Path, dockerfile: str, **inputs: Any) -> dict[str, Any]:
    (folder / "sub").mkdir(exist_ok=True)
    (folder / "sub" / "Dockerfile").write_text(f"FROM {daemon.base_image()}\n{dockerfile}")
    build = {"context": str(folder), "dockerfile": str(folder / "sub" / "Dockerfile")}
    name = f"trackstack-test/{secrets.token_hex(4)}:1"
    try:
        return image.create({"imageName": name, "skipPush": True, "build": build, **inputs})[1]
    finally:
        daemon.docker("image", "rm", name, check=False)


def test_paths_are_kept_as_they_are_given(image: Image, folder: Path) -> None:
    state = _built(image, folder, "LABEL a=1\n")
    assert (state["context"], state["dockerfile"]) == (str(folder), "sub/Dockerfile")
    assert state["registryServer"] == ""


def test_a_failed_build_does_not_say_what_the_step_said(image: Image, folder: Path) -> None:
    with pytest.raises(CloudError) as failed:
        _built(image, folder, "RUN echo 'no such package' >&2; exit 7\n")
    # The command is in it, and none of its output's own lines.
    assert str(failed.value).startswith("error reading build output: ")
    assert str(failed.value).count("no such package") <= 1
    assert "exit code: 7" in str(failed.value)


def test_builds_are_buildkit_s(image: Image, folder: Path) -> None:
    """Which alone knows mounts of a build."""
    assert _built(image, folder, "RUN --mount=type=tmpfs,target=/x true\n")["repoDigest"]


def test_a_dockerfile_that_is_missing_fails_the_check(image: Image) -> None:
    build = {"context": ".", "dockerfile": "nowhere/Dockerfile"}
    with pytest.raises(CloudError, match='at relative path "nowhere/Dockerfile"'):
        list(image.check({"imageName": "a/b:1", "build": build}))


def test_a_pull_asks_as_nobody_unless_the_provider_has_a_login(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = daemon.registry()
    name = f"{registry.address}/trackstack-test-{secrets.token_hex(4)}:1"
    daemon.docker("tag", daemon.base_image(), name)
    config = tmp_path / "config.json"
    login = ["login", registry.address, "--username", registry.username]
    daemon.docker("--config", str(tmp_path), *login, "--password", registry.password)
    assert registry.address in json.loads(config.read_text())["auths"]
    daemon.push(name, tmp_path)
    daemon.docker("image", "rm", name)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(CloudError, match=r"no basic auth credentials|unauthorized"):
        RemoteImage(Call(cloud, {})).create({"name": name})
    # One that names the registry alone stands for what `docker login` keeps.
    settings = {"registryAuth": json.dumps([{"address": registry.address}])}
    try:
        assert RemoteImage(Call(cloud, settings)).create({"name": name})[1]["imageId"]
    finally:
        daemon.docker("image", "rm", name, check=False)


def test_a_provider_without_a_daemon_fails_before_anything_else(cloud: Cloud) -> None:
    with pytest.raises(CloudError, match="failed to connect to any docker daemon"):
        cloud.configured({"host": "unix:///nowhere/docker.sock"})
