"""Alive, but not ready: what the server's port answers while its store is restored or migrated."""

import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6

from runtime import health
from runtime.settings import RuntimeSettings

_RETRY_SECONDS = 30
_MESSAGE = b"The store is being restored or migrated; try again in a while.\n"


class _Answer(BaseHTTPRequestHandler):
    # The liveness route.
    alive: str

    def do_GET(self) -> None:
        # A probe that finds nobody would have the container killed in the midst of it. A load
        # balancer's, of READY_PATH, must fail: it would send users here.
        is_probe = self.path == self.alive
        body = b"OK" if is_probe else _MESSAGE
        self.send_response(200 if is_probe else 503)
        if not is_probe:
            self.send_header("Retry-After", str(_RETRY_SECONDS))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a log line a probe would bury what the work says."""


class _Ipv6Server(ThreadingHTTPServer):
    address_family = AF_INET6


@contextmanager
def answering(settings: RuntimeSettings) -> Generator[None]:
    """Answer at the server's address: probes with 200, all else with 503 and when to come again."""
    kind = _Ipv6Server if ":" in settings.host else ThreadingHTTPServer
    alive = f"{settings.path_prefix}{health.PATH}"
    handler = type("_AnswerBelowPath", (_Answer,), {"alive": alive})
    server = kind((settings.host, settings.port), handler)
    if settings.tls_cert_file:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
