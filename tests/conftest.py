"""What tests in every folder share."""

import os
import sys
from collections.abc import Generator

import pytest

from infra.place import ROOT
from infra.rehearsal.docker.plugin import find
from infra.rehearsal.system.ports import find_free_port
from tests import examples as examples

_FIRST = ("infra", "rehearsal", "stacks")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--docker-plugin",
        action="store_true",
        help="stacks of local-container on the real Docker provider in place of the stand-in",
    )


def pytest_report_header(config: pytest.Config) -> str:
    """Which Docker provider the tests run on."""
    given = config.getoption("--docker-plugin")
    return f"docker provider: {find() if given else 'the stand-in'}"


@pytest.fixture(scope="session")
def is_real_docker(pytestconfig: pytest.Config) -> bool:
    """Whether --docker-plugin was said."""
    return bool(pytestconfig.getoption("--docker-plugin"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is only for the night is slow, too; and the longest files come first.

    A file is one worker's: one of ten minutes that begins last has the others wait for it. On a
    bare machine what stacks need is built by those before them, within the time of a test.
    """
    for item in items:
        if item.get_closest_marker("nightly"):
            item.add_marker(pytest.mark.slow)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, _place(item)))


def _place(item: pytest.Item) -> int:
    folder = item.path.relative_to(ROOT / "tests").parts[0]
    return _FIRST.index(folder) if folder in _FIRST else len(_FIRST)


@pytest.fixture(autouse=True)
def _clean_environment(  # pyright: ignore[reportUnusedFunction]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A developer's own MLflow settings must not reach a test."""
    for name in os.environ:
        if name.startswith(("MLFLOW_", "TRACKSTACK_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _with_stack() -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    """Dynamic providers that fail leave Python without stacks, which the engine's SDK reads."""
    yield
    if hasattr(sys, "tracebacklimit"):
        del sys.tracebacklimit


@pytest.fixture
def free_port() -> int:
    """A port that was free a moment ago."""
    return find_free_port()
