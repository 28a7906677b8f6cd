"""What one request may ask of the database: for how long, and whether it may change something.

What a request may do only the access check knows, and what it asks only SQLAlchemy, which tells of
each statement before it runs. The time is the database's own to watch, in its own words.
"""

import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event

from runtime.access.rules import patterns

# SQLite asks after so many steps of its machine whether to go on: many times a second.
_STEPS = 50_000
_UNTIL = "trackstack_until"
_IS_COSTLY, _HAS_MATCHES = "trackstack_costly", "trackstack_matches"
_QUERY = re.compile(r"\s*(select|with)\b", re.IGNORECASE)
# What neither reads nor changes a row.
_AROUND = re.compile(
    r"\s*(pragma|set|show|begin|commit|rollback|savepoint|release|explain)\b", re.IGNORECASE
)
# What the databases say of a query that took too long, by their own numbers.
_POSTGRESQL, _MYSQL = "57014", (3024, 1969)
# And of one that has too much in it.
_MYSQL_TABLES = 1116
_SQLITE_LIMITS = (
    "at most 64 tables in a join",
    "Expression tree is too large",
    "parser stack overflow",
    "too many SQL variables",
)


@dataclass(frozen=True)
class Bounds:
    """What a request may do."""

    seconds: float = 0
    """How long a query may take; 0 for any time."""
    changes: bool = True
    """Whether it may change a row."""


# What is no request's, such as the server's own look at its tokens, is not bounded.
_BOUNDS: ContextVar[Bounds] = ContextVar("trackstack_bounds", default=Bounds())  # noqa: B039


@contextmanager
def bounded(bounds: Bounds) -> Generator[None]:
    """Within it, and in the threads that serve it, statements are bounded."""
    token = _BOUNDS.set(bounds)
    try:
        yield
    finally:
        _BOUNDS.reset(token)


def current() -> Bounds:
    """What the request that is being answered may do; anything where there is none."""
    return _BOUNDS.get()


def _kind(dialect: Any) -> str:
    """What `limited` calls a database: by its driver, as not each takes two statements."""
    if getattr(dialect, "is_mariadb", False):
        return "mariadb"
    return dialect.driver if dialect.name == "postgresql" else dialect.name


def limited(statement: str, kind: str, seconds: float) -> str:
    """A query that its database ends after ``seconds``, where it has words for that. Pure."""
    if not _QUERY.match(statement):
        return statement
    milliseconds = max(1, round(seconds * 1000))
    if kind == "psycopg2":
        # In one message: it costs no time of its own.
        return f"SET LOCAL statement_timeout = {milliseconds}; {statement}"
    if kind == "mariadb":
        return f"SET STATEMENT max_statement_time = {seconds} FOR {statement}"
    if kind == "mysql":
        hint = f"SELECT /*+ MAX_EXECUTION_TIME({milliseconds}) */"
        return re.sub(r"^\s*select\b", hint, statement, count=1, flags=re.IGNORECASE)
    return statement


def _look_for_patterns(connection: Any) -> None:
    """Have SQLite ask us for patterns, and not MLflow's function, which nothing ends."""
    info = connection.info
    if _HAS_MATCHES in info:
        return

    def look(pattern: str | None, text: str | None) -> bool:
        try:
            return patterns.matches(pattern, text)
        except ValueError:
            # SQLite tells only that its function failed.
            info[_IS_COSTLY] = True
            raise

    connection.connection.dbapi_connection.create_function("regexp", 2, look)
    info[_HAS_MATCHES] = True


@dataclass(frozen=True)
class Refusals:
    """Make what is raised instead of an answer."""

    too_long: Callable[[float], Exception]
    """For a query that took more than so many seconds."""
    may_not: Callable[[], Exception]
    """For a statement that would change something and may not."""
    costly: Callable[[], Exception]
    """For a regular expression that may take long."""
    too_wide: Callable[[], Exception]
    """For a query that has more tables or conditions than the database takes."""


def install(refusals: Refusals) -> Callable[[], None]:
    """Have every engine of this process keep to the bounds; returns what takes it back."""

    def connected(connection: Any, record: Any) -> None:
        if hasattr(connection, "set_progress_handler"):
            info = record.info

            def is_over() -> bool:
                until = info.get(_UNTIL)
                return until is not None and time.monotonic() > until

            connection.set_progress_handler(is_over, _STEPS)

    def before(
        connection: Any, _cursor: Any, statement: str, values: Any, context: Any, _many: bool
    ) -> tuple[str, Any]:
        bounds = current()
        connection.info.pop(_UNTIL, None)
        is_query = _QUERY.match(statement)
        if not (bounds.changes or is_query or _AROUND.match(statement)):
            raise refusals.may_not()
        if bounds.seconds and is_query:
            connection.info[_UNTIL] = time.monotonic() + bounds.seconds
            if connection.dialect.name == "sqlite" and " REGEXP " in statement:
                _look_for_patterns(connection)
            # Not for what is fetched in pieces: that is a cursor's declaration.
            if not (context and context._is_server_side):
                statement = limited(statement, _kind(connection.dialect), bounds.seconds)
        return statement, values

    def failed(context: Any) -> None:
        bounds = current()
        if context.connection is not None and context.connection.info.pop(_IS_COSTLY, None):
            raise refusals.costly() from None
        if _is_too_wide(context.original_exception):
            raise refusals.too_wide() from None
        if bounds.seconds and _is_interruption(context.original_exception):
            raise refusals.too_long(bounds.seconds) from None

    def ended(connection: Any) -> None:
        connection.info.pop(_UNTIL, None)

    listeners: list[tuple[type[Engine], str, Any, dict[str, bool]]] = [
        (Engine, "connect", connected, {}),
        (Engine, "before_cursor_execute", before, {"retval": True}),
        (Engine, "handle_error", failed, {}),
        (Engine, "commit", ended, {}),
        (Engine, "rollback", ended, {}),
    ]
    for target, name, function, options in listeners:
        event.listen(target, name, function, **options)

    def take_back() -> None:
        for target, name, function, _options in listeners:
            event.remove(target, name, function)

    return take_back


def _is_too_wide(error: BaseException) -> bool:
    """SQLite has no number of its own for it."""
    text = str(error.args[0]) if error.args else ""
    return error.args[:1] == (_MYSQL_TABLES,) or text.startswith(_SQLITE_LIMITS)


def _is_interruption(error: BaseException) -> bool:
    code = error.args[0] if error.args else None
    return (
        getattr(error, "sqlite_errorname", None) == "SQLITE_INTERRUPT"
        or getattr(error, "pgcode", None) == _POSTGRESQL
        or code in _MYSQL
    )
