"""The way of a code from the browser to this process: a listener on loopback, for one answer."""

import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from runtime.client import server
from runtime.errors import UserError

_PAGE = b"<!doctype html><meta charset=utf-8><title>Signed in</title><p>Back to the terminal."


class Listener:
    """Takes the code that comes with the right ``state``; anything else is answered 404.

    Listens from `with` on: some browsers are waited for until they end.
    """

    def __init__(self) -> None:
        self.state = secrets.token_urlsafe(16)
        self._code: str | None = None
        self._came = threading.Event()
        self._server = HTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def fields(self) -> dict[str, str]:
        """What the page must know to send the code here."""
        return {"port": str(self._server.server_port), "state": self.state}

    def __enter__(self) -> "Listener":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait(self, seconds: float) -> str:
        """The code; raises UserError where none came in time."""
        if not self._came.wait(seconds) or self._code is None:
            raise UserError(
                "no answer came from the browser; with a browser elsewhere: "
                "trackstack login --code URL"
            )
        return self._code

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                state = query.get("state", [""])[0]
                if secrets.compare_digest(state.encode(), listener.state.encode()):
                    listener._code = query.get("code", [""])[0]
                    self.send_response(200)
                    self.send_header("content-type", "text/html")
                    self.end_headers()
                    self.wfile.write(_PAGE)
                    listener._came.set()
                else:
                    self.send_error(404)

            def log_message(self, format: str, *_args: object) -> None:
                return

        return Handler


def page(url: str, challenge: str, role: str, **more: str) -> str:
    """The address of the server's page that asks for consent."""
    fields = {"challenge": challenge, "label": socket.gethostname()[:56], "role": role, **more}
    return f"{url}{server.LOGIN}?{urlencode(fields)}"


def opens(address: str, opener: Callable[[str], bool] = webbrowser.open) -> bool:
    """Whether a browser was opened there."""
    try:
        return opener(address)
    except (OSError, webbrowser.Error):
        return False
