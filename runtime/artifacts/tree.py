"""A directory or any artifact store of MLflow's, as a tree of files. Memory use is bounded."""

import hashlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, cast

from runtime.errors import UserError
from runtime.paths import local_directory

_CHUNK = 1 << 20
# As MLflow's server names a file until it has come whole.
COMING = ".artifact.uploading."
# What Trackstack keeps of its own at the top of an artifact destination; in no backup.
OWN_FOLDER = ".trackstack"

_OPENS: ContextVar[bool] = ContextVar("opens", default=False)


def opens() -> bool:
    """Whether a tree opens its store at this moment: one of the stack's own settings, and not what
    a request names.
    """
    return _OPENS.get()


class Tree:
    """Files under ``uri``; their paths are relative, with forward slashes."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        directory = local_directory(self.uri)
        self.directory = directory.resolve() if directory else None
        self._repository: Any = None

    @property
    def name(self) -> str:
        """Of the last folder."""
        return self.uri.rpartition("/")[2]

    def at(self, path: str) -> "Tree":
        """The tree one or more folders down."""
        return Tree(f"{self.uri}/{path}")

    def _store(self) -> Any:
        if self._repository is None:
            from mlflow.exceptions import MlflowException
            from mlflow.store.artifact import artifact_repository_registry as registry

            marked = _OPENS.set(True)
            try:
                uri = str(self.directory or self.uri)
                self._repository = cast(Any, registry).get_artifact_repository(uri)
            except (MlflowException, ImportError) as error:
                raise UserError(
                    f"{self.uri} is no artifact store that works here: {error}", 2
                ) from None
            finally:
                _OPENS.reset(marked)
        return self._repository

    def list(self, folder: str = "") -> list[tuple[str, int | None]]:
        """What lies directly in ``folder``: paths, with bytes (None: it is a folder).

        In a directory it leaves out what is neither, such as a broken link; at the top
        `OWN_FOLDER`.
        """
        if self.directory:
            found = _look(self.directory, folder)
            return [(each.path, each.bytes) for each in found if not each.is_odd]
        entries = self._store().list_artifacts(folder or None)
        return [
            (entry.path, None if entry.is_dir else entry.file_size or 0)
            for entry in entries
            if entry.path != OWN_FOLDER
        ]

    def files(self, left_out: Callable[[str], object] | None = None) -> Iterator[tuple[str, int]]:
        """All files below, with their bytes; links are followed.

        ``left_out`` is told the paths in a directory that are no files, such as broken links and
        pipes, and of links that lead back to a folder that they are in.
        """
        if self.directory:
            yield from _walk(self.directory, left_out or (lambda _: None))
            return
        folders = [""]
        while folders:
            for path, size in self.list(folders.pop()):
                if size is None:
                    folders.append(path)
                else:
                    yield path, size

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return any(found == path for found, _ in self.list(parent_of(path)))

    def fetch(self, path: str, to: Path) -> None:
        """Copy one file to a local one in a folder of its own."""
        if self.directory:
            shutil.copyfile(self.directory / path, to)
            return
        self._store().download_artifacts(path, str(to.parent))
        (to.parent / path).replace(to)

    def put(self, file: Path, path: str) -> None:
        """Move a local file here; in a directory it appears whole or not at all."""
        if self.directory:
            target = self.directory / path
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.replace(target)
            return
        parts = PurePosixPath(path)
        named = file.with_name(parts.name)
        file.replace(named)
        self._store().log_artifact(str(named), str(parts.parent) if parts.parent.name else None)
        named.unlink()

    def sha256(self, path: str) -> str:
        """Of one file, which is not copied for it: in a directory alone."""
        return sha256_of((self.directory or Path()) / path)

    def delete(self, first: str = "", last: str = "") -> None:
        """Delete everything here; in a directory the file ``first`` before all else, and ``last``
        after it, so that a kill leaves what can be told for what it is.
        """
        if self.directory:
            with suppress(FileNotFoundError):
                if first:
                    (self.directory / first).unlink(missing_ok=True)
                for each in self.directory.iterdir() if last else ():
                    if each.is_dir() and not each.is_symlink():
                        shutil.rmtree(each)
                    elif each.name != last:
                        each.unlink()
                shutil.rmtree(self.directory)
        else:
            self._store().delete_artifacts()

    def is_within(self, other: "Tree") -> bool:
        """Whether this is ``other`` or lies below it."""
        if self.directory and other.directory:
            return self.directory.is_relative_to(other.directory)
        return f"{self.uri}/".startswith(f"{other.uri}/")


@dataclass(frozen=True)
class _Entry:
    """What lies in a directory; ``bytes`` is None for a folder, ``is_odd`` is neither."""

    path: str
    bytes: int | None
    is_odd: bool = False


def _look(root: Path, folder: str) -> list[_Entry]:
    """What lies in a folder by the system's own look: to MLflow a path is a URI, with escapes."""
    try:
        with os.scandir(root / folder) as entries:
            names = (each for each in entries if not each.name.startswith(COMING))
            found = [_entry(each, folder) for each in names if folder or each.name != OWN_FOLDER]
    except (FileNotFoundError, NotADirectoryError):
        # As an artifact store has it, in which there are no folders but those of files.
        return []
    return sorted((each for each in found if each), key=lambda each: each.path)


