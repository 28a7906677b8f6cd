"""The credentials of a request: a bearer token, the token as a password, or a session cookie."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer

from runtime.tokens.store import Role, Token

COOKIE = "trackstack_session"
# What all cookies of stacks begin with, also those of another stack on this host.
_OURS = b"trackstack_"
SESSION_SECONDS = 12 * 60 * 60
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

Headers = Iterable[tuple[bytes, bytes]]


def header(headers: Headers, name: bytes) -> str:
    """The one value of a header; empty where it is missing, or given more than once."""
    values = [value for key, value in headers if key.lower() == name]
    return values[0].decode("latin-1").strip() if len(values) == 1 else ""


def bearer_token(headers: Headers) -> str | None:
    """The token in ``Authorization``: Bearer, or the password of Basic.

    The MLflow client sends the first for MLFLOW_TRACKING_TOKEN and the second for
    MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.
    """
    scheme, _, value = header(headers, b"authorization").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip() or None
    if scheme.lower() == "basic":
        try:
            _, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return None
        return password or None
    return None


@dataclass(frozen=True)
class Person:
    """Somebody whom the issuer has named, with the role that their groups gave when they came."""

    name: str
    role: Role


@dataclass(frozen=True)
class Session:
    """What a valid cookie holds."""

    id: str
    holder: Person | tuple[str, str]
    """A person, or a token's name and proof."""
    until: datetime
    """When it ends of itself; UTC, naive."""


class Sessions:
    """Signed cookies: they name a token, and end with it, or a person with a role.

    Browsers send them to what is below ``prefix`` alone: other servers of the host see none. They
    know no port, so that the cookie's name is the stack's own.
    """

    def __init__(self, secret: str, prefix: str = "") -> None:
        key = hmac.digest(secret.encode(), b"trackstack session", hashlib.sha256)
        self._signer = URLSafeTimedSerializer(key, salt="trackstack session")
        self._flags = f"; Path={prefix or '/'}; HttpOnly; SameSite=Lax"
        self.cookie = f"{COOKIE}_{hashlib.sha256(key).hexdigest()[:8]}"

    def issue(self, token: Token, *, secure: bool) -> str:
        """A Set-Cookie value that signs in the holder of ``token`` for 12 hours."""
        return self._cookie("token", token.name, token.hash[:16], secure=secure)

    def issue_person(self, name: str, role: Role, *, secure: bool) -> str:
        """A Set-Cookie value that signs in a person for 12 hours."""
        return self._cookie("person", name, role.name, secure=secure)

    def _cookie(self, *content: str, secure: bool) -> str:
        value = self._signer.dumps([*content, secrets.token_hex(8)])
        flags = f"; Max-Age={SESSION_SECONDS}{self._flags}"
        return f"{self.cookie}={value}{flags}{'; Secure' if secure else ''}"

    @property
    def end(self) -> str:
        """A Set-Cookie value that has the browser forget the session."""
        return f"{self.cookie}=; Max-Age=0{self._flags}"

    def read(self, headers: Headers) -> list[Session]:
        """The sessions of a request whose cookies are signed, in its order.

        Other programs on the host set cookies too, in any form and perhaps under our name, and a
        browser sends those of several paths.
        """
        values = [value.decode("latin-1") for name, value in headers if name.lower() == b"cookie"]
        parts = [part.strip().partition("=") for value in values for part in value.split(";")]
        found = (self._read(value) for name, _, value in parts if name == self.cookie)
        return [session for session in found if session]

    def _read(self, value: str) -> Session | None:
        try:
            content, signed = self._signer.loads(
                value, max_age=SESSION_SECONDS, return_timestamp=True
            )
            kind, name, proof, session = map(str, content)
            holder = Person(name, Role[proof]) if kind == "person" else (name, proof)
        except (BadSignature, KeyError, TypeError, ValueError):
            return None
        until = signed.replace(tzinfo=None) + timedelta(seconds=SESSION_SECONDS)
        return Session(session, holder, until)


def without_credentials(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers as MLflow may see them: its gateway would send them on to other services."""
    return [
        (name, _without_session(value) if name.lower() == b"cookie" else value)
        for name, value in headers
        if name.lower() != b"authorization"
    ]


def _without_session(value: bytes) -> bytes:
    parts = [part.strip() for part in value.split(b";")]
    return b"; ".join(p for p in parts if not p.startswith(_OURS))


def is_same_origin(method: str, headers: Headers) -> bool:
    """Whether a browser sent this from a page of ours, or because somebody followed a link.

    A page of another port of this host is another origin, though it is the same site, so that the
    cookie goes along with what it asks for.
    """
    is_safe, site = method in _SAFE, header(headers, b"sec-fetch-site")
    if site in ("same-origin", "none"):
        return True
    if site:
        return is_safe and header(headers, b"sec-fetch-mode") == "navigate"
    origin = header(headers, b"origin")
    if is_safe and not origin:
        return True
    try:
        return urlsplit(origin).netloc == header(headers, b"host") != ""
    except ValueError:
        return False
