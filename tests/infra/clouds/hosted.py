"""A rehearsed machine for one test."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from infra.rehearsal.host.host import Host


@contextmanager
def hosted(name: str) -> Generator[Host]:
    """A host with nothing on it; at the end nothing of it is left."""
    with tempfile.TemporaryDirectory(prefix="trackstack-") as folder:
        made = Host(name, Path(folder))
        try:
            yield made
        finally:
            made.sweep()
            made.close()
