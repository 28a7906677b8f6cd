"""Azure."""

from collections.abc import Mapping
from typing import Any

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


def _other_zones(was: Mapping[str, Any], will: Mapping[str, Any]) -> str:
    """https://learn.microsoft.com/azure/storage/common/redundancy-migration"""
    old, new = (_sku(inputs) for inputs in (was, will))
    if ("ZRS" in old) == ("ZRS" in new):
        return ""
    kept = old.removeprefix("Standard_")
    return (
        f"Azure makes no {new} of a {old} by an update. With artifactsRedundancy: {kept} it stays "
        "what it is. Or have Azure migrate it first, which takes days: az storage account "
        f"migration start --account-name {was.get('accountName')} --resource-group "
        f"{was.get('resourceGroupName')} --sku {new} --name default, then make refresh"
    )


def _sku(inputs: Mapping[str, Any]) -> str:
    sku: Mapping[str, Any] = inputs.get("sku") or {}
    return str(sku.get("name"))


# What Azure refuses of an update: why, and what else to do, by its inputs now and then; empty where
# it does not.
REFUSED = {"azure-native:storage:StorageAccount": _other_zones}
