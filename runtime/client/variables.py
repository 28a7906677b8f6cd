"""The environment of a client: no settings of the server's, whose reader needs more packages."""

import os
from pathlib import Path

URI, TOKEN = "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN"
AUTH, AUTHORITY = "MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_SERVER_CERT_PATH"
# A name and password go before a token; the last has a certificate be anybody's.
_LOGIN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
# What one server is spoken to with, and no other may get or be trusted by.
OF_ONE_SERVER = (TOKEN, AUTH, AUTHORITY, *_LOGIN, "MLFLOW_TRACKING_INSECURE_TLS")
# What MLFLOW_TRACKING_AUTH says for the plug-in below.
PLUGIN = "trackstack"


def tracking_uri() -> str | None:
    """The server that the environment names."""
    return os.environ.get(URI) or None


def token() -> str | None:
    """The token that the environment has; the first one while two are valid."""
    return next(iter((os.environ.get(TOKEN) or "").split()), None)


def authority() -> str | None:
    """The file of the authority that the environment says to trust."""
    return os.environ.get(AUTHORITY) or None


def logins_file() -> Path:
    """Where tokens are kept."""
    folder = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(folder) / "trackstack" / "logins.json"
