"""Signed requests, as OCI's SDK makes them, and who signed them.

https://docs.oracle.com/iaas/Content/API/Concepts/signingrequests.htm
"""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from infra.rehearsal.host.endpoint import Request

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_CLOCK_SECONDS = 300
_ALWAYS = frozenset({"date", "(request-target)", "host"})


@dataclass(frozen=True)
class Caller:
    """Who may sign with a key: a principal's OCID, or the deployer."""

    principal: str
    key: rsa.RSAPublicKey


# The caller of a key id; None where there is none such.
Known = Callable[[str], "Caller | None"]


def signed_target(request: Request) -> str:
    """Path and query that were signed; a reverse proxy passes them on in X-Forwarded-Uri."""
    return request.headers.get("x-forwarded-uri", request.target)


def signer(request: Request, known: Known, always: frozenset[str] = _ALWAYS) -> str | None:
    """The principal that signed a request, ``always`` at least; None where it is not validly so."""
    headers = request.headers
    kind, _, rest = headers.get("authorization", "").partition(" ")
    given = dict(_PARAMETER.findall(rest))
    names = given.get("headers", "").split()
    caller = known(given.get("keyId", "")) if kind == "Signature" else None
    if caller is None or not set(names) >= always or not _is_fresh(headers.get("date", "")):
        return None
    lines = [
        f"(request-target): {request.method.lower()} {signed_target(request)}"
        if name == "(request-target)"
        else f"{name}: {headers.get(name, '')}"
        for name in names
    ]
    digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
    if "x-content-sha256" in names and headers["x-content-sha256"] != digest:
        return None
    signature = base64.b64decode(given.get("signature", ""))
    try:
        caller.key.verify(signature, "\n".join(lines).encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return None
    return caller.principal


def _is_fresh(date: str) -> bool:
    try:
        then = parsedate_to_datetime(date)
    except ValueError:
        return False
    return abs((datetime.now(timezone.utc) - then).total_seconds()) < _CLOCK_SECONDS
