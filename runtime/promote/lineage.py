"""What a promoted version says of where it came from, and how it is known again."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import UserError

PREFIX = "trackstack.promotion."
DIGEST_TAG = f"{PREFIX}digest"
_URI = re.compile(r"models:/(?P<name>[^/@:]+)(?:/(?P<version>\d+)|@(?P<alias>[^/@]+))")
_BLOCK = 1 << 20
# A registry's version, which MLflow's client has without types.
Version = Any


@dataclass(frozen=True)
class ModelUri:
    """A registered version, by number or by alias."""

    name: str
    version: str | None
    alias: str | None


def parse_uri(text: str) -> ModelUri:
    """``models:/name/1`` or ``models:/name@alias``; UserError (exit code 2) for anything else."""
    match = _URI.fullmatch(text)
    if not match:
        raise UserError(f"{text!r}: write models:/<name>/<version> or models:/<name>@<alias>", 2)
    return ModelUri(match["name"], match["version"], match["alias"])


@dataclass(frozen=True)
class File:
    """One file of a model: bytes and SHA-256."""

    size: int
    digest: str


Manifest = Mapping[str, File]


def file_of(path: Path) -> File:
    """Size and SHA-256 of a file, read by blocks."""
    sha, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            sha.update(block)
            size += len(block)
    return File(size, sha.hexdigest())


def manifest_of(folder: Path) -> Manifest:
    """All files below ``folder``, by their path in it."""
    return {
        path.relative_to(folder).as_posix(): file_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def digest_of(manifest: Manifest) -> str:
    """One digest of all names and contents: equal only where both are."""
    sha = hashlib.sha256()
    for path in sorted(manifest):
        sha.update(f"{manifest[path].digest}  {path}\0".encode())
    return f"sha256:{sha.hexdigest()}"


def tags_of(server: str, version: Version, digest: str, by: str, at: str) -> dict[str, str]:
    """The lineage tags of what is made of ``version``."""
    return {
        f"{PREFIX}server": server,
        f"{PREFIX}source": f"models:/{version.name}/{version.version}",
        f"{PREFIX}run": version.run_id or "",
        DIGEST_TAG: digest,
        f"{PREFIX}by": by,
        f"{PREFIX}at": at,
    }


def find_same(versions: Iterable[Version], digest: str, copied_from: str | None) -> Version | None:
    """The version that holds this content already; the newest, where there are several.

    ``copied_from`` is the source of a copy within one server: a copy that was interrupted
    before it got its tags is known by it.
    """
    same = [
        version
        for version in versions
        if version.tags.get(DIGEST_TAG) == digest
        or (DIGEST_TAG not in version.tags and copied_from and version.source == copied_from)
    ]
    return max(same, key=lambda version: int(version.version), default=None)
