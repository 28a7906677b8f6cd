"""A CONNECT proxy that resolves the names which a rehearsed cloud publishes.

A client finds it in HTTPS_PROXY, so nothing on the machine has to resolve the cloud's names.
"""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import cast

_SECONDS = 30
_CHUNK = 1 << 16
# Host name -> address that it has here, with a port where that differs from the requested one;
# None where the cloud has no such name.
Resolve = Callable[[str], "str | None"]


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        request = self.rfile.readline(4096).decode("latin-1").split()
        while self.rfile.readline(4096).strip():
            pass
        server = cast("_Server", self.server)
        host, _, port = request[1].rpartition(":") if len(request) > 1 else ("", "", "")
        address = server.resolve(host) if request[:1] == ["CONNECT"] else None
        if address is None:
            self.wfile.write(b"HTTP/1.1 502 there is no such name\r\n\r\n")
            return
        try:
            name, _, other = address.partition(":")
            there = socket.create_connection((name, int(other or port)), _SECONDS)
        except OSError:
            self.wfile.write(b"HTTP/1.1 502 it does not answer\r\n\r\n")
            return
        there.settimeout(None)
        self.wfile.write(b"HTTP/1.1 200 connected\r\n\r\n")
        with there:
            back = threading.Thread(target=_pump, args=(there, self.connection), daemon=True)
            back.start()
            _pump(self.connection, there)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, resolve: Resolve) -> None:
        self.resolve = resolve
        super().__init__(("127.0.0.1", 0), _Handler)


@contextmanager
def connect_proxy(resolve: Resolve) -> Generator[str]:
    """Serve on loopback; gives the proxy's address as HTTPS_PROXY has it."""
    with _Server(resolve) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
