"""One real server for all tests that do not change how it runs."""

from collections.abc import Generator

import pytest

from runtime.artifacts.tree import Tree
from runtime.backup import make
from runtime.backup.format.manifest import Manifest
from runtime.settings import RuntimeSettings
from tests.runtime.filled import fill, settings_of
from tests.runtime.serving import Serving, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Serving]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> RuntimeSettings:
    """A SQLite store that a module's tests only read."""
    settings = settings_of(tmp_path_factory.mktemp("filled"))
    fill(settings)
    return settings


@pytest.fixture(scope="module")
def made(filled: RuntimeSettings) -> tuple[Tree, Manifest]:
    """A backup of it."""
    tree = make.destination(filled, None)
    return tree, make.back_up(filled, tree)
