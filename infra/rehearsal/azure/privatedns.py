"""Private DNS zones, their links to networks and their records; private endpoints."""

from collections.abc import Mapping
from typing import ClassVar

from infra.rehearsal.azure.network import Subnet, VirtualNetwork
from infra.rehearsal.azure.resource import AzureResource, refusal
from infra.rehearsal.provider.store import Store
from infra.rehearsal.provider.values import Props, child, items

_LINK_SECONDS = 3


class PrivateZone(AzureResource):
    token = "azure-native:privatedns:PrivateZone"
    kind = "Microsoft.Network/privateDnsZones"
    name_input = "privateZoneName"
    in_use = "CannotDeleteResource"
    places: ClassVar[tuple[str, ...]] = ("global",)

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        name = inputs["privateZoneName"]
        if "." not in name or not all(0 < len(label) <= 63 for label in name.split(".")):
            message = f"The zone name '{name}' must have two labels or more of at most 63."
            raise refusal("InvalidZoneName", message)


class VirtualNetworkLink(AzureResource):
    token = "azure-native:privatedns:VirtualNetworkLink"
    kind = "Microsoft.Network/privateDnsZones/virtualNetworkLinks"
    name_input = "virtualNetworkLinkName"
    parents = ("privateZoneName",)
    places: ClassVar[tuple[str, ...]] = ("global",)

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        network = child(inputs, "virtualNetwork").get("id")
        self.referred({**inputs, "location": ""}, network, VirtualNetwork)
        for other in self.store.find(self.token):
            same = child(other.props, "virtualNetwork").get("id") == network
            # https://learn.microsoft.com/azure/dns/private-dns-virtual-network-links
            zone = other.props["privateZoneName"] == inputs["privateZoneName"]
            if same and zone and other.id.lower() != self.identify(inputs).lower():
                message = "A virtual network can be linked to a zone of one name only."
                raise refusal("VirtualNetworkLinkExists", message, 409)

    def create(self, inputs: Props) -> tuple[str, Props]:
        # A server that is made beside its zone's link, not after it, finds none.
        self.cloud.pause(_LINK_SECONDS if self.emulator else 0)
        return super().create(inputs)


class PrivateRecordSet(AzureResource):
    token = "azure-native:privatedns:PrivateRecordSet"
    kind = "Microsoft.Network/privateDnsZones/recordSets"
    name_input = "relativeRecordSetName"
    parents = ("privateZoneName",)

    def compute(self, id: str, inputs: Props) -> Props:
        zone, name = inputs["privateZoneName"], inputs["relativeRecordSetName"]
        # Of this name it is the zone's own.
        # https://learn.microsoft.com/azure/dns/dns-zones-records#record-names
        fqdn = f"{zone}." if name == "@" else f"{name}.{zone}."
        return {**super().compute(id, inputs), "fqdn": fqdn}


class PrivateEndpoint(AzureResource):
    token = "azure-native:network:PrivateEndpoint"
    kind = "Microsoft.Network/privateEndpoints"
    name_input = "privateEndpointName"
    created_with = frozenset({"subnet"})

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        self.referred({**inputs, "location": ""}, child(inputs, "subnet").get("id"), Subnet)
        for connection in items(inputs, "privateLinkServiceConnections"):
            target = connection.get("privateLinkServiceId")
            if not self.store.get(str(target)):
                message = f"The resource {target} of the private endpoint was not found."
                raise refusal("PrivateLinkServiceNotFound", message)


class PrivateDnsZoneGroup(AzureResource):
    token = "azure-native:network:PrivateDnsZoneGroup"
    kind = "Microsoft.Network/privateEndpoints/privateDnsZoneGroups"
    name_input = "privateDnsZoneGroupName"
    parents = ("privateEndpointName",)
    # https://github.com/hashicorp/terraform-provider-azurerm/issues/27559
    refused: ClassVar[Mapping[str, str]] = {
        "privateDnsZoneConfigs.privateDnsZoneId": "UpdateNotAllowed"
    }

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        for config in items(inputs, "privateDnsZoneConfigs"):
            self.referred({**inputs, "location": ""}, config.get("privateDnsZoneId"), PrivateZone)


def linked(store: Store, zone: str, network: str) -> bool:
    """Whether a network resolves names by a private zone."""
    return any(
        child(record.props, "virtualNetwork").get("id", "").lower() == network.lower()
        and record.id.lower().startswith(f"{zone}/".lower())
        for record in store.find(VirtualNetworkLink.token)
    )
