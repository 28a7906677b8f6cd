"""What Azure asks of a stack beside its types: what waits for what, and what goes with what."""

import functools
import json
from typing import Any

import pytest

from infra.rehearsal.dump.recording import Registered
from tests.infra.recording import AzureMade, deploy_azure
from tests.infra.stack_files import AZURE

pytestmark = pytest.mark.slow

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
_SCALE = {"compute": "scale"}
_VM = {"compute": "vm", "sshPublicKey": _KEY}
_PRIVATE = {"private": True}
_SERVERS = ("dbforpostgresql:Server", "dbformysql:Server")


@functools.cache
def _made(text: str) -> AzureMade:
    return deploy_azure({**AZURE, **json.loads(text)})[1]


def _stack(*keys: dict[str, Any]) -> AzureMade:
    return _made(json.dumps({k: v for each in keys for k, v in each.items()}, sort_keys=True))


def _one(made: AzureMade, kind: str, name: str = "") -> Registered:
    [found] = [r for r in made.registered if r.type.endswith(kind) and name in ("", r.name)]
    return found


def _waits(made: AzureMade, one: Registered, other: Registered) -> bool:
    """Whether one is made after the other, and so goes before it, straight or through others."""
    by = {each.options["urn"]: each.options["dependencies"] for each in made.registered}
    ahead, seen = list(one.options["dependencies"]), set[str]()
    while ahead:
        urn = ahead.pop()
        if urn not in seen:
            seen.add(urn)
            ahead += by.get(urn, [])
    return other.options["urn"] in seen


@pytest.mark.parametrize("database", ["postgresql", "mysql"])
@pytest.mark.parametrize("compute", [_SCALE, _VM, _PRIVATE])
def test_the_database_waits_for_its_zone_s_link_and_the_link_for_the_subnet(
    compute: dict[str, Any], database: str
) -> None:
    """VnetNotLinkedToPrivateDnsZone at the first `up`, InUseSubnetCannotBeDeleted at the end:
    Azure/bicep#10197, hashicorp/terraform-provider-azurerm#28079 and #24593.
    """
    made = _stack(compute, {"database": database})
    [server] = [r for r in made.registered if r.type.endswith(_SERVERS)]
    link = _one(made, ":VirtualNetworkLink", "database-zone-link")
    assert _waits(made, server, link)
    assert _waits(made, link, _one(made, ":Subnet", "database-subnet"))


def test_a_database_and_its_rule_are_made_one_after_the_other() -> None:
    """ServerBusy else: hashicorp/terraform-provider-azurerm#18159."""
    made = _stack()
    rule, database = _one(made, ":FirewallRule"), _one(made, ":dbforpostgresql:Database")
    assert _waits(made, rule, database)


@pytest.mark.parametrize("compute", [_SCALE, _VM])
def test_secrets_end_with_their_vault_and_the_deployer_may_delete_one(
    compute: dict[str, Any],
) -> None:
    """The provider deletes a secret in the data plane, where no owner has a right by that."""
    made = _stack(compute)
    vault = _one(made, ":keyvault:Vault")
    secrets = [r for r in made.registered if r.type.endswith(":keyvault:Secret")]
    assert {r.options["deletedWith"] for r in secrets} == {vault.options["urn"]}
    right = _one(made, ":RoleAssignment", "deployer-may-delete-secrets")
    assert right.inputs["roleDefinitionId"].endswith("b86a8fe4-44ce-4948-aee5-eccb2c155cd7")
    assert (right.inputs["principalId"], right.inputs["scope"]) == (
        "deployer",
        "/providers/keyvault:Vault/trackstack-azure",
    )
    # It is there as long as they are.
    assert all(_waits(made, secret, right) for secret in secrets)


def test_a_secret_that_was_deleted_is_not_in_the_way_of_its_next_value() -> None:
    """Azure keeps a deleted secret's name for a week: ObjectIsDeletedButRecoverable."""
    made = _stack(_SCALE)
    secrets = [r for r in made.registered if r.type.endswith(":keyvault:Secret")]
    assert not [r for r in secrets if "secretName" in r.inputs]
    # Those of earlier versions keep the name that they have.
    assert {tuple(r.options["ignoreChanges"]) for r in secrets} == {("secretName",)}


@pytest.mark.parametrize("compute", [_SCALE, _VM])
def test_what_reads_a_private_vault_waits_for_its_endpoint(compute: dict[str, Any]) -> None:
    """Container Apps are no trusted service of a vault: microsoft/azure-container-apps#1287."""
    made = _stack(compute, _PRIVATE)
    names = _one(made, ":PrivateDnsZoneGroup", "vault-endpoint-names")
    link = _one(made, ":VirtualNetworkLink", "vault-zone-link")
    readers = (":ContainerApp", ":app:Job", ":VirtualMachine")
    found = [r for r in made.registered if r.type.endswith(readers)]
    assert found
    assert all(_waits(made, reader, each) for reader in found for each in (names, link))


def test_an_internal_environment_has_its_names_in_the_network() -> None:
    """https://learn.microsoft.com/azure/container-apps/private-endpoints-and-dns"""
    made = _stack(_SCALE, _PRIVATE)
    [zone] = [r for r in made.of("privatedns:PrivateZone") if "apps" in r["privateZoneName"]]
    assert zone["privateZoneName"] == "apps.example"
    [record] = made.of("privatedns:PrivateRecordSet")
    assert (record["relativeRecordSetName"], record["aRecords"]) == (
        "*",
        [{"ipv4Address": "10.80.0.9"}],
    )
    assert _stack(_SCALE).of("privatedns:PrivateRecordSet") == []


@pytest.mark.parametrize("compute", [{}, _VM])
def test_a_hostname_hides_no_other_name_of_its_domain(compute: dict[str, Any]) -> None:
    """A private zone answers for all names in it, and says of others that there are none."""
    made = _stack(compute, _PRIVATE, {"hostname": "mlflow.example.com"})
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
    made = _stack(_SCALE, _PRIVATE, keys)
    zones = [zone["privateZoneName"] for zone in made.of("privatedns:PrivateZone")]
    assert zones == ["apps.example"]
    assert len(made.of("privatedns:VirtualNetworkLink")) == 1
    configs = [group["privateDnsZoneConfigs"] for group in made.of("PrivateDnsZoneGroup")]
    assert sorted(config["privateDnsZoneId"] for [config] in configs) == ids[:2]
    [server] = made.of("dbforpostgresql:Server")
    assert server["network"]["privateDnsZoneArmResourceId"] == ids[2]
