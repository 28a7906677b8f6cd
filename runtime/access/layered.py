"""The access check: its layers, put together in order."""

import secrets
from collections.abc import Callable
from functools import cache

from starlette.types import ASGIApp

from runtime import metrics
from runtime.access import backups, endpoints, pages
from runtime.access.audit import AuditLog
from runtime.access.callers import Callers
from runtime.access.credentials import Sessions
from runtime.access.layers.authentication import Authentication
from runtime.access.layers.authorisation import Authorisation
from runtime.access.layers.content.creation import Creation
from runtime.access.layers.content.searching import Searching
from runtime.access.layers.content.size import BodyLimit
from runtime.access.layers.entrance import Entrance
from runtime.access.layers.forwarding import Forwarding
from runtime.access.layers.headers import ResponseHeaders
from runtime.access.layers.known_host import KnownHost
from runtime.access.layers.notice import Notice
from runtime.access.layers.own_routes import Own, OwnRoutes
from runtime.access.layers.page_parts import PageParts
from runtime.access.layers.preflight import Preflight
from runtime.access.layers.recording import Recording, audited, counted
from runtime.access.people import account, api, client_wheel, login, openapi
from runtime.access.prefix import BelowPath
from runtime.access.refusal import Refusal
from runtime.access.rules.locations import of_stack
from runtime.access.rules.routes.server import ASSISTANT
from runtime.access.served.standstill import Standstill
from runtime.access.status import answers as status
from runtime.access.status import changes
from runtime.database.engine import open_engine
from runtime.database.lock import MIGRATION, SERVERS_LOOK_SECONDS, is_held
from runtime.retention.store import beside
from runtime.settings import MADE_TOKEN, RuntimeSettings, secret_file, variable


def layered(mlflow: ASGIApp, settings: RuntimeSettings, *, has_telemetry: bool = False) -> ASGIApp:
    """``mlflow`` behind the check. Called once before the workers are forked.

    Each layer knows only the next, and what lies in the scope (see `exchange`). Own routes stand
    before the check that they need not pass, and what matches none of them goes on to it.
    """
    prefix, public = settings.path_prefix, settings.public_url.rstrip("/")
    secret = _session_secret(settings)
    sessions = Sessions(secret, prefix)
    callers = Callers(settings, sessions)
    has_oidc = bool(settings.oidc_issuer)
    token_is = _where_the_token_is(settings)
    site = pages.Site(prefix, public, settings.stack, token_is, has_oidc=has_oidc)
    refusal = Refusal(site)
    worker_metrics = metrics.Metrics(settings)

    https = settings.public_url.startswith("https:")
    sign_in = endpoints.SignIn(prefix, callers, refusal, sessions, https=https)
    client = client_wheel.offer(prefix, public)
    for_everybody = [
        Own(pages.SIGN_IN, sign_in, ("POST",)),
        Own(login.EXCHANGE, login.exchange(callers), ("POST",)),
        *(Own(path, client, ("GET", "HEAD")) for path in (pages.CLIENT, f"{pages.CLIENT}/")),
    ]
    oidc = _oidc(settings, callers, sessions, secret) if has_oidc else None
    if oidc:
        for_everybody.append(Own(pages.OIDC, oidc[0]))
    sign_out = endpoints.sign_out(prefix, callers, sessions, has_oidc=has_oidc)
    for_callers = [
        Own(pages.SIGN_OUT, sign_out, ("POST",)),
        Own(pages.ACCOUNT, account.account(prefix, callers, public), ("GET", "HEAD")),
        Own(account.FORM, account.form(prefix, callers, public), ("POST",)),
        Own(login.PATH, login.page(prefix, callers), ("GET", "POST")),
    ]
    status_api, status_page = status.routes(callers, settings)
    by_role = [
        *([] if settings.assistant else [Own(path, endpoints.no_assistant) for path in ASSISTANT]),
        Own(metrics.PATH, endpoints.metrics_page(worker_metrics), ("GET",)),
        Own(backups.PATH, endpoints.backup_requests(settings)),
        Own(openapi.TOKENS, api.tokens(callers), ("GET", "POST", "PATCH", "DELETE")),
        Own(openapi.PEOPLE, api.people(callers), ("GET", "POST", "DELETE")),
        Own(changes.API, changes.api(callers), ("GET",)),
        Own(status.API, status_api, ("GET",)),
        Own(openapi.DOCUMENT, api.document(prefix), ("GET",)),
        Own(beside.PATH, endpoints.store_question(settings), ("GET",)),
        Own(status.PAGE.rstrip("/"), status_page, ("GET",)),
        # The last: it takes all below it that no other does.
        Own(status.PAGE, status_page, ("GET",)),
    ]

    # From the innermost to the outermost.
    app: ASGIApp = Forwarding(mlflow, seconds=settings.search_seconds)
    parts = PageParts(prefix, settings.stack, has_telemetry, settings.assistant)
    app = Notice(app, parts)
    app = Searching(app, settings.search_conditions)
    app = KnownHost(app, settings.given_public_url, settings.scheme, prefix)
    app = Creation(app, of_stack(settings))
    app = OwnRoutes(app, by_role)
    app = Authorisation(app, protect_registry=settings.protect_registry)
    app = OwnRoutes(app, for_callers)
    app = Authentication(app, callers, refusal)
    app = OwnRoutes(app, for_everybody)
    app = Standstill(app, _migrating(settings), SERVERS_LOOK_SECONDS)
    app = Preflight(app, settings.origins)
    app = BodyLimit(app, request=settings.max_request_bytes, artifact=settings.max_artifact_bytes)
    app = ResponseHeaders(app, settings.public_url)
    log = audited(AuditLog(settings.audit_log), reads=settings.audit_reads)
    kept = changes.Changes(lambda: callers.engine)
    app = Recording(app, [counted(worker_metrics), log, kept.observe])
    app = Entrance(app, mlflow)
    app = oidc[1](app) if oidc else app
    return BelowPath(app, prefix) if prefix else app


