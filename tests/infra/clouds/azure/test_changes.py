"""What Azure refuses to change in place is made anew, and what it changes itself is left alone."""

from typing import Any

import pytest

from tests.infra.clouds.azure.stacks import CONTAINER, PRIVATE, SCALE, VM, one, stack

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("keys", [{}, PRIVATE])
def test_a_container_group_of_another_size_or_address_is_another_group(
    keys: dict[str, Any],
) -> None:
    """https://learn.microsoft.com/azure/container-instances/container-instances-update"""
    group = one(stack(CONTAINER, keys), ":ContainerGroup")
    assert {
        "containers[*].resources",
        "ipAddress",
        "osType",
        "restartPolicy",
        "subnetIds",
    } <= set(group.options["replaceOnChanges"])
    # Two of one name cannot be.
    assert group.options["deleteBeforeReplace"]


def test_a_machine_keeps_what_it_was_begun_with_and_is_another_for_another_ssh_key() -> None:
    """PropertyChangeNotAllowed: https://github.com/Azure/azure-sdk-for-java/issues/1976"""
    machine = one(stack(VM), ":VirtualMachine")
    assert machine.options["ignoreChanges"] == ["osProfile.customData"]
    assert machine.options["replaceOnChanges"] == ["osProfile.linuxConfiguration"]
    assert machine.options["deleteBeforeReplace"]


def test_an_environment_in_another_network_is_another_with_its_app_and_jobs() -> None:
    made = stack(SCALE, {"backupSchedule": "30 2 * * *"})
    environment = one(made, ":ManagedEnvironment")
    assert environment.options["replaceOnChanges"] == ["vnetConfiguration"]
    assert environment.options["deleteBeforeReplace"]
    within = [r for r in made.registered if r.type.endswith((":ContainerApp", ":app:Job"))]
    assert len(within) > 1
    assert {tuple(r.options["replaceOnChanges"]) for r in within} == {("environmentId",)}
    assert all(r.options["deleteBeforeReplace"] for r in within)


def test_a_new_mysql_is_of_a_version_whose_support_costs_nothing() -> None:
    """https://learn.microsoft.com/azure/mysql/concepts-version-policy"""
    server = one(stack({"database": "mysql"}), ":dbformysql:Server")
    assert server.inputs["version"] == "8.4"
    assert "version" in server.options["ignoreChanges"]


@pytest.mark.parametrize("database", ["postgresql", "mysql"])
def test_a_server_that_failed_over_is_not_made_anew_for_the_zone_that_it_is_in_now(
    database: str,
) -> None:
    """https://github.com/jenkins-infra/azure/pull/180"""
    made = stack({"database": database})
    [server] = [r for r in made.registered if ":dbfor" in r.type and r.type.endswith(":Server")]
    assert "availabilityZone" in server.options["ignoreChanges"]


def test_an_endpoint_s_names_are_made_anew_for_another_zone() -> None:
    """https://github.com/hashicorp/terraform-provider-azurerm/issues/27559"""
    made = stack(SCALE, PRIVATE)
    groups = [r for r in made.registered if r.type.endswith(":PrivateDnsZoneGroup")]
    assert {tuple(r.options["replaceOnChanges"]) for r in groups} == {("privateDnsZoneConfigs",)}
    assert all(r.options["deleteBeforeReplace"] for r in groups)
