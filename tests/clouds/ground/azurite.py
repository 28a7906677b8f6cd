"""Azurite, Microsoft's emulator of Blob storage, by npm."""

from pathlib import Path

from tests.conftest import find_free_port
from tests.engine import ROOT
from tests.packages import install_npm


def command(address: str, folder: Path) -> tuple[list[str], int]:
    """What serves the accounts of AZURITE_ACCOUNTS over HTTP at ``address``; and at which port."""
    port = find_free_port()
    program = install_npm(ROOT / "tests" / "azurite") / "node_modules" / ".bin" / "azurite-blob"
    where = [f"--blobHost={address}", f"--blobPort={port}", f"--location={folder}"]
    return [str(program), *where, "--skipApiVersionCheck", "--disableTelemetry", "--loose"], port
