"""Authenticates and authorizes callers: tokens of managed identities, and role assignments.

A role counts at its scope and below. https://learn.microsoft.com/azure/role-based-access-control
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qs

from infra.rehearsal.azure.ids import TENANT, USER_ASSIGNED_IDENTITY, has_role
from infra.rehearsal.host.endpoint import Request, Response, json_response
from infra.rehearsal.host.host import Host
from infra.rehearsal.provider.resource import Cloud
from infra.rehearsal.provider.store import Record
from infra.rehearsal.provider.values import child

_LIFE_SECONDS = 3600
# What each role lets its bearer do with data, by the kinds of request.
_READ, _WRITE = frozenset({"GET", "HEAD"}), frozenset({"PUT", "POST", "DELETE", "PATCH"})
_DATA_ROLES = {
    "Storage Blob Data Contributor": _READ | _WRITE,
    "Storage Blob Data Reader": _READ,
}
# Who may have a key to sign with, on the account or above:
# learn.microsoft.com/rest/api/storageservices/get-user-delegation-key#permissions
_DELEGATORS = (*_DATA_ROLES, "Storage Blob Delegator")
# The deployer, who is no managed identity.
DEPLOYER = "deployer"


@dataclass
class Entra:
    """Issues tokens and validates them; they are valid in this process only."""

    cloud: Cloud
    host: Host
    _tokens: dict[str, str] = field(default_factory=dict[str, str])

    def open(self) -> None:
        """Serve Azure's APIs at the host's endpoint."""
        routes = self.host.endpoint.routes
        routes["/identity"] = self._identity
        routes["/oauth2/exchange"] = self._exchange
        routes["/registry"] = self._registry
        routes["/blob"] = self._blob
        routes["/vault"] = self._vault

    def token(self, principal: str) -> str:
        """A new token for a principal."""
        now = int(time.time())
        claims = {
            "iss": f"https://sts.windows.net/{TENANT}/",
            "aud": "https://storage.azure.com",
            "oid": principal,
            "tid": TENANT,
            "jti": secrets.token_urlsafe(16),
            "nbf": now - 60,
            "iat": now,
            "exp": now + _LIFE_SECONDS,
        }
        # Nobody here reads its signature: tokens of ours are looked up in ``_tokens``.
        parts = ({"alg": "HS256", "typ": "JWT"}, claims, secrets.token_urlsafe(32))
        token = ".".join(_encoded(json.dumps(part)) for part in parts)
        self._tokens[token] = principal
        return token

    def environment(self, holder: str) -> dict[str, str]:
        """What Azure's libraries find in the environment of what runs as an identity."""
        return {
            "IDENTITY_ENDPOINT": f"http://{self.host.endpoint.address}/identity",
            "IDENTITY_HEADER": self._secret(holder),
        }

    def may(self, principal: str, role: str, scope: str) -> bool:
        """Whether a principal has a role on a resource, by an assignment there or above that the
        services know of by now.
        """
        known_by = self.cloud.conditions.known_by
        return has_role(self.cloud.store, principal, role, scope, known_by)

    def principal_of(self, identity: str) -> str | None:
        """The principal of a managed identity, by its id."""
        record = self.cloud.store.get(identity)
        known = record and record.token == USER_ASSIGNED_IDENTITY
        return record.props["principalId"] if record and known else None

    def _secret(self, holder: str) -> str:
        return hashlib.sha256(f"{self.host.authority.key}{holder}".lower().encode()).hexdigest()

    def _identity(self, request: Request) -> Response:
        """https://learn.microsoft.com/azure/container-apps/managed-identity"""
        shown = request.headers.get("x-identity-header", "")
        holders = [
            record
            for record in self.cloud.store.all()
            if secrets.compare_digest(self._secret(record.id), shown)
        ]
        if not holders:
            return _refuse(401, "the identity header is not that of this resource")
        return self.managed(holders[0], request.query)

    def managed(self, holder: Record, query: Mapping[str, str]) -> Response:
        """A token for a managed identity that is assigned to a resource."""
        given = child(holder.props, "identity").get("userAssignedIdentities")
        for id in cast("list[str]", given or []):
            record = self.cloud.store.get(id)
            if record and record.props["clientId"] == query.get("client_id"):
                body = {
                    "access_token": self.token(record.props["principalId"]),
                    "expires_on": str(int(time.time()) + _LIFE_SECONDS),
                    "expires_in": str(_LIFE_SECONDS),
                    "resource": query.get("resource"),
                    "token_type": "Bearer",
                    "client_id": record.props["clientId"],
                }
                return json_response(200, body)
        return _refuse(400, "no such identity is assigned to this resource")

    def _exchange(self, request: Request) -> Response:
        form = parse_qs(request.body.decode())
        principal = self._tokens.get(form.get("access_token", [""])[0])
        if principal is None:
            return _refuse(401, "the access token is not valid")
        return json_response(200, {"refresh_token": self.token(principal)})

    def _registry(self, request: Request) -> Response:
        """Whether a push or pull may pass; the registry's id follows in the path."""
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        password = base64.b64decode(shown).decode().partition(":")[2] if kind == "Basic" else ""
        principal = self._tokens.get(password)
        if principal is None:
            return Response(401, headers={"WWW-Authenticate": 'Basic realm="rehearsal"'})
        reads = request.headers.get("x-forwarded-method") in _READ
        if principal == DEPLOYER or (reads and self.may(principal, "AcrPull", request.rest)):
            return Response(200)
        return _refuse(403, "the identity has no such role on this registry")

    def _bearer(self, request: Request) -> str | None:
        """Whose token a request bears."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return self._tokens.get(token) if kind == "Bearer" else None

    def _vault(self, request: Request) -> Response:
        """A secret of a Key Vault, whose id follows in the path.

        https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret
        """
        principal = self._bearer(request)
        if principal is None:
            return _refuse(401, "the request has no valid token")
        path = request.headers.get("x-forwarded-uri", "").partition("?")[0]
        id = f"{request.rest}/secrets/{path.split('/')[2]}"
        record = self.cloud.store.get(id)
        if record is None or not self.may(principal, "Key Vault Secrets User", id):
            return _refuse(403, "the identity may not read this secret")
        return json_response(200, {"id": id, "value": child(record.props, "properties")["value"]})

    def _blob(self, request: Request) -> Response:
        """Whether a request to Blob storage may pass; the account's id follows in the path.

        What a user delegation key has signed may what its principal may, until it ends. Azurite
        knows no such signature newer than of 2025-07-05: it is given a token in its place.
        """
        path, _, query = request.headers.get("x-forwarded-uri", "/").partition("?")
        asked = parse_qs(query)
        shown, principal = request.headers.get("authorization", ""), self._bearer(request)
        if not shown and _is_valid(asked):
            principal = asked["skoid"][0]
            shown = f"Bearer {self.token(principal)}"
        if principal is None:
            return _refuse(401, "the request has no valid token", "NoAuthenticationInformation")
        method = request.headers.get("x-forwarded-method", "")
        scope = f"{request.rest}/blobServices/default/containers/{path.split('/')[1]}"
        roles = [role for role, methods in _DATA_ROLES.items() if method in methods]
        if asked.get("comp") == ["userdelegationkey"]:
            roles, scope = _DELEGATORS, request.rest
        if any(self.may(principal, role, scope) for role in roles):
            return Response(200, headers={"Authorization": shown})
        return _refuse(
            403,
            "This request is not authorized to perform this operation using this permission.",
            "AuthorizationPermissionMismatch",
        )


def _is_valid(asked: Mapping[str, list[str]]) -> bool:
    """Whether a query bears a signature by a user delegation key that has not ended."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"skoid", "sig", "se"} <= asked.keys() and asked["se"][0] > now


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _refuse(status: int, message: str, code: str = "Refused") -> Response:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(
        status, body.encode(), {"Content-Type": "application/xml", "x-ms-error-code": code}
    )
