"""Making a backup and checking it."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, Engine, inspect

from runtime.artifacts.tree import Tree, scratch_of, sha256_of, told
from runtime.backup import loss, relocate, retention
from runtime.backup.format import artifacts, manifest, parts, rows
from runtime.backup.format.manifest import ArtifactsPart, Manifest, Part, TablePart
from runtime.backup.format.places import MANIFEST, Place, given_keys
from runtime.backup.format.sealed import Sealed
from runtime.backup.retention import Found, Rule
from runtime.database import identity, state
from runtime.database.engine import open_engine
from runtime.database.lock import BACKUP, only_one
from runtime.database.uri import shown_store
from runtime.errors import UserError
from runtime.settings import RuntimeSettings

_LISTING, _SCRATCH = "artifacts.jsonl.gz", ".scratch"
_SHOWN = 10
# The first file of a backup: of which store it is, should it never be finished.
_OWNER = "store"


def destination(settings: RuntimeSettings, given: str | None, earlier: str | None = None) -> Tree:
    """Where backups are kept: ``given`` (with ``earlier``), or what the settings name."""
    uri = given or settings.backup_destination
    if not uri:
        raise UserError("where? Set TRACKSTACK_BACKUP_DESTINATION, a directory or artifact URI", 2)
    before = earlier or (None if given else settings.earlier_backups)
    keys = given_keys(settings)
    if settings.backup_encryption and not settings.backup_key:
        raise UserError(
            "TRACKSTACK_BACKUP_ENCRYPTION asks for encrypted backups: by which key? Set "
            "TRACKSTACK_BACKUP_KEY_FILE to a file that holds it",
            2,
        )
    return Place(uri, earlier=before, keys=keys, seals=settings.backup_encryption)


def _put(tree: Tree, file: Path, path: str) -> Part:
    part = Part(path, file.stat().st_size, sha256_of(file))
    tree.put(file, path)
    return part


def _dump_tables(connection: Connection, tree: Tree, scratch: Path) -> dict[str, TablePart]:
    parts = dict[str, TablePart]()
    known = rows.known_tables().tables
    for table in rows.reflect(connection).sorted_tables:
        if table.name in known:
            file = scratch / "table"
            dumped = rows.dump(connection, table, file)
            part = _put(tree, file, f"database/{table.name}.jsonl.gz")
            parts[table.name] = TablePart(**part.__dict__, **dumped.__dict__)
    return parts


def _silent(_: str) -> None:
    """Tell nobody."""


def back_up(
    settings: RuntimeSettings,
    tree: Tree,
    *,
    with_artifacts: bool = True,
    tell: Callable[[str], object] = _silent,
) -> Manifest:
    """Copy the database as it is at one moment, then the artifacts; returns the manifest.

    ``tell`` is told, a line each, what a person should know of a backup that is made all the same.
    Holds gc's lock with the artifacts, so that none of the snapshot is purged meanwhile. Raises
    UserError where the store is empty or of a newer MLflow, the artifacts and the backup would lie
    in each other, artifacts that the database names are gone, or it cannot be written: nothing is
    left of it then.
    """
    engine = open_engine(settings)
    source = Tree(settings.artifacts_destination)
    if with_artifacts and (tree.is_within(source) or source.is_within(tree)):
        raise UserError(
            f"{tree.uri} and the artifacts in {source.uri} lie in each other; "
            "choose a destination beside them",
            2,
        )
    state.check_whole(engine)
    state.check_known(engine, shown_store(settings))
    with ExitStack() as locks:
        locks.enter_context(only_one(engine, BACKUP))
        if with_artifacts:
            locks.enter_context(only_one(engine, "gc", wait_seconds=600))
        if not inspect(engine).has_table(state.VERSION_TABLE):
            raise UserError(f"there is no MLflow store in {shown_store(settings)}")
        store = identity.ensure(engine)
        with told(f"the backup to {tree.uri}"):
            if with_artifacts:
                with engine.connect() as connection:
                    loss.check_artifacts(connection, source, settings.artifacts_destination, tell)
            there = manifest.names(tree)
            _clear_unfinished(tree, there, store)
            name = manifest.new_name(datetime.now(timezone.utc), there)
            own = tree.at(name)
            with _removed_where_it_fails(own), scratch_of(own, _SCRATCH) as scratch:
                owner = scratch / _OWNER
                owner.write_text(store)
                own.put(owner, _OWNER)
                of = source if with_artifacts else None
                begun = manifest.begun(tree, name)
                return _write(engine, of, begun, scratch, settings, store, tell)


def _write(
    engine: Engine,
    source: Tree | None,
    own: Tree,
    scratch: Path,
    settings: RuntimeSettings,
    store: str,
    tell: Callable[[str], object],
) -> Manifest:
    now = datetime.now(timezone.utc)
    with rows.snapshot(engine, scratch) as connection:
        tables = _dump_tables(connection, own, scratch)
        revision = rows.revision(connection)
        outside = loss.count_outside(connection, settings.artifacts_destination)
        roots = relocate.noted(connection, settings.artifacts_destination)
        if archived := relocate.count_archived(connection, settings.artifacts_destination):
            tell(
                f"{archived} traces are archived outside of the artifacts: their spans are not in "
                "the backup"
            )
    listing = _copy_artifacts(source, own, scratch, tell) if source else None
    done = Manifest(
        name=own.name,
        created=now.isoformat(timespec="seconds"),
        mlflow_version=version("mlflow"),
        revision=revision,
        database=engine.dialect.name,
        tables=tables,
        artifacts=listing,
        outside=outside,
        store=store,
        sealed=isinstance(own, Sealed),
        roots=roots,
    )
    file = scratch / MANIFEST
    file.write_text(done.to_json())
    # The last of all: without it the backup is none.
    own.put(file, MANIFEST)
    return done


@contextmanager
def _removed_where_it_fails(own: Tree) -> Generator[None]:
    """Half a backup helps nobody, and on a full disk is in the next one's way."""
    try:
        yield
    except BaseException:
        with suppress(Exception):
            _delete(own)
        raise


