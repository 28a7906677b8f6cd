"""The real Docker provider in place of the stand-in, where this machine has its plugin."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from infra.rehearsal.docker.cloud import open_cloud
from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.provider.serving import serving

_NAME = "pulumi-resource-docker"


def find() -> Path:
    """The plugin on PATH, else the newest that `pulumi plugin install` put there.

    Raises RehearsalError where there is none.
    """
    if found := shutil.which(_NAME):
        return Path(found)
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    installed = list(home.glob(f"plugins/resource-docker-v*/{_NAME}"))
    if not installed:
        raise RehearsalError(
            f"there is no {_NAME} on PATH nor in {home}/plugins; "
            "`pulumi plugin install resource docker` gets it"
        )
    return max(installed, key=lambda path: path.stat().st_mtime)


@contextmanager
def docker_provider(state_dir: Path, *, is_real: bool) -> "Generator[tuple[str, Path | None]]":
    """What an Engine takes as ``providers`` and ``plugin``: the stand-in, or the real one."""
    if is_real:
        yield "", find()
        return
    with serving(open_cloud(state_dir)) as providers:
        yield providers, None
