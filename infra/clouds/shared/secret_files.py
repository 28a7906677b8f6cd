"""The secrets of a stack that its containers read from files, the same on every cloud."""

import base64
from collections.abc import Mapping
from typing import Any

from pulumi import Output, ResourceOptions

from infra.clouds.shared.generated import CertificateAuthority, GeneratedSecret
from infra.inputs import Secrets
from infra.plan.environment import BACKUP_KEY, SECRETS_KEY


def encoded(text: str) -> str:
    """A file's content in base64, as clouds take it."""
    return base64.b64encode(text.encode()).decode()


class SecretFiles:
    """``files`` are all secrets by the name of the file that holds each; clouds add their own.

    ``token`` is what clients show; ``ca_certificate`` is in PEM, None where the proxy's certificate
    is not the stack's own; ``server_certificate`` is the proxy's where the stack file names it.
    """

    def __init__(
        self,
        base: str,
        tls: str | None,
        tls_certificate: str | None,
        secrets: Secrets,
        place: Mapping[str, Any] | None = None,
        opts: ResourceOptions | None = None,
        *,
        rotation: int,
        encrypts_backups: bool = False,
    ) -> None:
        """``base`` names the certificate authority; ``tls`` is None where there is no proxy;
        ``place`` are the inputs of GeneratedSecret that say where on this machine it is kept;
        ``opts`` are those of each secret; ``rotation`` says how often the key of the secrets in the
        store was rotated; with ``encrypts_backups`` there is a key for backups.
        """
        self._opts = opts
        self._place = dict(place or {})
        self.token = self.generated("tracking_token")
        self.files: dict[str, Output[str]] = {
            "tracking_token": self.token,
            "job_token": self.generated("job_token"),
            SECRETS_KEY: self.generated(SECRETS_KEY, rotation=rotation),
        }
        self.files |= secrets.of_processes
        key = self._backup_key() if encrypts_backups else None
        self.files |= {BACKUP_KEY: key} if key else {}
        self.backup_keys = secrets.backup_keys(key)
        self.ca_certificate: Output[str] | None = None
        self.server_certificate: str | None = None
        if tls == "internal":
            named = {**self._place, "common_name": f"{base} certificate authority"}
            authority = CertificateAuthority("authority", named, opts)
            self.ca_certificate = authority.certificate
            self.files |= {"ca_certificate": authority.certificate, "ca_key": authority.key}
        elif tls and tls_certificate and secrets.tls_key:
            self.server_certificate = tls_certificate
            certificate = Output.from_input(tls_certificate)
            self.files |= {"tls_certificate": certificate, "tls_key": secrets.tls_key}

    def _backup_key(self) -> Output[str]:
        """It outlives `pulumi destroy` as the backups do: in its folder, else in the state."""
        kept = ResourceOptions(retain_on_delete=not self._place)
        return self._generated(BACKUP_KEY, ResourceOptions.merge(self._opts, kept))

    def generated(self, name: str, **inputs: Any) -> Output[str]:
        """A password of the stack's own; ``inputs`` are more of GeneratedSecret's."""
        return self._generated(name, self._opts, **inputs)

    def _generated(self, name: str, opts: ResourceOptions | None, **inputs: Any) -> Output[str]:
        given = {**self._place, **({"file": name} if self._place else {}), **inputs}
        return GeneratedSecret(name.replace("_", "-"), given, opts).value
