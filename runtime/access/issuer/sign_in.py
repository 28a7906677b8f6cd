"""Sign-in of people by OpenID Connect: authorization code with PKCE, state and nonce, by Authlib.

What the issuer says of a person is turned into a role when they sign in; the session that they get
holds the role and ends after some hours, so that a group that they leave counts by then. Where the
issuer gives a refresh token, it is asked anew meanwhile: see `renewal`.
https://openid.net/specs/openid-connect-core-1_0.html
"""

import asyncio
from urllib.parse import urlencode

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
from runtime.access.issuer.client import Issuer
from runtime.access.issuer.rules import Rules, display_name, is_overage
from runtime.sealed import sign_ins
from runtime.sealed.sign_ins import RefreshTokens, SignedIn
from runtime.settings import RuntimeSettings
from runtime.tokens.store import Owner, utc_now

# Seconds between leaving for the issuer and coming back.
_SIGN_IN_SECONDS = 600
# The person's own no; any other refusal may be of the refresh token that was asked for.
_DENIED = "access_denied"


class SignIn:
    """The routes of the sign-in, below /trackstack/oidc."""

    def __init__(
        self,
        settings: RuntimeSettings,
        callers: Callers,
        sessions: Sessions,
        secret: str,
        issuer: Issuer,
        rules: Rules,
    ) -> None:
        self._prefix = settings.path_prefix
        self._issuer, self._rules, self._settings = issuer, rules, settings
        self._callers, self._sessions = callers, sessions
        self._public = settings.public_url.rstrip("/")
        self._secure = settings.public_url.startswith("https:")
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
            wanted = request.query_params.get("offline") != "no"
            offline = wanted and await self._issuer.gives_refresh_tokens()
            request.session["offline"] = offline
            return await self._issuer.redirect(request, back, self._rules, offline=offline)
        except Exception as error:
            return self._failed(
                request, f"the issuer cannot be reached ({type(error).__name__})", 503
            )

    async def _end(self, request: Request) -> Response:
        from authlib.integrations.base_client import OAuthError

        offline = request.session.pop("offline", False)
        try:
            claims, refresh_token = await self._issuer.came_back(request)
        except OAuthError as error:
            if offline and error.error != _DENIED:
                # The application may have no right to refresh tokens there: it goes without one.
                again = urlencode({"offline": "no", "next": request.session.get("next", "")})
                return RedirectResponse(f"{self._prefix}{pages.OIDC_BEGIN}?{again}", 303)
            return self._failed(request, f"the issuer refused ({error.error})", 403)
        except Exception as error:
            return self._failed(request, f"the answer is not valid ({type(error).__name__})", 403)
        role = self._rules.role_of(claims)
        name = display_name(claims)
        issuer, subject = str(claims.get("iss")), str(claims.get("sub"))
        signed_in = SignedIn(name, issuer, subject, refresh_token if offline else "")
        people = self._callers.own.people
        may_enter = await asyncio.to_thread(people.sign_in, name, role, signed_in.issuer_s_own)
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
        await asyncio.to_thread(self._keep, signed_in, Owner(name, role).key)
        target = pages.local_target(str(request.session.pop("next", "")), self._prefix)
        request.session.clear()
        exchange_of(request.scope).caller = Person(name, role)
        answer = RedirectResponse(target, 303)
        cookie = self._sessions.issue_person(name, role, secure=self._secure)
        answer.headers.append("set-cookie", cookie)
        return answer

    def _keep(self, signed_in: SignedIn, key: str) -> None:
        if signed_in.refresh_token:
            RefreshTokens(self._callers.engine, self._settings).keep(key, signed_in, utc_now())
        else:
            # That of an earlier sign-in may be refused for having been followed by this one.
            sign_ins.forget(self._callers.engine, key)

    async def _logout(self, request: Request) -> Response:
        """Leave the issuer's session too, where it says how."""
        try:
            if leaving := await self._issuer.leave(request, f"{self._public}/"):
                return leaving
        except Exception as error:
            return self._failed(
                request, f"the issuer cannot be reached ({type(error).__name__})", 503
            )
        return RedirectResponse(self._prefix + "/", 303)

    def _failed(self, request: Request, reason: str, status: int, name: str = "") -> Response:
        exchange_of(request.scope).turned_away = name or None
        page = pages.message_page(self._prefix, "You are not signed in", reason)
        return HTMLResponse(page, status, dict(pages.HEADERS))
