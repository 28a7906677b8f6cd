"""Making a backup and checking it."""

import shutil
import sys
import tarfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, Engine, create_engine, func, not_, or_, select
from sqlalchemy.pool import NullPool

from runtime.backup import artifacts, manifest, rows, schema
from runtime.backup.manifest import ArtifactsPart, Manifest, Part, TablePart
from runtime.backup.place import Place, check_path, sha256_of
from runtime.errors import UserError
from runtime.lock import only_one
from runtime.settings import RuntimeSettings
from runtime.store import open_engine

ARTIFACTS, _LISTING, _SCRATCH = "artifacts", "artifacts.jsonl.gz", ".scratch"


def destination(settings: RuntimeSettings, given: str | None) -> Place:
    """Where backups are kept: ``given`` or TRACKSTACK_BACKUP_DESTINATION."""
    uri = given or settings.backup_destination
    if not uri:
        raise UserError("where? Set TRACKSTACK_BACKUP_DESTINATION, a directory or artifact URI", 2)
    return Place(uri)


@contextmanager
def scratch_of(place: Place, folder: str) -> Generator[Path]:
    """A folder for files on their way; in a directory they can be moved from there."""
    if place.directory is None:
        with TemporaryDirectory() as name:
            yield Path(name)
        return
    path = place.directory / folder
    # What a kill left.
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700, parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _put(place: Place, file: Path, path: str) -> Part:
    part = Part(path, file.stat().st_size, sha256_of(file))
    place.put(file, path)
    return part


def _dump_tables(connection: Connection, place: Place, scratch: Path) -> dict[str, TablePart]:
    parts = dict[str, TablePart]()
    known = rows.known_tables().tables
    for table in rows.reflect(connection).sorted_tables:
        if table.name in known:
            file = scratch / "table"
            dumped = rows.dump(connection, table, file)
            part = _put(place, file, f"database/{table.name}.jsonl.gz")
            parts[table.name] = TablePart(**part.__dict__, **dumped.__dict__)
    return parts


def _count_outside(connection: Connection, artifacts_destination: str) -> int:
    runs = rows.known_tables().tables["runs"]
    inside = [
        runs.c.artifact_uri.startswith(start, autoescape=True)
        for start in (
            "mlflow-artifacts:",
            artifacts_destination.rstrip("/") + "/",
            "file://" + artifacts_destination.rstrip("/") + "/",
        )
    ]
    query = select(func.count()).select_from(runs).where(not_(or_(*inside)))
    return int(connection.execute(query).scalar() or 0)


def back_up(settings: RuntimeSettings, place: Place, *, with_artifacts: bool = True) -> Manifest:
    """Copy the database as it is at one moment, then the artifacts; returns the manifest.

    Holds gc's lock, so that no artifact of the snapshot is purged meanwhile. Raises UserError
    where the store is empty, or the artifacts and the backup would lie in each other.
    """
    engine = open_engine(settings)
    source = Place(settings.artifacts_destination)
    if with_artifacts and (place.is_within(source) or source.is_within(place)):
        raise UserError(
            f"{place.uri} and the artifacts in {source.uri} lie in each other; "
            "choose a destination beside them",
            2,
        )
    schema.check_whole(engine)
    now = datetime.now(timezone.utc)
    name = manifest.new_name(now)
    own = place.at(name)
    with (
        only_one(engine, "backup"),
        only_one(engine, "gc", wait_seconds=600),
        scratch_of(own, _SCRATCH) as scratch,
    ):
        with rows.snapshot(engine, scratch) as connection:
            if not engine.dialect.has_table(connection, rows.VERSION_TABLE):
                raise UserError(f"there is no MLflow store in {settings.backend_store}")
            tables = _dump_tables(connection, own, scratch)
            revision = rows.revision(connection)
            outside = _count_outside(connection, settings.artifacts_destination)
        listing = _copy_artifacts(source, own, scratch) if with_artifacts else None
        done = Manifest(
            name=name,
            created=now.isoformat(timespec="seconds"),
            mlflow_version=version("mlflow"),
            revision=revision,
            database=engine.dialect.name,
            tables=tables,
            artifacts=listing,
            outside=outside,
        )
        file = scratch / manifest.MANIFEST
        file.write_text(done.to_json())
        # The last of all: without it the backup is none.
        own.put(file, manifest.MANIFEST)
    return done


def _copy_artifacts(source: Place, own: Place, scratch: Path) -> ArtifactsPart:
    listing = scratch / "listing"
    files, size = artifacts.copy_in(source, own.at(ARTIFACTS), scratch, listing)
    return ArtifactsPart(**_put(own, listing, _LISTING).__dict__, files=files, total_bytes=size)


def retire(
    place: Place, keep: int, keep_days: int | None, *, dry_run: bool = False
) -> Sequence[str]:
    """Delete the backups that are no longer kept; returns their names."""
    now = datetime.now(timezone.utc)
    names = manifest.decide(manifest.names(place), now, keep, keep_days)
    for name in () if dry_run else names:
        place.at(name).delete()
    return names


