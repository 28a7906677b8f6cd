"""The test machine's Docker parts: found where they run, started where they do not."""

import subprocess
from pathlib import Path

import pytest

from infra.place import ROOT
from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.system.daemon import base_image, docker, ensure_daemon, registry

_TOOLS = ROOT / "tools" / "docker"


@pytest.mark.slow
def test_a_running_daemon_and_a_made_base_are_used_again() -> None:
    ensure_daemon()
    assert subprocess.run([str(_TOOLS / "daemon.sh")], capture_output=True).stderr == b""
    before = docker("image", "inspect", "--format", "{{.Id}}", base_image())
    again = subprocess.run([str(_TOOLS / "base_image.sh")], capture_output=True, text=True)
    assert again.stdout.strip() == base_image()
    assert docker("image", "inspect", "--format", "{{.Id}}", base_image()) == before


@pytest.mark.slow
def test_an_image_is_pushed_with_the_password_and_pulled_by_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = registry()
    assert registry() is private
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    name = f"{private.address}/team/small"
    docker("build", "--quiet", "--tag", f"{name}:1", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    with pytest.raises(RehearsalError, match="no basic auth credentials"):
        docker("push", f"{name}:1")
    subprocess.run(
        ["docker", "login", "--username", private.username, "--password-stdin", private.address],
        input=private.password,
        text=True,
        check=True,
        capture_output=True,
    )
    docker("push", "--quiet", f"{name}:1")
    shown = docker("image", "inspect", "--format", "{{index .RepoDigests 0}}", f"{name}:1")
    docker("rmi", f"{name}:1")
    docker("pull", "--quiet", shown)
    docker("rmi", shown)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [[], ["start"], ["begin", "x"]])
def test_wrong_usage_says_what_is_right(arguments: list[str]) -> None:
    done = subprocess.run([str(_TOOLS / "registry.sh"), *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert "usage: tools/docker/registry.sh start|stop DIRECTORY" in done.stderr
