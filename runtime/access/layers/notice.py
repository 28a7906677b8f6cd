"""MLflow's web page for who is no administrator: it says which of its pages are an administrator's.

The page itself shows what it was refused in some places, and in others an empty list, or that the
network failed. Which page is shown only the browser knows, so that a script says it.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.access.exchange import exchange_of
from runtime.tokens.store import Role

_PAGE = "/"
# What a browser has of before may be of another role.
_CONDITIONS = (b"if-none-match", b"if-modified-since")
_KEPT = (b"etag", b"last-modified", b"content-length", b"cache-control")
_SCRIPT = """<script>(() => {
const note = document.createElement("div"), ours = /^#\\/(gateway|settings\\/(webhooks|llm-))/;
note.setAttribute("role", "status");
note.textContent = "What this page sets is an administrator's: you have the role ROLE.";
note.style.cssText = "position:fixed;z-index:9999;bottom:0;left:0;right:0;padding:8px 16px;"
  + "background:#fff3cd;color:#4d3800;border-top:1px solid #d6b656;font:14px system-ui,sans-serif";
const show = () => { note.hidden = !ours.test(location.hash);
  note.style.display = note.hidden ? "none" : "block"; };
document.body.append(note); show(); setInterval(show, 300);
})()</script>"""


class Notice:
    """Adds the script to the page, which no browser keeps; everything else is as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        if scope["type"] != "http" or (exchange.method, exchange.path) != ("GET", _PAGE):
            await self._app(scope, receive, send)
            return
        role = exchange.known_caller().role
        script = "" if role is Role.ADMIN else _SCRIPT.replace("ROLE", role.name.lower())
        asked = [pair for pair in scope["headers"] if pair[0].lower() not in _CONDITIONS]
        await self._app({**scope, "headers": asked}, receive, _Page(script.encode(), send).send)


class _Page:
    """The answer's end of a connection: holds the page, which is small, until it is whole."""

    def __init__(self, script: bytes, send: Send) -> None:
        self._script, self._send = script, send
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if self._start is None or message.get("more_body"):
            return
        headers = [pair for pair in self._start["headers"] if pair[0].lower() not in _KEPT]
        is_page = any(name.lower() == b"content-type" and b"html" in v for name, v in headers)
        body = self._body
        if is_page:
            body = body.replace(b"</body>", self._script + b"</body>", 1)
        length = (b"content-length", str(len(body)).encode())
        headers += [length, (b"cache-control", b"no-store")]
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})
