"""The image's health check: exits 0 if the server's liveness route answers 200.

Runs every few seconds beside the server, so it imports next to nothing: not the settings, and no
HTTP library. It reads three of their variables by itself, as the server would.
"""

import os
import socket
import sys
from collections.abc import Mapping

# The server's two probes, below its path prefix. It lives while its store is migrated or restored,
# and answers PATH; it is ready afterwards, and only then answers READY_PATH, which is for whoever
# sends users to it.
PATH, READY_PATH = "/health", "/health?ready"
# In the log of a server whose signs of life are counted.
SIGN_OF_LIFE = "trackstack server is up"

_TIMEOUT_SECONDS = 4
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - names them, binds to none


def target(environment: Mapping[str, str]) -> tuple[str, int, str]:
    """Host, port and path of the liveness route."""
    host = environment.get("MLFLOW_HOST") or "127.0.0.1"
    port = int(environment.get("MLFLOW_PORT") or 5000)
    prefix = environment.get("MLFLOW_STATIC_PREFIX") or ""
    return _ANY.get(host, host), port, f"{prefix}{PATH}"


def healthy(host: str, port: int, path: str) -> bool:
    """Whether the route answers 200 in time."""
    if os.environ.get("TRACKSTACK_TLS_CERT_FILE"):
        return _healthy_with_tls(host, port, path)
    asked = f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()
    try:
        with socket.create_connection((host, port), _TIMEOUT_SECONDS) as connection:
            connection.sendall(asked)
            return connection.recv(64).split()[1:2] == [b"200"]
    except OSError:
        return False


def _healthy_with_tls(host: str, port: int, path: str) -> bool:
    import http.client
    import ssl

    # Its own server on its own machine, by an address that is in no certificate.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_SECONDS, context=context)
    try:
        connection.request("GET", path, headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if healthy(*target(os.environ)) else 1)
