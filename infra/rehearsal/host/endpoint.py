"""A fake of a cloud's API endpoints: HTTP on one address, each API a route."""

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """A request. ``target`` is path and query as sent, ``rest`` what follows the route's path."""

    method: str
    target: str
    rest: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """A response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def json_response(status: int, body: object) -> Response:
    """A response with a JSON body."""
    return Response(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


Route = Callable[[Request], Response]


class Endpoint:
    """Serves ``routes`` (path -> function; the longest that fits) until closed.

    Over TLS with a folder that has a certificate.
    """

    def __init__(self, address: str, tls: Path | None = None) -> None:
        self.routes: dict[str, Route] = {}
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else b""
                answer = endpoint.answer(self.command, self.path, dict(self.headers.items()), body)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = _serve  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        if tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(tls / "tls.pem", tls / "tls.key")
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        """Host and port."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """The response of the route that the path begins with."""
        split = urlsplit(path)
        query = {name: values[-1] for name, values in parse_qs(split.query).items()}
        lower = {name.lower(): value for name, value in headers.items()}
        for prefix in sorted(self.routes, key=len, reverse=True):
            if split.path == prefix or split.path.startswith(f"{prefix}/"):
                rest = split.path.removeprefix(prefix)
                return self.routes[prefix](Request(method, path, rest, query, lower, body))
        return Response(404)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
