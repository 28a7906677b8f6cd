"""Who may sign in, and as what, by what the issuer says of a person."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, cast

from runtime.errors import UserError
from runtime.settings import RuntimeSettings
from runtime.settings.values import EVERYBODY
from runtime.tokens.store import Role

SCOPE = "openid profile email"
# Claims of which each says that the address is the person's own.
_VERIFIED = ("email_verified", "xms_edov")


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
    said = (claims.get(name) for name in _VERIFIED)
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
    # What the issuer has signed stays as it is, and what is verified is the address beside it.
    is_other = claims.get("email") and more.get("email") != claims["email"]
    added = {name: value for name, value in more.items() if not (is_other and name in _VERIFIED)}
    signed = {name: value for name, value in claims.items() if value or value is False}
    return {**added, **signed}


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
    return f"{SCOPE} groups" if named and has_scope else SCOPE


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
