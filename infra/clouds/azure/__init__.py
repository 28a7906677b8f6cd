"""Azure."""

from infra.clouds.azure.refused import REFUSED as REFUSED

# What holds data -> the names of those that hold none.
DATA = dict[str, str | None].fromkeys(
    (
        # With its group, Azure deletes all that is in it.
        "azure-native:resources:ResourceGroup",
        "azure-native:storage:BlobContainer",
        "azure-native:storage:StorageAccount",
        "azure-native:dbformysql:Database",
        "azure-native:dbformysql:Server",
        "azure-native:dbforpostgresql:Database",
        "azure-native:dbforpostgresql:Server",
    )
)
# Azure lets the disk of a server grow. The program keeps what it has grown to.
BEHIND = {
    "azure-native:dbformysql:Server": frozenset({"storage"}),
    "azure-native:dbforpostgresql:Server": frozenset({"storage"}),
}
# What Azure keeps for a while. The provider deletes a workspace as Azure does by itself, and can be
# told no other way: pulumi-azure-native 3.29.0, provider.go.
# https://learn.microsoft.com/azure/azure-monitor/logs/delete-workspace
# https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview
LINGERING = {
    "azure-native:operationalinsights:Workspace": "is kept by Azure for 14 days with its logs, and "
    "the stack's next one has them again; not where this deleted it before: az monitor "
    "log-analytics workspace delete --force",
    "azure-native:keyvault:Vault": "is kept by Azure for 7 days with its secrets, if nobody ends "
    "that: az keyvault purge",
}
# Their ids are their names: while one is there, there is no other beside it.
NAMED = dict.fromkeys(DATA, True)
