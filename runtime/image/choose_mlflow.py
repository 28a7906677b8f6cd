"""Another minor version of MLflow in the image: the lock of all packages, with that one's pins.

Run while the image is built, in the project's folder: prints requirements.lock as it is for the
version that it has, and else with the blocks of mlflow-<version>.lock beside this file in the place
of its own. All other packages are the same for every version.
"""

import re
import sys
from pathlib import Path

# MLflow is three packages of one version; a block is a name, and its hashes in the lines below.
_BLOCK = re.compile(r"(?m)^mlflow(?:-skinny|-tracing)?==(\d+\.\d+)\..*(?:\n .*)*\n")


def chosen(lock: str, version: str, others: Path) -> str:
    """The lock for a minor version such as "3.16", or "" for its own.

    Raises ValueError that names those that there are where that one is none of them.
    """
    own = _BLOCK.search(lock)
    if own is None:
        raise ValueError("the lock has no MLflow")
    if version in ("", own[1]):
        return lock
    file = others / f"mlflow-{version}.lock"
    if not file.is_file():
        there = [path.stem.removeprefix("mlflow-") for path in others.glob("mlflow-*.lock")]
        raise ValueError(f"MLFLOW={version}: there are {', '.join(sorted([own[1], *there]))}")
    return _BLOCK.sub("", lock) + file.read_text()


if __name__ == "__main__":
    try:
        sys.stdout.write(
            chosen(Path("requirements.lock").read_text(), sys.argv[1], Path(__file__).parent)
        )
    except ValueError as error:
        sys.exit(str(error))
