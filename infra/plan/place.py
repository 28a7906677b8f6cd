"""What every plan starts from: where the stack file is, and the files that it names."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from infra.errors import StackError
from infra.settings.proxy import ProxyKeys

# Folders of the system (Filesystem Hierarchy Standard 3.0), of which none is a stack's own.
_SYSTEM = frozenset(
    f"/{name}"
    for name in (
        *("bin", "boot", "dev", "etc", "home", "lib", "lib64", "media", "opt", "proc"),
        *("root", "run", "sbin", "sys", "tmp", "usr", "var"),
    )
)


@dataclass(frozen=True)
class Place:
    """Where a stack file is: the stack's name and the project's root folder. infra.place reads it.

    ``secret_keys`` are the secret keys that it has; their values are no part of a plan. ``homes``
    are the folders that ``~`` and ``~user`` stand for, as far as it names them; ``texts`` are the
    files that it names, by key; ``version`` names the versions that are deployed. ``cpus`` is how
    many this machine has.
    """

    stack: str
    root: Path
    secret_keys: frozenset[str] = frozenset()
    homes: Mapping[str, Path] = field(default_factory=dict[str, Path])
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    version: str = ""
    cpus: int = 2

    def path(self, text: str) -> Path:
        """A path of the stack file: relative ones begin at the project's root.

        Raises KeyError where it begins with a home folder that was not looked up.
        """
        first, *rest = Path(text).parts or (".",)
        return self.root.joinpath(self.homes[first] if first.startswith("~") else first, *rest)

    def destination(self, text: str | None, data_dir: str, default: str) -> str:
        """Where artifacts or backups go: a URI as it is, or a directory.

        Every process of the stack must find the same one, wherever it was started: a relative path
        begins in the data directory ``data_dir``, where the server runs.
        """
        given = text or default
        if ":" in given.partition("/")[0]:
            return given
        return str(PurePosixPath(data_dir) / (self.path(given) if given[0] == "~" else given))

    def data_directory(self, given: str | None) -> Path:
        """The directory of the stack's data on this machine, as the stack file writes it.

        Raises StackError where it is a system's folder, or holds the project or the user's home.
        """
        path = self.path(given or f".trackstack/data/{self.stack}")
        real = Path(posixpath.normpath(path))
        holds = any(inner.is_relative_to(real) for inner in (self.root, *self.homes.values()))
        if holds or str(real) in _SYSTEM:
            raise StackError(
                f"trackstack:dataDir: {given!r} is {real}; allowed: a directory of its own, such "
                f"as .trackstack/data/{self.stack}"
            )
        return path

    def require_secret(self, key: str, why: str) -> None:
        """Raise StackError where the stack file lacks a secret key."""
        if key not in self.secret_keys:
            raise StackError(
                f"trackstack:{key}: is missing; {why}; set it with "
                f"`pulumi config set --secret trackstack:{key}`"
            )


def certificate(keys: ProxyKeys, place: Place) -> str | None:
    """The reverse proxy's certificate and chain in PEM, where the stack file names one.

    Raises StackError where the secret tlsKey is missing.
    """
    if not keys.tls_certificate_file:
        return None
    place.require_secret("tlsKey", "tls: files needs it")
    return place.texts["tlsCertificateFile"]
