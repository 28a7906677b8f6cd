"""One real server for all tests that do not change how it runs."""

from collections.abc import Generator

import pytest

from tests.runtime.serving import Serving, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Serving]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running
