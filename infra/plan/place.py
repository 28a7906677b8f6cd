"""What every plan starts from: the place of the stack file, and the versions deployed."""

import os.path
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from infra.errors import StackError
from infra.settings.common import FrontKeys

# Folders of the system (Filesystem Hierarchy Standard 3.0), of which none is a stack's own.
_SYSTEM = frozenset(
    f"/{name}"
    for name in (
        *("bin", "boot", "dev", "etc", "home", "lib", "lib64", "media", "opt", "proc"),
        *("root", "run", "sbin", "sys", "tmp", "usr", "var"),
    )
)

# The project's root folder, of the program that runs and of the commands that work on its stacks.
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Place:
    """Where a stack file stands: the stack's name and the project's root folder.

    ``secret_keys`` are the secret keys that it has; their values are no part of a plan.
    """

    stack: str
    root: Path
    secret_keys: frozenset[str] = frozenset()

    def path(self, text: str) -> Path:
        """A path of the stack file: relative ones begin at the project's root."""
        return self.root / Path(text).expanduser()

    def data_directory(self, given: str | None) -> Path:
        """The directory of the stack's data on this machine, as the stack file writes it.

        Raises StackError where it is a system's folder, or holds the project or the user's home.
        """
        path = self.path(given or f".trackstack/data/{self.stack}")
        real = Path(os.path.normpath(path))
        holds = any(inner.is_relative_to(real) for inner in (self.root, Path.home()))
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


def certificate(keys: FrontKeys, place: Place) -> str | None:
    """The front's certificate and chain in PEM, where the stack file names one.

    Raises StackError where it cannot be read or the secret tlsKey is missing.
    """
    if not keys.tls_certificate_file:
        return None
    place.require_secret("tlsKey", "tls: files needs it")
    path = place.path(keys.tls_certificate_file)
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"trackstack:tlsCertificateFile: cannot read {path}: {error}") from None


def deployed_version() -> str:
    """The versions whose change makes a new deployment."""
    return f"trackstack {version('trackstack')}, mlflow {version('mlflow')}"
