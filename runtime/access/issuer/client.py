"""What is asked of the issuer, by Authlib: sign-in, claims, and whether they still hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from runtime.access.issuer.rules import SCOPE, Rules, asked_scope, group_names, with_userinfo
from runtime.settings import RuntimeSettings

_OFFLINE = "offline_access"
_TIMEOUT_SECONDS = 20
# The one answer that says for good that a refresh token is worth nothing any more:
# https://www.rfc-editor.org/rfc/rfc6749#section-5.2
_INVALID_GRANT = "invalid_grant"


class RefusedError(Exception):
    """The issuer does not know the refresh token, or its person, any more."""


class UnansweredError(Exception):
    """Nothing is known: the issuer was not reached, or could not say."""


@dataclass(frozen=True)
class Refreshed:
    """What the issuer says of a person now; and the refresh token that is good from now on."""

    claims: Mapping[str, Any]
    refresh_token: str


class Issuer:
    """The issuer, as this server is registered there."""

    def __init__(self, settings: RuntimeSettings, *, keeps_refresh_tokens: bool) -> None:
        """``keeps_refresh_tokens``: whether there is a key to keep them under."""
        from authlib.integrations.starlette_client import OAuth

        self._keeps, secret = keeps_refresh_tokens, settings.oidc_client_secret
        oauth: Any = OAuth()
        oauth.register(
            "oidc",
            client_id=settings.oidc_client_id,
            client_secret=secret.get_secret_value() if secret else None,
            server_metadata_url=f"{settings.oidc_issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": SCOPE,
                "code_challenge_method": "S256",
                "timeout": _TIMEOUT_SECONDS,
                **({} if secret else {"token_endpoint_auth_method": "none"}),
            },
        )
        self._client: Any = oauth.oidc

    async def gives_refresh_tokens(self) -> bool:
        """Whether one that outlasts the session can be asked for, and kept."""
        metadata: Any = await self._client.load_server_metadata()
        return self._keeps and _OFFLINE in (metadata.get("scopes_supported") or ())

    async def redirect(
        self, request: Request, back: str, rules: Rules, *, offline: bool
    ) -> Response:
        """Lead a browser to the issuer, with a refresh token asked for where ``offline``."""
        scope = asked_scope(rules, await self._client.load_server_metadata())
        scope += f" {_OFFLINE}" if offline else ""
        found: Response = await self._client.authorize_redirect(request, back, scope=scope)
        return found

    async def came_back(self, request: Request) -> tuple[dict[str, Any], str]:
        """The claims of who comes back, and the refresh token, empty where none was given.

        Raises Authlib's OAuthError where the issuer refused, any other error for a wrong answer.
        """
        token: Any = await self._client.authorize_access_token(request)
        claims = await self._with_groups(dict(token["userinfo"]), token)
        return claims, token.get("refresh_token") or ""

    async def refresh(self, refresh_token: str, subject: str) -> Refreshed:
        """Ask anew of the person of this ``sub``; the refresh token is used up by it.

        Raises RefusedError or UnansweredError.
        """
        from authlib.integrations.base_client import OAuthError

        try:
            # With no scope it is that which was granted.
            token: Any = await self._client.fetch_access_token(
                grant_type="refresh_token", refresh_token=refresh_token, scope=None
            )
        except OAuthError as error:
            if error.error == _INVALID_GRANT:
                raise RefusedError from None
            raise UnansweredError(str(error.error)) from None
        except Exception as error:
            raise UnansweredError(type(error).__name__) from None
        return Refreshed(
            await self._claims_of(token, subject), token.get("refresh_token") or refresh_token
        )

    async def _claims_of(self, token: Any, subject: str) -> Mapping[str, Any]:
        """Empty where they are not known: the token that came with them is to be kept all the same.

        An ID token is no must here:
        https://openid.net/specs/openid-connect-core-1_0.html#RefreshTokenResponse
        """
        try:
            given = await self._client.parse_id_token(token, nonce=None)
            claims = await self._with_groups(dict(given or {"sub": subject}), token)
        except Exception:
            return {}
        return claims if claims.get("sub") == subject else {}

    async def _with_groups(self, claims: dict[str, Any], token: Any) -> dict[str, Any]:
        if group_names(claims):
            return claims
        # Many issuers give groups on this endpoint alone.
        return with_userinfo(claims, await self._client.userinfo(token=token))

    async def leave(self, request: Request, home: str) -> Response | None:
        """Lead a browser to where the issuer's session ends; None where it has no such place."""
        metadata: Any = await self._client.load_server_metadata()
        if not metadata.get("end_session_endpoint"):
            return None
        found: Response = await self._client.logout_redirect(
            request, home, client_id=self._client.client_id
        )
        return found
