"""A directory or any artifact store of MLflow's, as a tree of files. Memory use is bounded."""

import hashlib
import shutil
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, cast

from runtime.errors import UserError
from runtime.paths import local_directory

_CHUNK = 1 << 20


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

            try:
                uri = str(self.directory or self.uri)
                self._repository = cast(Any, registry).get_artifact_repository(uri)
            except (MlflowException, ImportError) as error:
                raise UserError(
                    f"{self.uri} is no artifact store that works here: {error}", 2
                ) from None
        return self._repository

    def list(self, folder: str = "") -> list[tuple[str, int | None]]:
        """What lies directly in ``folder``: paths, with bytes (None: it is a folder)."""
        entries = self._store().list_artifacts(folder or None)
        return [(entry.path, None if entry.is_dir else entry.file_size or 0) for entry in entries]

    def files(self) -> Iterator[tuple[str, int]]:
        """All files below, with their bytes."""
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

    def delete(self) -> None:
        """Delete everything here."""
        if self.directory:
            with suppress(FileNotFoundError):
                shutil.rmtree(self.directory)
        else:
            self._store().delete_artifacts()

    def is_within(self, other: "Tree") -> bool:
        """Whether this is ``other`` or lies below it."""
        if self.directory and other.directory:
            return self.directory.is_relative_to(other.directory)
        return f"{self.uri}/".startswith(f"{other.uri}/")


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
