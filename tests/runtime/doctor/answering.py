"""An HTTP server on loopback, with TLS by a certificate that nobody has heard of."""

import ssl
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.background import in_background

NAME = "mlflow.internal.example"


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.now(timezone.utc)
    address, other = x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName(NAME)
    names = x509.SubjectAlternativeName([address, other])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


class _Alive(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *_args: object) -> None:
        return


@contextmanager
def answering(folder: Path | None = None) -> Generator[tuple[int, Path]]:
    """An HTTP server on loopback, with TLS where a folder is given; its port and certificate."""
    made = HTTPServer(("127.0.0.1", 0), _Alive)
    path = Path()
    if folder:
        path, key = _certificate(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path, key)
        made.socket = context.wrap_socket(made.socket, server_side=True)
    with in_background(made):
        yield made.server_port, path
