"""What published guides set and run, in the image: the rows of the page "You know it as"."""

import subprocess
from collections.abc import Iterator, Mapping

import pytest

from infra.rehearsal.system.daemon import docker
from runtime.cli import ALIASES
from tests.runtime.server.image.container import serving
from tests.runtime_image import runtime_image
from tools.reference.published import LINES
from tools.reference.published.line import IMAGE, Line

_ALL = [line for lines in LINES.values() for line in lines if line.variables]
_REFUSED = [line for line in _ALL if line.refused]
# What these say is reached at the start, or takes the place of what the other lines need.
_ELSEWHERE = ("BACKEND_PROVIDER", "DB_SECRET_OCID", "OCIFS_IAM_TYPE", "TRACKSTACK_OIDC_ISSUER")


def _together() -> Iterator[Line]:
    """Those that one server may be given at once."""
    for line in _ALL:
        reached = any(value.startswith(("oci:", "mysql")) for value in line.variables.values())
        if not (line.refused or reached or line.variables.keys() & {*_ELSEWHERE}):
            yield line


def test_what_is_not_tried_here_has_a_test_of_its_own() -> None:
    tried = [*_together(), *_REFUSED]
    assert len(tried) > 12
    assert [line.line for line in _ALL if line not in tried and not line.test] == []


@pytest.mark.slow
def test_what_guides_set_is_taken_and_told_by_the_image() -> None:
    """All at once, with the CPU and the memory that the Azure guide gives a container."""
    given = {name: value for line in _together() for name, value in line.variables.items()}
    # As they are printed: the token, the address and the data are the container's own.
    for name in ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_URI", *IMAGE):
        given.pop(name, None)
    # A public name is what silences the line about plain HTTP.
    public = given.pop("TRACKSTACK_PUBLIC_URL")
    with serving("--cpus", "1", "--memory", "1g", *_environment(given)) as server:
        log = _log(server.name)
        for line in _together():
            assert line.told in log, line.line
        assert "Traceback" not in log
    with serving(TRACKSTACK_PUBLIC_URL=public) as server:
        assert "plain HTTP" not in _log(server.name)


@pytest.mark.slow
@pytest.mark.parametrize("line", _REFUSED, ids=lambda line: line.line)
def test_what_cannot_be_taken_ends_the_container_in_a_line(line: Line) -> None:
    run = ["docker", "run", "--rm", *_environment(line.variables), runtime_image()]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 2
    assert line.refused in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_what_guides_run_in_the_image_runs() -> None:
    with serving() as server:
        for published in ALIASES:
            assert "Usage: trackstack" in server.run("trackstack", published, "--help")
        server.run("trackstack", "DatabaseUpgrade")
        server.run("trackstack", "GarbageCollection", "--older-than", "0d0h10m0s")
        server.run("trackstack", "gc", "--older-than", "10m")
        server.run("trackstack", "Report")
        server.run("trackstack", "Prune", "--dry-run")
    shell = ("run", "--rm", "--entrypoint", "/bin/bash", runtime_image(), "-c")
    assert docker(*shell, "id -u; command -v pip; command -v trackstack").split() == [
        "10001",
        "/opt/trackstack/bin/trackstack",
    ]


def _environment(given: Mapping[str, str]) -> list[str]:
    return [flag for pair in given.items() for flag in ("--env", "=".join(pair))]


def _log(container: str) -> str:
    done = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr
