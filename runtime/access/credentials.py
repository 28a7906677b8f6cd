"""The credentials of a request: a bearer token, the token as a password, or a session cookie."""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer

from runtime.tokens.store import Role, Token

COOKIE = "trackstack_session"
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


class Sessions:
    """Signed cookies: they name a token, and end with it, or a person with a role.

    Browsers send them to what is below ``prefix`` alone: other servers of the host see none.
    """

    def __init__(self, secret: str, prefix: str = "") -> None:
        key = hmac.digest(secret.encode(), b"trackstack session", hashlib.sha256)
        self._signer = URLSafeTimedSerializer(key, salt="trackstack session")
        self._flags = f"; Path={prefix or '/'}; HttpOnly; SameSite=Lax"

    def issue(self, token: Token, *, secure: bool) -> str:
        """A Set-Cookie value that signs in the holder of ``token`` for 12 hours."""
        return self._cookie(["token", token.name, token.hash[:16]], secure=secure)

    def issue_person(self, name: str, role: Role, *, secure: bool) -> str:
        """A Set-Cookie value that signs in a person for 12 hours."""
        return self._cookie(["person", name, role.name], secure=secure)

    def _cookie(self, content: list[str], *, secure: bool) -> str:
        value = self._signer.dumps(content)
        flags = f"; Max-Age={SESSION_SECONDS}{self._flags}"
        return f"{COOKIE}={value}{flags}{'; Secure' if secure else ''}"

    @property
    def end(self) -> str:
        """A Set-Cookie value that signs out."""
        return f"{COOKIE}=; Max-Age=0{self._flags}"

    def read(self, headers: Headers) -> "tuple[str, str] | Person | None":
        """What a valid cookie holds: a token's name and proof, or a person.

        Other programs on the host set cookies too, in any form and perhaps under our name.
        """
        for part in header(headers, b"cookie").split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE and (found := self._read(value)):
                return found
        return None

    def _read(self, value: str) -> "tuple[str, str] | Person | None":
        try:
            kind, name, proof = self._signer.loads(value, max_age=SESSION_SECONDS)
            return Person(str(name), Role[proof]) if kind == "person" else (str(name), str(proof))
        except (BadSignature, KeyError, ValueError):
            return None


def without_credentials(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers as MLflow may see them: its gateway would send them on to other services."""
    return [
        (name, _without_session(value) if name.lower() == b"cookie" else value)
        for name, value in headers
        if name.lower() != b"authorization"
    ]


def _without_session(value: bytes) -> bytes:
    parts = [part.strip() for part in value.split(b";")]
    return b"; ".join(p for p in parts if not p.startswith(COOKIE.encode() + b"="))


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
