"""Azure."""

# All roles that a stack assigns, and their ids: nobody who deploys need be able to assign another.
# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
ROLES = {
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Delegator": "db58b8e5-c6ad-4a2a-8342-4190687cbf4a",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Key Vault Secrets Officer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
}
# How the name of the zone ends that a server in a network has its name in.
DATABASE_ZONES = {
    "postgresql": "postgres.database.azure.com",
    "mysql": "mysql.database.azure.com",
}

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
# Azure lets the disk of a server grow, and the program keeps what it has grown to; after a failover
# a server is in another zone.
BEHIND = dict.fromkeys(
    ("azure-native:dbformysql:Server", "azure-native:dbforpostgresql:Server"),
    frozenset({"storage", "availabilityZone"}),
)
# What Azure keeps for a while. The provider deletes a workspace as Azure does by itself, and can be
# told no other way: pulumi-azure-native 3.29.0, provider.go.
# https://learn.microsoft.com/azure/azure-monitor/logs/delete-workspace
# https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview
LINGERING = {
    "azure-native:operationalinsights:Workspace": "is kept by Azure for 14 days with its logs, and "
    "the stack's next one has them again; to have it gone at once, before make down: az monitor "
    "log-analytics workspace delete --force",
    "azure-native:keyvault:Vault": "is kept by Azure for 7 days with its secrets, if nobody ends "
    "that: az keyvault purge",
}
# Their ids are their names: while one is there, there is no other beside it.
NAMED = dict.fromkeys(DATA, True)
