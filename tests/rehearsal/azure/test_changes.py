"""What Pulumi's provider replaces, what it changes in place, and what of that Azure refuses."""

from collections.abc import Callable
from pathlib import Path

import pytest

from infra.rehearsal.provider.responses import differences
from infra.rehearsal.provider.values import UNKNOWN, Props
from tests.rehearsal.cases import World
from tests.rehearsal.cases.azure_facts import LEARN, PROVIDER, Fact, kind_of, refused
from tests.rehearsal.cases.azure_world import world

pytestmark = pytest.mark.slow  # importing the SDK's metadata takes seconds


def _in_place(kind: str, old: Props, new: Props, code: str = "") -> Callable[[World], None]:
    """A change that the provider asks for in place; ``code`` where Azure refuses it."""

    def holds(made: World) -> None:
        resource = kind_of(made, kind)
        top = {path.split(".")[0].split("[")[0] for path in new}
        assert resource.replacing(top, old, new) == set()
        if not code:
            return
        made.cloud.store.put("/it", resource.token, old)
        refused(lambda: resource.update("/it", new, old), code)

    return holds


def _replaced(kind: str, *properties: str) -> Callable[[World], None]:
    def holds(made: World) -> None:
        assert set(properties) <= kind_of(made, kind).replace_paths()

    return holds


def _nested(_made: World) -> None:
    old = {"containers": [{"resources": {"cpu": 1}, "image": "a"}]}
    new = {"containers": [{"resources": {"cpu": 2}, "image": "a"}, {"image": "b"}]}
    assert list(differences("containers", old["containers"], new["containers"])) == [
        "containers[0].resources.cpu",
        "containers[1]",
    ]


def _previewed(made: World) -> None:
    secret = kind_of(made, "keyvault:Secret")
    properties = secret.planned({"properties": {"value": "a"}}, {})["properties"]
    assert properties["value"] == "a"
    assert properties["secretUriWithVersion"] is UNKNOWN


