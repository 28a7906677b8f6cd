"""Azurite, Microsoft's emulator of Blob storage, by npm."""

from pathlib import Path

from infra.rehearsal.system.packages import install_npm
from infra.rehearsal.system.ports import find_free_port

_PACKAGE = Path(__file__).parents[1] / "azurite"


def command(address: str, folder: Path, certificate: Path | None = None) -> tuple[list[str], int]:
    """The command that serves the accounts of AZURITE_ACCOUNTS at ``address``, and its port.

    With a folder that has a certificate, over TLS and for bearer tokens too.
    """
    port = find_free_port()
    program = install_npm(_PACKAGE) / "node_modules" / ".bin" / "azurite-blob"
    where = [f"--blobHost={address}", f"--blobPort={port}", f"--location={folder}"]
    if certificate:
        where += [f"--cert={certificate}/tls.pem", f"--key={certificate}/tls.key", "--oauth=basic"]
    return [str(program), *where, "--skipApiVersionCheck", "--disableTelemetry", "--loose"], port
