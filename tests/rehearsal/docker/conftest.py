"""The stand-in's resources by themselves, on the real daemon."""

import secrets
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from infra.rehearsal.docker.cloud import open_cloud
from infra.rehearsal.docker.container import Container
from infra.rehearsal.docker.image import Image
from infra.rehearsal.docker.network import Network
from infra.rehearsal.provider.resource import Call, Cloud
from infra.rehearsal.system import daemon

Make = Callable[..., tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    daemon.ensure_daemon()
    return open_cloud(tmp_path_factory.mktemp("cloud"))


@pytest.fixture
def container(cloud: Cloud) -> Container:
    return Container(Call(cloud, {}))


@pytest.fixture
def network(cloud: Cloud) -> Network:
    return Network(Call(cloud, {}))


@pytest.fixture
def image(cloud: Cloud) -> Image:
    return Image(Call(cloud, {}))


@pytest.fixture(scope="module")
def checked_image() -> Generator[str]:
    """The name of an image with a health check of its own."""
    daemon.ensure_daemon()
    name = f"trackstack-test/{secrets.token_hex(4)}:checked"
    text = f"FROM {daemon.base_image()}\nHEALTHCHECK --interval=10s --retries=3 CMD true\n"
    subprocess.run(["docker", "build", "--quiet", "--tag", name, "-"], input=text, text=True)
    yield name
    daemon.docker("image", "rm", name, check=False)


@pytest.fixture
def make(container: Container) -> Generator[Make]:
    """Makes a container that sleeps, with these inputs; returns its ID and its state."""
    made: list[str] = []

    def make(**inputs: Any) -> tuple[str, dict[str, Any]]:
        name = f"trackstack-test-{secrets.token_hex(4)}"
        made.append(name)
        given = {"name": name, "image": daemon.base_image(), "command": ["sleep", "600"], **inputs}
        id, state = container.create(given)
        return id, {"inputs": given, "state": state}

    yield make
    for name in made:
        daemon.docker("rm", "--force", "--volumes", name, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty build context."""
    (tmp_path / "app").mkdir()
    return tmp_path / "app"
