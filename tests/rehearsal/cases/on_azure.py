"""What goes wrong on Azure."""

from collections.abc import Callable
from pathlib import Path

from infra.rehearsal.azure import cloud as azure
from infra.rehearsal.azure.resource import SUBSCRIPTION, group_id, guid
from infra.rehearsal.provider.values import Props
from tests.rehearsal.cases import REGISTRY, Case, World

_LEARN = "https://learn.microsoft.com/azure"
_NAMES = f"{_LEARN}/azure-resource-manager/management/resource-name-rules"
_ERRORS = f"{_LEARN}/azure-resource-manager/troubleshooting/common-deployment-errors"
_RBAC = f"{_LEARN}/role-based-access-control/troubleshooting"
_RANGES = "https://github.com/MicrosoftDocs/azure-docs/pull/123869"
_BLOBS = (
    "https://learn.microsoft.com/rest/api/storageservices/"
    "naming-and-referencing-containers--blobs--and-metadata"
)
_ACCOUNTS = f"{_LEARN}/azure-resource-manager/troubleshooting/error-storage-account-name"
_PARENT = f"{_LEARN}/azure-resource-manager/troubleshooting/error-parent-resource"
_LONG = "a" * 200


def world(state_dir: Path) -> World:
    made = World(azure.open_cloud(state_dir))
    group = {"resourceGroupName": "rg"}
    made.make("ResourceGroup", "rg", {**group, "location": "westeurope"})
    far = {"resourceGroupName": "far", "location": "eastus"}
    made.make("ResourceGroup", "far", far)
    space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
    made.make("VirtualNetwork", "net", {**group, "virtualNetworkName": "net", **space})
    inner = {**group, "virtualNetworkName": "net", "subnetName": "one"}
    made.make("Subnet", "one", {**inner, "addressPrefix": "10.0.1.0/24"})
    made.make("NetworkSecurityGroup", "far-nsg", {**far, "networkSecurityGroupName": "nsg"})
    account = {
        **group,
        "accountName": "taken",
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
    }
    made.make("StorageAccount", "account", account)
    properties = {"tenantId": SUBSCRIPTION, "sku": {"family": "A", "name": "standard"}}
    made.make("Vault", "vault", {**group, "vaultName": "taken-vault", "properties": properties})
    who = made.make("UserAssignedIdentity", "who", {**group, "resourceName": "who"})
    made.ids["principal"] = who["principalId"]
    made.make("RoleAssignment", "granted", _granted(made, {}))
    return made


def _granted(made: World, changed: Props) -> Props:
    reader = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
    roles = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
    given = {"principalId": made.ids["principal"], "roleDefinitionId": f"{roles}/{reader}"}
    return {**given, "scope": made.ids["account"], "principalType": "ServicePrincipal", **changed}


def _in_group(**given: object) -> Callable[[World], Props]:
    return lambda _: {"resourceGroupName": "rg", **given}


def _subnet(prefix: str, **given: object) -> Callable[[World], Props]:
    return _in_group(virtualNetworkName="net", subnetName="two", addressPrefix=prefix, **given)


def _account(name: str, **given: object) -> Callable[[World], Props]:
    sku = {"name": "Standard_LRS"}
    return _in_group(**{"accountName": name, "kind": "StorageV2", "sku": sku, **given})


def _container(name: str, **given: object) -> Callable[[World], Props]:
    return _in_group(**{"accountName": "taken", "containerName": name, **given})


def _vault(name: str, **given: object) -> Callable[[World], Props]:
    sku = {"family": "A", "name": "standard"}
    properties = {"tenantId": SUBSCRIPTION, "sku": sku, **given}
    return _in_group(vaultName=name, properties=properties)


def _role(**changed: str) -> Callable[[World], Props]:
    name = guid("another")
    return lambda made: _granted(made, {"roleAssignmentName": name, **changed})


