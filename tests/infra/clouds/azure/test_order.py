"""What Azure asks of a stack beside its types: what waits for what, and what goes with what."""

from typing import Any

import pytest

from tests.infra.clouds.azure.stacks import PRIVATE, SCALE, VM, one, stack, waits

pytestmark = pytest.mark.slow

_SERVERS = ("dbforpostgresql:Server", "dbformysql:Server")


@pytest.mark.parametrize("database", ["postgresql", "mysql"])
@pytest.mark.parametrize("compute", [SCALE, VM, PRIVATE])
def test_the_database_waits_for_its_zone_s_link_and_the_link_for_the_subnet(
    compute: dict[str, Any], database: str
) -> None:
    """VnetNotLinkedToPrivateDnsZone at the first `up`, InUseSubnetCannotBeDeleted at the end:
    Azure/bicep#10197, hashicorp/terraform-provider-azurerm#28079 and #24593.
    """
    made = stack(compute, {"database": database})
    [server] = [r for r in made.registered if r.type.endswith(_SERVERS)]
    link = one(made, ":VirtualNetworkLink", "database-zone-link")
    assert waits(made, server, link)
    assert waits(made, link, one(made, ":Subnet", "database-subnet"))


def test_a_database_and_its_rule_are_made_one_after_the_other() -> None:
    """ServerBusy else: hashicorp/terraform-provider-azurerm#18159."""
    made = stack()
    rule, database = one(made, ":FirewallRule"), one(made, ":dbforpostgresql:Database")
    assert waits(made, rule, database)


@pytest.mark.parametrize("database", ["postgresql", "mysql"])
def test_no_database_is_replaced_before_azure_took_the_change_of_the_account(database: str) -> None:
    """`highAvailability` changes both, and Azure refuses that of the account:
    https://learn.microsoft.com/azure/storage/common/redundancy-migration
    """
    made = stack({"database": database})
    [server] = [r for r in made.registered if r.type.endswith(_SERVERS)]
    assert waits(made, server, one(made, ":StorageAccount"))


@pytest.mark.parametrize("compute", [SCALE, VM])
def test_secrets_end_with_their_vault_and_the_deployer_may_delete_one(
    compute: dict[str, Any],
) -> None:
    """The provider deletes a secret in the data plane, where no owner has a right by that."""
    made = stack(compute)
    vault = one(made, ":keyvault:Vault")
    secrets = [r for r in made.registered if r.type.endswith(":keyvault:Secret")]
    assert {r.options["deletedWith"] for r in secrets} == {vault.options["urn"]}
    right = one(made, ":RoleAssignment", "deployer-may-delete-secrets")
    assert right.inputs["roleDefinitionId"].endswith("b86a8fe4-44ce-4948-aee5-eccb2c155cd7")
    assert (right.inputs["principalId"], right.inputs["scope"]) == (
        "deployer",
        "/providers/keyvault:Vault/trackstack-azure",
    )
    # It is there as long as they are.
    assert all(waits(made, secret, right) for secret in secrets)


def test_a_secret_that_was_deleted_is_not_in_the_way_of_its_next_value() -> None:
    """Azure keeps a deleted secret's name for a week: ObjectIsDeletedButRecoverable."""
    made = stack(SCALE)
    secrets = [r for r in made.registered if r.type.endswith(":keyvault:Secret")]
    assert not [r for r in secrets if "secretName" in r.inputs]
    # Those of earlier versions keep the name that they have.
    assert {tuple(r.options["ignoreChanges"]) for r in secrets} == {("secretName",)}


@pytest.mark.parametrize(("compute", "asks"), [({}, ":ContainerGroup"), (SCALE, ":app:Job")])
def test_what_pulls_an_image_waits_until_azure_knows_each_right(
    compute: dict[str, Any], asks: str
) -> None:
    """A role that was just assigned is refused for minutes: Azure/azure-dev#7529."""
    made = stack(compute)
    known = one(made, ":Settled")
    found = [r for r in made.registered if r.type.endswith((asks, ":ContainerApp"))]
    assert found
    assert all(waits(made, reader, known) for reader in found)
    rights = [r for r in made.registered if r.type.endswith(":RoleAssignment")]
    own = [r for r in rights if r.inputs["principalId"] == "principal"]
    assert len(own) == len(known.inputs["of"].split())


@pytest.mark.parametrize("compute", [SCALE, VM])
def test_what_reads_a_private_vault_waits_for_its_endpoint(compute: dict[str, Any]) -> None:
    """Container Apps are no trusted service of a vault: microsoft/azure-container-apps#1287."""
    made = stack(compute, PRIVATE)
    names = one(made, ":PrivateDnsZoneGroup", "vault-endpoint-names")
    link = one(made, ":VirtualNetworkLink", "vault-zone-link")
    readers = (":ContainerApp", ":app:Job", ":VirtualMachine")
    found = [r for r in made.registered if r.type.endswith(readers)]
    assert found
    assert all(waits(made, reader, each) for reader in found for each in (names, link))


def test_an_internal_environment_has_its_names_in_the_network() -> None:
    """https://learn.microsoft.com/azure/container-apps/private-endpoints-and-dns"""
    made = stack(SCALE, PRIVATE)
    [zone] = [r for r in made.of("privatedns:PrivateZone") if "apps" in r["privateZoneName"]]
    assert zone["privateZoneName"] == "apps.example"
    [record] = made.of("privatedns:PrivateRecordSet")
    assert (record["relativeRecordSetName"], record["aRecords"]) == (
        "*",
        [{"ipv4Address": "10.80.0.9"}],
    )
    assert stack(SCALE).of("privatedns:PrivateRecordSet") == []


@pytest.mark.parametrize("compute", [{}, VM])
def test_a_hostname_hides_no_other_name_of_its_domain(compute: dict[str, Any]) -> None:
    """A private zone answers for all names in it, and says of others that there are none."""
    made = stack(compute, PRIVATE, {"hostname": "mlflow.example.com"})
    zones = [zone["privateZoneName"] for zone in made.of("privatedns:PrivateZone")]
    assert "mlflow.example.com" in zones
    assert "example.com" not in zones
    [record] = made.of("privatedns:PrivateRecordSet")
    assert record["relativeRecordSetName"] == "@"


_ZONES = "/subscriptions/s/resourceGroups/dns/providers/Microsoft.Network/privateDnsZones"


def test_zones_that_a_network_has_are_used_and_none_is_made_beside_them() -> None:
    """A network is linked to one zone of a name: Azure/azure-docs#122956."""
    named = ["privatelink.blob.core.windows.net", "privatelink.vaultcore.azure.net"]
    named += ["our.postgres.database.azure.com"]
    network = _ZONES.replace("privateDnsZones", "virtualNetworks/theirs")
    ids = [f"{_ZONES}/{name}" for name in named]
    keys = {"privateDnsZoneIds": ids, "virtualNetworkId": network}
    made = stack(SCALE, PRIVATE, keys)
    zones = [zone["privateZoneName"] for zone in made.of("privatedns:PrivateZone")]
    assert zones == ["apps.example"]
    assert len(made.of("privatedns:VirtualNetworkLink")) == 1
    configs = [group["privateDnsZoneConfigs"] for group in made.of("PrivateDnsZoneGroup")]
    assert sorted(config["privateDnsZoneId"] for [config] in configs) == ids[:2]
    [server] = made.of("dbforpostgresql:Server")
    assert server["network"]["privateDnsZoneArmResourceId"] == ids[2]
