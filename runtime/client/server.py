"""Requests to a server, by the standard library alone."""

import base64
import hashlib
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from runtime import health
from runtime.errors import UserError

# What is asked for beside MLflow's own routes; the server takes the paths from here.
TOKENS, STATUS = "/trackstack/api/tokens", "/trackstack/api/status"
BACKUPS = "/trackstack/backups"
# A page for people, and what takes the code that it gave.
LOGIN, EXCHANGE = "/trackstack/login", "/trackstack/login/token"
HEALTH = health.PATH
# Of the proxy, at its own root: the certificate of a stack's own authority.
AUTHORITY = "/trackstack/authority.pem"

_TIMEOUT_SECONDS = 20
_LONGEST_CERTIFICATE = 1 << 16
# OpenSSL's codes: self-signed, alone or in the chain, or of an issuer that is not known here.
_UNKNOWN_AUTHORITY = (18, 19, 20, 21)
_OTHERWISE_WRONG = {
    10: "its certificate has ended: whoever looks after the server renews it",
    62: "its certificate is for another name: use the one that it is for",
    64: "its certificate is for another address: use the name that it is for",
}


class UntrustedError(UserError):
    """The server's certificate is of an authority that is not trusted here."""


def challenge_of(verifier: str) -> str:
    """What binds a sign-in to the computer that began it: 43 URL-safe characters. Pure.

    As PKCE has it (S256): https://www.rfc-editor.org/rfc/rfc7636#section-4.2
    """
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token, a code or a verifier goes to whom it was meant for alone."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def ask(
    url: str,
    method: str,
    path: str,
    *,
    token: str | None = None,
    body: Mapping[str, Any] | None = None,
    authority: str | None = None,
) -> tuple[int, dict[str, Any]]:
    """Status and JSON body, empty where it is none.

    Raises UserError with what to do where nothing answers.
    """
    content = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(  # noqa: S310 - its scheme was checked
        url + path, data=content, method=method, headers={"content-type": "application/json"}
    )
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with _opener(url, _trusting(authority)).open(request, timeout=_TIMEOUT_SECONDS) as answer:
            return answer.status, _object(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, _object(error.read())
    except OSError as error:
        cause = getattr(error, "reason", error)
        code = getattr(cause, "verify_code", None)
        kind = UntrustedError if code in _UNKNOWN_AUTHORITY else UserError
        raise kind(f"{url}: {_advice(error)}", 75) from None


def offered_authority(url: str) -> str | None:
    """The certificate that a stack's proxy offers as its authority's, in PEM; None for none.

    Whoever is in between can offer another: it is for a person to compare. Nothing is sent.
    """
    parts = urlsplit(url)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = f"{parts.scheme}://{parts.netloc}{AUTHORITY}"
    try:
        with _opener(url, context).open(address, timeout=_TIMEOUT_SECONDS) as answer:
            content: bytes = answer.read(_LONGEST_CERTIFICATE)
        text = content.decode("ascii")
        ssl.PEM_cert_to_DER_cert(text.strip())
    except (OSError, ValueError):
        return None
    return text


def _trusting(authority: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise UserError(f"{authority}: is no certificate authority in PEM ({error})", 2) from None
    if authority:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _opener(url: str, context: ssl.SSLContext) -> urllib.request.OpenerDirector:
    # Plain HTTP goes to this machine alone: the environment's proxy would read it.
    is_plain = url.startswith("http:")
    proxy = urllib.request.ProxyHandler({} if is_plain else None)
    https = urllib.request.HTTPSHandler(context=context)
    return urllib.request.build_opener(_NoRedirect, proxy, https)


def _advice(error: OSError) -> str:
    """The cause in a few words, and what to do. Pure."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        if cause.verify_code in _OTHERWISE_WRONG:
            return _OTHERWISE_WRONG[cause.verify_code]
        return (
            f"its certificate is not trusted here ({cause.verify_message}): name the authority's "
            "file by --ca FILE"
        )
    if isinstance(cause, ssl.SSLError):
        return "it speaks no TLS there: is it http:// instead of https://, or another port?"
    if isinstance(cause, ConnectionRefusedError):
        return "nothing listens there: is the server up, and the port right?"
    if isinstance(cause, TimeoutError):
        return "no answer in time: is its network reached from here?"
    return f"cannot be reached ({cause})"


def _object(content: bytes) -> dict[str, Any]:
    try:
        found: Any = json.loads(content)
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
