"""Programs of Go that tests use, built from the modules that pin them."""

import os
import subprocess
from pathlib import Path

from tools.engine import install


def build_go(module: Path, package: str, target: Path) -> Path:
    """Build a program of a Go module that pins it, as a static binary at ``target``."""
    subprocess.run(
        [install.find_go(), "build", "-o", target, package],
        cwd=module,
        env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"},
        check=True,
        timeout=500,
    )
    return target
