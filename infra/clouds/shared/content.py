"""Content digests: what is deployed gets a new name when any of its files changes."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path


def files(root: Path, names: Iterable[str]) -> list[Path]:
    """All files that are named, or in the folders that are named, in a fixed order."""
    paths = [root / name for name in names]
    found = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return sorted(file for file in found if file.is_file() and "__pycache__" not in file.parts)


def rights(file: Path) -> int:
    """A file's mode as every checkout is to have it, whatever the umask there."""
    return 0o755 if os.access(file, os.X_OK) else 0o644


def digest(root: Path, names: Iterable[str], *more: object) -> str:
    """16 hexadecimal digits of the files, their names and rights to run, and of ``more``."""
    found = hashlib.sha256("".join(map(repr, more)).encode())
    for file in files(root, names):
        name = file.relative_to(root).as_posix()
        found.update(f"\0{name}\0{int(os.access(file, os.X_OK))}\0".encode())
        found.update(file.read_bytes())
    return found.hexdigest()[:16]
