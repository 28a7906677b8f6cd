"""The data directory: the one place on this machine that a stack writes to.

It may hold others' files beside the stack's: only the stack's own are ever removed, by their names.
"""

import shutil
from pathlib import Path
from typing import Any

from pulumi import ResourceOptions
from pulumi.dynamic import Resource

from infra.clouds.local import supervisor
from infra.clouds.shared.dynamic import DynamicProvider, Props
from infra.errors import StackError

_FOLDERS = ("store", "artifacts", "secrets", "state", "logs", "programs")
# What a stopped stack has no use for; the rest is data.
_TRANSIENT = ("programs", "supervisord.conf", "supervisord.pid", "sock")
_MARKER = ".trackstack"
_OURS = frozenset({*_FOLDERS, *_TRANSIENT, _MARKER, "backups"})
# The root of a disk that is mounted there has the one, a machine that is set up anew the other.
_HARMLESS = frozenset({"lost+found", "backups"})
# What a stack of an earlier version left there, which wrote no marker, or a restored backup did.
_PROOFS = ("secrets/tracking_token", "store/mydb.sqlite")


def check(data_dir: str) -> None:
    """Raise StackError where the directory holds files that no stack made."""
    root = Path(data_dir)
    if any((root / name).exists() for name in (_MARKER, *_PROOFS)):
        return
    entries = root.iterdir() if root.is_dir() else ()
    foreign = sorted(path.name for path in entries if not _may_be_ours(path))
    if foreign:
        raise StackError(
            f"trackstack:dataDir: {data_dir} holds what Trackstack did not make "
            f"({', '.join(foreign[:5])}{', …' if len(foreign) > 5 else ''}); "
            "choose a directory that is empty or not there yet"
        )


def _may_be_ours(path: Path) -> bool:
    """Whether a stack that was stopped while it was first made could have left it."""
    if path.name in _HARMLESS:
        return True
    return path.name in _OURS and not (path.is_dir() and any(path.iterdir()))


def _remove(path: Path) -> None:
    """Remove a file or folder; of a link, the link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class _DataDirectoryProvider(DynamicProvider):
    def apply(self, props: Props) -> Props:
        root = Path(props["data_dir"])
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        (root / _MARKER).write_text("The data of a Trackstack stack. Only its own files here go.\n")
        for folder in _FOLDERS:
            (root / folder).mkdir(mode=0o700, exist_ok=True)
        return {}

    def remove(self, props: Props) -> None:
        """Stop what runs there, and then remove what is the stack's own.

        Where the directory is replaced, this comes before its server's own turn to be removed.
        """
        root = Path(props["data_dir"])
        supervisor.stop(str(root))
        for name in _TRANSIENT if props["keep_data"] else sorted(_OURS):
            _remove(root / name)
        if root.is_dir() and not any(root.iterdir()):
            root.rmdir()

    def drifted(self, props: Props) -> bool:
        return not all((Path(props["data_dir"]) / folder).is_dir() for folder in _FOLDERS)


class DataDirectory(Resource, module="trackstack", name="LocalDataDirectory"):
    """Inputs: ``data_dir``, and ``keep_data``: whether the data outlive `pulumi destroy`."""

    def __init__(self, name: str, props: dict[str, Any], opts: ResourceOptions | None = None):
        super().__init__(_DataDirectoryProvider(), name, props, opts)
