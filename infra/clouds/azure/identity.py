"""The server's managed identity, its role assignments, and the stack's secrets in Key Vault.

Roles are given on the stack's own resources, and on nothing wider.
https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
"""

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_azure_native import authorization, keyvault, managedidentity

from infra.clouds.azure.scope import Scope
from infra.clouds.shared.part import Part
from infra.clouds.shared.secret_files import SecretFiles
from infra.inputs import Secrets
from infra.plan.azure import AzurePlan

_ROLES = {
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
}
_SOFT_DELETE_DAYS = 7


class Identity(Part):
    """The managed identity, and every secret by the name of the file that holds it.

    ``granted`` are the role assignments, which what runs as the identity must wait for.
    """

    def __init__(self, plan: AzurePlan, secrets: Secrets, scope: Scope) -> None:
        super().__init__("azure", "identity")
        self._plan = plan
        self._scope = scope = scope.within(self)
        self.granted: list[pulumi.Resource] = []
        self.user = managedidentity.UserAssignedIdentity(
            "identity", resource_name_=f"{plan.names.base}-server", **scope.inside, opts=scope.opts
        )
        self.secrets = SecretFiles(
            plan.names.base,
            plan.settings.tls if plan.hostname else None,
            plan.tls_certificate,
            secrets,
            opts=self.child(),
        )
        self.finish()

    def grant(self, name: str, role: str, on: pulumi.Input[str]) -> None:
        """Give the identity a role on one resource, by its id."""
        definition = f"/providers/Microsoft.Authorization/roleDefinitions/{_ROLES[role]}"
        self.granted.append(
            authorization.RoleAssignment(
                name,
                principal_id=self.user.principal_id,
                # Without it, Azure looks the new principal up, which may not be replicated yet.
                principal_type="ServicePrincipal",
                role_definition_id=f"/subscriptions/{self._plan.settings.subscription_id}{definition}",
                scope=on,
                opts=self._scope.opts,
            )
        )


class Vault(Part):
    """The Key Vault with the stack's secrets, which the server's identity may read one by one.

    ``ids`` are the secrets' addresses without a version, by file; ``versions`` those with it.
    """

    def __init__(self, plan: AzurePlan, scope: Scope, identity: Identity) -> None:
        super().__init__("azure", "vault")
        scope = scope.within(self)
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
            f"secret-{name}",
            secret_name=name,
            vault_name=self.vault.name,
            properties=keyvault.SecretPropertiesArgs(value=value),
            **scope.nested,
            opts=ResourceOptions.merge(scope.opts, ResourceOptions(parent=self.vault)),
        )
        identity.grant(f"may-read-{name}", "Key Vault Secrets User", kept.id)
        return kept