_SIZED = {"containers": [{"resources": {"requests": {"cpu": 1}}}], "containerGroupName": "it"}
_LARGER = {"containers": [{"resources": {"requests": {"cpu": 2}}}], "containerGroupName": "it"}
_SMALLER = (
    {"storage": {"storageSizeGB": 64}},
    {"storage": {"storageSizeGB": 32}},
    "DowngradeDiskSizeUnsupported",
)
_UPDATE = f"{LEARN}/container-instances/container-instances-update"
_CUSTOM = "https://github.com/Azure/azure-sdk-for-java/issues/1976"
_GEN = f"{PROVIDER}/gen/replacement.go"
FACTS = [
    Fact("the provider tells nested changes one by one", f"{PROVIDER}/provider/diff.go", _nested),
    Fact(
        "what Azure adds within an input is not known before it is made",
        f"{PROVIDER}/convert/previewOutputs.go",
        _previewed,
    ),
    Fact(
        "another size of a container group is asked for in place, and refused",
        _UPDATE,
        _in_place("ContainerGroup", _SIZED, _LARGER, "InvalidContainerGroupUpdate"),
    ),
    Fact(
        "another restart policy of a container group likewise",
        _UPDATE,
        _in_place(
            "ContainerGroup",
            {"restartPolicy": "Always"},
            {"restartPolicy": "Never"},
            "InvalidContainerGroupUpdate",
        ),
    ),
    Fact(
        "another image of a container group is taken in place",
        _UPDATE,
        _in_place(
            "ContainerGroup", {"containers": [{"image": "a"}]}, {"containers": [{"image": "b"}]}
        ),
    ),
    Fact(
        "a machine's custom data do not change",
        _CUSTOM,
        _in_place(
            "VirtualMachine",
            {"osProfile": {"customData": "a"}},
            {"osProfile": {"customData": "b"}},
            "PropertyChangeNotAllowed",
        ),
    ),
    Fact(
        "a machine's SSH keys do not change",
        f"{LEARN}/virtual-machines/linux/create-ssh-keys-detailed",
        _in_place(
            "VirtualMachine",
            {"osProfile": {"linuxConfiguration": {"ssh": "a"}}},
            {"osProfile": {"linuxConfiguration": {"ssh": "b"}}},
            "PropertyChangeNotAllowed",
        ),
    ),
    Fact(
        "an environment's network does not change",
        f"{LEARN}/container-apps/custom-virtual-networks",
        _in_place(
            "ManagedEnvironment",
            {"vnetConfiguration": {"internal": False}},
            {"vnetConfiguration": {"internal": True}},
            "VnetCannotBeChanged",
        ),
    ),
    Fact(
        "a database's version changes in place",
        f"{LEARN}/postgresql/flexible-server/concepts-major-version-upgrade",
        _in_place("dbforpostgresql:Server", {"version": "16"}, {"version": "17"}),
    ),
    Fact(
        "the disk of PostgreSQL never gets smaller",
        f"{LEARN}/postgresql/scale/how-to-auto-grow-storage",
        _in_place("dbforpostgresql:Server", *_SMALLER),
    ),
    Fact(
        "nor that of MySQL",
        f"{LEARN}/mysql/flexible-server/concepts-service-tiers-storage",
        _in_place("dbformysql:Server", *_SMALLER),
    ),
    Fact(
        "a database's subnet does not change",
        f"{LEARN}/postgresql/flexible-server/concepts-networking-private",
        _in_place(
            "dbforpostgresql:Server",
            {"network": {"delegatedSubnetResourceId": "/a"}},
            {"network": {"delegatedSubnetResourceId": "/b"}},
            "CannotChangeSubnet",
        ),
    ),
    Fact(
        "MySQL gets a standby at its creation or never",
        "https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs/resources/"
        "mysql_flexible_server",
        _in_place(
            "dbformysql:Server",
            {"highAvailability": {"mode": "Disabled"}},
            {"highAvailability": {"mode": "ZoneRedundant"}},
            "HACannotBeChanged",
        ),
    ),
    Fact(
        "and loses it at any time",
        "https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs/resources/"
        "mysql_flexible_server",
        _in_place(
            "dbformysql:Server",
            {"highAvailability": {"mode": "ZoneRedundant"}},
            {"highAvailability": {"mode": "Disabled"}},
        ),
    ),
    Fact(
        "PostgreSQL gets no standby with another tier",
        "https://github.com/hashicorp/terraform-provider-azurerm/issues/27612",
        _in_place(
            "dbforpostgresql:Server",
            {"sku": {"tier": "Burstable"}},
            {"sku": {"tier": "GeneralPurpose"}, "highAvailability": {"mode": "ZoneRedundant"}},
            "InvalidParameterValue",
        ),
    ),
    Fact(
        "an endpoint's names stay in their zone",
        "https://github.com/hashicorp/terraform-provider-azurerm/issues/27559",
        _in_place(
            "PrivateDnsZoneGroup",
            {"privateDnsZoneConfigs": [{"privateDnsZoneId": "/a"}]},
            {"privateDnsZoneConfigs": [{"privateDnsZoneId": "/b"}]},
            "UpdateNotAllowed",
        ),
    ),
    Fact(
        "copies of a storage account in one zone become none in three by a plain change",
        f"{LEARN}/storage/common/redundancy-migration",
        _in_place(
            "StorageAccount",
            {"sku": {"name": "Standard_LRS"}},
            {"sku": {"name": "Standard_ZRS"}},
            "StorageAccountTypeConversionNotAllowed",
        ),
    ),
    Fact(
        "the role of an assignment does not change",
        f"{LEARN}/role-based-access-control/troubleshooting",
        _in_place(
            "RoleAssignment",
            {"roleDefinitionId": "/a"},
            {"roleDefinitionId": "/b"},
            "RoleAssignmentUpdateNotPermitted",
        ),
    ),
    Fact("another subnet makes another endpoint", _GEN, _replaced("PrivateEndpoint", "subnet")),
    Fact("another SKU makes another address", _GEN, _replaced("PublicIPAddress", "sku")),
    Fact("an app is in one environment", _GEN, _replaced("ContainerApp", "environmentId")),
    Fact(
        "PostgreSQL is made with its administrator and its zone",
        _GEN,
        _replaced("dbforpostgresql:Server", "administratorLogin", "availabilityZone"),
    ),
]


@pytest.mark.parametrize("fact", FACTS, ids=[fact.says for fact in FACTS])
def test_the_stand_in_changes_as_azure_does(fact: Fact, tmp_path: Path) -> None:
    assert fact.source.startswith("https://")
    fact.holds(world(tmp_path))
