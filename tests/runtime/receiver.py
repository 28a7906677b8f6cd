"""A real receiver of webhooks, which checks each signature."""

import http.server
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from runtime import webhooks
from tests.background import in_background


@dataclass
class Receiver:
    """An HTTP server that keeps what is signed and refuses the rest."""

    secret: str
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    refused: int = 0
    busy: int = 0
    """How many deliveries to turn away with 503."""

    def answer(self, headers: Any, body: bytes) -> int:
        if self.busy:
            self.busy -= 1
            return 503
        if not webhooks.verify(self.secret, headers, body):
            self.refused += 1
            return 401
        self.bodies.append(json.loads(body))
        return 200

    def events(self) -> list[tuple[str, str]]:
        return [(body["entity"], body["action"]) for body in self.bodies]


@contextmanager
def receiving(secret: str, host: str = "127.0.0.1") -> Generator[Receiver]:
    """Receive at ``host`` what is signed with ``secret``."""
    receiver = Receiver(secret)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.answer(self.headers, body))
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = http.server.ThreadingHTTPServer((host, 0), Handler)
    receiver.url = f"http://{host}:{server.server_address[1]}/promoted"
    with in_background(server):
        yield receiver
