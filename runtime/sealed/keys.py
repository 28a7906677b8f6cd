"""Of what each key is made: one of its own for each purpose."""

import base64
import hashlib
import hmac

from runtime.errors import UserError
from runtime.settings import RuntimeSettings, variable

# Characters that hold 192 bits in base64.
_SHORTEST = 32


def derived_key(secret: str, purpose: bytes) -> str:
    """A key of its own for each purpose, made of one secret; URL-safe base64 of 256 bits."""
    return base64.urlsafe_b64encode(hmac.digest(secret.encode(), purpose, hashlib.sha256)).decode()


def own_keys(settings: RuntimeSettings) -> list[str]:
    """The deployment's keys for what lies in the store, the newest first; none where none is given.

    Those of before are there so that what lies under them can be read once more. Raises UserError
    where one can be guessed.
    """
    keys = settings.secrets_key.get_secret_value().split() if settings.secrets_key else []
    if any(len(key) < _SHORTEST for key in keys):
        raise UserError(
            f"{variable('secrets_key')}: a key is shorter than {_SHORTEST} characters, so that it "
            "can be guessed: set one such as `openssl rand -base64 32` prints",
            2,
        )
    return keys
