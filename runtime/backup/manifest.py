"""What a backup holds, and which backups a place keeps. A backup without its manifest is none."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runtime.backup.place import Place
from runtime.errors import UserError

MANIFEST = "manifest.json"
FORMAT = 1
_STAMP = "%Y%m%dT%H%M%SZ"
# A backup may take so long; one that has no manifest after it was killed.
_UNFINISHED_AGE = timedelta(days=1)


@dataclass(frozen=True)
class Part:
    """A file of the backup."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class TablePart(Part):
    """A table's rows; see runtime.backup.rows.TableDump."""

    rows: int
    digest: str


@dataclass(frozen=True)
class ArtifactsPart(Part):
    """The listing of the artifacts, and how many and how large they are."""

    files: int
    total_bytes: int


@dataclass(frozen=True)
class Manifest:
    """``created`` is UTC in ISO 8601; ``outside`` counts locations that no backup can reach."""

    name: str
    created: str
    mlflow_version: str
    revision: str
    database: str
    tables: Mapping[str, TablePart]
    artifacts: ArtifactsPart | None
    outside: int
    format: int = FORMAT

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @property
    def total_bytes(self) -> int:
        """Of everything, as it lies there."""
        artifacts = self.artifacts.total_bytes + self.artifacts.bytes if self.artifacts else 0
        return sum(table.bytes for table in self.tables.values()) + artifacts

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())


def parse(content: str) -> Manifest:
    """Raises UserError where the manifest is none that this version reads."""
    try:
        given: dict[str, Any] = json.loads(content)
        if given["format"] != FORMAT:
            raise UserError(f"the backup has format {given['format']}; use a newer Trackstack")
        tables = {name: TablePart(**part) for name, part in given.pop("tables").items()}
        artifacts = given.pop("artifacts")
        part = ArtifactsPart(**artifacts) if artifacts else None
        return Manifest(**given, tables=tables, artifacts=part)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"the backup's {MANIFEST} cannot be read: {error!r}") from None


def new_name(now: datetime) -> str:
    """Sorts by time; two stores may write to one place."""
    return f"{now.astimezone(timezone.utc):{_STAMP}}-{secrets.token_hex(2)}"


def time_of(name: str) -> datetime | None:
    """When the backup of that name began; None where it is no backup's name."""
    try:
        return datetime.strptime(name.partition("-")[0], _STAMP).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def names(place: Place) -> dict[str, bool]:
    """The backups in a place, oldest first, and whether each is complete."""
    folders = [path for path, size in place.list() if size is None and time_of(path)]
    return {name: place.has(f"{name}/{MANIFEST}") for name in sorted(folders)}


def read(place: Place, name: str | None) -> Manifest:
    """The manifest of a backup, by default the newest; raises UserError where there is none."""
    complete = [each for each, is_complete in names(place).items() if is_complete]
    if not complete:
        raise UserError(f"there is no complete backup in {place.uri}")
    if name and name not in complete:
        raise UserError(f"there is no complete backup {name!r} in {place.uri}: {complete}")
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / MANIFEST
        place.fetch(f"{name or complete[-1]}/{MANIFEST}", file)
        return parse(file.read_text())


def decide(
    found: Mapping[str, bool], now: datetime, keep: int, keep_days: int | None
) -> Sequence[str]:
    """The backups to delete: neither of the ``keep`` newest nor younger than ``keep_days``.

    Complete ones count alone; incomplete ones go when they are a day old.
    """
    complete = sorted(name for name, is_complete in found.items() if is_complete)
    newest = set(complete[-keep:])

    def is_due(name: str) -> bool:
        age = now - (time_of(name) or now)
        if not found[name]:
            return age > _UNFINISHED_AGE
        return name not in newest and not (keep_days and age < timedelta(days=keep_days))

    return [name for name in sorted(found) if is_due(name)]
