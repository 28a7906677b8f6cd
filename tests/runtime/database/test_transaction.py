"""The collector's transactions, on SQLite."""

from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from runtime.gc.transaction import transaction


def test_what_fails_is_rolled_back_and_what_ends_well_stays(tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/x.db")
    with transaction(engine) as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
        connection.execute(text("INSERT INTO t VALUES (1)"))
    failing = transaction(engine)
    failing.__enter__().execute(text("INSERT INTO t VALUES (2)"))
    interrupted = KeyboardInterrupt()
    assert not failing.__exit__(KeyboardInterrupt, interrupted, None)
    with engine.connect() as connection:
        assert list(connection.execute(text("SELECT n FROM t")).scalars()) == [1]


def test_another_writer_waits_from_the_first_look_on(tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/x.db")
    other = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/x.db", connect_args={"timeout": 0})
    with transaction(engine) as connection, other.connect() as second:
        connection.execute(text("SELECT 1"))
        with pytest.raises(OperationalError, match="locked"):
            second.execute(text("CREATE TABLE t (n INTEGER)"))
