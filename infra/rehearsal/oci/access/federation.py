"""Instance principals: an instance's certificate for a token with which a session key signs.

https://docs.oracle.com/iaas/Content/Identity/Tasks/callingservicesfrominstances.htm
"""

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from infra.rehearsal.host.authority import Authority
from infra.rehearsal.host.endpoint import Request, Response, json_response
from infra.rehearsal.oci.access.principals import Principals
from infra.rehearsal.oci.access.signatures import Caller, signer
from infra.rehearsal.oci.ids import TENANCY
from infra.rehearsal.provider.resource import Cloud

_INSTANCE = "opc-instance:"
# A request for a token names no host.
_SIGNED = frozenset({"date", "(request-target)", "x-content-sha256"})


@dataclass(frozen=True)
class Federation:
    """Issues certificates to instances, and tokens for them."""

    cloud: Cloud
    authority: Authority
    principals: Principals

    def certificate(self, instance: str, key: rsa.RSAPrivateKey) -> str:
        """In PEM; says for a day whose key it is."""
        signer: Any = serialization.load_pem_private_key(self.authority.key.encode(), None)
        now = datetime.now(timezone.utc)
        unit = NameOID.ORGANIZATIONAL_UNIT_NAME
        names = [
            x509.NameAttribute(unit, text)
            for text in (f"{_INSTANCE}{instance}", f"opc-tenant:{TENANCY}")
        ]
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(names))
            .issuer_name(self._issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(signer, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def answer(self, request: Request) -> Response:
        """A token, for a request that is signed with the key of a certificate of ours."""
        body = json.loads(request.body)
        shown = x509.load_der_x509_certificate(base64.b64decode(body["certificate"]))
        instance, key = self._instance_of(shown), shown.public_key()
        record = self.cloud.store.get(instance or "")
        if record is None or not isinstance(key, rsa.RSAPublicKey):
            return _refuse("the certificate is of no instance")
        caller = Caller(record.id, key)
        if signer(request, lambda _: caller, _SIGNED) is None:
            return _refuse("the request is not signed with the certificate's key")
        session: Any = serialization.load_der_public_key(base64.b64decode(body["publicKey"]))
        compartment = str(record.props.get("compartmentId"))
        token = self.principals.token(record.id, compartment, session)
        return json_response(200, {"token": token})

    @property
    def _issuer(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.authority.certificate.encode())

    def _instance_of(self, certificate: x509.Certificate) -> str | None:
        try:
            certificate.verify_directly_issued_by(self._issuer)
        except (InvalidSignature, ValueError, TypeError):
            return None
        units = (str(attribute.value) for attribute in certificate.subject)
        return next((u.removeprefix(_INSTANCE) for u in units if u.startswith(_INSTANCE)), None)


def _refuse(message: str) -> Response:
    body = {"code": "NotAuthenticated", "message": message}
    return json_response(401, body)
