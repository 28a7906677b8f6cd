"""A way to a server that refuses some requests, as an overloaded, old or closed one does."""

import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.background import in_background
from tests.runtime.serving import Serving


@contextmanager
def way_to(server: Serving, refusal: Callable[[str], int]) -> Generator[str]:
    """Pass requests on but those whose path is to be answered by a status; yields its address."""
    turn = threading.Lock()

    class Way(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
            with turn:
                status = refusal(self.path.partition("?")[0])
            answer = b"refused"
            if not status:
                asked = urllib.request.Request(server.uri + self.path, body, method=self.command)
                for name in ("Authorization", "Content-Type"):
                    if self.headers.get(name):
                        asked.add_header(name, self.headers[name])
                try:
                    with urllib.request.urlopen(asked, timeout=30) as given:
                        status, answer = given.status, given.read()
                except urllib.error.HTTPError as error:
                    status, answer = error.code, error.read()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = _pass_on  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            return

    way = ThreadingHTTPServer(("127.0.0.1", 0), Way)
    with in_background(way):
        yield f"http://127.0.0.1:{way.server_address[1]}"
