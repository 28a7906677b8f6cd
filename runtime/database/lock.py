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
# Whoever looks at the lock on a file has it himself for a moment.
_LOOKED_AT_SECONDS = 0.2
# Held while a store is migrated: its servers answer 503 then, as soon as they look again.
MIGRATION = "migration"
BACKUP = "backup"
SERVERS_LOOK_SECONDS = 1.0
_HELD = {
    # https://www.postgresql.org/docs/current/view-pg-locks.html: a number in two halves.
    "postgresql": "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND CAST(classid AS bigint) = :high AND CAST(objid AS bigint) = :low AND objsubid = 1",
    "mysql": "SELECT IS_USED_LOCK(:name) IS NOT NULL",
}


@contextmanager
def only_one(engine: Engine, job: str, *, wait_seconds: float = 0) -> Generator[None]:
    """Hold the store's lock for ``job``; waits so long for another that holds it.

    An advisory lock of PostgreSQL or MySQL, which ends with its session, or a lock on a file
    beside the SQLite file, which ends with its process. Raises UserError (exit code 75) where
    another still holds it.
    """

    def take(attempt: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not attempt():
            if time.monotonic() >= deadline:
                raise UserError(f"another {job} works on this store; try again when it is done", 75)
            time.sleep(min(_LOOK_AGAIN_SECONDS, seconds))

    if engine.dialect.name == "sqlite":
        path = _file(engine, job)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("w") as file:
            take(lambda: _lock_file(file.fileno()), max(wait_seconds, _LOOKED_AT_SECONDS))
            yield
        return
    query = text(_queries(job, engine)[engine.dialect.name])
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        take(lambda: bool(connection.execute(query).scalar()), wait_seconds)
        try:
            yield
        finally:
            # The pool would keep the session, and with it the lock.
            connection.invalidate()


def is_held(engine: Engine, job: str) -> bool:
    """Whether somebody holds the store's lock for ``job`` at this moment; keeps none."""
    if engine.dialect.name == "sqlite":
        path = _file(engine, job)
        if not path.exists():
            return False
        with path.open() as file:
            return not _lock_file(file.fileno(), fcntl.LOCK_SH)
    query = _HELD[engine.dialect.name]
    number = _number(job)
    known: dict[str, object] = {"high": number >> 32, "low": number & 0xFFFFFFFF}
    given = known if engine.dialect.name == "postgresql" else {"name": _name(job, engine)}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return bool(connection.execute(text(query), given).scalar())


def _file(engine: Engine, job: str) -> Path:
    return Path(f"{engine.url.database}.{job}.lock")


def _number(job: str) -> int:
    """PostgreSQL's numbers are each database's own."""
    return int(hashlib.sha256(f"trackstack {job}".encode()).hexdigest()[:15], 16)


def _name(job: str, engine: Engine) -> str:
    """MySQL's names are the whole server's."""
    digest = hashlib.sha256(f"{job}/{engine.url.database}".encode()).hexdigest()
    return f"trackstack_{job}_{digest[:16]}"


def _queries(job: str, engine: Engine) -> dict[str, str]:
    return {
        "postgresql": f"SELECT pg_try_advisory_lock({_number(job)})",
        "mysql": f"SELECT GET_LOCK('{_name(job, engine)}', 0)",
    }


def _lock_file(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
