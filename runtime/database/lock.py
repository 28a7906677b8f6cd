"""One job of a kind at a time on a store, wherever it runs."""

import fcntl
import hashlib
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

from runtime.errors import UserError

_LOOK_AGAIN_SECONDS = 0.5


@contextmanager
def only_one(engine: Engine, job: str, *, wait_seconds: float = 0) -> Generator[None]:
    """Hold the store's lock for ``job``; waits so long for another that holds it.

    An advisory lock of PostgreSQL or MySQL, which ends with its session, or a lock on a file
    beside the SQLite file, which ends with its process. Raises UserError (exit code 75) where
    another still holds it.
    """
    deadline = time.monotonic() + wait_seconds

    def take(attempt: Callable[[], bool]) -> None:
        while not attempt():
            if time.monotonic() >= deadline:
                raise UserError(f"another {job} works on this store; try again when it is done", 75)
            time.sleep(_LOOK_AGAIN_SECONDS)

    if engine.dialect.name == "sqlite":
        path = Path(f"{engine.url.database}.{job}.lock")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("w") as file:
            take(lambda: _lock_file(file.fileno()))
            yield
        return
    query = text(_queries(job, str(engine.url.database))[engine.dialect.name])
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        take(lambda: bool(connection.execute(query).scalar()))
        try:
            yield
        finally:
            # The pool would keep the session, and with it the lock.
            connection.invalidate()


def _queries(job: str, database: str) -> dict[str, str]:
    # MySQL's names are the whole server's, PostgreSQL's numbers each database's own.
    digest = hashlib.sha256(f"{job}/{database}".encode()).hexdigest()
    number = int(hashlib.sha256(f"trackstack {job}".encode()).hexdigest()[:15], 16)
    return {
        "postgresql": f"SELECT pg_try_advisory_lock({number})",
        "mysql": f"SELECT GET_LOCK('trackstack_{job}_{digest[:16]}', 0)",
    }


def _lock_file(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
