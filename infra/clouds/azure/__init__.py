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
# Their ids are their names: while one is there, there is no other beside it.
NAMED = dict.fromkeys(DATA, True)
