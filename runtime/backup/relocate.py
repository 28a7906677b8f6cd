"""Locations of artifacts that name the old destination itself, as of a server that proxies none:
noted with the backup, and after a restore made to lead to where the artifacts are now.
"""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    String,
    case,
    func,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.sql import ColumnElement

from runtime import paths
from runtime.artifacts.location import Destination
from runtime.backup.format import rows
from runtime.settings import RuntimeSettings

# In which MLflow keeps where something lies: table and column, and of a table of tags the one key
# whose values are locations.
Location = tuple[str, str, str | None]
LOCATIONS: tuple[Location, ...] = (
    ("experiments", "artifact_location", None),
    ("runs", "artifact_uri", None),
    ("logged_models", "artifact_location", None),
    ("model_versions", "source", None),
    ("model_versions", "storage_location", None),
    ("trace_tags", "value", "mlflow.artifactLocation"),
)
# Where MLflow's server itself finds the spans of a trace that it archived: through no proxy.
ARCHIVED: Location = ("trace_tags", "value", "mlflow.trace.archiveLocation")
_PROXIED = "mlflow-artifacts:"


def columns(
    connection: Connection, locations: Iterable[Location] = LOCATIONS
) -> "Iterator[tuple[Column[str], ColumnElement[bool]]]":
    """Those of ``locations`` that the schema has, and which rows of each count."""
    there = rows.reflect(connection).tables
    for table, column, key in locations:
        if table in there and column in there[table].c:
            which = there[table].c.key == key if key else true()
            yield there[table].c[column], which


def _begins(column: "Column[str]", text: str) -> ColumnElement[bool]:
    # LIKE would take another case for the same on SQLite.
    return func.substr(column, 1, len(text)) == text


def noted(connection: Connection, destination: str) -> tuple[str, ...]:
    """The texts, the longest first, that locations which name ``destination`` itself begin with."""
    named = Destination(destination, proxied=False).beginnings()
    found = list(columns(connection, (*LOCATIONS, ARCHIVED)))
    return tuple(
        text
        for text in sorted(named, key=len, reverse=True)
        if any(
            connection.execute(select(c).where(which, _begins(c, text)).limit(1)).first()
            for c, which in found
        )
    )


def beginning(settings: RuntimeSettings) -> str:
    """What locations that named the old destination itself begin with in a store of ``settings``:
    they lead through the server where that serves artifacts.
    """
    return f"{_PROXIED}/" if settings.serve_artifacts else _place(settings)


def _place(settings: RuntimeSettings) -> str:
    return f"{paths.for_mlflow(settings.artifacts_destination).rstrip('/')}/"


def moved(location: str, before: Sequence[str], now: str) -> str:
    """A location after ``rewrite``. Pure."""
    text = next((text for text in before if location.startswith(text)), None)
    return location if text is None else now + location[len(text) :]


def lead_to(engine: Engine, before: Sequence[str], settings: RuntimeSettings) -> None:
    """Have the locations that begin with one of ``before`` lead to where a store of ``settings``
    has its artifacts.
    """
    rewrite(engine, before, beginning(settings))
    rewrite(engine, before, _place(settings), (ARCHIVED,))


def count_archived(connection: Connection, destination: str) -> int:
    """How many traces have their spans in an archive elsewhere than in ``destination``."""
    named = Destination(destination, proxied=False).beginnings()
    return sum(
        connection.scalar(select(func.count()).where(which, *(~_begins(c, t) for t in named))) or 0
        for c, which in columns(connection, (ARCHIVED,))
    )


def rewrite(
    engine: Engine, before: Sequence[str], now: str, locations: Iterable[Location] = LOCATIONS
) -> None:
    """Have the locations that begin with one of ``before``, the longest first, begin with ``now``.

    Each is rewritten once: the new place may lie in the old one.
    """
    if not before:
        return
    with engine.begin() as connection:
        for column, which in list(columns(connection, locations)):
            begun = [(_begins(column, text), text) for text in before]
            instead = [
                (begins, literal(now, String).concat(func.substr(column, len(text) + 1)))
                for begins, text in begun
            ]
            connection.execute(
                update(column.table)
                .where(which, or_(*(begins for begins, _ in begun)))
                .values({column.name: case(*instead, else_=column)})
            )
