"""Bounds of a request's statements, on real databases."""

import contextvars
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from runtime.access.served.statements import (
    Bounds,
    Refusals,
    bounded,
    current,
    install,
    limited,
)
from tests.runtime.database.empty import put_empty_store
from tests.runtime.databases import Server, mariadb, postgresql

_ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n, n AS m"
)


_REFUSALS = Refusals(
    too_long=lambda seconds: TimeoutError(f"{seconds} s"),
    may_not=lambda: PermissionError(),
    costly=lambda: OverflowError("costly"),
    too_wide=lambda: LookupError("too wide"),
)


@pytest.fixture
def engine() -> Generator[Engine]:
    take_back = install(_REFUSALS)
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (x INTEGER)"))
    try:
        yield engine
    finally:
        take_back()


def test_a_query_ends_when_its_time_is_over(engine: Engine) -> None:
    began = time.monotonic()
    ends = pytest.raises(TimeoutError, match=r"0\.2 s")
    with bounded(Bounds(seconds=0.2)), ends, Session(engine) as session:
        session.execute(text(_ENDLESS)).all()
    assert time.monotonic() - began < 5
    # The connection is as good as before, and what follows has time of its own.
    time.sleep(0.3)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO t VALUES (1)"))
        assert connection.execute(text("SELECT count(*) FROM t")).scalar() == 1


def test_a_pattern_that_nothing_ends_is_not_begun(tmp_path: Path) -> None:
    """On a store of MLflow's, which brings a function of its own for RLIKE."""
    from mlflow.entities import TraceInfo, TraceLocation, TraceState
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    put_empty_store(tmp_path)
    take_back = install(_REFUSALS)
    store: Any = SqlAlchemyStore(f"sqlite:///{tmp_path}/store/mydb.sqlite", str(tmp_path))
    any_location: Any = TraceLocation
    given = any_location.from_experiment_id("0")
    tags = {"kind": "a" * 60}
    store.start_trace(TraceInfo("tr-1", given, 1, TraceState.OK, tags=tags))

    def found(pattern: str) -> int:
        return len(store.search_traces(["0"], f"tags.kind RLIKE '{pattern}'")[0])

    try:
        with bounded(Bounds(seconds=5, changes=False)):
            assert found("^a+$") == 1
            began = time.monotonic()
            with pytest.raises(Exception, match="costly"):
                found("^(a+)+!$")
            assert time.monotonic() - began < 5
            # The connection is as good as before.
            assert found("^b") == 0
    finally:
        take_back()


def test_a_search_that_the_database_cannot_do_is_told_from_one_that_failed(engine: Engine) -> None:
    """SQLite joins 64 tables, and each condition about a tag is one."""
    wide = "SELECT 1 FROM t" + "".join(f" JOIN t AS t{i} ON t.x = t{i}.x" for i in range(100))
    deep = "SELECT 1 FROM t WHERE " + "(" * 1200 + "x" + " + 1)" * 1200
    for query in (wide, deep):
        refused = pytest.raises(LookupError, match="too wide")
        with bounded(Bounds(seconds=5)), Session(engine) as session, refused:
            session.execute(text(query)).all()
    failed = pytest.raises(Exception, match="no such table")
    with bounded(Bounds(seconds=5)), Session(engine) as session, failed:
        session.execute(text("SELECT 1 FROM no_such")).all()


def test_whoever_may_only_read_changes_nothing(engine: Engine) -> None:
    with engine.begin() as connection, bounded(Bounds(changes=False)):
        assert not current().changes
        for statement in (
            "INSERT INTO t VALUES (1)",
            "UPDATE t SET x = 2",
            "DELETE FROM t",
            " drop table t",
            "REPLACE INTO t VALUES (1)",
        ):
            with pytest.raises(PermissionError):
                connection.execute(text(statement))
        connection.execute(text("PRAGMA foreign_keys = ON"))
        assert connection.execute(text("SELECT count(*) FROM t")).scalar() == 0
    assert current().changes


def test_the_threads_of_a_request_keep_to_it_and_others_do_not(engine: Engine) -> None:
    with ThreadPoolExecutor(1) as pool, bounded(Bounds(changes=False)):
        context = contextvars.copy_context()
        assert not pool.submit(context.run, current).result().changes
        assert pool.submit(current).result().changes


def test_each_database_is_told_the_time_in_its_own_words() -> None:
    select = "SELECT x FROM t"
    assert limited(select, "psycopg2", 30) == f"SET LOCAL statement_timeout = 30000; {select}"
    assert limited(select, "mysql", 1.5) == "SELECT /*+ MAX_EXECUTION_TIME(1500) */ x FROM t"
    maria = limited(select, "mariadb", 30)
    assert maria == f"SET STATEMENT max_statement_time = 30 FOR {select}"
    for kind in ("sqlite", "pg8000"):
        assert limited(select, kind, 30) == select
    for kind in ("psycopg2", "mysql", "mariadb", "sqlite"):
        assert limited("UPDATE t SET x = 1", kind, 30) == "UPDATE t SET x = 1"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "endless"),
    [
        (postgresql, "SELECT pg_sleep(30)"),
        (mariadb, "SELECT sleep(30)"),
    ],
)
def test_another_database_ends_a_query_too(
    kind: Callable[[], AbstractContextManager[Server]], endless: str
) -> None:
    with kind() as server:
        engine = create_engine(server.new_database())
        take_back = install(_REFUSALS)
        try:
            with engine.begin() as connection:
                connection.execute(text("CREATE TABLE t (x INTEGER)"))
            with bounded(Bounds(seconds=0.5, changes=False)), Session(engine) as session:
                values = {"x": 1, "y": "50%"}
                query = text("SELECT x, :y FROM t WHERE x = :x OR 'a%' = :y")
                assert session.execute(query, values).all() == []
                assert session.execute(text("SELECT 7")).scalar() == 7
                began = time.monotonic()
                with pytest.raises(TimeoutError):
                    session.execute(text(endless)).all()
                assert time.monotonic() - began < 10
            # The next one on this connection is not bounded any more.
            with engine.begin() as connection:
                connection.execute(text("INSERT INTO t VALUES (1)"))
                slow = "pg_sleep(0.7)" if kind is postgresql else "sleep(0.7)"
                connection.execute(text(f"SELECT {slow} FROM t")).all()
        finally:
            take_back()
