"""The check that every request passes."""

import json
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.access import pages
from runtime.access.credentials import SIGN_OUT, Sessions, bearer_token, header, without_credentials
from runtime.access.roles import required_role
from runtime.settings import RuntimeSettings, secret_file
from runtime.store import open_engine
from runtime.tokens import MountedTokens, Role, Token, TokenSet, TokenTable

_LARGEST_FORM = 4096
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PAGE_HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; "
        b"form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
]


@dataclass(frozen=True)
class AccessConfig:
    """What the check needs to know; ``session_secret`` must be the same in every worker."""

    settings: RuntimeSettings
    mounted: MountedTokens
    session_secret: str
    prefix: str
    protect_registry: bool

    @classmethod
    def of(cls, settings: RuntimeSettings) -> "AccessConfig":
        token = settings.tracking_token.get_secret_value() if settings.tracking_token else None
        path = secret_file("MLFLOW_TRACKING_TOKEN")
        return cls(
            settings=settings,
            mounted=MountedTokens(None if path else token, path),
            # The first line alone: it stays while a second token is being handed out.
            session_secret=token.split()[0] if token else secrets.token_hex(32),
            prefix=(settings.static_prefix or "").rstrip("/"),
            protect_registry=settings.protect_registry,
        )


class Access:
    """ASGI middleware: finds who asks, and lets in whose role allows it."""

    def __init__(self, app: ASGIApp, config: AccessConfig) -> None:
        self._app, self._config = app, config
        self._sessions = Sessions(config.session_secret)
        # Made in the worker, not before the fork: database connections must not be shared.
        self._tokens: TokenSet | None = None

    @property
    def tokens(self) -> TokenSet:
        """This worker's view of the valid tokens."""
        if self._tokens is None:
            table = TokenTable(open_engine(self._config.settings))
            self._tokens = TokenSet(self._config.mounted, table)
        return self._tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = await self._bearer(scope)
        if token and token.role >= required_role("POST", self._path(scope)):
            await self._app(self._cleaned(scope), receive, send)
        else:
            # Before it is accepted, a close is answered as HTTP 403.
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_liveness(scope):
            await self._app(scope, receive, send)
            return
        path = self._path(scope)
        if path == pages.SIGN_IN and scope["method"] == "POST":
            await self._sign_in(scope, receive, send)
            return
        token = await self._bearer(scope)
        from_cookie = token is None and bearer_token(scope["headers"]) is None
        if from_cookie:
            token = await self._session(scope)
        if token is None:
            await self._refuse_unknown(scope, send)
        elif from_cookie and not _is_same_origin(scope):
            await _answer_error(send, 403, "PERMISSION_DENIED", "cross-origin request")
        elif path == pages.SIGN_OUT and scope["method"] == "POST":
            await _redirect(send, self._config.prefix + "/", SIGN_OUT)
        elif token.role < (needed := self._required_role(scope["method"], path)):
            message = f"this needs the role {needed.name.lower()}; {token.name!r} has "
            message += token.role.name.lower()
            await _answer_error(send, 403, "PERMISSION_DENIED", message)
        else:
            await self._app(self._cleaned(scope), receive, send)

    def _is_liveness(self, scope: Scope) -> bool:
        # The raw path: none of its other spellings is open.
        raw = scope.get("raw_path") or scope["path"].encode()
        exact = f"{self._config.prefix}/health".encode()
        return raw == exact and scope["method"] in ("GET", "HEAD")

    def _path(self, scope: Scope) -> str:
        return str(scope["path"]).removeprefix(self._config.prefix)

    def _required_role(self, method: str, path: str) -> Role:
        return required_role(method, path, protect_registry=self._config.protect_registry)

    async def _bearer(self, scope: Scope) -> Token | None:
        value = bearer_token(scope["headers"])
        return await self.tokens.find(value) if value else None

    async def _session(self, scope: Scope) -> Token | None:
        session = self._sessions.read(scope["headers"])
        return await self.tokens.find_session(*session) if session else None

    def _cleaned(self, scope: Scope) -> Scope:
        return {**scope, "headers": without_credentials(scope["headers"])}

    async def _refuse_unknown(self, scope: Scope, send: Send, wrong: bool = False) -> None:
        wants_page = "text/html" in header(scope["headers"], b"accept")
        if not wants_page:
            message = "a valid token is needed: set MLFLOW_TRACKING_TOKEN"
            await _answer_error(send, 401, "UNAUTHENTICATED", message)
            return
        target = scope["path"] if scope["method"] == "GET" else f"{self._config.prefix}/"
        page = pages.sign_in_page(self._config.prefix, target, wrong)
        await _answer(send, 401, [*_PAGE_HEADERS, (b"www-authenticate", b"Bearer")], page)

    async def _sign_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        form = await _read_form(receive)
        if form is None or not _is_same_origin(scope):
            await _answer_error(send, 403, "PERMISSION_DENIED", "not a sign-in from this page")
            return
        token = await self.tokens.find(form.get("token", ""))
        if token is None:
            await self._refuse_unknown(scope, send, wrong=True)
            return
        cookie = self._sessions.issue(token, secure=scope["scheme"] == "https")
        await _redirect(send, _local_target(form.get("next", ""), self._config.prefix), cookie)


def _local_target(target: str, prefix: str) -> str:
    """A path on this server; anything else would be an open redirect."""
    parts = urlsplit(target)
    is_path = target.startswith("/") and not target.startswith(("//", "/\\"))
    safe = is_path and not parts.scheme and not parts.netloc and target.isprintable()
    return target if safe else f"{prefix}/"


def _is_same_origin(scope: Scope) -> bool:
    """Whether a browser sent this from a page of ours; safe methods change nothing anyway."""
    if scope["method"] in _SAFE:
        return True
    headers = scope["headers"]
    site = header(headers, b"sec-fetch-site")
    if site:
        return site in ("same-origin", "none")
    return urlsplit(header(headers, b"origin")).netloc == header(headers, b"host") != ""


async def _read_form(receive: Receive) -> dict[str, str] | None:
    body, more = b"", True
    while more:
        message: Message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _LARGEST_FORM:
            return None
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=8)
    return {name: values[0] for name, values in fields.items()}


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def _answer_error(send: Send, status: int, code: str, message: str) -> None:
    """In the shape of MLflow's own errors, so that its client shows the message."""
    headers = [(b"content-type", b"application/json")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await _answer(
        send, status, headers, json.dumps({"error_code": code, "message": message}).encode()
    )


async def _redirect(send: Send, target: str, cookie: str) -> None:
    headers = [(b"location", target.encode()), (b"set-cookie", cookie.encode())]
    await _answer(send, 303, headers, b"")
