"""Private DNS: zones that the network asks, records in them, and private endpoints."""

from dataclasses import dataclass

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import network, privatedns

from infra.clouds.azure.network import Network
from infra.clouds.azure.scope import Scope, replaced_for
from infra.plan.azure import AzurePlan

_DNS_SECONDS = 60
# A record of this name is the zone's own.
APEX = "@"


@dataclass(frozen=True)
class Zone:
    """``ready`` are what makes its names known in the network; nothing where the stack file names
    the zone.
    """

    id: Input[str]
    name: Input[str]
    ready: tuple[pulumi.Resource, ...] = ()


def make_zone(name: str, zone: Input[str], scope: Scope, networks: Network) -> Zone:
    """A private DNS zone that the network asks."""
    made = privatedns.PrivateZone(
        f"{name}-zone",
        private_zone_name=zone,
        location="global",
        tags=dict(scope.tags),
        **scope.nested,
        opts=scope.opts,
    )
    link = privatedns.VirtualNetworkLink(
        f"{name}-zone-link",
        private_zone_name=made.name,
        virtual_network_link_name=name,
        location="global",
        registration_enabled=False,
        virtual_network=privatedns.SubResourceArgs(id=networks.network),
        tags=dict(scope.tags),
        **scope.nested,
        # A subnet whose servers have their names there is in use until the link is gone.
        opts=scope.after(*networks.subnets),
    )
    return Zone(made.id, made.name, (made, link))


def zone_of(
    name: str, zone: str, ending: str, plan: AzurePlan, scope: Scope, networks: Network
) -> Zone:
    """The one that the stack file names whose name ends so, else ``zone``, which is made."""
    given = plan.settings.zone_id(ending)
    return Zone(given, zone) if given else make_zone(name, zone, scope, networks)


def make_record(
    name: str,
    zone: Input[str],
    address: Output[str],
    scope: Scope,
    networks: Network,
    record: str = APEX,
) -> None:
    """A name for an address, inside the network, in a zone of its own: all other names of a zone
    that a network asks are unknown there.
    """
    privatedns.PrivateRecordSet(
        f"{name}-name",
        private_zone_name=make_zone(name, zone, scope, networks).name,
        relative_record_set_name=record,
        record_type="A",
        ttl=_DNS_SECONDS,
        a_records=[privatedns.ARecordArgs(ipv4_address=address)],
        **scope.nested,
        opts=scope.opts,
    )


def make_endpoint(
    name: str,
    zone: str,
    kind: str,
    target: Output[str],
    plan: AzurePlan,
    scope: Scope,
    networks: Network,
) -> list[pulumi.Resource]:
    """A private endpoint of ``target`` (an id), under its public name inside the network; returns
    what its users wait for.
    """
    endpoint = network.PrivateEndpoint(
        f"{name}-endpoint",
        private_endpoint_name=f"{plan.names.base}-{name}",
        subnet=network.SubnetArgs(id=networks.endpoints),
        private_link_service_connections=[
            network.PrivateLinkServiceConnectionArgs(
                name=name, private_link_service_id=target, group_ids=[kind]
            )
        ],
        **scope.inside,
        opts=scope.opts,
    )
    known = zone_of(name, zone, zone, plan, scope, networks)
    names = network.PrivateDnsZoneGroup(
        f"{name}-endpoint-names",
        private_dns_zone_group_name="default",
        private_endpoint_name=endpoint.name,
        private_dns_zone_configs=[
            network.PrivateDnsZoneConfigArgs(name=name, private_dns_zone_id=known.id)
        ],
        **scope.nested,
        # Azure gives it no other zone, and takes another one in its place:
        # https://github.com/hashicorp/terraform-provider-azurerm/issues/27559
        opts=ResourceOptions.merge(
            scope.after(*known.ready), replaced_for("privateDnsZoneConfigs")
        ),
    )
    return [names, *known.ready]
