"""The check that every request passes."""

import asyncio
import secrets
import time
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime import health, metrics
from runtime.access import backups, pages
from runtime.access.audit import AuditLog, is_worth_noting
from runtime.access.credentials import (
    Person,
    Sessions,
    bearer_token,
    header,
    is_same_origin,
    without_credentials,
)
from runtime.access.exchange import Exchange
from runtime.access.responses import (
    add_missing,
    answer,
    answer_error,
    answer_page,
    redirect,
    security_headers,
)
from runtime.access.rules import bodies, locations, queries
from runtime.access.rules.limits import FailureLimit, largest
from runtime.access.rules.roles import is_known, plain, required_role
from runtime.database.engine import open_engine
from runtime.settings import RuntimeSettings, secret_file
from runtime.tokens.store import MountedTokens, Role, Token, TokenSet, TokenTable


@dataclass(frozen=True)
class AccessConfig:
    """What the check needs to know; ``session_secret`` must be the same in every worker."""

    settings: RuntimeSettings
    mounted: MountedTokens
    session_secret: str
    prefix: str

    @classmethod
    def of(cls, settings: RuntimeSettings) -> "AccessConfig":
        token = settings.tracking_token.get_secret_value() if settings.tracking_token else None
        return cls(
            settings=settings,
            mounted=MountedTokens.of(settings, secret_file),
            # The first line alone: it stays while a second token is being handed out.
            session_secret=token.split()[0] if token else secrets.token_hex(32),
            prefix=settings.path_prefix,
        )