def _entry(each: "os.DirEntry[str]", folder: str) -> _Entry | None:
    path = f"{folder}/{each.name}" if folder else each.name
    try:
        found = each.stat()
    except OSError:
        # A link to nothing or to itself; what is gone was deleted since.
        return _Entry(path, None, is_odd=True) if each.is_symlink() else None
    if stat.S_ISDIR(found.st_mode):
        return _Entry(path, None)
    return _Entry(path, found.st_size, is_odd=not stat.S_ISREG(found.st_mode))


def _walk(root: Path, left_out: Callable[[str], object]) -> Iterator[tuple[str, int]]:
    # With each folder those that it is in: a link may lead back to one of them.
    folders: list[tuple[str, frozenset[tuple[int, int]]]] = [("", frozenset())]
    while folders:
        folder, above = folders.pop()
        try:
            known = (root / folder).stat()
        except FileNotFoundError:
            continue
        own = (known.st_dev, known.st_ino)
        if own in above:
            left_out(folder)
            continue
        for each in _look(root, folder):
            if each.is_odd:
                left_out(each.path)
            elif each.bytes is None:
                folders.append((each.path, above | {own}))
            else:
                yield each.path, each.bytes


def parent_of(path: str) -> str:
    """The folder that a path lies in; empty for one at the top."""
    parent = str(PurePosixPath(path).parent)
    return "" if parent == "." else parent


def sha256_of(file: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def check_path(path: str) -> str:
    """Return ``path``, or raise UserError where it leads out of its folder."""
    parts = PurePosixPath(path)
    if not parts.name or parts.is_absolute() or ".." in parts.parts or "\0" in path:
        raise UserError(f"the backup names a file outside of itself: {path!r}")
    return path


@contextmanager
def scratch_of(tree: Tree, folder: str) -> Generator[Path]:
    """A folder for files on their way; in a directory they can be moved from there."""
    if tree.directory is None:
        with TemporaryDirectory() as name:
            yield Path(name)
        return
    path = tree.directory / folder
    # What a kill left.
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700, parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def told(what: str) -> Generator[None]:
    """A disk that is full, read-only or gone, as the user's to mend: ``what`` failed, and why."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = str(error)
        if isinstance(error, OSError) and error.strerror:
            about = f": {error.filename}" if error.filename else ""
            reason = f"{error.strerror}{about}"
        raise UserError(f"{what} failed ({reason}); run it again when that is mended") from None
