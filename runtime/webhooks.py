"""MLflow's registry webhooks: how a receiver checks one."""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping

SIGNATURE, TIMESTAMP, DELIVERY = (
    "X-MLflow-Signature",
    "X-MLflow-Timestamp",
    "X-MLflow-Delivery-Id",
)
_TOLERANCE_SECONDS = 300


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: float | None = None) -> bool:
    """Whether a delivery comes from who knows ``secret``, unchanged, within five minutes.

    For receivers in Python; ``headers`` must find names as they are written here.
    """
    stamp = headers.get(TIMESTAMP, "")
    if not stamp.isdecimal():
        return False
    if abs((time.time() if now is None else now) - int(stamp)) > _TOLERANCE_SECONDS:
        return False
    signed = f"{headers.get(DELIVERY, '')}.{stamp}.".encode() + body
    digest = hmac.digest(secret.encode(), signed, hashlib.sha256)
    wanted = b"v1," + base64.b64encode(digest)
    return hmac.compare_digest(wanted, headers.get(SIGNATURE, "").encode())
