"""Virtual networks, subnets, security groups, public addresses."""

import hashlib
import ipaddress
import itertools
import re

from infra.rehearsal.azure.ids import place
from infra.rehearsal.azure.resource import AzureResource, refusal
from infra.rehearsal.provider import checks
from infra.rehearsal.provider.checks import Network
from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.store import Store
from infra.rehearsal.provider.values import Props, child, items


class VirtualNetwork(AzureResource):
    token = "azure-native:network:VirtualNetwork"
    kind = "Microsoft.Network/virtualNetworks"
    name_input = "virtualNetworkName"
    in_use = "InUseVirtualNetworkCannotBeDeleted"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        id = self.identify(inputs)
        around = [
            _network(prefix, id)
            for prefix in items(child(inputs, "addressSpace"), "addressPrefixes")
        ]
        # https://github.com/hashicorp/terraform-provider-azurerm/issues/11211
        for record in self.store.find(Subnet.token):
            if record.id.rsplit("/", 2)[0].lower() == id.lower():
                message = f"The subnet {record.id} is not within the address space of {id}."
                for prefix in _prefixes(record.props, record.id):
                    checks.within(prefix, around, refusal("InUsePrefixCannotBeDeleted", message))


class Subnet(AzureResource):
    token = "azure-native:network:Subnet"
    kind = "Microsoft.Network/virtualNetworks/subnets"
    name_input = "subnetName"
    parents = ("virtualNetworkName",)
    in_use = "InUseSubnetCannotBeDeleted"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        id, name, parent = self.identify(inputs), inputs["subnetName"], self.parent_id(inputs)
        holder = self.store.get(parent)
        spaces = items(child(holder.props, "addressSpace"), "addressPrefixes") if holder else []
        taken = [
            network
            for record in self.store.find(self.token)
            if record.id.rsplit("/", 2)[0] == parent and record.id.lower() != id.lower()
            for network in _prefixes(record.props, record.id)
        ]
        network = inputs["virtualNetworkName"]
        opening = f"Subnet '{name}' is not valid because its IP address range"
        outside = f"{opening} is outside the IP address range of virtual network '{network}'."
        overlap = f"{opening} overlaps with that of an existing subnet in virtual network"
        clash = refusal("NetcfgSubnetRangesOverlap", f"{overlap} '{network}'.")
        for prefix in _prefixes(inputs, id):
            around = [_network(space, parent) for space in spaces]
            checks.within(prefix, around, refusal("NetcfgSubnetRangeOutsideVnet", outside))
            checks.apart(prefix, taken, lambda _: clash)
        self._verify_use(id, inputs)
        group = child(inputs, "networkSecurityGroup").get("id")
        if group:
            self.referred({**inputs, "location": _place(holder)}, group, NetworkSecurityGroup)

    def _verify_use(self, id: str, inputs: Props) -> None:
        """What is in it holds its addresses and whose it is.

        https://github.com/MicrosoftDocs/azure-docs/issues/39112
        """
        record = self.store.get(id)
        user = self.user(id) if record else None
        if record is None or user is None:
            return
        if _prefixes(record.props, id) != _prefixes(inputs, id):
            message = f"Address prefix of {id} cannot be changed as it is in use by {user}."
            raise refusal("InUsePrefixCannotBeDeleted", message)
        was, will = (
            [entry.get("serviceName") for entry in items(props, "delegations")]
            for props in (record.props, inputs)
        )
        if was != will:
            message = f"Delegations of {id} cannot be changed from {was} to {will}, used by {user}."
            raise refusal("SubnetDelegationsCannotChangeWhenSubnetUsedByResource", message)


