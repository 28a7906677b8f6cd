"""What Azure and Pulumi's provider do, each with its source: the stand-ins do the same."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.rehearsal.azure import network
from infra.rehearsal.azure.data import database
from infra.rehearsal.azure.ids import DEPLOYER_ID, SUBSCRIPTION
from infra.rehearsal.provider.values import Props
from tests.rehearsal.cases import World
from tests.rehearsal.cases.azure_facts import LEARN, PROVIDER, Fact, kind_of, refused
from tests.rehearsal.cases.azure_world import world

pytestmark = pytest.mark.slow  # importing the SDK's metadata takes seconds

_GROUP = {"resourceGroupName": "rg"}
_PASSWORD = "aA0-" * 4
_OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"


def _server(engine: str, **changed: Any) -> Props:
    sku = {"name": "Standard_D2ads_v5", "tier": "GeneralPurpose"}
    login = {"administratorLogin": "mlflow", "administratorLoginPassword": _PASSWORD}
    version = {"postgresql": "17", "mysql": "8.4"}[engine]
    return {**_GROUP, **login, "serverName": "the-db", "version": version, "sku": sku, **changed}


def _takes(engine: str, **changed: Any) -> Callable[[World], None]:
    def holds(made: World) -> None:
        kind_of(made, f"dbfor{engine}:Server").verify(_server(engine, **changed))

    return holds


def _takes_not(engine: str, code: str, **changed: Any) -> Callable[[World], None]:
    def holds(made: World) -> None:
        refused(lambda: _takes(engine, **changed)(made), code)

    return holds


def _disks(made: World) -> None:
    _takes("mysql", storage={"storageSizeGB": 100})(made)
    _takes_not("postgresql", "InvalidStorageSize", storage={"storageSizeGB": 100})(made)


def _secret_without_a_right(made: World) -> None:
    vault = made.ids["vault"]
    record = made.cloud.store.get(vault)
    assert record
    closed = {**record.props["properties"], "enableRbacAuthorization": True}
    made.cloud.store.put(vault, record.token, {**record.props, "properties": closed})
    given = {**_GROUP, "vaultName": "taken-vault", "properties": {"value": "x"}}
    made.make("Secret", "word", {**given, "secretName": "word"})
    secret = kind_of(made, "Secret")
    refused(lambda: secret.delete(made.ids["word"], {}), "ForbiddenByRbac")
    roles = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
    granted = {"principalId": DEPLOYER_ID, "roleDefinitionId": f"{roles}/{_OFFICER}"}
    made.make("RoleAssignment", "may", {**granted, "scope": vault})
    secret.delete(made.ids["word"], {})
    made.cloud.store.delete(made.ids["word"])
    again = {**given, "secretName": "word"}
    refused(lambda: made.make("Secret", "again", again), "ObjectIsDeletedButRecoverable")


def _secret_from_outside(made: World) -> None:
    vault = made.ids["vault"]
    record = made.cloud.store.get(vault)
    assert record
    closed = {**record.props["properties"], "publicNetworkAccess": "Disabled"}
    made.cloud.store.put(vault, record.token, {**record.props, "properties": closed})
    delete = kind_of(made, "Secret").delete
    refused(lambda: delete(f"{vault}/secrets/word", {}), "ForbiddenByConnection")


def _parts_at_once(made: World) -> None:
    made.make("dbforpostgresql:Server", "db", _server("postgresql"))
    rule = {**_GROUP, "serverName": "the-db", "firewallRuleName": "azure"}
    rule |= {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}
    with database.one_at_a_time(made.ids["db"]):
        refused(
            lambda: made.make("dbforpostgresql:FirewallRule", "rule", rule),
            "ServerBusy",
        )
    made.make("dbforpostgresql:FirewallRule", "rule", rule)


def _subnet_in_use(made: World) -> None:
    at = [{"name": "it", "subnet": {"id": made.ids["one"]}}]
    given = {**_GROUP, "networkInterfaceName": "nic", "ipConfigurations": at}
    made.make("NetworkInterface", "nic", given)
    refused(
        lambda: kind_of(made, "Subnet").delete(made.ids["one"], {}), "InUseSubnetCannotBeDeleted"
    )
    refused(
        lambda: kind_of(made, "VirtualNetwork").delete(made.ids["net"], {}),
        "InUseVirtualNetworkCannotBeDeleted",
    )
    made.cloud.store.delete(made.ids["nic"])
    kind_of(made, "Subnet").delete(made.ids["one"], {})


def _subnet_changed(made: World) -> None:
    delegation = {"name": "db", "serviceName": "Microsoft.DBforMySQL/flexibleServers"}
    inner = {**_GROUP, "virtualNetworkName": "net", "subnetName": "one"}
    subnet, same = kind_of(made, "Subnet"), {"addressPrefix": "10.0.1.0/24"}
    # Nothing is in it.
    subnet.verify({**inner, **same, "delegations": [delegation]})
    at = [{"name": "it", "subnet": {"id": made.ids["one"]}}]
    made.make(
        "NetworkInterface",
        "nic",
        {**_GROUP, "networkInterfaceName": "nic"} | {"ipConfigurations": at},
    )
    refused(
        lambda: subnet.verify({**inner, **same, "delegations": [delegation]}),
        "SubnetDelegationsCannotChangeWhenSubnetUsedByResource",
    )
    refused(
        lambda: subnet.verify({**inner, "addressPrefix": "10.0.2.0/24"}),
        "InUsePrefixCannotBeDeleted",
    )
    other = {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}
    refused(
        lambda: kind_of(made, "VirtualNetwork").verify(
            {**_GROUP, "virtualNetworkName": "net", **other}
        ),
        "InUsePrefixCannotBeDeleted",
    )


def _rule(name: str, priority: int, access: str, source: str, ports: str) -> Props:
    ends = {"sourceAddressPrefix": source, "destinationAddressPrefix": "*"}
    named = {"name": name, "priority": priority, "access": access, "direction": "Inbound"}
    return {**named, **ends, "protocol": "*", "destinationPortRange": ports}


_FRONT = _rule("front", 100, "Allow", "203.0.113.0/24", "443")
_PROBES = _rule("probes", 101, "Allow", "AzureLoadBalancer", "30000-32767")
_OTHERS = _rule("others", 4096, "Deny", "VirtualNetwork", "*")


def _rules(made: World) -> None:
    peering = {"name": "hub", "remoteAddressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}
    space = {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}}
    whole = {**_GROUP, "virtualNetworkName": "hubbed", **space, "virtualNetworkPeerings": [peering]}
    made.make("VirtualNetwork", "hubbed", {**whole, "location": "westeurope"})

    named = {**_GROUP, "networkSecurityGroupName": "nsg", "location": "westeurope"}
    group = made.make("NetworkSecurityGroup", "nsg", named)
    inner = {**_GROUP, "virtualNetworkName": "hubbed", "subnetName": "s"}
    inner |= {"networkSecurityGroup": {"id": made.ids["nsg"]}}
    subnet = made.make("Subnet", "s", {**inner, "addressPrefix": "10.1.0.0/24"})
    kind = "azure-native:network:NetworkSecurityGroup"

    def reach(*rules: Props) -> dict[str, list[int]]:
        made.cloud.store.put(made.ids["nsg"], kind, {**group, "securityRules": list(rules)})
        lets_in = functools.partial(network.lets_in, made.cloud.store, subnet)
        return {who: [port for port in every if lets_in(who, port)] for who in callers}

    every = [22, 443, 30000]
    callers = ("203.0.113.1", "198.51.100.1", "10.1.7.7", "10.9.0.1", network.PROBES)
    inside = {"10.1.7.7": every, "10.9.0.1": every, network.PROBES: every}
    assert reach() == {"203.0.113.1": [], "198.51.100.1": [], **inside}
    assert reach(_FRONT) == {"203.0.113.1": [443], "198.51.100.1": [], **inside}
    closed: dict[str, list[int]] = {"198.51.100.1": [], "10.1.7.7": [], "10.9.0.1": []}
    # The host's own address is one of the network: load balancers then see nothing alive.
    assert reach(_FRONT, _OTHERS) == {"203.0.113.1": [443], **closed, network.PROBES: []}
    seen = {"203.0.113.1": [443], **closed, network.PROBES: [30000]}
    assert reach(_FRONT, _PROBES, _OTHERS) == seen
    elsewhere = {**_FRONT, "destinationAddressPrefix": "10.1.1.0/24"}
    assert reach(elsewhere)["203.0.113.1"] == []
    # A name in the network leads to what the rules are before.
    at = [{"name": "it", "subnet": {"id": made.ids["s"]}}]
    nic = {**_GROUP, "networkInterfaceName": "nic", "ipConfigurations": at}
    [front] = made.make("NetworkInterface", "nic", nic)["ipConfigurations"]
    zone = {**_GROUP, "privateZoneName": "mlflow.internal"}
    made.make("PrivateZone", "zone", {**zone, "location": "global"})
    record = {**zone, "recordType": "A", "relativeRecordSetName": "@", "ttl": 60}
    address = {"ipv4Address": front["privateIPAddress"]}
    made.make("PrivateRecordSet", "record", {**record, "aRecords": [address]})
    reach(_FRONT, _OTHERS)
    found = {who: made.cloud.resolve("mlflow.internal", who) for who in callers}
    assert [who for who in callers if found[who]] == ["203.0.113.1"]


def _app(made: World, probe: Props | None = None, cpu: float = 1) -> Props:
    resources = {"cpu": cpu, "memory": f"{2 * cpu:g}Gi"}
    entry = {"name": "a", "image": "i", "resources": resources, "probes": [probe] if probe else []}
    named = {**_GROUP, "containerAppName": "app", "template": {"containers": [entry]}}
    return {**named, "environmentId": made.ids["environment"]}


def _environment(made: World, name: str, subnet: str) -> None:
    network = {"infrastructureSubnetId": made.ids[subnet]}
    given = {**_GROUP, "environmentName": name, "vnetConfiguration": network}
    made.make("ManagedEnvironment", name, given)


def _apps(made: World) -> None:
    delegation = {"name": "apps", "serviceName": "Microsoft.App/environments"}
    inner = {**_GROUP, "virtualNetworkName": "net", "delegations": [delegation]}
    made.make("Subnet", "apps", {**inner, "subnetName": "apps", "addressPrefix": "10.0.8.0/24"})
    _environment(made, "environment", "apps")
    verify = kind_of(made, "ContainerApp").verify
    verify(_app(made, {"type": "Startup", "failureThreshold": 48}))
    long = {"type": "Liveness", "failureThreshold": 48}
    refused(lambda: verify(_app(made, long)), "FailureThresholdOutOfRange")
    refused(lambda: verify(_app(made, cpu=1.3)), "ContainerAppInvalidResourceTotal")
    refused(lambda: _environment(made, "second", "apps"), "already mapped with another")


def _any_region(made: World) -> None:
    for name in ("francecentral", "southcentralus", "swedencentral"):
        made.make("ResourceGroup", name, {"resourceGroupName": name, "location": name})


FACTS = [
    Fact(
        "a secret is deleted in the vault, by the deployer's own right, and keeps its name",
        f"{PROVIDER}/resources/customresources/custom_keyvault.go",
        _secret_without_a_right,
    ),
    Fact(
        "a vault without public access lets no deployer in from outside",
        f"{LEARN}/key-vault/general/network-security",
        _secret_from_outside,
    ),
    Fact(
        "a server of PostgreSQL takes one change of its parts at a time",
        "https://github.com/hashicorp/terraform-provider-azurerm/pull/18159",
        _parts_at_once,
    ),
    Fact(
        "what is in use is not deleted",
        f"{LEARN}/virtual-network/virtual-network-manage-subnet",
        _subnet_in_use,
    ),
    Fact(
        "a subnet in use keeps its addresses and its kind, and a network the space of its subnets",
        "https://github.com/MicrosoftDocs/azure-docs/issues/39112",
        _subnet_changed,
    ),
    Fact(
        "a security group lets in all of its network and of those that are peered, unless told",
        f"{LEARN}/virtual-network/network-security-groups-overview",
        _rules,
    ),
    Fact(
        "apps have quarters of a CPU, probes their limits, and environments their own subnet",
        "https://github.com/microsoft/azure-container-apps/issues/974",
        _apps,
    ),
    Fact(
        "MySQL has not the sizes of PostgreSQL",
        f"{LEARN}/mysql/flexible-server/concepts-service-tiers-storage",
        _takes_not(
            "mysql", "InvalidSkuName", sku={"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}
        ),
    ),
    Fact(
        "PostgreSQL has not every size that a machine has",
        f"{LEARN}/postgresql/flexible-server/concepts-compute",
        _takes_not(
            "postgresql", "InvalidSkuName", sku={"name": "Standard_B1s", "tier": "Burstable"}
        ),
    ),
    Fact(
        "MySQL's disk has any size, and PostgreSQL's doubles",
        f"{LEARN}/mysql/flexible-server/concepts-service-tiers-storage",
        _disks,
    ),
    Fact(
        "there is a PostgreSQL 18",
        f"{LEARN}/postgresql/flexible-server/concepts-supported-versions",
        _takes("postgresql", version="18"),
    ),
    Fact(
        "every region of the cloud may be rehearsed",
        f"{LEARN}/reliability/regions-list",
        _any_region,
    ),
]


@pytest.mark.parametrize("fact", FACTS, ids=[fact.says for fact in FACTS])
def test_the_stand_in_does_as_azure_does(fact: Fact, tmp_path: Path) -> None:
    assert fact.source.startswith("https://")
    fact.holds(world(tmp_path))
