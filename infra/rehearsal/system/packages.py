"""Debian and npm packages that a rehearsal runs: found, or installed."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

from infra.place import ROOT
from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.system.locks import one_at_a_time

_INSTALLED = ROOT / ".trackstack" / "npm"


def ensure_debian(command: str, *packages: str) -> str:
    """The path of ``command``; its Debian packages are installed where it is missing.

    Raises RehearsalError where that cannot be done.
    """
    if shutil.which(command) is None:
        install_debian(*packages)
    found = shutil.which(command)
    if not found:
        raise RehearsalError(f"{' '.join(packages)} did not bring {command}")
    return found


def install_debian(*packages: str) -> None:
    """Install Debian packages; raises RehearsalError where that cannot be done."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["install", "-qq", "--no-install-recommends", *packages]
    with one_at_a_time("system"):
        for arguments in (["update", "-qq"], install):
            done = subprocess.run(
                ["apt-get", "-y", *arguments], env=environment, capture_output=True, text=True
            )
            if done.returncode:
                raise RehearsalError(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-500:]}")


@functools.cache
def install_npm(source: Path) -> Path:
    """Install what ``source``'s package-lock.json names, under the project's ignored folder.

    Returns the folder that has node_modules; raises RehearsalError where it cannot be done.
    """
    ensure_debian("node", "nodejs")
    ensure_debian("npm", "npm")
    folder = _INSTALLED / source.name
    folder.mkdir(parents=True, exist_ok=True)
    lock = (source / "package-lock.json").read_bytes()
    marker = folder / "installed.json"
    with one_at_a_time(f"npm-{source.name}"):
        if not marker.exists() or marker.read_bytes() != lock:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(source / name, folder)
            done = subprocess.run(
                ["npm", "ci", "--no-audit"], cwd=folder, capture_output=True, text=True
            )
            if done.returncode:
                raise RehearsalError(
                    f"npm ci of {source.name} failed: {done.stderr.strip()[-500:]}"
                )
            marker.write_bytes(lock)
    return folder
