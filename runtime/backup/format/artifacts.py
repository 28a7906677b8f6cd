"""Artifacts into a backup and out of it: a few files at a time, with their checksums."""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from runtime.artifacts.tree import Tree, check_path, parent_of, sha256_of

_THREADS = 8
_CHUNK = 256
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class File:
    """One artifact."""

    path: str
    bytes: int
    sha256: str


def _in_threads(work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
    """Bounded: an executor's own map would take in all items at once."""
    iterator = iter(items)
    with ThreadPoolExecutor(_THREADS) as pool:
        while chunk := list(islice(iterator, _CHUNK)):
            yield from pool.map(work, chunk)


def copy_in(
    source: Tree, target: Tree, scratch: Path, listing: Path, left_out: Callable[[str], object]
) -> tuple[int, int]:
    """Copy all files of ``source`` and write their listing; returns their number and bytes.

    One that is deleted meanwhile is left out: the database's snapshot is older, and whoever
    deleted it has deleted it for good. ``left_out`` is told what is no file; see ``Tree.files``.
    """

    def copy(path: str) -> File | None:
        with TemporaryDirectory(dir=scratch) as folder:
            file = Path(folder) / "file"
            try:
                source.fetch(path, file)
            except Exception:
                if source.has(path):
                    raise
                return None
            done = File(path, file.stat().st_size, sha256_of(file))
            target.put(file, path)
            return done

    number = total = 0
    with gzip.open(listing, "wt") as out:
        for file in _in_threads(copy, (path for path, _ in source.files(left_out))):
            if file:
                out.write(line_of(file))
                number, total = number + 1, total + file.bytes
    return number, total


def line_of(file: File) -> str:
    """A file as a listing has it."""
    return json.dumps([file.path, file.bytes, file.sha256]) + "\n"


def read_listing(listing: Path) -> Iterator[File]:
    """The artifacts of a backup."""
    with gzip.open(listing, "rt") as lines:
        for line in lines:
            path, size, digest = json.loads(line)
            yield File(check_path(path), size, digest)


def without(listing: Path, paths: Set[str], into: Path) -> int:
    """Write a listing without the artifacts of these paths; returns how many it lacks now."""
    left = 0
    with gzip.open(into, "wt") as out:
        for file in read_listing(listing):
            if file.path in paths:
                left += 1
            else:
                out.write(line_of(file))
    return left


def broken(backup: Tree, listing: Path) -> Iterator[str]:
    """What of a backup's artifacts is missing or not as it was; reads, and copies nothing.

    In a directory by checksum. In an artifact store by size: for its checksum each file would have
    to come here, and it is looked at when that happens.
    """
    if backup.directory:

        def check(file: File) -> str | None:
            return _wrong(backup, file)

        yield from (problem for problem in _in_threads(check, read_listing(listing)) if problem)
        return
    # A folder's files stand together in a listing, as they were found.
    for folder, files in groupby(read_listing(listing), lambda file: parent_of(file.path)):
        there = dict(backup.list(folder))
        for file in files:
            if there.get(file.path) is None:
                yield f"{file.path}: is missing"
            elif there[file.path] != file.bytes:
                yield f"{file.path}: {there[file.path]} bytes, not {file.bytes}"


def _wrong(backup: Tree, file: File) -> str | None:
    try:
        same = backup.sha256(file.path) == file.sha256
    except FileNotFoundError:
        return f"{file.path}: is missing"
    except OSError as error:
        return f"{file.path}: cannot be read: {error.strerror}"
    return None if same else f"{file.path}: its checksum is another"


def copy_out(
    backup: Tree, listing: Path, scratch: Path, target: Tree | None, there: Path | None = None
) -> tuple[int, list[str]]:
    """Bring a backup's artifacts to ``target``, or check them where that is None.

    Left out are those that the directory ``there`` holds, by default the target's own.

    Returns how many are whole, and the paths of those that are not, which are not brought.
    """

    there = there or (target.directory if target else None)

    def bring(file: File) -> str | None:
        if there and is_there(there / file.path, file):
            return None
        with TemporaryDirectory(dir=scratch) as folder:
            local = Path(folder) / "file"
            try:
                backup.fetch(file.path, local)
            except Exception as error:
                reason = getattr(error, "strerror", None) or type(error).__name__
                return f"{file.path}: {reason}"
            if sha256_of(local) != file.sha256:
                return f"{file.path}: its checksum is another"
            if target:
                target.put(local, file.path)
        return None

    whole, broken = 0, list[str]()
    for problem in _in_threads(bring, read_listing(listing)):
        if problem:
            broken.append(problem)
        else:
            whole += 1
    return whole, broken


def is_there(path: Path, file: File) -> bool:
    """Whether the file is there as the backup has it, so that it need not be brought."""
    return path.is_file() and path.stat().st_size == file.bytes and sha256_of(path) == file.sha256
