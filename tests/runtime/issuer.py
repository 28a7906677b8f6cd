"""A real OpenID Connect issuer on loopback, by the npm package oidc-provider."""

import functools
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import find_free_port
from tests.packages import ensure_debian

_SOURCE = Path(__file__).parents[1] / "issuer"
_INSTALLED = Path(__file__).parents[2] / ".trackstack" / "npm" / "issuer"
CLIENT_ID = "trackstack-tests"


@functools.cache
def _install() -> Path:
    ensure_debian("node", "nodejs")
    ensure_debian("npm", "npm")
    _INSTALLED.mkdir(parents=True, exist_ok=True)
    lock = (_SOURCE / "package-lock.json").read_bytes()
    marker = _INSTALLED / "installed.json"
    if not marker.exists() or marker.read_bytes() != lock:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_SOURCE / name, _INSTALLED)
        subprocess.run(["npm", "ci", "--silent", "--no-audit"], cwd=_INSTALLED, check=True)
        marker.write_bytes(lock)
    return _INSTALLED


@contextmanager
def issuing(home: str) -> Generator[str]:
    """Serve the issuer for the server at ``home``; gives its address."""
    folder, port = _install(), find_free_port()
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
