"""One real server for all tests that do not change how it runs."""

import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from runtime.artifacts.tree import Tree
from runtime.backup import make
from runtime.backup.format.manifest import Manifest
from runtime.settings import RuntimeSettings
from tests.runtime.filled import StoreMaker, fill, settings_of
from tests.runtime.serving import Serving, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Serving]:
    # As behind a proxy, so that tests ask from addresses of their own.
    with serving(tmp_path_factory.mktemp("server"), FORWARDED_ALLOW_IPS="127.0.0.1") as running:
        yield running


@pytest.fixture(scope="session")
def _filled_once(  # pyright: ignore[reportUnusedFunction]
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("filled-once")
    fill(settings_of(folder))
    return folder


@pytest.fixture(scope="module")
def filled(_filled_once: Path, tmp_path_factory: pytest.TempPathFactory) -> RuntimeSettings:
    """A SQLite store that a module's tests only read."""
    folder = tmp_path_factory.mktemp("filled")
    shutil.copytree(_filled_once, folder, dirs_exist_ok=True)
    return settings_of(folder)


@pytest.fixture
def store_in(filled: RuntimeSettings) -> StoreMaker:
    """Makes a store with one of everything, of a module that never backs ``filled`` itself up."""

    def make_it(folder: Path) -> RuntimeSettings:
        shutil.copytree(filled.data_dir, folder)
        return settings_of(folder)

    return make_it


@pytest.fixture(scope="module")
def made(filled: RuntimeSettings) -> tuple[Tree, Manifest]:
    """A backup of it."""
    tree = make.destination(filled, None)
    return tree, make.back_up(filled, tree)
