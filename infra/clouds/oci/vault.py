"""A Vault of the stack's own, made with the first secret that it keeps."""

import functools

import pulumi
from pulumi import Output
from pulumi_oci import kms, vault

from infra.clouds.oci.identity import Identity
from infra.clouds.oci.scope import Scope
from infra.clouds.shared.part import Part
from infra.clouds.shared.secret_files import encoded
from infra.plan.oci import OciPlan

_SOFTWARE, _AES_BYTES = "SOFTWARE", 32


class Vault(Part):
    """Keeps secrets, and lets the stack's identity read each of them."""

    def __init__(self, plan: OciPlan, scope: Scope, identity: Identity) -> None:
        super().__init__("oci", "vault")
        self._plan, self._scope, self._identity = plan, scope.within(self), identity
        self.finish()

    @functools.cached_property
    def _made(self) -> tuple[Output[str], Output[str]]:
        """OCIDs of vault and key."""
        plan, scope = self._plan, self._scope
        made = kms.Vault(
            "vault",
            display_name=f"{plan.names.base}-vault",
            vault_type="DEFAULT",
            **scope.inside,
            opts=scope.opts,
        )
        key = kms.Key(
            "vault-key",
            display_name=f"{plan.names.base}-key",
            management_endpoint=made.management_endpoint,
            protection_mode=_SOFTWARE,
            key_shape=kms.KeyKeyShapeArgs(algorithm="AES", length=_AES_BYTES),
            **scope.inside,
            opts=scope.opts,
        )
        return made.id, key.id

    def keep(self, resource: str, name: str, content: Output[str]) -> vault.Secret:
        """Keep a secret under the stack's base name and ``name``."""
        made, key = self._made
        kept = vault.Secret(
            resource,
            secret_name=f"{self._plan.names.base}-{name}",
            vault_id=made,
            key_id=key,
            secret_content=vault.SecretSecretContentArgs(
                content_type="BASE64", content=Output.secret(content.apply(encoded))
            ),
            **self._scope.inside,
            opts=self._scope.opts,
        )
        self.allow(kept.id)
        return kept

    def allow(self, secret: pulumi.Input[str]) -> None:
        """Let the identity read a secret, which may be another vault's, by its OCID."""
        self._identity.allow(
            "read secret-bundles", Output.concat("target.secret.id = '", secret, "'")
        )