class NetworkSecurityGroup(AzureResource):
    token = "azure-native:network:NetworkSecurityGroup"
    kind = "Microsoft.Network/networkSecurityGroups"
    name_input = "networkSecurityGroupName"
    in_use = "InUseNetworkSecurityGroupCannotBeDeleted"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        seen: dict[tuple[int, str], str] = {}
        for rule in items(inputs, "securityRules"):
            key = (rule.get("priority"), rule.get("direction"))
            if key in seen:
                raise refusal(
                    "SecurityRuleConflict",
                    f"Security rule {seen[key]} conflicts with rule {rule.get('name')}. Rules"
                    " cannot have the same Priority and Direction.",
                )
            seen[key] = rule.get("name")
            _verify_lists(rule)
            _verify_apart(rule)


def _verify_apart(rule: Props) -> None:
    """https://github.com/kubernetes-sigs/cloud-provider-azure/issues/6775"""
    networks = [ipaddress.ip_network(each) for each in items(rule, "sourceAddressPrefixes")]
    for one, other in itertools.combinations(networks, 2):
        if one.overlaps(other):
            raise refusal(
                "OverlappingSubnetsNotPermittedInSecurityRule",
                f"Rule {rule.get('name')} has overlapping prefixes {one} and {other}.",
            )


def _verify_lists(rule: Props) -> None:
    """Only by itself may a rule name all ports, or a tag.

    https://github.com/Azure/terraform-azurerm-network-security-group/issues/21
    """
    for end in ("source", "destination"):
        if "*" in items(rule, f"{end}PortRanges"):
            message = f"Security rule {rule.get('name')} has invalid port ranges: *."
            raise refusal("SecurityRuleParameterContainsInvalidPortRanges", message)
        for prefix in items(rule, f"{end}AddressPrefixes"):
            if not str(prefix)[:1].isdigit():
                message = (
                    f"Security rule parameter {end}AddressPrefixes cannot specify existing"
                    " VIRTUALNETWORK, INTERNET, AZURELOADBALANCER, '*' or system tags. Unsupported"
                    f" value used: {prefix}."
                )
                raise refusal("SecurityRuleParameterContainsUnsupportedValue", message)


def _place(holder: object) -> str:
    props = getattr(holder, "props", {})
    return props.get("location", "")


def _prefixes(inputs: Props, id: str) -> list[Network]:
    given = items(inputs, "addressPrefixes") or [inputs.get("addressPrefix")]
    return [_network(prefix, id) for prefix in given if prefix]


def _network(prefix: str, id: str) -> Network:
    def malformed(text: str) -> CloudError:
        return refusal(
            "InvalidAddressPrefixFormat",
            f"Address prefix {text} of resource {id} is not formatted correctly. It should follow"
            " CIDR notation, for example 10.0.0.0/24.",
        )

    def host_bits(text: str, right: str) -> CloudError:
        return refusal(
            "InvalidCIDRNotation",
            f"The address prefix {text} in resource {id} has an invalid CIDR notation. For the"
            f" given prefix length, the address prefix should be {right}.",
        )

    return checks.network(prefix, malformed, host_bits)


class PublicIPAddress(AzureResource):
    token = "azure-native:network:PublicIPAddress"
    kind = "Microsoft.Network/publicIPAddresses"
    name_input = "publicIpAddressName"
    created_with = frozenset({"sku", "publicIPAddressVersion"})
    in_use = "PublicIPAddressCannotBeDeleted"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        standard = child(inputs, "sku").get("name") == "Standard"
        if standard and inputs.get("publicIPAllocationMethod") != "Static":
            message = "Standard sku publicIp must have AllocationMethod set to Static."
            raise refusal("StandardSkuPublicIPAddressesMustBeStatic", message)
        label = child(inputs, "dnsSettings").get("domainNameLabel")
        if label and not re.fullmatch("[a-z][a-z0-9-]{1,61}[a-z0-9]", label):
            raise refusal("InvalidDomainNameLabel", f"The domain name label {label} is invalid.")

    def compute(self, id: str, inputs: Props) -> Props:
        octets = hashlib.sha256(id.encode()).digest()
        shown = {**super().compute(id, inputs), "ipAddress": f"20.{octets[0]}.{octets[1]}.7"}
        settings = child(inputs, "dnsSettings")
        if label := settings.get("domainNameLabel"):
            fqdn = f"{label}.{place(inputs['location'])}.cloudapp.azure.com"
            shown["dnsSettings"] = {**settings, "fqdn": fqdn}
        return shown

    def readable_inputs(self, props: Props, inputs: Props, known: Props) -> Props:
        return inputs or super().readable_inputs(props, inputs, known)


