"""What a backup holds, and which backups a place keeps. A backup without its manifest is none."""

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runtime.artifacts.tree import Tree, check_path
from runtime.backup.format import sealed
from runtime.backup.format.places import MANIFEST, Place, keys_of
from runtime.errors import UserError

# 1 names no store, and its tables' digests tell -0.0 from 0.0.
FORMAT, _READ = 2, (1, 2)
_STAMP = "%Y%m%dT%H%M%SZ"
# As new_name makes them: another folder beside the backups may begin with a time too.
_NAME = re.compile(r"([0-9]{8}T[0-9]{6}Z)-[0-9a-f]{4}")


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
    """``created`` is UTC in ISO 8601; ``outside`` counts locations that no backup can reach.

    ``store`` is the identity of the store that it is of; None where an earlier version made it.
    """

    name: str
    created: str
    mlflow_version: str
    revision: str
    database: str
    tables: Mapping[str, TablePart]
    artifacts: ArtifactsPart | None
    outside: int
    store: str | None = None
    format: int = FORMAT
    sealed: bool = False
    """Whether its files are encrypted, as this very manifest is."""
    roots: tuple[str, ...] = ()
    """What locations begin with that name the artifacts' destination of that time itself."""

    def to_json(self) -> str:
        # What an earlier version does not know only where it would not do without.
        unsaid = [name for name in ("sealed", "roots") if not getattr(self, name)]
        known = {name: value for name, value in asdict(self).items() if name not in unsaid}
        return json.dumps(known, indent=1)

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
        if given["format"] not in _READ:
            raise UserError(f"the backup has format {given['format']}; use a newer Trackstack")
        tables = {name: TablePart(**part) for name, part in given.pop("tables").items()}
        artifacts = given.pop("artifacts")
        part = ArtifactsPart(**artifacts) if artifacts else None
        for each in (*tables.values(), *([part] if part else [])):
            check_path(each.path)
        roots = tuple(map(str, given.pop("roots", ())))
        return Manifest(**given, tables=tables, artifacts=part, roots=roots)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"the backup's {MANIFEST} cannot be read: {error!r}") from None


def new_name(now: datetime, after: Iterable[str] = ()) -> str:
    """A backup's name: it sorts by time, and two stores may write to one place.

    It sorts behind those of ``after`` too where the clock was put back since.
    """
    times = [moment + timedelta(seconds=1) for name in after if (moment := time_of(name))]
    begun = max([now.astimezone(timezone.utc), *times])
    return f"{begun:{_STAMP}}-{secrets.token_hex(2)}"


def time_of(name: str) -> datetime | None:
    """When the backup of that name began; None where it is no backup's name."""
    matched = _NAME.fullmatch(name)
    if not matched:
        return None
    try:
        return datetime.strptime(matched[1], _STAMP).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def names(tree: Tree) -> dict[str, bool]:
    """The backups in a place, oldest first, and whether each is complete."""
    folders = [path for path, size in tree.list() if size is None and time_of(path)]
    return {name: tree.has(f"{name}/{MANIFEST}") for name in sorted(folders)}


def complete(tree: Tree) -> list[str]:
    """The complete backups in a place, oldest first."""
    return [name for name, is_complete in names(tree).items() if is_complete]


def load(tree: Tree, name: str) -> Manifest:
    """The manifest of a complete backup; raises UserError where it cannot be read."""
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / MANIFEST
        tree.fetch(f"{name}/{MANIFEST}", file)
        try:
            of = parse(_opened(file.read_bytes(), name, keys_of(tree)).decode())
        except sealed.OtherKeyError as error:
            raise sealed.OtherKeyError(f"{tree.at(name).uri}: {error}") from None
        except (UserError, UnicodeDecodeError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"{tree.at(name).uri}: {reason}") from None
    if of.name != name:
        raise UserError(f"{tree.uri}/{name}: its {MANIFEST} is that of {of.name!r}")
    return of


def _opened(content: bytes, name: str, keys: Sequence[str]) -> bytes:
    if not sealed.is_sealed(content):
        return content
    opened = BytesIO()
    key = sealed.key_for(content, keys)
    sealed.unseal(BytesIO(content), key, f"{name}/{MANIFEST}", opened.write)
    return opened.getvalue()


def held(tree: Tree, of: Manifest) -> Tree:
    """The folder of a backup that was read from ``tree``, with its files as they were backed up."""
    own, key = tree.at(of.name), key_of(tree, of)
    return sealed.Sealed(own, key, of.name) if key else own


def key_of(tree: Tree, of: Manifest) -> str | None:
    """That of the place's keys which opens a backup of it; None where it is not encrypted."""
    if not of.sealed:
        return None
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / MANIFEST
        tree.fetch(f"{of.name}/{MANIFEST}", file)
        return sealed.key_for(file.read_bytes(), keys_of(tree))


def begun(tree: Tree, name: str) -> Tree:
    """The folder of a backup that is to be made there; encrypted where the place wants that."""
    own = tree.at(name)
    key = tree.sealing if isinstance(tree, Place) else None
    return sealed.Sealed(own, key, name) if key else own


def read(tree: Tree, name: str | None) -> Manifest:
    """The manifest of a backup, by default the newest that has artifacts.

    Raises UserError where there is none, or it cannot be read.
    """
    return _named(tree, name) if name else next(_whole(tree, complete(tree)))


def read_for(tree: Tree, name: str | None, store: str | None) -> Manifest:
    """As ``read``, for a restore into the store of this identity (None: it has none).

    By default the newest of that store, else of the only one that the place has backups of. Raises
    UserError where it has backups of several: whose data a store gets is for a person to say.
    """
    if name:
        return _named(tree, name)
    whole = list(_whole(tree, complete(tree)))
    chosen = _chosen(tree, whole, store)
    theirs = [of.name for of in whole if of.sealed]
    if isinstance(tree, Place) and tree.sealing and theirs and not chosen.sealed:
        # A key says who made a backup, too: whoever can write there could have this one taken.
        raise UserError(
            f"{tree.uri}/{chosen.name} is not encrypted, as backups there are since {theirs[-1]}: "
            f"name the one to restore; the newest that is encrypted is {theirs[0]}"
        )
    return chosen


def _chosen(tree: Tree, whole: Sequence[Manifest], store: str | None) -> Manifest:
    """Of backups, newest first, the one that `read_for` takes by itself."""
    newest = {of.store: of for of in reversed(whole) if of.store}
    if store and store in newest:
        return newest[store]
    if len(newest) > 1:
        shown = ", ".join(of.name for of in newest.values())
        raise UserError(
            f"{tree.uri} holds backups of {len(newest)} stores; name the one to restore. The "
            f"newest of each: {shown}"
        )
    return whole[0]


def _named(tree: Tree, name: str) -> Manifest:
    there = complete(tree)
    if name not in there:
        raise UserError(f"there is no complete backup {name!r} in {tree.uri}: {there}")
    return load(tree, name)


def _whole(tree: Tree, there: list[str]) -> Iterator[Manifest]:
    """Those with artifacts, newest first; raises UserError where there is none."""
    if not there:
        raise UserError(f"there is no complete backup in {tree.uri}")
    found = False
    for name in reversed(there):
        try:
            of = load(tree, name)
        except UserError:
            # Not passed over in silence where it is newer than what would be taken instead.
            if not found:
                raise
            continue
        if of.artifacts:
            found = True
            yield of
    if not found:
        raise UserError(
            f"{tree.uri} has backups of a database alone, without artifacts; to use one of them, "
            f"name it: {there}"
        )
