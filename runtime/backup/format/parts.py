"""Reading a backup: its parts, each checked before anybody relies on it."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from runtime.artifacts.tree import Tree, parent_of, sha256_of
from runtime.backup.format import artifacts
from runtime.backup.format.manifest import Manifest, Part
from runtime.errors import UserError

ARTIFACTS = "artifacts"
# Of what is wrong, so many lines.
_SHOWN = 20


def fetch(own: Tree, part: Part, scratch: Path, name: str = "part") -> Path:
    """A part of a backup as a local file; raises UserError where it is missing or broken."""
    folder = scratch / name
    folder.mkdir(exist_ok=True)
    file = folder / "part"
    try:
        own.fetch(part.path, file)
    except Exception as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise UserError(f"{own.uri}/{part.path} cannot be read: {reason}") from None
    if sha256_of(file) != part.sha256:
        raise UserError(f"{own.uri}/{part.path} is broken: its checksum is another")
    return file


def tables(own: Tree, of: Manifest, scratch: Path) -> Mapping[str, Path]:
    """Every table's rows as a local file; raises UserError where one is missing or broken."""
    # A table's name is the backup's own word: no part of a path.
    return {
        name: fetch(own, part, scratch, f"table-{number}")
        for number, (name, part) in enumerate(of.tables.items())
    }


def listing(own: Tree, of: Manifest, scratch: Path) -> Path | None:
    """The listing of the artifacts; None where the backup is of a database alone."""
    return fetch(own, of.artifacts, scratch, "listing") if of.artifacts else None


def broken_artifacts(own: Tree, found: Path) -> Iterator[str]:
    """What of the artifacts in a listing is missing or not as it was."""
    yield from artifacts.broken(own.at(ARTIFACTS), found)


def check(own: Tree, of: Manifest) -> None:
    """Raise UserError where any part is missing or broken, as a restore would find it."""
    with TemporaryDirectory() as folder:
        tables(own, of, Path(folder))
        found = listing(own, of, Path(folder))
        if found:
            refuse(broken_artifacts(own, found), f"{own.uri} is broken")


def is_there(own: Tree, of: Manifest) -> bool:
    """Whether all that the manifest names lies there, by its size; reads no contents.

    In an artifact store the artifacts, of which a listing would take many requests, are taken to
    be there where any is.
    """
    wanted: list[Part] = [*of.tables.values(), *([of.artifacts] if of.artifacts else [])]
    folders = {parent_of(part.path) for part in wanted}
    there = {path: size for folder in folders for path, size in own.list(folder)}
    if any(there.get(part.path) != part.bytes for part in wanted):
        return False
    if not of.artifacts or not of.artifacts.files:
        return True
    held = own.at(ARTIFACTS)
    if held.directory is None:
        return bool(held.list())
    sizes = [size for _, size in held.files()]
    return (len(sizes), sum(sizes)) == (of.artifacts.files, of.artifacts.total_bytes)


def refuse(problems: Iterable[str], what: str) -> None:
    """Raise UserError with the first of the problems, where there are any."""
    shown = list(islice(problems, _SHOWN + 1))
    if len(shown) > _SHOWN:
        shown[-1] = "and more"
    if shown:
        raise UserError("\n".join([f"{what}:", *shown]))
