"""Where the cloud's endpoints ask who a caller is and what it may do: HTTP on one address."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request. ``rest`` is what follows the route's own path."""

    method: str
    rest: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


Route = Callable[[Asked], Answer]


class Door:
    """Serves ``routes`` (path -> function; the longest that fits) until closed."""

    def __init__(self, address: str) -> None:
        self.routes: dict[str, Route] = {}
        door = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else b""
                answer = door.answer(self.command, self.path, dict(self.headers.items()), body)
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
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """Host and port."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer of the route that the path begins with."""
        split = urlsplit(path)
        query = {name: values[-1] for name, values in parse_qs(split.query).items()}
        lower = {name.lower(): value for name, value in headers.items()}
        for prefix in sorted(self.routes, key=len, reverse=True):
            if split.path == prefix or split.path.startswith(f"{prefix}/"):
                rest = split.path.removeprefix(prefix)
                return self.routes[prefix](Asked(method, rest, query, lower, body))
        return Answer(404)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
