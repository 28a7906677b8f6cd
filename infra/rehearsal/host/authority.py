"""The certificate authority of rehearsals, which their images trust.

It is kept in the project's own ignored folder, because a new one would make each image new.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from infra.clouds.shared.generated import make_authority, write_private
from infra.place import ROOT
from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.system.locks import one_at_a_time

_FOLDER = ROOT / ".trackstack" / "rehearsal" / "authority"
_DAYS = 30


@dataclass(frozen=True)
class Authority:
    """Certificate and key in PEM."""

    certificate: str
    key: str

    @classmethod
    def load(cls) -> "Authority":
        """The authority of this checkout; it is created where it is missing."""
        certificate, key = _FOLDER / "certificate.pem", _FOLDER / "key.pem"
        with one_at_a_time("authority"):
            if not (certificate.exists() and key.exists()):
                _FOLDER.mkdir(parents=True, exist_ok=True)
                made = make_authority("Trackstack rehearsal")
                write_private(key, made[1])
                write_private(certificate, made[0])
        return cls(certificate.read_text(), key.read_text())

    @property
    def file(self) -> Path:
        return _FOLDER / "certificate.pem"

    def issue(self, *names: str) -> tuple[bytes, bytes]:
        """Certificate chain and key in PEM for a server under these names or addresses."""
        issuer = x509.load_pem_x509_certificate(self.certificate.encode())
        signer = serialization.load_pem_private_key(self.key.encode(), None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            raise RehearsalError(f"{_FOLDER} holds no authority of a rehearsal; remove it")
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(timezone.utc)
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]))
            .issuer_name(issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=_DAYS))
            .add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]),
                critical=False,
            )
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
                critical=False,
            )
            .sign(signer, hashes.SHA256())
        )
        chain = made.public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return chain + self.certificate.encode() + b"\n", private


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
