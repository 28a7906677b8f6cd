"""Whether the backend store that the settings name is the one that the server serves.

A wrong guess would judge one server's entities by another's, and numbers of experiments are the
same everywhere. So a job leaves a random word in the store and asks the server whether it finds it:
a copy of the store, however made, does not have it.
"""

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Column, Engine, MetaData, String, Table, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from runtime.database.engine import open_engine
from runtime.database.state import revisions
from runtime.probe import request, token_of
from runtime.settings import RuntimeSettings

PATH = "/trackstack/store"
_QUERY, _YES = "word=", b"true"
_WORDS = Table("trackstack_words", MetaData(), Column("word", String(64), primary_key=True))


def respond(settings: RuntimeSettings, query: bytes) -> bytes:
    """The server's answer: whether a job left the word of ``query`` in its store, as JSON.

    Asks the database, so not for an event loop.
    """
    word = query.decode("ascii", "replace").removeprefix(_QUERY)
    engine = open_engine(settings)
    try:
        with engine.connect() as connection:
            found = select(_WORDS).where(_WORDS.c.word == word)
            known = engine.dialect.has_table(connection, _WORDS.name)
            return _YES if known and connection.execute(found).first() else b"false"
    except SQLAlchemyError:
        return b"false"
    finally:
        engine.dispose()


def store_of(settings: RuntimeSettings) -> Engine | None:
    """The backend store that the settings name; None where there is none of MLflow's."""
    engine = open_engine(settings)
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():
        # Not to be made by a look at it.
        return None
    with engine.connect() as connection:
        return engine if engine.dialect.has_table(connection, "experiments") else None


def is_beside(settings: RuntimeSettings, engine: Engine) -> bool:
    """Whether the server at the tracking URI has this very store.

    False, too, for a server of an earlier version, which does not know the question, and for a
    store of another schema than this MLflow's.
    """
    has, should = revisions(engine)
    if has != should:
        return False
    with _left(engine) as word:
        path = f"{PATH}?{_QUERY}{word}"
        return request(settings, "GET", path, token_of(settings)) == (200, _YES)


@contextmanager
def _left(engine: Engine) -> Generator[str]:
    word = secrets.token_hex(32)
    _WORDS.create(engine, checkfirst=True)
    with engine.begin() as connection:
        connection.execute(insert(_WORDS).values(word=word))
    try:
        yield word
    finally:
        with engine.begin() as connection:
            connection.execute(delete(_WORDS).where(_WORDS.c.word == word))
