"""When the certificate ends that users see: the server's own, or that of the proxy before it."""

import ssl
import time
from datetime import datetime
from urllib.parse import urlsplit

from runtime.settings import RuntimeSettings

# A proxy that cannot be reached from here keeps nobody waiting for longer, nor again soon.
_TIMEOUT_SECONDS, _ASKED_EVERY_SECONDS = 2.0, 600.0


class Certificate:
    """One worker's view of it."""

    def __init__(self, settings: RuntimeSettings) -> None:
        self._settings = settings
        self._asked, self._ends = float("-inf"), datetime.min

    def ends(self) -> datetime | None:
        """Its end; None for plain HTTP, and where it cannot be seen from here.

        Reads a file or asks the proxy, so not for an event loop.
        """
        if file := self._settings.tls_cert_file:
            try:
                return _end_of(file.read_bytes())
            except (OSError, ValueError):
                return None
        address = urlsplit(self._settings.public_url)
        if address.scheme != "https" or not address.hostname:
            return None
        if time.monotonic() - self._asked > _ASKED_EVERY_SECONDS:
            self._ends = _asked(address.hostname, address.port or 443) or datetime.min
            self._asked = time.monotonic()
        return None if self._ends == datetime.min else self._ends


def _asked(host: str, port: int) -> datetime | None:
    try:
        # Not whether it is trusted, which is for clients to say: only when it ends.
        shown = ssl.get_server_certificate((host, port), timeout=_TIMEOUT_SECONDS)
        return _end_of(shown.encode())
    except (OSError, ValueError):
        return None


def _end_of(pem: bytes) -> datetime:
    """Of the first one, which is the server's; ValueError where there is none."""
    from cryptography.x509 import load_pem_x509_certificate

    return load_pem_x509_certificate(pem).not_valid_after_utc