def fetch_part(own: Place, part: Part, scratch: Path) -> Path:
    """A part of a backup as a local file; raises UserError where it is missing or broken."""
    file = scratch / "part"
    try:
        own.fetch(part.path, file)
    except Exception as error:
        raise UserError(f"{own.uri}/{part.path} cannot be read: {type(error).__name__}") from None
    if sha256_of(file) != part.sha256:
        raise UserError(f"{own.uri}/{part.path} is broken: its checksum is another")
    return file


def load_database(engine: Engine, own: Place, of: Manifest, scratch: Path) -> None:
    """Fill an emptied store."""
    schema.make_empty(engine, of.name)
    schema.make_tables(engine, of.revision)
    with engine.connect() as connection:
        tables = rows.reflect(connection).sorted_tables
    for table in tables:
        if part := of.tables.get(table.name):
            rows.load(engine, table, fetch_part(own, part, scratch))
    filled = {name for name, part in of.tables.items() if part.rows}
    if missing := sorted(filled - {table.name for table in tables}):
        raise UserError(f"the schema {of.revision} has no tables {missing}")
    # Foreign keys were not checked on these connections.
    engine.dispose()


def compare(engine: Engine, of: Manifest) -> list[str]:
    """The tables that do not hold what the backup does.

    Between kinds of databases only the number of rows is compared: MySQL rounds some numbers.
    """
    same_kind = engine.dialect.name in (of.database, "sqlite")
    problems = list[str]()
    with engine.connect() as connection:
        for table in rows.reflect(connection).sorted_tables:
            part = of.tables.get(table.name)
            if part:
                found = rows.summarise(connection, table)
                if found.rows != part.rows:
                    problems.append(f"table {table.name}: {found.rows} rows, not {part.rows}")
                elif same_kind and found.digest != part.digest:
                    problems.append(f"table {table.name}: other rows")
    return problems


@contextmanager
def opened(uri: str, target: Place) -> Generator[Place]:
    """The place at ``uri``; for ``-``, what a tar on stdin holds, unpacked beside ``target``."""
    if uri != "-":
        yield Place(uri)
        return
    if target.directory:
        target.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.directory, prefix=".taken-in-") as folder:
        try:
            with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
                _unpack(archive, Path(folder))
        except tarfile.TarError as error:
            raise UserError(f"what comes in is no tar: {error}", 2) from None
        yield Place(folder)


def _unpack(archive: tarfile.TarFile, folder: Path) -> None:
    # By hand: `extractall` has no filter in the Python of Debian 12.
    for member in archive:
        content = archive.extractfile(member)
        if content is None:
            if member.isdir():
                continue
            raise UserError(f"the tar holds {member.name!r}, which is no file", 2)
        file = folder / check_path(member.name)
        file.parent.mkdir(parents=True, exist_ok=True)
        with content, file.open("wb") as out:
            shutil.copyfileobj(content, out)


def copy(source: Place, target: Place, name: str | None) -> Manifest:
    """Copy a backup (default: the newest), checked on its way; one that is there is left as it is.

    Raises UserError where the backup is broken; it is none at the target then.
    """
    of = manifest.read(source, name)
    if manifest.names(target).get(of.name):
        return of
    here, there = source.at(of.name), target.at(of.name)
    with scratch_of(there, _SCRATCH) as scratch:
        for part in of.tables.values():
            there.put(fetch_part(here, part, scratch), part.path)
        if of.artifacts:
            listing = fetch_part(here, of.artifacts, scratch).rename(scratch / "listing")
            of_artifacts = there.at(ARTIFACTS)
            _, broken = artifacts.copy_out(here.at(ARTIFACTS), listing, scratch, of_artifacts)
            if broken:
                raise UserError(f"the backup is broken, {len(broken)} files: {broken[0]}")
            there.put(listing, of.artifacts.path)
        file = scratch / manifest.MANIFEST
        file.write_text(of.to_json())
        there.put(file, manifest.MANIFEST)
    return of


def verify(place: Place, name: str | None) -> tuple[Manifest, list[str]]:
    """Restore a backup into a scratch place; returns what is wrong with it."""
    of = manifest.read(place, name)
    own = place.at(of.name)
    with TemporaryDirectory() as folder:
        scratch = Path(folder)
        engine = create_engine(f"sqlite:///{scratch / 'store.sqlite'}", poolclass=NullPool)
        load_database(engine, own, of, scratch)
        problems = compare(engine, of)
        if of.artifacts:
            listing = fetch_part(own, of.artifacts, scratch).rename(scratch / "listing")
            whole, broken = artifacts.copy_out(own.at(ARTIFACTS), listing, scratch, None)
            problems += broken
            if whole + len(broken) != of.artifacts.files:
                problems.append(f"{whole} artifacts, not {of.artifacts.files}")
    return of, problems
