"""Copies a backup from one place to another."""

import shutil
import sys
import tarfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from runtime.artifacts.tree import Tree, check_path, scratch_of, told
from runtime.backup.format import artifacts, manifest, parts
from runtime.backup.format.manifest import Manifest
from runtime.backup.format.places import MANIFEST, Place, keys_of
from runtime.backup.format.sealed import Sealed
from runtime.errors import UserError

_SCRATCH = ".scratch"


@contextmanager
def opened(uri: str, target: Tree) -> Generator[Tree]:
    """The place at ``uri``; for ``-``, what a tar on stdin holds, unpacked beside ``target``.

    What is encrypted there opens with the keys of ``target``.
    """
    if uri != "-":
        yield Place(uri, keys=keys_of(target))
        return
    if target.directory:
        target.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.directory, prefix=".taken-in-") as folder:
        try:
            with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
                _unpack(archive, Path(folder))
        except tarfile.TarError as error:
            raise UserError(f"what comes in is no tar: {error}", 2) from None
        yield Place(folder, keys=keys_of(target))


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


def copy(source: Tree, target: Tree, name: str | None) -> Manifest:
    """Copy a backup (default: the newest), checked on its way; one that is there is left as it is.

    Raises UserError where the backup is broken; it is none at the target then. Until its manifest
    is there the copy names no store, so that no backup of the same store clears it away meanwhile.
    """
    of = manifest.read(source, name)
    if manifest.names(target).get(of.name):
        return of
    here, there = manifest.held(source, of), target.at(of.name)
    own = there
    if isinstance(here, Sealed):
        # By the key that the manifest, which is copied as it is, names.
        there = here.copy_at(own)
    with told(f"the copy to {target.uri}"), scratch_of(there, _SCRATCH) as scratch:
        for part in of.tables.values():
            there.put(parts.fetch(here, part, scratch), part.path)
        if of.artifacts and (listing := parts.listing(here, of, scratch)):
            into = there.at(parts.ARTIFACTS)
            _, broken = artifacts.copy_out(here.at(parts.ARTIFACTS), listing, scratch, into)
            if broken:
                raise UserError(f"the backup is broken, {len(broken)} files: {broken[0]}")
            there.put(listing, of.artifacts.path)
        file = scratch / MANIFEST
        # As it was written, by whichever version.
        source.at(of.name).fetch(MANIFEST, file)
        own.put(file, MANIFEST)
    return of


def send(source: Tree, name: str | None, out: IO[bytes]) -> None:
    """Write a backup to ``out`` as the tar that ``opened`` takes in; checked before."""
    with TemporaryDirectory(prefix="trackstack-sent-") as folder:
        of = copy(source, Tree(folder), name)
        with tarfile.open(fileobj=out, mode="w|") as archive:
            archive.add(Path(folder) / of.name, of.name)