def _oidc(
    settings: RuntimeSettings, callers: Callers, sessions: Sessions, secret: str
) -> tuple[ASGIApp, Callable[[ASGIApp], ASGIApp]]:
    """The routes of the sign-in, and what adds to an application that rights are asked for anew."""
    # Authlib is an extra.
    from runtime.access.issuer.client import Issuer
    from runtime.access.issuer.renewal import Beside, Renewal
    from runtime.access.issuer.rules import rules_of
    from runtime.access.issuer.sign_in import SignIn
    from runtime.sealed.sign_ins import is_kept

    issuer, rules = Issuer(settings, keeps_refresh_tokens=is_kept(settings)), rules_of(settings)
    sign_in = SignIn(settings, callers, sessions, secret, issuer, rules)
    if not is_kept(settings):
        return sign_in.app, lambda app: app
    renewal = Renewal(settings, callers, issuer, rules)
    return sign_in.app, lambda app: Beside(app, renewal)


def _migrating(settings: RuntimeSettings) -> Callable[[], bool]:
    """Whether somebody migrates the store; opened in the worker, once it is asked."""
    opened = cache(lambda: open_engine(settings))
    return lambda: is_held(opened(), MIGRATION)


def _where_the_token_is(settings: RuntimeSettings) -> str:
    """For whoever looks at the page where a token is asked for."""
    if settings.job_token:
        return "what `make token` prints"
    file = secret_file(variable("tracking_token"))
    if file and file.name == MADE_TOKEN:
        return f"in the file {file} of the server, which its log showed once at the first start"
    return f"what the server has in {variable('tracking_token')}"


def _session_secret(settings: RuntimeSettings) -> str:
    """What sessions are signed with: the same in every worker, and in every replica."""
    token = settings.tracking_token.get_secret_value() if settings.tracking_token else None
    # The first line alone: it stays while a second token is being handed out.
    return token.split()[0] if token else secrets.token_hex(32)
