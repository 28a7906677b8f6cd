"""A world on Azure to make mistakes in, and inputs that are right but for what is given."""

from collections.abc import Callable
from pathlib import Path

from infra.rehearsal.azure import cloud as azure
from infra.rehearsal.azure.ids import SUBSCRIPTION, guid
from infra.rehearsal.provider.values import Props
from tests.rehearsal.cases import World


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
    made.make("RoleAssignment", "granted", granted(made, {}))
    return made


def granted(made: World, changed: Props) -> Props:
    reader = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
    roles = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
    given = {"principalId": made.ids["principal"], "roleDefinitionId": f"{roles}/{reader}"}
    return {**given, "scope": made.ids["account"], "principalType": "ServicePrincipal", **changed}


def in_group(**given: object) -> Callable[[World], Props]:
    return lambda _: {"resourceGroupName": "rg", **given}


def subnet(prefix: str, **given: object) -> Callable[[World], Props]:
    return in_group(virtualNetworkName="net", subnetName="two", addressPrefix=prefix, **given)


def account(name: str, **given: object) -> Callable[[World], Props]:
    sku = {"name": "Standard_LRS"}
    return in_group(**{"accountName": name, "kind": "StorageV2", "sku": sku, **given})


def container(name: str, **given: object) -> Callable[[World], Props]:
    return in_group(**{"accountName": "taken", "containerName": name, **given})


def vault(name: str, **given: object) -> Callable[[World], Props]:
    sku = {"family": "A", "name": "standard"}
    properties = {"tenantId": SUBSCRIPTION, "sku": sku, **given}
    return in_group(vaultName=name, properties=properties)


def role(**changed: str) -> Callable[[World], Props]:
    name = guid("another")
    return lambda made: granted(made, {"roleAssignmentName": name, **changed})


def rules(*rules: Props) -> Callable[[World], Props]:
    access = {"access": "Allow", "protocol": "Tcp", "direction": "Inbound"}
    given = [{"name": f"rule{index}", **access, **rule} for index, rule in enumerate(rules)]
    return in_group(networkSecurityGroupName="nsg", securityRules=given)
