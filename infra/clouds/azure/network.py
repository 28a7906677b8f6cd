"""The virtual network: a subnet each for compute, database and private endpoints, all closed but
for what the stack file lets in, also to others in the network. A public container group has none,
because no network can hold it.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi import Output
from pulumi_azure_native import network

from infra.clouds.azure.scope import Scope
from infra.clouds.shared.part import Part
from infra.plan.azure import AzurePlan, Subnets
from infra.plan.proxy import PORT

_DELEGATED = {
    "container": "Microsoft.ContainerInstance/containerGroups",
    "scale": "Microsoft.App/environments",
    "postgresql": "Microsoft.DBforPostgreSQL/flexibleServers",
    "mysql": "Microsoft.DBforMySQL/flexibleServers",
}
# Container Apps' own proxy answers at a further port.
# https://learn.microsoft.com/azure/container-apps/firewall-integration
_PORTS = {"scale": [str(PORT), "31443"]}
_SSH_PORT = "22"
DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306}
# The last priority that a rule of ours can have.
_LAST = 4096


def _rule(
    name: str, priority: int, source: str | Sequence[str], to: str, ports: Sequence[str] = ()
) -> network.SecurityRuleArgs:
    """Lets ``source`` in, an address or several, or a tag, to ``ports`` by TCP, or to all by all.

    Azure takes no tag and no ``*`` in a list.
    https://github.com/Azure/terraform-azurerm-network-security-group/issues/21
    """
    sources = [source] if isinstance(source, str) else _apart(source)
    is_one = len(sources) == 1
    return network.SecurityRuleArgs(
        name=name,
        priority=priority,
        direction="Inbound",
        access="Allow",
        protocol="Tcp" if ports else "*",
        source_address_prefix=sources[0] if is_one else None,
        source_address_prefixes=None if is_one else sources,
        source_port_range="*",
        destination_address_prefix=to,
        destination_port_range=None if ports else "*",
        destination_port_ranges=list(ports) or None,
    )


def _apart(cidrs: Sequence[str]) -> list[str]:
    """The same addresses. Azure refuses networks of a rule that overlap:
    https://github.com/kubernetes-sigs/cloud-provider-azure/issues/6775
    """
    return [str(each) for each in ipaddress.collapse_addresses(map(ipaddress.IPv4Network, cidrs))]


def _rules(plan: AzurePlan, subnets: Subnets) -> list[network.SecurityRuleArgs]:
    """What may come in. Azure's own rules refuse the internet, but let in all of the network and of
    those that are peered with it: the last one here refuses these.

    https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview
    """
    settings = plan.settings
    ports = _PORTS.get(settings.compute, [str(PORT)])
    database = str(DATABASE_PORTS[settings.database])
    rules = [_rule("front", 100, settings.allowed_cidrs, subnets.compute, ports)]
    if settings.ssh_cidrs:
        rules.append(_rule("ssh", 101, settings.ssh_cidrs, subnets.compute, [_SSH_PORT]))
    rules.append(_rule("database", 200, subnets.compute, subnets.database, [database]))
    # Its nodes copy to each other.
    # https://learn.microsoft.com/azure/postgresql/network/concepts-networking-private
    rules.append(_rule("database-nodes", 201, subnets.database, subnets.database))
    if settings.compute in _DELEGATED:
        # Nothing else can be in that subnet, and the parts of Container Apps call each other there.
        rules.append(_rule("compute-nodes", 202, subnets.compute, subnets.compute))
    # Where they come from counts as of the network, too.
    # https://learn.microsoft.com/azure/virtual-network/service-tags-overview
    rules.append(_rule("probes", 203, "AzureLoadBalancer", "*"))
    others = _rule("others", _LAST, "VirtualNetwork", "*")
    others.access = "Deny"
    return [*rules, others]


class Network(Part):
    """Ids: ``network`` of the virtual network, and of the subnets that the stack's parts are in,
    which are ``subnets``.
    """

    def __init__(self, plan: AzurePlan, subnets: Subnets, scope: Scope) -> None:
        """The stack's network, or its subnets in the one that the stack file names."""
        super().__init__("azure", "network")
        scope = scope.within(self)
        settings = plan.settings
        if settings.virtual_network_id:
            parts = settings.virtual_network_id.split("/")
            group, name = parts[4], Output.from_input(parts[-1])
            holder: dict[str, Any] = {"resource_group_name": group}
            self.network = Output.from_input(settings.virtual_network_id)
        else:
            made = network.VirtualNetwork(
                "network",
                virtual_network_name=f"{plan.names.base}-network",
                address_space=network.AddressSpaceArgs(address_prefixes=[subnets.whole]),
                **scope.inside,
                opts=scope.opts,
            )
            name, self.network, holder = made.name, made.id, scope.nested
        rules = network.NetworkSecurityGroup(
            "rules",
            network_security_group_name=f"{plan.names.base}-rules",
            security_rules=_rules(plan, subnets),
            **scope.inside,
            opts=scope.opts,
        )
        gateway = _nat_gateway(plan, scope) if _needs_way_out(plan) else None
        self.subnets: list[pulumi.Resource] = []

        def subnet(part: str, cidr: str, delegated: str | None, nat: bool = False) -> Output[str]:
            made = network.Subnet(
                f"{part}-subnet",
                subnet_name=f"{plan.names.base}-{part}",
                virtual_network_name=name,
                address_prefix=cidr,
                network_security_group=network.NetworkSecurityGroupArgs(id=rules.id),
                nat_gateway=network.SubResourceArgs(id=gateway) if gateway and nat else None,
                delegations=[network.DelegationArgs(name=part, service_name=delegated)]
                if delegated
                else None,
                **holder,
                # Azure changes one subnet of a network at a time.
                opts=scope.after(*self.subnets),
            )
            self.subnets.append(made)
            return made.id

        of_compute = _DELEGATED.get(settings.compute)
        self.compute = subnet("compute", subnets.compute, of_compute, nat=True)
        self.database = subnet("database", subnets.database, _DELEGATED[settings.database])
        # A subnet's rules leave out private endpoints, where it is not told otherwise. What is
        # behind them asks everybody for a right, and who runs `up` inside reaches the vault so.
        # https://learn.microsoft.com/azure/private-link/disable-private-endpoint-network-policy
        self.endpoints = subnet("endpoints", subnets.endpoints, None)
        self.finish()


def make_network(plan: AzurePlan, scope: Scope) -> Network | None:
    """The stack's network; None where it has none."""
    return Network(plan, plan.subnets, scope) if plan.subnets else None


def _needs_way_out(plan: AzurePlan) -> bool:
    """Whether what runs in the subnet reaches the registry by no address of its own."""
    return plan.settings.private and plan.settings.compute != "scale"


def _nat_gateway(plan: AzurePlan, scope: Scope) -> Output[str]:
    address = network.PublicIPAddress(
        "nat-address",
        public_ip_address_name=f"{plan.names.base}-nat-address",
        sku=network.PublicIPAddressSkuArgs(name="Standard"),
        public_ip_allocation_method="Static",
        **scope.inside,
        opts=scope.opts,
    )
    gateway = network.NatGateway(
        "nat",
        nat_gateway_name=f"{plan.names.base}-nat",
        sku=network.NatGatewaySkuArgs(name="Standard"),
        public_ip_addresses=[network.SubResourceArgs(id=address.id)],
        **scope.inside,
        opts=scope.opts,
    )
    return gateway.id
