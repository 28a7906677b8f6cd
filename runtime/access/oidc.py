"""Sign-in of people by OpenID Connect: authorization code with PKCE, state and nonce, by Authlib.

What the issuer says of a person is turned into a role once, when they sign in; the session that
they get holds the role and ends after some hours, so that a group that they leave counts by then.
https://openid.net/specs/openid-connect-core-1_0.html
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, cast

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from runtime.access import pages
from runtime.access.callers import Callers
from runtime.access.credentials import Person, Sessions
from runtime.access.exchange import exchange_of
from runtime.errors import UserError
from runtime.settings import RuntimeSettings
from runtime.settings.values import EVERYBODY
from runtime.tokens.store import Role

_SCOPE = "openid profile email"
# Seconds between leaving for the issuer and coming back.
_SIGN_IN_SECONDS = 600


@dataclass(frozen=True)
class Rules:
    """Who may sign in, and as what. Pure."""

    users: frozenset[str]
    groups: frozenset[str]
    admin_groups: frozenset[str]
    read_groups: frozenset[str]
    user_claim: str | None = None
    """Another claim that ``users`` may be named by."""

    def role_of(self, claims: Mapping[str, Any]) -> Role | None:
        """The highest role that the claims give; None for who may not enter."""
        groups = group_names(claims) - {EVERYBODY}
        if groups & self.admin_groups:
            return Role.ADMIN
        groups |= {EVERYBODY}
        if groups & self.groups or user_names(claims, self.user_claim) & self.users:
            return Role.WRITE
        return Role.READ if groups & self.read_groups else None


def group_names(claims: Mapping[str, Any]) -> frozenset[str]:
    """Groups and app roles: names or ids as text, or as OCI IAM has them, objects with a name."""
    found: set[str] = set()
    for claim in ("groups", "roles"):
        value = claims.get(claim)
        for entry in cast("Iterable[Any]", value if isinstance(value, list) else []):
            name = (
                cast("Mapping[str, Any]", entry).get("name") if isinstance(entry, dict) else entry
            )
            if isinstance(name, str):
                found.add(name)
    return frozenset(found)


def user_names(claims: Mapping[str, Any], more: str | None = None) -> frozenset[str]:
    """What a stack file may name a person by: nothing that people choose for themselves.

    That is the issuer's own id for them, or the address that it has verified; ``more`` is a claim
    that the stack file trusts too. An id that looks like an address is none.
    """
    ids = _texts(claims, "sub", "oid")
    names = {name for name in ids if "@" not in name} | verified_addresses(claims)
    return frozenset(names | (_texts(claims, more) if more else set()))


def verified_addresses(claims: Mapping[str, Any]) -> set[str]:
    """The e-mail address, where the issuer says that it is the person's own.

    Entra ID says so by a claim of its own, ``xms_edov``, where the application asks for it.
    """
    said = (claims.get("email_verified"), claims.get("xms_edov"))
    is_verified = any(word is True or word in ("true", "1") or word == 1 for word in said)
    return _texts(claims, "email") if is_verified else set()


def _texts(claims: Mapping[str, Any], *names: str) -> set[str]:
    return {value for name in names if isinstance(value := claims.get(name), str) and value}


def display_name(claims: Mapping[str, Any]) -> str:
    """How the audit log names a person: by what is theirs alone, so that none can pass for another.

    A name that people choose comes with the issuer's id, which no token has.
    """
    for address in verified_addresses(claims):
        return address[:120]
    identity = str(claims.get("sub", "?"))[:120]
    for claim in ("preferred_username", "email", "name"):
        for chosen in _texts(claims, claim):
            return f"{chosen[:120]} ({identity})"
    return f"({identity})"


def with_userinfo(claims: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """The claims with those of the userinfo endpoint; raises ValueError where they are another's.

    https://openid.net/specs/openid-connect-core-1_0.html#UserInfoResponse
    """
    if not claims.get("sub") or more.get("sub") != claims["sub"]:
        raise ValueError("userinfo is of another subject")
    # What the issuer has signed stays as it is.
    return {**more, **{name: value for name, value in claims.items() if value}}


def is_overage(claims: Mapping[str, Any]) -> bool:
    """Whether Entra ID left the groups out because they are too many."""
    names = claims.get("_claim_names")
    return claims.get("hasgroups") is True or (isinstance(names, dict) and "groups" in names)


def asked_scope(rules: Rules, metadata: Mapping[str, Any]) -> str:
    """What the issuer is asked for: groups too, where they count and it has a scope for them. Pure.

    OCI IAM and Okta give them to nobody else; others refuse a scope that they do not know.
    """
    named = (rules.groups | rules.admin_groups | rules.read_groups) - {EVERYBODY}
    has_scope = "groups" in (metadata.get("scopes_supported") or ())
    return f"{_SCOPE} groups" if named and has_scope else _SCOPE


def rules_of(settings: RuntimeSettings) -> Rules:
    """The rules; raises UserError where nobody is named, or something is missing."""
    rules = Rules(
        frozenset(settings.allowed_users),
        frozenset(settings.allowed_groups),
        frozenset(settings.admin_groups),
        frozenset(settings.read_groups),
        settings.oidc_user_claim,
    )
    if not settings.oidc_client_id:
        raise UserError(
            "TRACKSTACK_OIDC_ISSUER is set: set TRACKSTACK_OIDC_CLIENT_ID to the client's ID there",
            2,
        )
    if find_spec("authlib") is None or find_spec("httpx2") is None:
        raise UserError.of_extra("sign-in by OpenID Connect", "oidc")
    if EVERYBODY in rules.admin_groups:
        raise UserError(
            f"TRACKSTACK_ADMIN_GROUPS={EVERYBODY} would make an admin of everybody whom the issuer "
            "lets in: name groups",
            2,
        )
    if not (rules.users or rules.groups or rules.admin_groups or rules.read_groups):
        raise UserError(
            "TRACKSTACK_OIDC_ISSUER is set, but nobody is named who may sign in: set "
            "TRACKSTACK_ALLOWED_GROUPS, TRACKSTACK_ALLOWED_USERS, TRACKSTACK_ADMIN_GROUPS or "
            "TRACKSTACK_READ_GROUPS",
            2,
        )
    return rules


class SignIn:
    """The routes of the sign-in, below /trackstack/oidc."""

    def __init__(
        self, settings: RuntimeSettings, callers: Callers, sessions: Sessions, secret: str
    ) -> None:
        from authlib.integrations.starlette_client import OAuth

        self._prefix = settings.path_prefix
        self._rules = rules_of(settings)
        self._callers, self._sessions = callers, sessions
        self._public = settings.public_url.rstrip("/")
        self._secure = settings.public_url.startswith("https:")
        client_secret = settings.oidc_client_secret
        self._oauth: Any = OAuth()
        self._oauth.register(
            "oidc",
            client_id=settings.oidc_client_id,
            client_secret=client_secret.get_secret_value() if client_secret else None,
            server_metadata_url=f"{settings.oidc_issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": _SCOPE,
                "code_challenge_method": "S256",
                "timeout": 20,
                **({} if client_secret else {"token_endpoint_auth_method": "none"}),
            },
        )
        between = Middleware(
            SessionMiddleware,
            secret_key=secret,
            # Of this stack alone: cookies know no port.
            session_cookie=sessions.cookie.replace("session", "sign_in"),
            max_age=_SIGN_IN_SECONDS,
            path=self._prefix or "/",
            https_only=self._secure,
        )
        routes = [
            Route(pages.OIDC_BEGIN, self._begin),
            Route(pages.OIDC_END, self._end),
            Route(pages.OIDC_LOGOUT, self._logout),
        ]
        self.app = Starlette(routes=routes, middleware=[between])

    async def _begin(self, request: Request) -> Response:
        request.session["next"] = request.query_params.get("next", "")
        back = f"{self._public}{pages.OIDC_END}"
        try:
            metadata: Any = await self._oauth.oidc.load_server_metadata()
            scope = asked_scope(self._rules, metadata)
            return await self._oauth.oidc.authorize_redirect(request, back, scope=scope)
        except Exception as error:
            return self._failed(
                request, f"the issuer cannot be reached ({type(error).__name__})", 503
            )

    async def _end(self, request: Request) -> Response:
        from authlib.integrations.base_client import OAuthError

        try:
            token: Any = await self._oauth.oidc.authorize_access_token(request)
            claims = dict(token["userinfo"])
            if not group_names(claims):
                # Many issuers give groups on this endpoint alone.
                claims = with_userinfo(claims, await self._oauth.oidc.userinfo(token=token))
        except OAuthError as error:
            return self._failed(request, f"the issuer refused ({error.error})", 403)
        except Exception as error:
            return self._failed(request, f"the answer is not valid ({type(error).__name__})", 403)
        role = self._rules.role_of(claims)
        name = display_name(claims)
        people, subject = self._callers.own.people, f"{claims.get('iss')} {claims.get('sub')}"
        may_enter = await asyncio.to_thread(people.sign_in, name, role, subject)
        self._callers.tokens.forget()
        if role is None:
            why = (
                "the issuer left your groups out because they are too many. Whoever runs it can "
                "give the application roles (app roles), or have it send only the groups that are "
                "assigned to the application"
                if is_overage(claims)
                else "you are in none of the groups that may use this server"
            )
            return self._failed(request, f"{name}: {why}", 403, name)
        if not may_enter:
            why = "an admin has removed you from this server"
            return self._failed(request, f"{name}: {why}", 403, name)
        target = pages.local_target(str(request.session.pop("next", "")), self._prefix)
        request.session.clear()
        exchange_of(request.scope).caller = Person(name, role)
        answer = RedirectResponse(target, 303)
        cookie = self._sessions.issue_person(name, role, secure=self._secure)
        answer.headers.append("set-cookie", cookie)
        return answer

    async def _logout(self, request: Request) -> Response:
        """Leave the issuer's session too, where it says how."""
        try:
            metadata: Any = await self._oauth.oidc.load_server_metadata()
            if metadata.get("end_session_endpoint"):
                home = f"{self._public}/"
                client = self._oauth.oidc.client_id
                return await self._oauth.oidc.logout_redirect(request, home, client_id=client)
        except Exception as error:
            return self._failed(
                request, f"the issuer cannot be reached ({type(error).__name__})", 503
            )
        return RedirectResponse(self._prefix + "/", 303)

    def _failed(self, request: Request, reason: str, status: int, name: str = "") -> Response:
        exchange_of(request.scope).turned_away = name or None
        page = pages.message_page(self._prefix, "You are not signed in", reason)
        return HTMLResponse(page, status, dict(pages.HEADERS))
