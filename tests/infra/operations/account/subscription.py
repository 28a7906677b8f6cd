"""A stack on Azure, and what Azure answers of a subscription that has all that it needs."""

from typing import Any

from infra.operations.account.azure.needs import namespaces
from infra.place import ROOT as HOUSE
from infra.plan import make_plan
from infra.plan.azure import AzurePlan
from infra.plan.place import Place
from infra.settings import parse
from tests.infra.operations.account import arm, roles
from tests.infra.operations.account.arm import NETWORK, REGION, ROOT

_KEYS = {
    "cloud": "azure",
    "subscriptionId": arm.SUBSCRIPTION,
    "region": REGION,
    "imageBuild": "acr",
    "allowedCidrs": '["0.0.0.0/0"]',
}
HERE = f"{ROOT}/providers"
NETWORKED = {"virtualNetworkId": NETWORK, "networkCidr": "10.60.8.0/24"}
ZONE = "privatelink.blob.core.windows.net"
ZONE_ID = f"{ROOT}/resourceGroups/hub/providers/Microsoft.Network/privateDnsZones/{ZONE}"


def plan_of(**keys: str) -> AzurePlan:
    ssh = {"sshPublicKey": "ssh-ed25519 AAAA"} if keys.get("compute") == "vm" else {}
    plan = make_plan(parse({**_KEYS, **ssh, **keys}), Place("azure-test", HOUSE, frozenset()))
    assert isinstance(plan, AzurePlan)
    return plan


def at(namespace: str, rest: str) -> str:
    return f"{HERE}/{namespace}/locations/{REGION}/{rest}"


def ready(plan: AzurePlan) -> dict[str, Any]:
    """What Azure answers of a subscription that has all that the plan needs."""
    free = {"nameAvailable": True}
    return {
        ROOT: {"id": ROOT, "displayName": "Team", "state": "Enabled"},
        **roles.held(ROOT, "Owner"),
        f"{ROOT}/resourceGroups/team": {"id": f"{ROOT}/resourceGroups/team", "name": "team"},
        HERE: arm.registered(*namespaces(plan)),
        at("Microsoft.ContainerInstance", "usages"): arm.usages(ContainerGroups=1, StandardCores=1),
        at("Microsoft.App", "usages"): arm.usages(ManagedEnvironmentCount=1),
        at("Microsoft.Storage", "usages"): arm.usages(StorageAccounts=1),
        at("Microsoft.Network", "usages"): arm.usages(VirtualNetworks=1, PublicIPAddresses=1),
        at("Microsoft.Compute", "usages"): arm.usages(cores=2, standardBsv2Family=2),
        f"{HERE}/Microsoft.Compute/skus": arm.sizes("standardBsv2Family", "Standard_B2ls_v2"),
        at("Microsoft.DBforPostgreSQL", "capabilities"): arm.postgresql(
            "Standard_B1ms", "Standard_D2ds_v5"
        ),
        at("Microsoft.DBforMySQL", "capabilities"): arm.mysql("Standard_D2ads_v5"),
        f"{HERE}/Microsoft.ContainerRegistry/checkNameAvailability": free,
        f"{HERE}/Microsoft.Storage/checkNameAvailability": free,
        at("Microsoft.DBforPostgreSQL", "checkNameAvailability"): free,
        at("Microsoft.DBforMySQL", "checkNameAvailability"): free,
        at("Microsoft.Network", "CheckDnsNameAvailability"): {"available": True},
        NETWORK: arm.network(apps="10.60.0.0/24"),
        f"{HERE}/Microsoft.Network/privateDnsZones": {"value": [{"id": ZONE_ID}]},
        f"{ZONE_ID}/virtualNetworkLinks": arm.linked(ZONE_ID),
    }
