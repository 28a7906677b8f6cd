"""Another MLflow's store as a SQLite file of ours: what it is copied from is only read.

A copy is worked on, so that an old server can go on meanwhile, and the way back is simply to stay.
"""

import logging
import sqlite3
from collections.abc import Mapping
from contextlib import closing, redirect_stdout
from io import StringIO
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.pool import NullPool

from runtime.artifacts.tree import told
from runtime.backup import schema
from runtime.backup.format import rows
from runtime.database import state
from runtime.database.engine import can_connect, open_engine
from runtime.database.uri import shown_store
from runtime.errors import UserError
from runtime.paths import local_directory
from runtime.settings import RuntimeSettings

_TRASH = ".trash"
# Of a file's header: how it is read and written; https://sqlite.org/fileformat2.html
_WRITE_AHEAD = b"\x02\x02"


def file_store(uri: str) -> Path | None:
    """The folder of a file store that a URI or path names; None where it names a database.

    Raises UserError where it is a folder, and none of a file store.
    """
    if "://" in uri and not uri.startswith("file:"):
        return None
    found = local_directory(uri)
    if found is None or not found.is_dir():
        raise UserError(f"there is no folder {uri}; a database is named by a URI", 2)
    folder = found / "mlruns" if (found / "mlruns").is_dir() else found
    if not any((each / "meta.yaml").is_file() for each in folder.iterdir() if each.is_dir()):
        raise UserError(f"{folder} is no file store: no folder in it has a meta.yaml", 2)
    return folder.resolve()


def engine_of(file: Path) -> Engine:
    """A SQLite file's engine; by its parts, since in a URI some signs mean something else."""
    return create_engine(URL.create("sqlite", database=str(file)), poolclass=NullPool)


def copy(settings: RuntimeSettings, folder: Path | None, file: Path, scratch: Path) -> str:
    """Copy the store of ``settings``, or the file store in ``folder``, to a new SQLite ``file``.

    Returns how it is shown. Raises UserError where it cannot be read, or is of a newer MLflow.
    """
    if folder:
        _of_files(folder, file)
        return str(folder)
    shown = shown_store(settings)
    _check_file(settings)
    engine = open_engine(settings)
    if engine.dialect.name == "sqlite":
        with told(f"the copy of {shown}"):
            _of_sqlite(Path(str(engine.url.database)), file)
    else:
        if not can_connect(engine, settings):
            raise UserError(f"{shown} does not answer", 75)
        state.check_known(engine, shown)
        _of_server(engine, file, scratch)
        engine.dispose()
    copied = engine_of(file)
    state.check_known(copied, shown)
    if state.revisions(copied)[0] is None:
        raise UserError(f"there is no MLflow store in {shown}")
    return shown


def _check_file(settings: RuntimeSettings) -> None:
    given = settings.given_backend_store_uri
    url = make_url(given.get_secret_value()) if given else None
    if url is not None and url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        if not path.is_file():
            raise UserError(f"there is no file {path}; sqlite:////srv/x.db has four slashes", 2)


def _of_files(folder: Path, file: Path) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.store.fs2db import migrate

    # Of the tables that it makes in the copy.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    try:
        # It prints a summary, and our own is on stdout.
        with redirect_stdout(StringIO()):
            migrate(folder, f"sqlite:///{file}", progress=False)
    except MlflowException as error:
        raise UserError(f"{folder} cannot be read as a file store: {error.message}") from None


def _of_sqlite(source: Path, file: Path) -> None:
    """By SQLite's own copy, of a file that is opened to be read alone.

    With a write-ahead log it would get files beside it, unless it is said that nobody writes; which
    is so where it has none of them.
    """
    with source.open("rb") as content:
        has_log = content.read(20)[18:] == _WRITE_AHEAD
    is_open = source.with_name(f"{source.name}-wal").exists()
    how = "mode=ro&immutable=1" if has_log and not is_open else "mode=ro"
    uri = f"file:{quote(str(source.resolve()))}?{how}"
    with closing(sqlite3.connect(uri, uri=True)) as old, closing(sqlite3.connect(file)) as new:
        old.backup(new)


def _of_server(engine: Engine, file: Path, scratch: Path) -> None:
    """Every table as it is at one moment, into tables of the same schema."""
    copied = engine_of(file)
    known = rows.known_tables().tables
    with rows.snapshot(engine, scratch) as connection:
        schema.make_tables(copied, rows.revision(connection))
        with copied.connect() as there:
            targets = rows.reflect(there).tables
        for table in rows.reflect(connection).sorted_tables:
            if table.name in known and table.name in targets:
                part = scratch / "table"
                rows.dump(connection, table, part)
                rows.load(copied, targets[table.name], part)
                part.unlink()


def link_files(folder: Path, into: Path, numbers: Mapping[int, int]) -> None:
    """Links to what a file store has of artifacts, at their places and without all the rest.

    ``numbers`` are the new ones of experiments that have others from now on.
    """
    for root in (folder, folder / _TRASH):
        for experiment in _folders(root):
            if experiment.name.isdecimal():
                own = into / str(numbers.get(int(experiment.name), experiment.name))
                for holder in (experiment, experiment / "models", experiment / "traces"):
                    for each in _folders(holder):
                        if (each / "artifacts").is_dir():
                            place = own / each.relative_to(experiment) / "artifacts"
                            place.parent.mkdir(parents=True, exist_ok=True)
                            place.symlink_to(each / "artifacts")


def link(folder: Path, into: Path) -> None:
    """Links to all that a folder holds, beside what is there already."""
    into.mkdir(parents=True, exist_ok=True)
    for each in sorted(folder.iterdir()):
        place = into / each.name
        if not place.exists():
            place.symlink_to(each.resolve())
        elif each.is_dir() and place.is_dir():
            if place.is_symlink():
                other = place.resolve()
                place.unlink()
                link(other, place)
            link(each, place)
        else:
            raise UserError(f"{each} and {place.resolve()} would have the same place")


def _folders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []
