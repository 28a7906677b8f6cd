"""Locations below an old place become the stack's own, everywhere that MLflow keeps one.

A row whose location is a path of the old server's, or a bucket of its, still works there and
nowhere else: clients on other machines would find nothing, and new runs would go there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, func, or_, select, update

from runtime.artifacts.location import Destination
from runtime.backup.format import rows
from runtime.backup.relocate import ARCHIVED, LOCATIONS, Location, columns
from runtime.paths import local_path

# What the server itself has, wherever it keeps it.
OWN = "mlflow-artifacts:"
# What needs no other place: the last two name a run or a model, which has a location.
_AT_HOME = (f"{OWN}/", "runs:/", "models:/")
# That PostgreSQL and MySQL take for an experiment's number.
_LARGEST = (1 << 31) - 1


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


def renumber(engine: Engine) -> dict[int, int]:
    """Give small numbers to experiments whose own fit SQLite alone; returns them, old -> new.

    A file store makes numbers of 18 digits. ``engine`` is a SQLite copy's.
    """
    with engine.begin() as connection:
        tables = rows.reflect(connection).tables
        number = tables["experiments"].c.experiment_id
        found = sorted(connection.execute(select(number)).scalars())
        large = [each for each in found if each > _LARGEST]
        free = count(max((each for each in found if each <= _LARGEST), default=0) + 1)
        given = dict(zip(large, free, strict=False))
        for table in tables.values():
            column: Any = table.c.get("experiment_id")
            for old, new in given.items() if column is not None else ():
                change = update(table).where(column == old).values(experiment_id=new)
                connection.execute(change)
    return given


def texts_of(
    place: str, were: Sequence[str] = (), numbers: Mapping[int, int] | None = None
) -> dict[str, str]:
    """What locations below a place begin with -> what they begin with from now on."""
    found = beginnings(place, were)
    renamed = {
        f"{text}/{old}": f"{OWN}/{new}" for text in found for old, new in (numbers or {}).items()
    }
    return {**renamed, **dict.fromkeys(found, OWN)}


def relocate(
    engine: Engine, texts: Mapping[str, str], locations: Iterable[Location] = LOCATIONS
) -> dict[str, int]:
    """Rewrite what begins with one of ``texts``; returns how many rows, by column.

    ``engine`` is a SQLite copy's.
    """
    longest_first = sorted(texts.items(), key=lambda each: len(each[0]), reverse=True)
    done = dict[str, int]()
    with engine.begin() as connection:
        for name, table, column, concerns in _locations(connection, locations):
            for text, instead in longest_first:
                # By exact text: LIKE would take another case for the same.
                below = func.substr(column, 1, len(text) + 1) == f"{text}/"
                moved = func.substr(column, len(text) + 1)
                # With `..` it may lie anywhere, also to a store that reads paths as URLs.
                climbs = func.instr(column.concat("/"), "/../") > 0
                change = update(table).where(and_(concerns, below, ~climbs))
                number = connection.execute(change.values({column.name: instead + moved})).rowcount
                if number:
                    done[name] = done.get(name, 0) + number
    return done


def relocate_archived(engine: Engine, texts: Mapping[str, str], destination: str) -> dict[str, int]:
    """As ``relocate``, of the archived spans of traces, which no server proxies: they are in
    ``destination``, where all artifacts of the copy are.
    """
    done = relocate(engine, texts, (ARCHIVED,))
    # In a second step, since the destination may lie in a place that it is moved from.
    relocate(engine, {OWN: _place(destination)}, (ARCHIVED,))
    return done


def outside(engine: Engine, destination: str) -> list[Outside]:
    """What still has its artifacts elsewhere, by column and place; archived spans are at home in
    ``destination`` itself.
    """
    found = dict[tuple[str, str], int]()
    with engine.connect() as connection:
        for locations, at_home in (
            (LOCATIONS, _AT_HOME),
            ((ARCHIVED,), (f"{_place(destination)}/",)),
        ):
            for name, _, column, concerns in _locations(connection, locations):
                home = or_(*(func.substr(column, 1, len(t)) == t for t in at_home))
                query = select(column).where(concerns, column.is_not(None), column != "", ~home)
                for (text,) in connection.execute(query):
                    key = (name, place_of(str(text)))
                    found[key] = found.get(key, 0) + 1
    return [Outside(column, place, count) for (column, place), count in sorted(found.items())]


def _place(destination: str) -> str:
    path = local_path(destination)
    return destination.rstrip("/") if path is None else str(Path(path).absolute())


def place_of(location: str) -> str:
    """The store that a location is in, short enough for a line: the bucket, or three folders."""
    store, separator, path = location.rpartition("://")
    parts = path.split("/")
    shown = "/".join(parts[: 4 if path.startswith("/") else 1 if separator else 2])
    return f"{store}{separator}{shown}"


def _locations(
    connection: Connection, locations: Iterable[Location]
) -> Iterator[tuple[str, Table, "ColumnElement[Any]", "ColumnElement[bool]"]]:
    """Each column with its name, and which rows of it are concerned; of tables that are there."""
    for column, which in columns(connection, locations):
        table: Any = column.table
        yield f"{table.name}.{column.name}", table, column, and_(which, column.is_not(None))
