"""A port of this machine, looked at before anything is made."""

import errno
import socket

import psutil

from infra.errors import StackError


def is_free(port: int, address: str = "127.0.0.1", *, by_daemon: bool = False) -> bool:
    """Whether a server could listen there.

    A daemon that publishes it (``by_daemon``) may take ports that are root's, and may be on another
    machine: what alone says that it cannot is that somebody has the port.
    """
    with socket.socket() as probe:
        # As the server does: a connection that is still closing does not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return by_daemon and error.errno != errno.EADDRINUSE
    return True


def holder(port: int) -> psutil.Process | None:
    """The process that listens on a port, where that can be seen."""
    try:
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
            ):
                return psutil.Process(connection.pid) if connection.pid else None
    except psutil.Error:
        pass
    return None


def held(port: int, process: psutil.Process | None) -> StackError:
    """The error that says who holds the port."""
    by = f"process {process.pid} ({process.name()})" if process else "another process"
    return StackError(
        f"trackstack:port: {port} is held by {by}; stop that process or choose a free port"
    )
