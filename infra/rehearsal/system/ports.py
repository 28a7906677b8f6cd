"""Free ports of this machine."""

import contextlib
import secrets
import socket


def find_free_port() -> int:
    """From below the range in which the kernel takes ports for connections: it stays free."""
    while True:
        port = 12_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
