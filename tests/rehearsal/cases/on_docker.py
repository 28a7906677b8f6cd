"""What goes wrong with Docker."""

from pathlib import Path

from infra.rehearsal.docker import cloud as docker
from tests.rehearsal.cases import REGISTRY, Case, World


def world(state_dir: Path) -> World:
    return World(docker.open_cloud(state_dir))


_CONTAINER = f"{REGISTRY}/docker/api-docs/container/"
CASES = [
    Case(
        "restart policy that is none",
        "Container",
        lambda _: {"image": "a", "restart": "ever"},
        "expected restart to be one of",
        _CONTAINER,
    ),
    Case(
        "interval without a unit",
        "Container",
        lambda _: {"image": "a", "healthcheck": {"tests": ["CMD"], "interval": "10"}},
        "not a valid duration",
        _CONTAINER,
    ),
    Case(
        "no image",
        "Container",
        lambda _: {"name": "a"},
        "missing required property 'image'",
        _CONTAINER,
    ),
    Case(
        "memory with a unit",
        "Container",
        lambda _: {"image": "a", "memory": "64m"},
        "'memory' must be a number",
        _CONTAINER,
    ),
    Case(
        "builder that is none",
        "Image",
        lambda _: {"imageName": "r/a", "build": {"builderVersion": "V9", "dockerfile": __file__}},
        "'build.builderVersion' must be one of",
        f"{REGISTRY}/docker/api-docs/image/",
    ),
    Case(
        "no Dockerfile",
        "Image",
        lambda _: {"imageName": "r/a", "build": {"context": "/nowhere"}},
        "could not open dockerfile",
        f"{REGISTRY}/docker/api-docs/image/",
    ),
]
