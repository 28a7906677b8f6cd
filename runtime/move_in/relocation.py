"""Locations below an old place become the stack's own, everywhere that MLflow keeps one.

A row whose location is a path of the old server's, or a bucket of its, still works there and
nowhere else: clients on other machines would find nothing, and new runs would go there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, func, or_, select, update

from runtime.artifacts.location import Destination
from runtime.backup.format import rows
from runtime.paths import local_path

# What the server itself has, wherever it keeps it.
OWN = "mlflow-artifacts:"
# What needs no other place: the last two name a run or a model, which has a location.
_AT_HOME = (f"{OWN}/", "runs:/", "models:/")
_TRACE_TAG = "mlflow.artifactLocation"
# Table -> columns, in which MLflow keeps where something lies.
COLUMNS = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
    "trace_tags": ("value",),
}


@dataclass(frozen=True)
class Outside:
    """``count`` rows of a column have their artifacts at ``place``, which did not come along."""

    column: str
    place: str
    count: int


def beginnings(place: str, were: Sequence[str] = ()) -> list[str]:
    """What locations below a place begin with, the longest first; ``were`` says more of them."""
    texts = {text.rstrip("/") for text in were}
    texts |= {text.rstrip("/") for text in Destination(place, proxied=False).beginnings()}
    path = local_path(place)
    if path is not None:
        # As a server was told its root, in its own folder.
        name = Path(path).absolute().name
        texts |= {f"./{name}", name}
    return sorted(texts - {""}, key=len, reverse=True)


def relocate(engine: Engine, texts: Sequence[str]) -> dict[str, int]:
    """Rewrite what begins with one of ``texts``; returns how many rows, by column.

    ``engine`` is a SQLite copy's.
    """
    done = dict[str, int]()
    with engine.begin() as connection:
        for name, table, column, concerns in _locations(connection):
            for text in texts:
                # By exact text: LIKE would take another case for the same.
                below = func.substr(column, 1, len(text) + 1) == f"{text}/"
                moved = func.substr(column, len(text) + 1)
                change = update(table).where(and_(concerns, below))
                count = connection.execute(change.values({column.name: OWN + moved})).rowcount
                if count:
                    done[name] = done.get(name, 0) + count
    return done


def outside(engine: Engine) -> list[Outside]:
    """What still has its artifacts elsewhere, by column and place."""
    found = dict[tuple[str, str], int]()
    with engine.connect() as connection:
        for name, _, column, concerns in _locations(connection):
            home = or_(*(func.substr(column, 1, len(t)) == t for t in _AT_HOME))
            query = select(column).where(concerns, column.is_not(None), column != "", ~home)
            for (text,) in connection.execute(query):
                key = (name, place_of(str(text)))
                found[key] = found.get(key, 0) + 1
    return [Outside(column, place, count) for (column, place), count in sorted(found.items())]


def place_of(location: str) -> str:
    """The store that a location is in, short enough for a line: the bucket, or three folders."""
    store, separator, path = location.rpartition("://")
    parts = path.split("/")
    shown = "/".join(parts[: 4 if path.startswith("/") else 1 if separator else 2])
    return f"{store}{separator}{shown}"


def _locations(
    connection: Connection,
) -> Iterator[tuple[str, Table, "ColumnElement[Any]", "ColumnElement[bool]"]]:
    """Each column with its name, and which rows of it are concerned; of tables that are there."""
    tables = rows.reflect(connection).tables
    for name, columns in COLUMNS.items():
        table: Any = tables.get(name)
        if table is None:
            continue
        for each in columns:
            if each in table.c:
                is_tag = name == "trace_tags"
                concerns: Any = table.c.key == _TRACE_TAG if is_tag else table.c[each].is_not(None)
                yield f"{name}.{each}", table, table.c[each], concerns
