"""A database that gives nobody anything for a while."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, create_engine, make_url, text


@contextmanager
def without(uri: str) -> Generator[None]:
    """The database of this SQLAlchemy URI, SQLite's or PostgreSQL's, is away."""
    url = make_url(uri)
    is_file = url.get_backend_name() == "sqlite"
    with _unreadable(Path(str(url.database))) if is_file else _away(url):
        yield


@contextmanager
def _unreadable(file: Path) -> Generator[None]:
    """As a disk that broke has it; SQLite finds out at the next look."""
    begin = file.read_bytes()[:100]

    def write(content: bytes) -> None:
        with file.open("r+b") as opened:
            opened.write(content)

    write(bytes(100))
    try:
        yield
    finally:
        write(begin)


@contextmanager
def _away(url: URL) -> Generator[None]:
    """Nobody connects to a database of PostgreSQL's, and who was connected is thrown out."""
    engine = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS false'))
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
        connection.execute(text(ended), {"name": url.database})
        try:
            yield
        finally:
            connection.execute(text(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS true'))
    engine.dispose()