def _rules(*rules: Props) -> Callable[[World], Props]:
    access = {"access": "Allow", "protocol": "Tcp", "direction": "Inbound"}
    given = [{"name": f"rule{index}", **access, **rule} for index, rule in enumerate(rules)]
    return _in_group(networkSecurityGroupName="nsg", securityRules=given)


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
        _in_group(location="moon"),
        "LocationNotAvailableForResourceType",
        _ERRORS,
    ),
    Case(
        "address space is no CIDR",
        "VirtualNetwork",
        _in_group(addressSpace={"addressPrefixes": ["10.0.0.0"]}),
        "InvalidAddressPrefixFormat",
        _ERRORS,
    ),
    Case(
        "prefix length beyond the address",
        "VirtualNetwork",
        _in_group(addressSpace={"addressPrefixes": ["10.0.0.0/33"]}),
        "InvalidAddressPrefixFormat",
        _ERRORS,
    ),
    Case(
        "host bits in the address space",
        "VirtualNetwork",
        _in_group(addressSpace={"addressPrefixes": ["10.0.0.7/16"]}),
        "the address prefix should be 10.0.0.0/16",
        _ERRORS,
    ),
    Case(
        "address space is a string",
        "VirtualNetwork",
        _in_group(addressSpace={"addressPrefixes": "10.0.0.0/16"}),
        "'addressSpace.addressPrefixes' must be a list",
        f"{REGISTRY}/azure-native/",
    ),
    Case(
        "snake case in a dictionary",
        "VirtualNetwork",
        _in_group(addressSpace={"address_prefixes": ["10.0.0.0/16"]}),
        "unknown property 'addressSpace.address_prefixes'",
        f"{REGISTRY}/azure-native/",
    ),
    Case(
        "subnet outside its network",
        "Subnet",
        _subnet("10.1.0.0/24"),
        "NetcfgSubnetRangeOutsideVnet",
        _RANGES,
    ),
    Case(
        "subnet larger than its network",
        "Subnet",
        _subnet("10.0.0.0/8"),
        "outside the IP address range of virtual network 'net'",
        _RANGES,
    ),
    Case(
        "subnet overlaps another",
        "Subnet",
        _subnet("10.0.0.0/20"),
        "NetcfgSubnetRangesOverlap",
        _RANGES,
    ),
    Case(
        "subnet equal to another",
        "Subnet",
        _subnet("10.0.1.0/24"),
        "overlaps with that of an existing subnet",
        _RANGES,
    ),
    Case(
        "subnet of IPv6 in a network of IPv4",
        "Subnet",
        _subnet("fd00::/64"),
        "NetcfgSubnetRangeOutsideVnet",
        _RANGES,
    ),
    Case(
        "host bits in a subnet",
        "Subnet",
        _subnet("10.0.2.1/24"),
        "the address prefix should be 10.0.2.0/24",
        _ERRORS,
    ),
    Case(
        "subnet of a network that is not there",
        "Subnet",
        _in_group(virtualNetworkName="none", subnetName="s", addressPrefix="10.0.2.0/24"),
        "ParentResourceNotFound",
        _PARENT,
    ),
    Case(
        "security group that is not there",
        "Subnet",
        _subnet("10.0.2.0/24", networkSecurityGroup={"id": f"{group_id('rg')}/none"}),
        "InvalidResourceReference",
        _ERRORS,
    ),
    Case(
        "security group of another region",
        "Subnet",
        lambda made: _subnet("10.0.2.0/24", networkSecurityGroup={"id": made.ids["far-nsg"]})(made),
        "both resources are in the same region",
        _ERRORS,
    ),
    Case(
        "a network where a security group belongs",
        "Subnet",
        lambda made: _subnet("10.0.2.0/24", networkSecurityGroup={"id": made.ids["net"]})(made),
        "InvalidResourceReference",
        _ERRORS,
    ),
    Case(
        "two rules of one priority",
        "NetworkSecurityGroup",
        _rules({"priority": 100}, {"priority": 100}),
        "SecurityRuleConflict",
        _ERRORS,
    ),
    Case(
        "rule without a direction",
        "NetworkSecurityGroup",
        _rules({"priority": 100, "direction": None}),
        "missing required property 'securityRules[0].direction'",
        f"{REGISTRY}/azure-native/",
    ),
    Case(
        "priority in words",
        "NetworkSecurityGroup",
        _rules({"priority": "high"}),
        "'securityRules[0].priority' must be a number",
        f"{REGISTRY}/azure-native/",
    ),
    Case(
        "account name with capitals",
        "StorageAccount",
        _account("Models"),
        "AccountNameInvalid",
        _ACCOUNTS,
    ),
    Case(
        "account name with a hyphen",
        "StorageAccount",
        _account("my-models"),
        "use numbers and lower-case letters only",
        _NAMES,
    ),
    Case(
        "account name too long",
        "StorageAccount",
        _account("a" * 25),
        "between 3 and 24 characters",
        _NAMES,
    ),
    Case(
        "account name too short",
        "StorageAccount",
        _account("ab"),
        "between 3 and 24 characters",
        _NAMES,
    ),
    Case(
        "account name that another has",
        "StorageAccount",
        lambda _: {**_account("taken")(_), "resourceGroupName": "far"},
        "StorageAccountAlreadyTaken",
        _ACCOUNTS,
    ),
    Case(
        "account kind that is none",
        "StorageAccount",
        _account("models", kind="StorageV3"),
        "'kind' must be one of",
        f"{REGISTRY}/azure-native/api-docs/storage/storageaccount/",
    ),
    Case(
        "account SKU that is none",
        "StorageAccount",
        _account("models", sku={"name": "Standard_XRS"}),
        "'sku.name' must be one of",
        f"{REGISTRY}/azure-native/api-docs/storage/storageaccount/",
    ),
    Case(
        "container name with capitals",
        "BlobContainer",
        _container("Runs"),
        "InvalidResourceName",
        _BLOBS,
    ),
    Case(
        "container name with two hyphens",
        "BlobContainer",
        _container("my--runs"),
        "contains invalid characters",
        _BLOBS,
    ),
    Case("container name too short", "BlobContainer", _container("ab"), "OutOfRangeInput", _BLOBS),
    Case(
        "container of no account",
        "BlobContainer",
        _container("runs", accountName="none"),
        "Parent resource 'none' not found",
        _ERRORS,
    ),
    Case(
        "public container of a private account",
        "BlobContainer",
        _container("runs", publicAccess="Blob"),
        "PublicAccessNotPermitted",
        f"{_LEARN}/storage/blobs/anonymous-read-access-prevent",
    ),
    Case("vault name with an underscore", "Vault", _vault("my_vault"), "VaultNameNotValid", _NAMES),
    Case(
        "vault name begins with a digit",
        "Vault",
        _vault("1vault"),
        "must begin with a letter",
        _NAMES,
    ),
    Case(
        "vault name that another has",
        "Vault",
        lambda _: {**_vault("taken-vault")(_), "resourceGroupName": "far"},
        "VaultAlreadyExists",
        f"{_LEARN}/key-vault/general/key-vault-recovery",
    ),
    Case(
        "vault without a tenant",
        "Vault",
        _vault("vault", tenantId=None),
        "missing required property 'properties.tenantId'",
        f"{REGISTRY}/azure-native/",
    ),
    Case(
        "secret name with an underscore",
        "Secret",
        _in_group(vaultName="taken-vault", secretName="db_password", properties={"value": "x"}),
        "invalid name: db_password",
        _NAMES,
    ),
    Case(
        "role assignment name that is no GUID",
        "RoleAssignment",
        _role(roleAssignmentName="reader"),
        "The role assignment ID must be a GUID",
        _RBAC,
    ),
    Case(
        "role that is none",
        "RoleAssignment",
        _role(roleDefinitionId="reader"),
        "RoleDefinitionDoesNotExist",
        _RBAC,
    ),
    Case(
        "role for nobody",
        "RoleAssignment",
        _role(principalId=guid("nobody")),
        "PrincipalNotFound",
        _RBAC,
    ),
    Case("role given twice", "RoleAssignment", _role(), "RoleAssignmentExists", _RBAC),
    Case(
        "role on what is not there",
        "RoleAssignment",
        _role(scope=group_id("nowhere")),
        "ResourceNotFound",
        _RBAC,
    ),
]
