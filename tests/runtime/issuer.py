"""A real OpenID Connect issuer on loopback, by the npm package oidc-provider."""

import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from infra.rehearsal.system.packages import install_npm
from infra.rehearsal.system.ports import find_free_port

_SOURCE = Path(__file__).parents[1] / "issuer"
CLIENT_ID = "trackstack-tests"


@contextmanager
def issuing(home: str) -> Generator[str]:
    """Serve the issuer for the server at ``home``; gives its address."""
    folder, port = install_npm(_SOURCE), find_free_port()
    shutil.copy(_SOURCE / "issuer.mjs", folder)
    back = f"{home}/trackstack/oidc/end"
    command = ["node", "issuer.mjs", str(port), CLIENT_ID, back, f"{home}/"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert any(line.strip() == "ready" for line in process.stdout), "the issuer has ended"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
