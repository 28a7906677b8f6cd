"""One gc at a time on a store, wherever it runs."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

from runtime.errors import UserError

_NAME = "trackstack_gc"
_NUMBER = 0x7472_6763
_BUSY = "another gc works on this store; it will do what is left"


@contextmanager
def only_one(engine: Engine) -> Generator[None]:
    """Hold the store's gc lock; raises UserError (exit code 75) where another holds it.

    An advisory lock of PostgreSQL or MySQL, which ends with its session, or a lock on a file
    beside the SQLite file, which ends with its process.
    """
    if engine.dialect.name == "sqlite":
        with _file_lock(Path(f"{engine.url.database}.gc.lock")):
            yield
        return
    take = {
        "postgresql": (f"SELECT pg_try_advisory_lock({_NUMBER})"),
        "mysql": f"SELECT GET_LOCK('{_NAME}', 0)",
    }[engine.dialect.name]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(text(take)).scalar():
            raise UserError(_BUSY, 75)
        try:
            yield
        finally:
            # The pool would keep the session, and with it the lock.
            connection.invalidate()


@contextmanager
def _file_lock(path: Path) -> Generator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(_BUSY, 75) from None
        yield