class Access:
    """ASGI middleware: finds who asks, lets in whose role allows it, and notes what they did."""

    def __init__(self, app: ASGIApp, config: AccessConfig) -> None:
        self._app, self._config, self._settings = app, config, config.settings
        self._sessions = Sessions(config.session_secret, config.prefix)
        self._failures = FailureLimit()
        self._audit = AuditLog(config.settings.audit_log)
        self._metrics = metrics.Metrics(config.settings)
        self._sign_in_app = self._make_sign_in()
        # Made in the worker, not before the fork: database connections must not be shared.
        self._tokens: TokenSet | None = None

    def _make_sign_in(self) -> ASGIApp | None:
        if not self._settings.oidc_issuer:
            return None
        # Authlib is an extra.
        from runtime.access.oidc import SignIn

        return SignIn(self._settings, self._sessions, self._config.session_secret).app

    @property
    def tokens(self) -> TokenSet:
        """This worker's view of the valid tokens."""
        if self._tokens is None:
            table = TokenTable(open_engine(self._settings))
            self._tokens = TokenSet(self._config.mounted, table)
        return self._tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif self._is_liveness(scope):
            await self._app(scope, receive, send)
        else:
            await self._http(Exchange(scope, str(scope["path"])), receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        value = bearer_token(scope["headers"])
        token = await self.tokens.find(value) if value else None
        if token and token.role >= required_role("POST", str(scope["path"])):
            await self._app(_cleaned(scope), receive, send)
        else:
            # Before it is accepted, a close is answered as HTTP 403.
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        extra = security_headers(exchange.path, self._settings.public_url)
        extra.append((b"x-request-id", exchange.id.encode()))

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message = add_missing(message, extra)
            await send(message)

        most = largest(
            exchange.method,
            exchange.path,
            request=self._settings.max_request_bytes,
            artifact=self._settings.max_artifact_bytes,
        )
        body = bodies.Limited(most, receive, send_noted)
        try:
            if most and bodies.announced(exchange.scope) > most:
                await body.refuse()
            await self._answer(exchange, body.receive, body.send)
        except Exception:
            if not body.refused:
                raise
        finally:
            self._note(exchange)

    def _note(self, exchange: Exchange) -> None:
        seconds = time.monotonic() - exchange.began
        self._metrics.observe(exchange.method, exchange.path, exchange.status, seconds)
        reads, signs_in = self._settings.audit_reads, exchange.path.startswith(pages.OIDC)
        if is_worth_noting(exchange.method, exchange.status, reads=reads, writes=signs_in):
            self._audit.write(exchange.entry())

    async def _answer(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        scope, path = exchange.scope, exchange.path
        if path == pages.SIGN_IN and exchange.method == "POST":
            await self._sign_in(exchange, receive, send)
            return
        if self._sign_in_app and path.startswith(pages.OIDC):
            await self._sign_in_app(scope, receive, send)
            return
        presented = bearer_token(scope["headers"])
        caller = await (self.tokens.find(presented) if presented else self._session(scope))
        exchange.caller = caller
        if caller is None:
            await self._refuse(exchange, send, wrong=presented is not None)
        elif presented is None and not is_same_origin(exchange.method, scope["headers"]):
            await answer_error(send, 403, "PERMISSION_DENIED", "cross-origin request")
        elif path == pages.SIGN_OUT and exchange.method == "POST":
            await self._sign_out(send, leaves_issuer=isinstance(caller, Person))
        elif path == pages.ACCOUNT:
            role = caller.role.name.lower()
            await answer_page(send, 200, pages.account_page(self._config.prefix, caller.name, role))
        elif caller.role >= self._required_role(exchange):
            await self._serve(exchange, receive, send)
        elif path == queries.PATH:
            await self._query(exchange, caller, receive, send)
        else:
            await self._deny(exchange, caller, send)

    async def _serve(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        path = exchange.path
        if path == metrics.PATH and exchange.method == "GET":
            # In a thread: it asks the database.
            content = await asyncio.to_thread(self._metrics.render)
            await answer(send, 200, [(b"content-type", metrics.CONTENT_TYPE)], content)
        elif path == backups.PATH:
            status, content = await asyncio.to_thread(
                backups.respond, self._settings, exchange.method
            )
            await answer(send, status, [(b"content-type", b"application/json")], content)
        elif plain(path) == locations.CREATION and exchange.method == "POST":
            await self._create_experiment(exchange, receive, send)
        else:
            await self._app(_cleaned(exchange.scope), receive, send)

    async def _create_experiment(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        """Let nobody but administrators say that artifacts lie elsewhere on the server."""
        if exchange.caller is None or exchange.caller.role < Role.ADMIN:
            body = await bodies.read(receive, locations.LARGEST_BODY)
            destination = self._settings.artifacts_destination
            if body is None or not locations.may_create(body, destination):
                await answer_error(send, 403, "PERMISSION_DENIED", locations.REFUSAL)
                return
            receive = bodies.again(body, receive)
        await self._app(_cleaned(exchange.scope), receive, send)

    async def _query(
        self, exchange: Exchange, caller: Token | Person, receive: Receive, send: Send
    ) -> None:
        """GraphQL for who may only read: what is a query for certain, and nothing else."""
        body = await bodies.read(receive, queries.LARGEST_BODY)
        if body is not None and queries.is_query(body):
            await self._serve(exchange, bodies.again(body, receive), send)
        else:
            await self._deny(exchange, caller, send)

    async def _deny(self, exchange: Exchange, caller: Token | Person, send: Send) -> None:
        has = f"{caller.name!r} has {caller.role.name.lower()}"
        if is_known(exchange.method, exchange.path):
            needed = self._required_role(exchange).name.lower()
            message = f"this needs the role {needed}; {has}"
            await answer_error(send, 403, "PERMISSION_DENIED", message)
        else:
            # As MLflow says it: its client then tries an older route.
            message = "there is no such route, or one that is not known here and thus "
            message += f"needs the role admin; {has}"
            await answer_error(send, 404, "ENDPOINT_NOT_FOUND", message)

    def _is_liveness(self, scope: Scope) -> bool:
        # The raw path: none of its other spellings is open.
        raw = scope.get("raw_path") or scope["path"].encode()
        return raw == health.PATH.encode() and scope["method"] in ("GET", "HEAD")

    def _required_role(self, exchange: Exchange) -> Role:
        protect = self._settings.protect_registry
        return required_role(exchange.method, exchange.path, protect_registry=protect)

    async def _session(self, scope: Scope) -> Token | Person | None:
        session = self._sessions.read(scope["headers"])
        if session is None or isinstance(session, Person):
            return session
        return await self.tokens.find_session(*session)

    async def _refuse(self, exchange: Exchange, send: Send, *, wrong: bool) -> None:
        scope = exchange.scope
        wait = self._failures.fail(exchange.address) if wrong else 0
        if wait:
            message = "too many wrong tokens from this address"
            await answer_error(send, 429, "RESOURCE_EXHAUSTED", message, retry_after=wait)
        elif "text/html" in header(scope["headers"], b"accept"):
            target = self._config.prefix + (exchange.path if exchange.method == "GET" else "/")
            await answer_page(send, 401, self._sign_in_page(target, wrong))
        else:
            message = "a valid token is needed: set MLFLOW_TRACKING_TOKEN"
            await answer_error(send, 401, "UNAUTHENTICATED", message)

    async def _sign_out(self, send: Send, *, leaves_issuer: bool) -> None:
        if self._sign_in_app and leaves_issuer:
            # A page that leads on: a form's redirect to the issuer would break the form's policy.
            page = pages.leaving_page(self._config.prefix + pages.OIDC_LOGOUT)
            await answer_page(send, 200, page, self._sessions.end)
        else:
            await redirect(send, self._config.prefix + "/", self._sessions.end)

    def _sign_in_page(self, target: str, wrong: bool) -> bytes:
        has_oidc = self._sign_in_app is not None
        return pages.sign_in_page(self._config.prefix, target, wrong=wrong, has_oidc=has_oidc)

    async def _sign_in(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        scope = exchange.scope
        form = await bodies.read_form(receive)
        if form is None or not is_same_origin(exchange.method, scope["headers"]):
            await answer_error(send, 403, "PERMISSION_DENIED", "not a sign-in from this page")
            return
        token = await self.tokens.find(form.get("token", ""))
        if token is None:
            await self._refuse(exchange, send, wrong=True)
            return
        exchange.caller = token
        secure = scope["scheme"] == "https" or self._settings.public_url.startswith("https:")
        cookie = self._sessions.issue(token, secure=secure)
        await redirect(send, pages.local_target(form.get("next", ""), self._config.prefix), cookie)


def _cleaned(scope: Scope) -> Scope:
    return {**scope, "headers": without_credentials(scope["headers"])}