def _delete(own: Tree) -> None:
    """Killed on its way it leaves no backup that looks complete, and one of this store's, which the
    next one clears away.
    """
    own.delete(first=MANIFEST, last=_OWNER)


def _clear_unfinished(tree: Tree, there: Mapping[str, bool], store: str) -> None:
    """Delete what a killed backup of this store has left; none runs, since its lock is held."""
    for name, is_complete in there.items():
        if not is_complete and _owner_of(tree, name) == store:
            _delete(tree.at(name))


def _owner_of(tree: Tree, name: str) -> str | None:
    """Whose an unfinished backup is; None where that cannot be told."""
    with TemporaryDirectory() as folder, suppress(Exception):
        file = Path(folder) / _OWNER
        tree.fetch(f"{name}/{_OWNER}", file)
        return file.read_text()
    return None


def _copy_artifacts(
    source: Tree, own: Tree, scratch: Path, tell: Callable[[str], object]
) -> ArtifactsPart:
    listing, odd = scratch / "listing", list[str]()
    files, size = artifacts.copy_in(source, own.at(parts.ARTIFACTS), scratch, listing, odd.append)
    if odd:
        shown = ", ".join([*sorted(odd)[:_SHOWN], *(["and more"] if len(odd) > _SHOWN else [])])
        tell(f"{len(odd)} of the artifacts are no files and were left out: {shown}")
    return ArtifactsPart(**_put(own, listing, _LISTING).__dict__, files=files, total_bytes=size)


@dataclass(frozen=True)
class Retired:
    """Names of backups: those deleted, those that stay since nobody knows whose they are, and
    those that stay since newer ones hold much less; ``alarm`` says why not all that are due were
    deleted.
    """

    deleted: Sequence[str]
    of_nobody: Sequence[str] = ()
    outgrown: Sequence[str] = ()
    alarm: str | None = None


def retire(
    tree: Tree,
    store: str | None,
    rule: Rule,
    *,
    just_made: str | None = None,
    dry_run: bool = False,
) -> Retired:
    """Delete the backups of the store with this identity that are no longer kept.

    None at all where ``just_made`` holds much less than one before it did.
    """
    found = [_found(tree, *each) for each in manifest.names(tree).items()]
    of_nobody, apart = retention.of_nobody(found), retention.outgrown(found, store, rule)
    if just_made and (before := retention.alarm(found, just_made, rule)):
        [new] = (each for each in found if each.name == just_made)
        said = (
            f"{new.name} has {new.rows} rows and {new.files} artifacts, {before.name} had "
            f"{before.rows} and {before.files}: less than {rule.percent} % is left of one of them, "
            "so no backup was deleted; where that is meant, set TRACKSTACK_BACKUP_ALARM lower "
            "(backupAlarm in a stack file; 0: no alarm)"
        )
        return Retired((), of_nobody, apart, said)
    now = datetime.now(timezone.utc)
    due = retention.decide(found, store, now, rule, just_made)
    deleted = list[str]()
    for name in () if dry_run else due:
        own = tree.at(name)
        try:
            _delete(own)
        except Exception as error:
            # Of whichever SDK. No failure of the command: tried again it would make one more.
            reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
            said = f"{own.uri} cannot be deleted: {reason}"
            return Retired(deleted, of_nobody, apart, said)
        deleted.append(name)
    return Retired(due, of_nobody, apart)


def _found(tree: Tree, name: str, is_complete: bool) -> Found:
    if not is_complete:
        return Found(name, False, False, _owner_of(tree, name))
    try:
        of = manifest.load(tree, name)
    except UserError:
        return Found(name, True, False, None)
    # A manifest alone restores nothing: an older backup must not go since this one is newer.
    store = of.store if parts.is_there(manifest.held(tree, of), of) else None
    files = of.artifacts.files if of.artifacts else 0
    return Found(name, True, of.artifacts is not None, store, of.rows, files)
