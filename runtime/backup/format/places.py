"""Where a stack keeps its backups: in the place that it has for them and in the one that it had
before, encrypted or not.
"""

from collections.abc import Sequence
from pathlib import Path

from runtime.artifacts.tree import Tree
from runtime.backup.format.sealed import SHORTEST_KEY
from runtime.errors import UserError
from runtime.settings import RuntimeSettings

# The last file of a backup. Without it the backup is none.
MANIFEST = "manifest.json"


class Place(Tree):
    """``earlier`` and ``uri`` as one tree of backups: each is found where it lies, new ones go to
    ``uri``. Half a copy in one hides no whole backup in the other.

    ``keys`` open those that are encrypted, and with ``seals`` the first of them encrypts new ones.
    """

    def __init__(
        self,
        uri: str,
        *,
        earlier: str | None = None,
        keys: Sequence[str] = (),
        seals: bool = False,
    ) -> None:
        super().__init__(uri)
        self.keys = tuple(keys)
        self.sealing = self.keys[0] if seals else None
        self._all = (Tree(uri), *([Tree(earlier)] if earlier else []))
        # Of whole backups, which are never moved.
        self._known = dict[str, Tree]()

    def _of(self, name: str) -> Tree:
        """The place that holds a backup; the own one where none does."""
        if len(self._all) == 1:
            return self._all[0]
        if name in self._known:
            return self._known[name]
        for place in self._all:
            if place.has(f"{name}/{MANIFEST}"):
                self._known[name] = place
                return place
        return next((place for place in self._all if place.list(name)), self._all[0])

    def at(self, path: str) -> Tree:
        return self._of(path.partition("/")[0]).at(path)

    def list(self, folder: str = "") -> list[tuple[str, int | None]]:
        if folder:
            return self._of(folder.partition("/")[0]).list(folder)
        found = {path: size for place in self._all for path, size in place.list()}
        return sorted(found.items())

    def fetch(self, path: str, to: Path) -> None:
        self._of(path.partition("/")[0]).fetch(path, to)


def keys_of(place: Tree) -> tuple[str, ...]:
    """What opens the encrypted backups of a place; a tree that is none has no keys."""
    return place.keys if isinstance(place, Place) else ()


def given_keys(settings: RuntimeSettings) -> list[str]:
    """The key of new backups, and those that only open older ones.

    Raises UserError where one is too short to protect anything.
    """
    given = (settings.backup_key, settings.earlier_backup_keys)
    keys = [key for each in given if each for key in each.get_secret_value().split()]
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise UserError(
            f"a key of backups has {SHORTEST_KEY} characters at least, none of them a space; a "
            "good one: openssl rand -base64 32",
            2,
        )
    return keys
