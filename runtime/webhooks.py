"""MLflow's registry webhooks: the key that keeps their secrets, and how a receiver checks one.

MLflow encrypts a webhook's secret under MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY; without it, under a
key that each start makes up, so that after a restart no webhook can be read any more.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping

from runtime.probe import token_of
from runtime.settings import RuntimeSettings

SIGNATURE, TIMESTAMP, DELIVERY = (
    "X-MLflow-Signature",
    "X-MLflow-Timestamp",
    "X-MLflow-Delivery-Id",
)
_TOLERANCE_SECONDS = 300


def encryption_key(settings: RuntimeSettings) -> str | None:
    """The key for MLflow: the one that is given, else one made of the deployment's own secret.

    That is the jobs' token, which the stack keeps and nobody rotates; where there is none, the
    first bearer token, whose rotation then needs webhooks' secrets to be set again.
    """
    if settings.webhook_key:
        return settings.webhook_key.get_secret_value()
    secret = settings.job_token.get_secret_value() if settings.job_token else token_of(settings)
    if not secret:
        return None
    return derived_key(secret, b"trackstack webhook secrets")


def derived_key(secret: str, purpose: bytes) -> str:
    """A key of its own for each purpose, made of one secret; URL-safe base64 of 256 bits."""
    return base64.urlsafe_b64encode(hmac.digest(secret.encode(), purpose, hashlib.sha256)).decode()


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
