"""The keys of a stack whose server stands behind a reverse proxy of its own."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from infra.settings.common import Keys, wrong
from infra.settings.values import Hostname, HttpsUrl, Line


def _no_plain_http(value: object) -> object:
    if value in ("off", "none", "http", False):
        raise ValueError(
            "plain HTTP is not served, because tokens would cross the network in the clear; "
            "allowed: internal, acme, files"
        )
    return value


class ProxyKeys(Keys):
    """The keys of a stack whose server stands behind a reverse proxy that ends TLS."""

    front_image: Line = Field(
        "docker.io/library/caddy:2.10.2-alpine", description="The reverse proxy's image: Caddy."
    )
    hostname: Hostname | None = Field(
        None, description="The public name, in the certificate and the address that is exported."
    )
    tls: Annotated[Literal["internal", "acme", "files"], BeforeValidator(_no_plain_http)] = Field(
        "internal",
        description="Whose certificate: `internal`, of the stack's own certificate authority, "
        "exported as `ca_certificate`; `acme`, of a public one; `files`, yours.",
    )
    acme_email: Line | None = Field(
        None,
        pattern=r"^[^@\s]+@[^@\s]+$",
        description="With `tls: acme`: the account's mail address.",
    )
    acme_directory: HttpsUrl | None = Field(
        None,
        examples=["https://acme.example.com/directory"],
        description="With `tls: acme`: another certificate authority than Let's Encrypt, by its "
        "ACME directory.",
    )
    tls_certificate_file: Line | None = Field(
        None,
        description="With `tls: files`: the file of the certificate and its chain in PEM; its key "
        "is the secret `tlsKey`.",
    )

    @model_validator(mode="after")
    def _certificate(self) -> "ProxyKeys":
        asked: dict[str, tuple[str, Any]] = {
            "acmeEmail": ("acme", self.acme_email),
            "acmeDirectory": ("acme", self.acme_directory),
            "tlsCertificateFile": ("files", self.tls_certificate_file),
        }
        for key, (tls, value) in asked.items():
            if value and self.tls != tls:
                raise wrong(key, f"means nothing without tls: {tls}")
        if self.tls == "files" and not self.tls_certificate_file:
            raise wrong(
                "tlsCertificateFile", "is missing; tls: files needs it and the secret tlsKey"
            )
        if self.tls == "acme" and not self.acme_email:
            raise wrong("acmeEmail", "is missing; certificate authorities write to it")
        return self
