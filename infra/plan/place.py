"""What every plan starts from: the place of the stack file, and the versions deployed."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Where a stack file stands: the stack's name and the project's root folder."""

    stack: str
    root: Path

    def path(self, text: str) -> Path:
        """A path of the stack file: relative ones begin at the project's root."""
        return self.root / Path(text).expanduser()


def deployed_version() -> str:
    """The versions whose change makes a new deployment."""
    return f"trackstack {version('trackstack')}, mlflow {version('mlflow')}"
