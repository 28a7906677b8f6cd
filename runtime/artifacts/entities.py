"""What lies in an experiment's folder, entity by entity, in a directory or a store of objects."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from runtime.artifacts.bulk import Container, Found, Upload, path_of
from runtime.artifacts.deletion import container_of
from runtime.paths import local_directory


@dataclass(frozen=True)
class Measure:
    """How much lies in a place, in bytes, and when the first and the last of it were written (Unix
    time).
    """

    size: int
    first: float
    last: float


@dataclass(frozen=True)
class Entry:
    """``name`` in the folder ``within`` of an experiment's (empty: in the experiment's own).

    ``known`` is set where the store told it along; see `measure`.
    """

    place: str
    within: str
    name: str
    known: Measure | None = None

    def measure(self) -> Measure:
        """Looks at each file where that is not known yet."""
        return self.known or _measure(Path(self.place))


class Folder:
    """The folder of an experiment's at ``place``; those of ``nested`` hold entities themselves."""

    def __init__(self, place: str, nested: frozenset[str]) -> None:
        self.place, self._nested = place, nested
        self._directory = local_directory(place)
        self._container = None if self._directory else container_of(place)

    @property
    def can_be_listed(self) -> bool:
        """Whether it is in a directory or a store that lists all of it at once."""
        return self._directory is not None or self._container is not None

    def entries(self) -> Iterator[Entry]:
        """What is in it, but for links and files that stand alone."""
        if self._directory:
            yield from self._in_directory(self._directory)
        elif self._container:
            yield from self._in_container(self._container)

    def uploads(self) -> Iterator[Upload]:
        """What uploads left in it that never ended."""
        return self._container.unfinished(self.place) if self._container else iter(())

    def abort(self, upload: Upload) -> None:
        """Drop what an upload left; raises what the store's SDK raises."""
        if self._container:
            self._container.abort(upload)

    def _in_directory(self, folder: Path) -> Iterator[Entry]:
        for path in _directories(folder):
            if path.name not in self._nested:
                yield Entry(str(path), "", path.name)
                continue
            for below in _directories(path):
                yield Entry(str(below), path.name, below.name)

    def _in_container(self, container: Container) -> Iterator[Entry]:
        prefix = f"{path_of(self.place)}/"

        def of(found: Found) -> tuple[str, str]:
            first, _, rest = found.name.removeprefix(prefix).partition("/")
            if first in self._nested:
                second, cut, _ = rest.partition("/")
                return first, second if cut else ""
            return "", first if rest else ""

        for (within, name), listed in groupby(container.found(self.place), of):
            if name:
                all_of_it = list(listed)
                times = [found.modified for found in all_of_it]
                size = sum(found.size for found in all_of_it)
                below = f"{within}/{name}" if within else name
                known = Measure(size, min(times), max(times))
                yield Entry(f"{self.place}/{below}", within, name, known)


def _directories(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())


def _measure(path: Path) -> Measure:
    size, times = 0, list[float]()
    for entry in (path, *path.rglob("*")):
        found = entry.lstat()
        times.append(found.st_mtime)
        size += 0 if entry.is_dir() else found.st_size
    return Measure(size, min(times), max(times))
