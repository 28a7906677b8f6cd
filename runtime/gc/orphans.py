"""Artifact directories that no row points to: left by a crash, or by a restored database.

Only the folders of this store's experiments are looked at, as far as MLflow made them; in them only
directories of the shapes that it makes. None is an orphan that changed in the last day (what is
being written may have its row yet to come), that is older than its experiment (another store that
counts from 1 was here before), or that any row mentions or needs.
"""

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, Table, select

from runtime.artifacts import deletion as artifacts
from runtime.artifacts.location import Destination, NotOwnError
from runtime.errors import UserError
from runtime.gc.in_use import Needed
from runtime.paths import local_directory

SAFE_SECONDS = 24 * 60 * 60
_RUN = re.compile("[0-9a-f]{32}")
# The folder in an experiment's -> what it holds, by the table that knows it.
_NESTED = {
    "models": (re.compile("m-[0-9a-f]{32}"), "logged_models", "model_id"),
    "traces": (re.compile("tr-[0-9a-f]+"), "trace_info", "request_id"),
}
# Columns that may name a directory of something else.
_MENTIONS = (
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
    ("runs", "artifact_uri"),
)


@dataclass(frozen=True)
class Orphan:
    """A directory, and how much is in it, in bytes."""

    path: Path
    size: int


def find(
    connection: Connection, metadata: MetaData, destination: Destination, needed: Needed
) -> list[Orphan]:
    """The orphans under a directory, by path.

    Raises UserError where the artifacts are in no directory of this machine.
    """
    if local_directory(destination.uri) is None:
        raise UserError(
            f"orphans are looked for in directories, and the artifacts are in {destination.uri}; "
            "use that store's own inventory",
            2,
        )
    young = time.time() - SAFE_SECONDS
    found = [
        Orphan(path, size)
        for folder, made in _folders(connection, metadata, destination)
        for path, table, key in _candidates(folder, metadata)
        if not _has_row(connection, table, key, path.name)
        and not _is_needed(needed, path)
        and not _is_mentioned(connection, metadata, path.name)
        and (size := _size_if_between(path, made, young)) is not None
    ]
    return sorted(found, key=lambda orphan: orphan.path)


def _folders(
    connection: Connection, metadata: MetaData, destination: Destination
) -> Iterator[tuple[Path, float]]:
    """The experiments' own folders, and when each was made (Unix time; 0 where nobody knows)."""
    columns = metadata.tables["experiments"].c
    rows = connection.execute(
        select(
            columns.experiment_id,
            columns.workspace,
            columns.artifact_location,
            columns.creation_time,
        )
    )
    for number, workspace, location, made in rows.all():
        with contextlib.suppress(NotOwnError):
            place = destination.folder(number, workspace, location or "")
            if (path := local_directory(place)) is not None:
                yield path, (made or 0) / 1000


def _candidates(experiment: Path, metadata: MetaData) -> Iterator[tuple[Path, Table, str]]:
    for path in _directories(experiment):
        if _RUN.fullmatch(path.name):
            yield path, metadata.tables["runs"], "run_uuid"
        elif path.name in _NESTED:
            shape, table, key = _NESTED[path.name]
            for nested in _directories(path):
                if shape.fullmatch(nested.name):
                    yield nested, metadata.tables[table], key


def _directories(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())


def _has_row(connection: Connection, table: Table, key: str, name: str) -> bool:
    query: Any = select(table.c[key]).where(table.c[key] == name).limit(1)
    return connection.execute(query).first() is not None


def _is_mentioned(connection: Connection, metadata: MetaData, name: str) -> bool:
    for table, column in _MENTIONS:
        text = metadata.tables[table].c[column]
        query: Any = select(text).where(text.contains(name, autoescape=True)).limit(1)
        if connection.execute(query).first() is not None:
            return True
    return False


def _is_needed(needed: Needed, path: Path) -> bool:
    return any(
        claims.name(path.name) or claims.on(str(path))
        for claims in (needed.versions, needed.others)
    )


def _size_if_between(path: Path, first: float, last: float) -> int | None:
    """Bytes in a directory; None where anything in it changed before or after (Unix times)."""
    size = 0
    for entry in (path, *path.rglob("*")):
        found = entry.lstat()
        if not first <= found.st_mtime <= last:
            return None
        size += 0 if entry.is_dir() else found.st_size
    return size


def delete(orphans: list[Orphan]) -> dict[str, str]:
    """Delete them; returns those that could not be, with the reason."""
    return dict(artifacts.delete_all(str(orphan.path) for orphan in orphans))
