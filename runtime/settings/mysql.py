"""MLflow's own variables for TLS to MySQL, where MLflow is not there to read them."""

import os

_NAMES = ("ssl_ca", "ssl_cert", "ssl_key")


def mysql_tls() -> dict[str, str]:
    """The driver's arguments: paths of the CA's certificate, the client's and its key."""
    named = {name: os.environ.get(f"MLFLOW_MYSQL_{name.upper()}") for name in _NAMES}
    return {name: file for name, file in named.items() if file}
