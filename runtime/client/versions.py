"""Whether the MLflow of a client goes with the server's: one minor version apart it does."""

import re
from importlib.metadata import PackageNotFoundError, version

# By whichever of its packages it is installed.
_PACKAGES = ("mlflow", "mlflow-skinny", "mlflow-tracing")


def installed() -> str:
    """The version of the MLflow that is installed here; empty where none is."""
    for package in _PACKAGES:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return ""


def apart(client: str, server: str) -> str:
    """What to say where two versions do not go together, with what to install; else empty. Pure.

    A text that is no version says nothing.
    """
    here, there = _minor(client), _minor(server)
    if not here or not there or (here[0] == there[0] and abs(here[1] - there[1]) <= 1):
        return ""
    wanted = f"pip install 'mlflow~={there[0]}.{there[1]}.0'"
    return f"MLflow {client} here, {server} on the server: {wanted}"


def _minor(text: str) -> tuple[int, int] | None:
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None
