"""What goes wrong with groups and networks on Azure."""

from infra.rehearsal.azure.ids import group_id
from tests.rehearsal.cases import REGISTRY, Case
from tests.rehearsal.cases.azure_world import in_group, rules, subnet, world

__all__ = ["CASES", "world"]

_LEARN = "https://learn.microsoft.com/azure"
_NAMES = f"{_LEARN}/azure-resource-manager/management/resource-name-rules"
_AUGMENTED = "https://github.com/Azure/terraform-azurerm-network-security-group/issues/21"
_ERRORS = f"{_LEARN}/azure-resource-manager/troubleshooting/common-deployment-errors"
_RANGES = "https://github.com/MicrosoftDocs/azure-docs/pull/123869"
_PARENT = f"{_LEARN}/azure-resource-manager/troubleshooting/error-parent-resource"
_LONG = "a" * 200


CASES = [
    Case(
        "group in no region",
        "ResourceGroup",
        lambda _: {"resourceGroupName": "x", "location": "mars"},
        "LocationNotAvailableForResourceGroup",
        _ERRORS,
    ),
    Case(
        "group without region",
        "ResourceGroup",
        lambda _: {"resourceGroupName": "x"},
        "LocationRequired",
        _ERRORS,
    ),
    Case(
        "group name ends with a period",
        "ResourceGroup",
        lambda _: {"resourceGroupName": "x.", "location": "eastus"},
        "invalid characters",
        _NAMES,
    ),
    Case(
        "group name too long",
        "ResourceGroup",
        lambda _: {"resourceGroupName": _LONG, "location": "eastus"},
        "at most 90",
        _NAMES,
    ),
    Case(
        "group made twice",
        "ResourceGroup",
        lambda _: {"resourceGroupName": "rg", "location": "eastus"},
        "cannot create already existing resource",
        f"{REGISTRY}/azure-native/",
    ),
    Case(
        "group of another name",
        "VirtualNetwork",
        lambda _: {"resourceGroupName": "nowhere", "virtualNetworkName": "n"},
        "Resource group 'nowhere' could not be found.",
        _ERRORS,
    ),
    Case(
        "no group at all",
        "VirtualNetwork",
        lambda _: {"virtualNetworkName": "n"},
        "missing required property 'resourceGroupName'",
        f"{REGISTRY}/azure-native/",
    ),
    Case(
        "resource in no region",
        "VirtualNetwork",
        in_group(location="moon"),
        "LocationNotAvailableForResourceType",
        _ERRORS,
    ),
    Case(
        "address space is no CIDR",
        "VirtualNetwork",
        in_group(addressSpace={"addressPrefixes": ["10.0.0.0"]}),
        "InvalidAddressPrefixFormat",
        _ERRORS,
    ),
    Case(
        "prefix length beyond the address",
        "VirtualNetwork",
        in_group(addressSpace={"addressPrefixes": ["10.0.0.0/33"]}),
        "InvalidAddressPrefixFormat",
        _ERRORS,
    ),
    Case(
        "host bits in the address space",
        "VirtualNetwork",
        in_group(addressSpace={"addressPrefixes": ["10.0.0.7/16"]}),
        "the address prefix should be 10.0.0.0/16",
        _ERRORS,
    ),
    Case(
        "address space is a string",
        "VirtualNetwork",
        in_group(addressSpace={"addressPrefixes": "10.0.0.0/16"}),
        "'addressSpace.addressPrefixes' must be a list",
        f"{REGISTRY}/azure-native/",
    ),
    Case(
        "snake case in a dictionary",
        "VirtualNetwork",
        in_group(addressSpace={"address_prefixes": ["10.0.0.0/16"]}),
        "unknown property 'addressSpace.address_prefixes'",
        f"{REGISTRY}/azure-native/",
    ),
    Case(
        "subnet outside its network",
        "Subnet",
        subnet("10.1.0.0/24"),
        "NetcfgSubnetRangeOutsideVnet",
        _RANGES,
    ),
    Case(
        "subnet larger than its network",
        "Subnet",
        subnet("10.0.0.0/8"),
        "outside the IP address range of virtual network 'net'",
        _RANGES,
    ),
    Case(
        "subnet overlaps another",
        "Subnet",
        subnet("10.0.0.0/20"),
        "NetcfgSubnetRangesOverlap",
        _RANGES,
    ),
    Case(
        "subnet equal to another",
        "Subnet",
        subnet("10.0.1.0/24"),
        "overlaps with that of an existing subnet",
        _RANGES,
    ),
    Case(
        "subnet of IPv6 in a network of IPv4",
        "Subnet",
        subnet("fd00::/64"),
        "NetcfgSubnetRangeOutsideVnet",
        _RANGES,
    ),
    Case(
        "host bits in a subnet",
        "Subnet",
        subnet("10.0.2.1/24"),
        "the address prefix should be 10.0.2.0/24",
        _ERRORS,
    ),
    Case(
        "subnet of a network that is not there",
        "Subnet",
        in_group(virtualNetworkName="none", subnetName="s", addressPrefix="10.0.2.0/24"),
        "ParentResourceNotFound",
        _PARENT,
    ),
    Case(
        "security group that is not there",
        "Subnet",
        subnet("10.0.2.0/24", networkSecurityGroup={"id": f"{group_id('rg')}/none"}),
        "InvalidResourceReference",
        _ERRORS,
    ),
    Case(
        "security group of another region",
        "Subnet",
        lambda made: subnet("10.0.2.0/24", networkSecurityGroup={"id": made.ids["far-nsg"]})(made),
        "both resources are in the same region",
        _ERRORS,
    ),
    Case(
        "a network where a security group belongs",
        "Subnet",
        lambda made: subnet("10.0.2.0/24", networkSecurityGroup={"id": made.ids["net"]})(made),
        "InvalidResourceReference",
        _ERRORS,
    ),
    Case(
        "two rules of one priority",
        "NetworkSecurityGroup",
        rules({"priority": 100}, {"priority": 100}),
        "SecurityRuleConflict",
        _ERRORS,
    ),
    Case(
        "networks of one rule that overlap",
        "NetworkSecurityGroup",
        rules({"priority": 100, "sourceAddressPrefixes": ["10.0.0.0/8", "10.1.0.0/16"]}),
        "OverlappingSubnetsNotPermittedInSecurityRule",
        "https://github.com/kubernetes-sigs/cloud-provider-azure/issues/6775",
    ),
    Case(
        "all ports in a list of ports",
        "NetworkSecurityGroup",
        rules({"priority": 100, "destinationPortRanges": ["*"]}),
        "SecurityRuleParameterContainsInvalidPortRanges",
        _AUGMENTED,
    ),
    Case(
        "a tag in a list of addresses",
        "NetworkSecurityGroup",
        rules({"priority": 100, "sourceAddressPrefixes": ["10.0.0.0/8", "VirtualNetwork"]}),
        "SecurityRuleParameterContainsUnsupportedValue",
        _AUGMENTED,
    ),
    Case(
        "rule without a direction",
        "NetworkSecurityGroup",
        rules({"priority": 100, "direction": None}),
        "missing required property 'securityRules[0].direction'",
        f"{REGISTRY}/azure-native/",
    ),
    Case(
        "priority in words",
        "NetworkSecurityGroup",
        rules({"priority": "high"}),
        "'securityRules[0].priority' must be a number",
        f"{REGISTRY}/azure-native/",
    ),
]
