"""Requests to a server, by the standard library alone."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, cast

from runtime.errors import UserError

# What is asked for beside MLflow's own routes; the server takes the paths from here.
TOKENS, STATUS = "/trackstack/api/tokens", "/trackstack/api/status"
BACKUPS = "/trackstack/backups"
# A page for people, and what takes the code that it gave.
LOGIN, EXCHANGE = "/trackstack/login", "/trackstack/login/token"

_TIMEOUT_SECONDS = 20


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
        with _opener(url, authority).open(request, timeout=_TIMEOUT_SECONDS) as answer:
            return answer.status, _object(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, _object(error.read())
    except OSError as error:
        raise UserError(f"{url}: {_advice(error)}", 75) from None


def _opener(url: str, authority: str | None) -> urllib.request.OpenerDirector:
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise UserError(f"{authority}: is no certificate authority in PEM ({error})", 2) from None
    if authority:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # Plain HTTP goes to this machine alone: the environment's proxy would read it.
    is_plain = url.startswith("http:")
    proxy = urllib.request.ProxyHandler({} if is_plain else None)
    https = urllib.request.HTTPSHandler(context=context)
    return urllib.request.build_opener(_NoRedirect, proxy, https)


def _advice(error: OSError) -> str:
    """The cause in a few words, and what to do. Pure."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, ssl.SSLCertVerificationError):
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
