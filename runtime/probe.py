"""One plain request to the server: what MLflow's client would repeat for minutes fails at once."""

import ssl
import urllib.error
import urllib.request
from pathlib import Path

from runtime.settings import RuntimeSettings, variable

_TIMEOUT_SECONDS = 10


def token_of(settings: RuntimeSettings) -> str | None:
    """The token that jobs present; the first one while two are valid."""
    token = settings.tracking_token
    return token.get_secret_value().split()[0] if token else None


def unused_registry(settings: RuntimeSettings) -> str | None:
    """What is said of another registry than the server that is asked; None where there is none."""
    registry, own = settings.registry_uri, (settings.tracking_uri, settings.public_url)
    if not registry or registry.rstrip("/") in {uri.rstrip("/") for uri in own}:
        return None
    return (
        f"{variable('registry_uri')}={registry} is not used: models are kept where runs are, at "
        "the tracking URI; take it out here, and in clients"
    )


def _trusting(authority: Path) -> ssl.SSLContext:
    """What is in the file is trusted, be it an authority or the server's own certificate."""
    context = ssl.create_default_context(cafile=authority)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def request(
    settings: RuntimeSettings, method: str, path: str, token: str | None, body: bytes | None = None
) -> tuple[int, bytes]:
    """Status and body; status 0 and the reason where the server does not answer."""
    request = urllib.request.Request(  # noqa: S310 - the URI is the operator's own
        settings.tracking_uri + path, data=body, method=method
    )
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    authority = settings.tracking_certificate
    try:
        context = _trusting(authority) if authority else None
        with urllib.request.urlopen(  # noqa: S310
            request, timeout=_TIMEOUT_SECONDS, context=context
        ) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError as error:
        return 0, str(error).encode()
