"""Moves a backup's artifacts next to their destination before any row is replaced.

In a directory they are all there, beside their places, before a row goes: what is left after the
rows is to rename them. In an artifact store, which is never full, it is tried whether it is
written to at all.
"""

import gzip
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from runtime.artifacts.tree import Tree, parent_of, scratch_of
from runtime.backup.format import artifacts, parts

SCRATCH = ".trackstack-restore"


def holds_files(target: Tree) -> bool:
    """Whether there is more than what a killed restore was about to bring."""
    return any(path != SCRATCH for path, _ in target.list())


def problems(target: Tree, listing: Path) -> Iterator[str]:
    """Why the artifacts of a listing cannot be written to ``target``; changes nothing."""
    if target.directory is None:
        yield from _trial(target)
        return
    missing, found = 0, False
    for file in artifacts.read_listing(listing):
        if problem := _in_the_way(target.directory, file.path):
            found = True
            yield f"{file.path}: {problem}"
        elif not artifacts.is_there(target.directory / file.path, file):
            missing += file.bytes
    free = shutil.disk_usage(target.directory).free
    if not found and missing > free:
        yield f"{missing} bytes are to come, {free} are free in {target.directory}"


def without_standing(target: Tree, listing: Path, into: Path) -> tuple[int, int]:
    """Write a listing without the artifacts that stand in ``target`` already, whatever they are.

    Returns how many stand there as the backup has them (in an artifact store: with its size), and
    how many are others.
    """
    same = others = 0
    # A folder's files stand together in a listing.
    with gzip.open(into, "wt") as out:
        for folder, files in groupby(artifacts.read_listing(listing), lambda f: parent_of(f.path)):
            there = dict(target.list(folder))
            for file in files:
                if there.get(file.path) is None:
                    out.write(artifacts.line_of(file))
                elif _is_same(target, file, there[file.path]):
                    same += 1
                else:
                    others += 1
    return same, others


def _is_same(target: Tree, file: artifacts.File, size: int | None) -> bool:
    if target.directory:
        return artifacts.is_there(target.directory / file.path, file)
    return size == file.bytes


def _in_the_way(root: Path, path: str) -> str | None:
    if (root / path).is_dir():
        return "a folder stands there"
    folder = root
    for part in PurePosixPath(path).parts[:-1]:
        if not (folder / part).exists():
            break
        folder /= part
        if not folder.is_dir():
            return f"{folder} is a file"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} cannot be written"
    if folder.stat().st_dev != root.stat().st_dev:
        return f"{folder} is on another disk than {root}"
    return None


def _trial(target: Tree) -> Iterator[str]:
    try:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "trial"
            file.write_text("whether it can be written")
            target.put(file, f"{SCRATCH}/trial")
    except Exception as error:
        yield f"{target.uri} cannot be written: {type(error).__name__}"
    # Where nothing may be deleted it stays.
    with suppress(Exception):
        target.at(SCRATCH).delete()


@contextmanager
def brought(own: Tree, listing: Path, target: Tree) -> Generator[Callable[[], int]]:
    """Bring a backup's artifacts beside ``target``; what comes of it puts them in place.

    That returns how many there are. Raises UserError where not all can be brought.
    """
    held = own.at(parts.ARTIFACTS)
    with scratch_of(target, SCRATCH) as scratch:
        staged = scratch / "staged"
        if target.directory:
            into, there = Tree(str(staged)), target.directory
            _, broken = artifacts.copy_out(held, listing, scratch, into, there)
            parts.refuse(broken, f"not all of {own.uri} can be brought, nothing was changed")

        def settle() -> int:
            if target.directory is None:
                whole, broken = artifacts.copy_out(held, listing, scratch, target)
                parts.refuse(broken, "the restore is not complete")
                return whole
            whole = 0
            for file in artifacts.read_listing(listing):
                # The others were there already.
                if (staged / file.path).is_file():
                    target.put(staged / file.path, file.path)
                whole += 1
            return whole

        yield settle
