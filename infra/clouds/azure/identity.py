"""The server's managed identity, its role assignments, and the stack's secrets in Key Vault.

Roles are given on the stack's own resources, and on nothing wider.
"""

import functools

import pulumi
from pulumi import InvokeOutputOptions, Output, ResourceOptions
from pulumi_azure_native import authorization, keyvault, managedidentity

from infra.clouds.azure import ROLES
from infra.clouds.azure.dns import make_endpoint
from infra.clouds.azure.network import Network
from infra.clouds.azure.scope import Scope
from infra.clouds.shared.part import Part
from infra.clouds.shared.secret_files import SecretFiles
from infra.clouds.shared.settled import Settled
from infra.inputs import Secrets
from infra.plan.azure import AzurePlan

_SOFT_DELETE_DAYS = 7
# Mostly known after 60 to 120 seconds, sometimes after ten minutes. What pulls an image before, or
# asks for a secret, fails: https://github.com/Azure/azure-dev/issues/7529,
# https://learn.microsoft.com/azure/role-based-access-control/troubleshooting
_SETTLED_SECONDS = 180
_ZONE = "privatelink.vaultcore.azure.net"


class Identity(Part):
    """The managed identity, and every secret by the name of the file that holds it.

    ``granted`` are the role assignments. What runs as the identity waits for ``settled``.
    """

    def __init__(self, plan: AzurePlan, secrets: Secrets, scope: Scope) -> None:
        super().__init__("azure", "identity")
        self._plan = plan
        self._scope = scope = scope.within(self)
        self.granted: list[authorization.RoleAssignment] = []
        self.user = managedidentity.UserAssignedIdentity(
            "identity", resource_name_=f"{plan.names.base}-server", **scope.inside, opts=scope.opts
        )
        self.secrets = SecretFiles(
            plan.names.base,
            plan.settings.tls if plan.hostname else None,
            plan.tls_certificate,
            secrets,
            opts=self.child(),
            rotation=plan.settings.secrets_key_rotation,
            encrypts_backups=plan.settings.backup_encryption,
        )
        self.finish()

    @functools.cached_property
    def settled(self) -> Settled:
        """There once Azure knows everywhere what has been granted; nothing more is afterwards."""
        ids = Output.all(*(assignment.id for assignment in self.granted))
        return Settled(
            "rights-known",
            {"of": ids.apply(lambda found: " ".join(sorted(found))), "seconds": _SETTLED_SECONDS},
            self.child(),
        )

    def grant(self, name: str, role: str, on: pulumi.Input[str]) -> None:
        """Give the identity a role on one resource, by its id."""
        if "settled" in vars(self):
            raise RuntimeError(f"{name}: what waits for all rights is made already")
        self.granted.append(
            authorization.RoleAssignment(
                name,
                principal_id=self.user.principal_id,
                # Without it, Azure looks the new principal up, which may not be replicated yet.
                principal_type="ServicePrincipal",
                role_definition_id=_definition(role, self._plan),
                scope=on,
                opts=self._scope.opts,
            )
        )


def _definition(role: str, plan: AzurePlan) -> str:
    path = f"/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}"
    return f"/subscriptions/{plan.settings.subscription_id}{path}"


class Vault(Part):
    """The Key Vault with the stack's secrets, which the server's identity may read one by one.

    ``ready`` are what those who read it wait for.

    ``ids`` are the secrets' addresses without a version, by file; ``versions`` those with it.
    """

    def __init__(
        self, plan: AzurePlan, scope: Scope, identity: Identity, networks: Network | None
    ) -> None:
        super().__init__("azure", "vault")
        outer, scope = scope, scope.within(self)
        tenant = identity.user.tenant_id
        closed = keyvault.NetworkRuleSetArgs(
            default_action="Deny" if plan.settings.private else "Allow", bypass="AzureServices"
        )
        self.vault = keyvault.Vault(
            # A deleted vault keeps its name until it is purged: with a name that the engine makes
            # of this one, the next `up` is not in its way.
            plan.names.vault[:16],
            properties=keyvault.VaultPropertiesArgs(
                tenant_id=tenant,
                sku=keyvault.SkuArgs(family="A", name=keyvault.SkuName.STANDARD),
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                soft_delete_retention_in_days=_SOFT_DELETE_DAYS,
                network_acls=closed,
                public_network_access="Disabled" if plan.settings.private else "Enabled",
            ),
            **scope.inside,
            opts=scope.opts,
        )
        self.ready: list[pulumi.Resource] = []
        if networks and plan.settings.private:
            whole = self.vault.id
            self.ready = make_endpoint("vault", _ZONE, "vault", whole, plan, outer, networks)
        self._right = self._may_delete(plan, scope)
        kept = {
            file: self._keep(file, value, scope, identity)
            for file, value in sorted(identity.secrets.files.items())
        }
        self.ids = {file: secret.properties.secret_uri for file, secret in kept.items()}
        self.versions = {
            file: secret.properties.secret_uri_with_version for file, secret in kept.items()
        }
        self.finish()

    def _keep(
        self, file: str, value: Output[str], scope: Scope, identity: Identity
    ) -> keyvault.Secret:
        name = file.replace("_", "-")
        kept = keyvault.Secret(
            # A deleted one keeps its name for a while: with a name that the engine makes of this
            # one, the file's next value is not in its way.
            f"secret-{name}",
            vault_name=self.vault.name,
            properties=keyvault.SecretPropertiesArgs(value=value),
            **scope.nested,
            opts=ResourceOptions.merge(
                scope.opts,
                ResourceOptions(
                    parent=self.vault,
                    deleted_with=self.vault,
                    depends_on=[self._right],
                    # Secrets of earlier versions are called as their files.
                    ignore_changes=["secretName"],
                ),
            ),
        )
        identity.grant(f"may-read-{name}", "Key Vault Secrets User", kept.id)
        return kept

    def _may_delete(self, plan: AzurePlan, scope: Scope) -> authorization.RoleAssignment:
        """A secret that is no longer wanted is deleted in the vault itself, where its owner has no
        right by that.

        https://learn.microsoft.com/azure/key-vault/general/rbac-guide
        """
        who = authorization.get_client_config_output(
            opts=InvokeOutputOptions(provider=scope.opts.provider)
        )
        return authorization.RoleAssignment(
            "deployer-may-delete-secrets",
            principal_id=who.object_id,
            role_definition_id=_definition("Key Vault Secrets Officer", plan),
            scope=self.vault.id,
            opts=scope.opts,
        )
