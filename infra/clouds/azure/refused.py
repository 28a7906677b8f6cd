"""What Azure changes of nothing that is there, though the provider asks for it in place. Pure.

Each says of a resource's inputs now and then why Azure refuses the update, and what else to do;
empty where it does not.
"""

from collections.abc import Callable, Mapping
from typing import Any

from infra.clouds.nested import inside

_Inputs = Mapping[str, Any]
_ANOTHER = "Make another stack (make new), and bring all into it (make move FROM=... TO=...)"


def _changes(was: _Inputs, will: _Inputs, path: str) -> bool:
    """Whether what is there is another; nothing and an empty list are one."""
    return (inside(was, path) or None) != (inside(will, path) or None)


def _account(was: _Inputs, will: _Inputs) -> str:
    """https://learn.microsoft.com/azure/storage/common/redundancy-migration"""
    old, new = (str(inside(inputs, "sku.name")) for inputs in (was, will))
    if ("ZRS" in old) == ("ZRS" in new):
        return ""
    kept = "ZRS" if "ZRS" in old else "LRS"
    return (
        f"Azure makes no {new} of a {old} by an update. With artifactsRedundancy: {kept} it stays "
        "what it is. Or have Azure migrate it first (az storage account migration start), which "
        "takes days, then make refresh"
    )


def _subnet(was: _Inputs, will: _Inputs) -> str:
    """https://github.com/MicrosoftDocs/azure-docs/issues/39112
    https://github.com/hashicorp/terraform-provider-azurerm/issues/11211
    """
    if _changes(was, will, "addressPrefix"):
        return f"networkCidr: Azure moves no subnet that is in use. {_ANOTHER}"
    if _changes(was, will, "delegations.serviceName"):
        return (
            "compute, database: in a network each has a subnet of its kind, which Azure gives to "
            f"no other while it is in use. {_ANOTHER}"
        )
    return ""


def _server(was: _Inputs, will: _Inputs) -> str:
    """https://github.com/hashicorp/terraform-provider-azurerm/issues/27612"""
    if not (_standby(was, will) and _changes(was, will, "sku.tier")):
        return ""
    return (
        "highAvailability, databaseSku: Azure gives a server no standby while it becomes one of "
        "another tier. Change databaseSku first, and highAvailability in a second update"
    )


def _mysql(was: _Inputs, will: _Inputs) -> str:
    """https://github.com/hashicorp/terraform-provider-azurerm/blob/main/website/docs/r/mysql_flexible_server.html.markdown"""
    if _changes(was, will, "network.privateDnsZoneResourceId"):
        return f"privateDnsZoneIds: a MySQL server keeps the zone that it was made with. {_ANOTHER}"
    if not _standby(was, will):
        return ""
    return f"highAvailability: a MySQL server has a standby from its creation or never. {_ANOTHER}"


def _standby(was: _Inputs, will: _Inputs) -> bool:
    """Whether it gets one."""
    modes = [inside(inputs, "highAvailability.mode") or "Disabled" for inputs in (was, will)]
    return modes[0] == "Disabled" != modes[1]


def _interface(was: _Inputs, will: _Inputs) -> str:
    """https://github.com/MicrosoftDocs/azure-docs/issues/123354"""
    if not _changes(was, will, "ipConfigurations.subnet.id"):
        return ""
    return f"virtualNetworkId: a machine stays in its network. {_ANOTHER}"


REFUSED: Mapping[str, Callable[[_Inputs, _Inputs], str]] = {
    "azure-native:dbformysql:Server": _mysql,
    "azure-native:dbforpostgresql:Server": _server,
    "azure-native:network:NetworkInterface": _interface,
    "azure-native:network:Subnet": _subnet,
    "azure-native:storage:StorageAccount": _account,
}
# Those of which it refuses that only while others name them.
REFUSED_IN_USE = {"azure-native:network:Subnet": True}
