"""Keys and tokens by which OCI knows who signs: API keys of users, session tokens of resources."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from infra.rehearsal.oci.access.signatures import Caller
from infra.rehearsal.oci.ids import REGION, TENANCY

_LIFE_SECONDS = 24 * 3600
_TOKEN = "ST$"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(key: rsa.RSAPrivateKey) -> bytes:
    """The private key as the SDK reads it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@dataclass
class Principals:
    """Gives keys and tokens out, and knows them again while this process lives."""

    issuer: rsa.RSAPrivateKey = field(default_factory=new_key)
    users: dict[str, Caller] = field(default_factory=dict[str, Caller])

    def known(self, key_id: str) -> Caller | None:
        """Who signs with a key id."""
        if not key_id.startswith(_TOKEN):
            return self.users.get(key_id)
        try:
            token = key_id.removeprefix(_TOKEN)
            claims = jwt.decode(token, self.issuer.public_key(), algorithms=["RS256"])
        except jwt.InvalidTokenError:
            return None
        key: Any = jwt.PyJWK.from_json(claims["jwk"]).key
        return Caller(claims["sub"], key)

    def configure(self, folder: Path, user: str) -> Path:
        """A configuration file with an API key of a user, as `oci setup` writes it."""
        key, fingerprint = new_key(), ":".join(["ab"] * 16)
        self.users[f"{TENANCY}/{user}/{fingerprint}"] = Caller(user, key.public_key())
        (folder / "key.pem").write_bytes(pem(key))
        lines = {
            "user": user,
            "fingerprint": fingerprint,
            "tenancy": TENANCY,
            "region": REGION,
            "key_file": folder / "key.pem",
        }
        text = "[DEFAULT]\n" + "".join(f"{name}={value}\n" for name, value in lines.items())
        (folder / "config").write_text(text)
        for file in ("config", "key.pem"):
            (folder / file).chmod(0o600)
        return folder / "config"

    def resource(self, folder: Path, principal: str, compartment: str) -> dict[str, str]:
        """Key and token of a resource in ``folder``; the environment that points there.

        https://docs.oracle.com/iaas/Content/API/Concepts/sdk_authentication_methods.htm
        """
        key = new_key()
        (folder / "key.pem").write_bytes(pem(key))
        (folder / "token").write_text(self.token(principal, compartment, key.public_key()))
        return {
            "OCI_RESOURCE_PRINCIPAL_VERSION": "2.2",
            "OCI_RESOURCE_PRINCIPAL_RPST": str(folder / "token"),
            "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM": str(folder / "key.pem"),
            "OCI_RESOURCE_PRINCIPAL_REGION": REGION,
        }

    def token(self, principal: str, compartment: str, key: rsa.RSAPublicKey) -> str:
        """A session token: who may sign with ``key``, for a day."""
        now = int(time.time())
        claims = {
            "sub": principal,
            "res_tenant": TENANCY,
            "res_compartment": compartment,
            "iat": now,
            "exp": now + _LIFE_SECONDS,
            "jwk": json.dumps(RSAAlgorithm.to_jwk(key, as_dict=True)),
        }
        return jwt.encode(claims, self.issuer, algorithm="RS256")
