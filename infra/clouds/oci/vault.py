"""A Vault: of the stack's own, made with the first secret that it keeps, or one that is there."""

import functools
import secrets

import pulumi
from pulumi import Output
from pulumi_oci import kms, vault

from infra.clouds.oci.identity import Identity
from infra.clouds.oci.scope import Scope
from infra.clouds.shared.home import Noted
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
    def _vault(self) -> tuple[Output[str], Output[str]]:
        """The vault's OCID, and where its keys are made."""
        plan, scope = self._plan, self._scope
        if given := plan.settings.vault_id:
            known = kms.get_vault_output(vault_id=given, opts=scope.invoke)
            return Output.from_input(given), known.management_endpoint
        made = kms.Vault(
            "vault",
            display_name=f"{plan.names.base}-vault",
            vault_type="DEFAULT",
            **scope.inside,
            opts=scope.opts,
        )
        return made.id, made.management_endpoint

    @functools.cached_property
    def _key(self) -> Output[str]:
        """The OCID of the key that the secrets are encrypted with."""
        return kms.Key(
            "vault-key",
            display_name=f"{self._plan.names.base}-key",
            management_endpoint=self._vault[1],
            protection_mode=_SOFTWARE,
            key_shape=kms.KeyKeyShapeArgs(algorithm="AES", length=_AES_BYTES),
            **self._scope.inside,
            opts=self._scope.opts,
        ).id

    def _called(self, resource: str, name: str) -> pulumi.Input[str]:
        """What the vault calls a secret."""
        base = f"{self._plan.names.base}-{name}"
        if not self._plan.settings.vault_id:
            return base
        # One that went keeps its name in the vault for a month: the next one needs another.
        return Noted(f"{resource}-name", f"{base}-{secrets.token_hex(3)}", self._scope.here()).value

    def keep(self, resource: str, name: str, content: Output[str]) -> vault.Secret:
        """Keep a secret under a name that begins with the stack's base name and ``name``."""
        kept = vault.Secret(
            resource,
            secret_name=self._called(resource, name),
            vault_id=self._vault[0],
            key_id=self._key,
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