def _default(priority: int, access: str, source: str, destination: str) -> Props:
    ends = {"sourceAddressPrefix": source, "destinationAddressPrefix": destination}
    what = {"direction": "Inbound", "protocol": "*", "destinationPortRange": "*"}
    return {"priority": priority, "access": access, **ends, **what}


# What every group ends with, and nobody takes away.
# https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview
_DEFAULT_RULES = (
    _default(65000, "Allow", "VirtualNetwork", "VirtualNetwork"),
    _default(65001, "Allow", "AzureLoadBalancer", "*"),
    _default(65500, "Deny", "*", "*"),
)
# Where probes of load balancers come from. It counts as one of a virtual network, too.
# https://learn.microsoft.com/azure/virtual-network/service-tags-overview
PROBES = "168.63.129.16"


def lets_in(store: Store, subnet: Props, caller: str, port: int) -> bool:
    """Whether the rules of a subnet let an address reach a TCP port of what is in it. One without
    a group is closed to the internet alone, as a standard public address is.
    """
    group = store.get(str(child(subnet, "networkSecurityGroup").get("id")))
    rules = items(group.props, "securityRules") if group else []
    holder = store.get(str(subnet.get("id")).rsplit("/", 2)[0])
    inside = _spaces(holder.props) if holder else []
    return admits(rules, caller, subnet["addressPrefix"], port, inside)


def _spaces(virtual_network: Props) -> list[str]:
    """The addresses of a network and of those that are peered with it."""
    peered = items(virtual_network, "virtualNetworkPeerings")
    spaces = [child(virtual_network, "addressSpace")]
    spaces += [child(peering, "remoteAddressSpace") for peering in peered]
    return [prefix for space in spaces for prefix in items(space, "addressPrefixes")]


def admits(rules: list[Props], caller: str, subnet: str, port: int, inside: list[str]) -> bool:
    """What the first rule that fits says of a TCP connection from ``caller`` to ``port`` in
    ``subnet``; ``inside`` are the addresses that count as of the virtual network.
    """
    address, target = ipaddress.ip_address(caller), ipaddress.ip_network(subnet)
    tags = {"VirtualNetwork": [*inside, PROBES], "AzureLoadBalancer": [PROBES]}

    def networks(rule: Props, end: str) -> list[Network]:
        return [
            ipaddress.ip_network("0.0.0.0/0" if each == "*" else each)
            for prefix in _values(rule, f"{end}AddressPrefix", f"{end}AddressPrefixes")
            for each in tags.get(prefix, [prefix])
        ]

    def fits(rule: Props) -> bool:
        ports = _values(rule, "destinationPortRange", "destinationPortRanges")
        return (
            rule["direction"] == "Inbound"
            and rule["protocol"] in ("Tcp", "*")
            and any(address in network for network in networks(rule, "source"))
            and any(target.overlaps(network) for network in networks(rule, "destination"))
            and any(_has(given, port) for given in ports)
        )

    ordered = sorted([*rules, *_DEFAULT_RULES], key=lambda rule: rule["priority"])
    return next(rule["access"] for rule in ordered if fits(rule)) == "Allow"


def _values(rule: Props, one: str, several: str) -> list[str]:
    return [str(value) for value in rule.get(several) or [rule.get(one)]]


def _has(ports: str, port: int) -> bool:
    first, _, last = ports.partition("-")
    return ports == "*" or int(first) <= port <= int(last or first)


class NatGateway(AzureResource):
    token = "azure-native:network:NatGateway"
    kind = "Microsoft.Network/natGateways"
    name_input = "natGatewayName"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        for address in items(inputs, "publicIpAddresses"):
            self.referred(inputs, address.get("id"), PublicIPAddress)
