"""What tests need of the system: found, or installed from Debian."""

import os
import shutil
import subprocess


def ensure_debian(command: str, *packages: str) -> str:
    """The path of ``command``; its Debian packages are installed where it is missing.

    Raises RuntimeError where that cannot be done.
    """
    if shutil.which(command) is None:
        install_debian(*packages)
    found = shutil.which(command)
    if not found:
        raise RuntimeError(f"{' '.join(packages)} did not bring {command}")
    return found


def install_debian(*packages: str) -> None:
    """Install Debian packages; raises RuntimeError where that cannot be done."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-qq", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "-y", *arguments], env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-500:]}")
