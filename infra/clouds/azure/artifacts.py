"""The storage account and its Blob containers, which only the server's identity may use."""

import pulumi
from pulumi_azure_native import storage

from infra.clouds.azure.dns import make_endpoint
from infra.clouds.azure.identity import Identity
from infra.clouds.azure.network import Network
from infra.clouds.azure.scope import Scope
from infra.clouds.shared.part import Part
from infra.plan.azure import AzurePlan

_KEPT_DAYS = 14


class Artifacts(Part):
    """The containers of artifacts and backups, in their ``account``; ``ready``: what those who use
    them depend on.
    """

    def __init__(
        self, plan: AzurePlan, scope: Scope, identity: Identity, networks: Network | None
    ) -> None:
        super().__init__("azure", "artifacts")
        scope = scope.within(self)
        closed = plan.settings.private
        default = storage.DefaultAction.DENY if closed else storage.DefaultAction.ALLOW
        self.account = account = storage.StorageAccount(
            "artifacts",
            account_name=plan.names.storage_account,
            kind="StorageV2",
            sku=storage.SkuArgs(name=f"Standard_{plan.settings.redundancy}"),
            allow_blob_public_access=False,
            allow_shared_key_access=False,
            allow_cross_tenant_replication=False,
            enable_https_traffic_only=True,
            minimum_tls_version="TLS1_2",
            public_network_access="Disabled" if closed else "Enabled",
            network_rule_set=storage.NetworkRuleSetArgs(
                default_action=default,
                bypass="AzureServices",
            ),
            **scope.inside,
            opts=scope.data,
        )
        self.ready: list[pulumi.Resource] = []
        for of, name in (
            ("artifacts", plan.artifact_container),
            ("backups", plan.backup_container),
        ):
            container = storage.BlobContainer(
                f"{of}-container",
                account_name=account.name,
                container_name=name,
                public_access=storage.PublicAccess.NONE,
                **scope.nested,
                opts=scope.data,
            )
            # It also deletes the backups that are no longer kept.
            identity.grant(f"may-use-{of}", "Storage Blob Data Contributor", container.id)
            self.ready.append(container)
        if not closed:
            # Clients then send large files past the server, in parts that it signs for them. Where
            # they may not reach the account, MLflow sees that it has no such right, and takes all.
            # https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas
            identity.grant("may-delegate", "Storage Blob Delegator", account.id)
        _keep_versions(plan, scope, account)
        if networks and closed:
            zone = "privatelink.blob.core.windows.net"
            self.ready += make_endpoint(
                "artifacts", zone, "blob", account.id, plan, scope, networks
            )
        self.finish()


def _keep_versions(plan: AzurePlan, scope: Scope, account: storage.StorageAccount) -> None:
    keep = storage.DeleteRetentionPolicyArgs(
        enabled=plan.settings.versioning, days=_KEPT_DAYS if plan.settings.versioning else None
    )
    storage.BlobServiceProperties(
        "artifacts-versions",
        account_name=account.name,
        blob_services_name="default",
        is_versioning_enabled=plan.settings.versioning,
        delete_retention_policy=keep,
        container_delete_retention_policy=keep,
        **scope.nested,
        opts=scope.opts,
    )
    # What an upload left behind, and versions that nobody wants back any more.
    after = storage.DateAfterCreationArgs(days_after_creation_greater_than=_KEPT_DAYS)
    storage.ManagementPolicy(
        "artifacts-lifecycle",
        account_name=account.name,
        management_policy_name="default",
        policy=storage.ManagementPolicySchemaArgs(
            rules=[
                storage.ManagementPolicyRuleArgs(
                    name="old-versions",
                    type="Lifecycle",
                    enabled=True,
                    definition=storage.ManagementPolicyDefinitionArgs(
                        filters=storage.ManagementPolicyFilterArgs(blob_types=["blockBlob"]),
                        actions=storage.ManagementPolicyActionArgs(
                            version=storage.ManagementPolicyVersionArgs(delete=after)
                        ),
                    ),
                )
            ]
        ),
        **scope.nested,
        opts=scope.opts,
    )
