"""The status on the real servers of databases: sizes, and what is told where one is down."""

from collections.abc import Generator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from runtime.database.engine import open_engine
from runtime.settings import load
from tests.runtime.access.people.site import STACK, bearer, made
from tests.runtime.databases import Server, mariadb, postgresql

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=[postgresql, mariadb], ids=["postgresql", "mysql"])
def database(request: pytest.FixtureRequest) -> Generator[str]:
    start: Any = request.param
    running: AbstractContextManager[Server] = start()
    with running as server:
        yield server.new_database()


def test_the_database_s_size_is_its_server_s_and_grows(database: str, tmp_path: Path) -> None:
    site = made(tmp_path, MLFLOW_BACKEND_STORE_URI=database)
    engine = open_engine(load({"MLFLOW_BACKEND_STORE_URI": database}))

    def size() -> int:
        status, said = site.api("GET", "/trackstack/api/status", bearer(STACK))
        assert status == 200
        assert said["database"]["kind"] == database.partition("+")[0]
        return int(said["database"]["bytes"])

    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE large (number INTEGER PRIMARY KEY, words TEXT)"))
    before = size()
    row = [{"number": number, "words": f"{number:08}" * 2000} for number in range(500)]
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO large VALUES (:number, :words)"), row)
    if engine.dialect.name == "mysql":
        with engine.begin() as connection:
            connection.execute(text("ANALYZE TABLE large"))
    # PostgreSQL keeps long texts compressed.
    assert size() - before > 100_000
    engine.dispose()
