"""Artifacts that no row points to: left by a crash, or by a restored database.

Only the folders of this store's experiments are looked at, as far as MLflow made them; in them only
folders of the shapes that it makes. None is an orphan that changed in the last day (what is being
written may have its row yet to come), that is older than its experiment (another store that counts
from 1 was here before), or that any row mentions or needs. What uploads left that never ended is an
orphan after a day.
"""

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, MetaData, Table, select

from runtime.artifacts import deletion as artifacts
from runtime.artifacts.bulk import Upload
from runtime.artifacts.entities import Folder
from runtime.artifacts.location import Destination, NotOwnError
from runtime.errors import UserError
from runtime.gc.in_use import Needed

SAFE_SECONDS = 24 * 60 * 60
# The folder in an experiment's -> what it holds, by the table that knows it.
_SHAPES = {
    "": (re.compile("[0-9a-f]{32}"), "runs", "run_uuid"),
    "models": (re.compile("m-[0-9a-f]{32}"), "logged_models", "model_id"),
    "traces": (re.compile("tr-[0-9a-f]+"), "trace_info", "request_id"),
}
_NESTED = frozenset(_SHAPES) - {""}
# Columns that may name a folder of something else.
_MENTIONS = (
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
    ("runs", "artifact_uri"),
)


@dataclass(frozen=True)
class Orphan:
    """A folder, and how much is in it, in bytes (0: nobody knows); or what an upload left."""

    place: str
    size: int
    upload: tuple[Folder, Upload] | None = None


def find(
    connection: Connection, metadata: MetaData, destination: Destination, needed: Needed
) -> list[Orphan]:
    """The orphans, by place.

    Raises UserError where the artifacts are in a store that does not list all that it has.
    """
    young = time.time() - SAFE_SECONDS
    found: list[Orphan] = []
    for folder, made in _folders(connection, metadata, destination):
        if not folder.can_be_listed:
            raise UserError(
                f"orphans are looked for in directories, Blob storage, S3 and Object Storage, and "
                f"the artifacts are in {destination.uri}; use that store's own inventory",
                2,
            )
        found += _in_folder(connection, metadata, needed, folder, made, young)
        for upload in folder.uploads():
            if made <= upload.begun <= young:
                shown = f"{_bucket(folder.place)}/{upload.name} (unfinished upload {upload.id})"
                found.append(Orphan(shown, 0, (folder, upload)))
    return sorted(found, key=lambda orphan: orphan.place)


def _in_folder(
    connection: Connection,
    metadata: MetaData,
    needed: Needed,
    folder: Folder,
    made: float,
    young: float,
) -> Iterator[Orphan]:
    for entry in folder.entries():
        shape, table, key = _SHAPES[entry.within]
        if (
            not shape.fullmatch(entry.name)
            or _has_row(connection, metadata.tables[table], key, entry.name)
            or _is_needed(needed, entry.name, entry.place)
            or _is_mentioned(connection, metadata, entry.name)
        ):
            continue
        measure = entry.measure()
        if made <= measure.first and measure.last <= young:
            yield Orphan(entry.place, measure.size)


def _folders(
    connection: Connection, metadata: MetaData, destination: Destination
) -> Iterator[tuple[Folder, float]]:
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
            yield Folder(place, _NESTED), (made or 0) / 1000


def _bucket(place: str) -> str:
    return "/".join(place.split("/", 3)[:3])


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


def _is_needed(needed: Needed, name: str, place: str) -> bool:
    known = (needed.versions, needed.datasets, needed.others)
    return any(claims.name(name) or claims.on(place) for claims in known)


def delete(orphans: list[Orphan]) -> dict[str, str]:
    """Delete them; returns those that could not be, with the reason."""
    failed = dict(artifacts.delete_all(each.place for each in orphans if each.upload is None))
    for each in orphans:
        if each.upload:
            folder, upload = each.upload
            try:
                folder.abort(upload)
            except Exception as error:
                failed[each.place] = f"{type(error).__name__}: {error}"
    return failed
