"""A stack's backups, in the place that it has for them and in the one that it had before."""

from pathlib import Path

from runtime.artifacts.tree import Tree
from runtime.backup.format.manifest import MANIFEST


class Places(Tree):
    """``own`` and ``earlier`` as one tree of backups: each is found where it lies, new ones go to
    ``own``. Half a copy in one hides no whole backup in the other.
    """

    def __init__(self, own: Tree, earlier: Tree) -> None:
        super().__init__(own.uri)
        self._all = (own, earlier)

    def _of(self, name: str) -> Tree:
        """The place that holds a backup; the own one where none does."""
        whole = (place for place in self._all if place.has(f"{name}/{MANIFEST}"))
        begun = (place for place in self._all if place.list(name))
        return next(whole, None) or next(begun, self._all[0])

    def at(self, path: str) -> Tree:
        return self._of(path.partition("/")[0]).at(path)

    def list(self, folder: str = "") -> list[tuple[str, int | None]]:
        if folder:
            return self._of(folder.partition("/")[0]).list(folder)
        found = {path: size for place in self._all for path, size in place.list()}
        return sorted(found.items())

    def fetch(self, path: str, to: Path) -> None:
        self._of(path.partition("/")[0]).fetch(path, to)
