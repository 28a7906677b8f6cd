"""Whether a subscription of Azure is ready for a stack, asked of a stand-in of ARM."""

from pathlib import Path
from typing import Any

import pytest

from infra.operations import account
from infra.operations.account import Account, Check
from infra.plan.azure import AzurePlan
from tests.infra.operations.account import arm
from tests.infra.operations.account.arm import NETWORK, ROOT, standing_in
from tests.infra.operations.account.subscription import (
    HERE,
    NETWORKED,
    ZONE,
    ZONE_ID,
    at,
    plan_of,
    ready,
)


def _looked(plan: AzurePlan, folder: Path, changed: dict[str, Any]) -> Account:
    with standing_in({**ready(plan), **changed}, folder):
        return account.look(plan)


def _failed(found: Account) -> list[Check]:
    return [check for check in found.checks if check.is_good is False]


@pytest.mark.parametrize("compute", ["container", "scale", "vm"])
@pytest.mark.parametrize("private", ["true", "false"])
def test_a_subscription_that_has_all_is_ready(compute: str, private: str, tmp_path: Path) -> None:
    keys = {"memory": "2", **(NETWORKED if private == "true" else {})}
    plan = plan_of(compute=compute, private=private, **keys)
    found = _looked(plan, tmp_path, {})
    assert [check for check in found.checks if not check.is_good] == []
    assert found.is_ready
    names = {check.name for check in found.checks}
    assert {"may assign roles", "resource providers", "size of the database"} <= names
    assert ("DNS label" in names) is (compute != "scale" and private == "false")
    assert ("subnets of the network" in names) is (private == "true")


_DATABASE_ZONE = ZONE_ID.replace(ZONE, "ours.postgres.database.azure.com")


@pytest.mark.parametrize(
    ("keys", "path", "answer", "name", "told"),
    [
        ({}, ROOT, (404, arm.refused("SubscriptionNotFound", "none")), "subscription", "none"),
        ({}, ROOT, {"displayName": "T", "state": "Disabled"}, "subscription", "az account list"),
        (
            {},
            at("Microsoft.ContainerInstance", "usages"),
            arm.usages(ContainerGroups=1, StandardCores=0),
            "CPUs of container groups",
            "0 left, 1 needed",
        ),
        (
            {"compute": "scale"},
            at("Microsoft.App", "usages"),
            {"value": [{"usage": 1, "limit": 1, "name": {"value": "ManagedEnvironmentCount"}}]},
            "Container Apps environments",
            "0 left",
        ),
        (
            {"compute": "vm"},
            f"{HERE}/Microsoft.Compute/skus",
            arm.sizes("f", "Standard_B2ls_v2", restricted=True),
            "size of the machine",
            "not for this subscription",
        ),
        (
            {"compute": "vm"},
            at("Microsoft.Compute", "usages"),
            arm.usages(cores=2, standardBsv2Family=1),
            "CPUs of Standard_B2ls_v2",
            "1 left, 2 needed",
        ),
        (
            {"compute": "vm"},
            at("Microsoft.Network", "CheckDnsNameAvailability"),
            {"available": False},
            "DNS label",
            "trackstack:name",
        ),
        (
            {},
            at("Microsoft.DBforPostgreSQL", "capabilities"),
            arm.postgresql("Standard_B1ms", restricted=True),
            "size of the database",
            "trackstack:region",
        ),
        (
            {"databaseSku": "Standard_D4ds_v5"},
            at("Microsoft.DBforPostgreSQL", "capabilities"),
            arm.postgresql("Standard_B1ms"),
            "size of the database",
            "trackstack:databaseSku",
        ),
        (
            {
                "database": "mysql",
                "databaseSku": "Standard_D2ads_v5",
                "highAvailability": "true",
                "compute": "scale",
            },
            at("Microsoft.DBforMySQL", "capabilities"),
            arm.mysql("Standard_D2ads_v5"),
            "standby of the database",
            "trackstack:highAvailability",
        ),
        (
            {},
            f"{HERE}/Microsoft.Storage/checkNameAvailability",
            # rest/api/storagerp/storage-accounts/check-name-availability, its own example
            {"nameAvailable": False, "reason": "AlreadyExists", "message": "is already taken."},
            "name of the storage account",
            "already taken",
        ),
        (
            {**NETWORKED, "compute": "vm"},
            NETWORK,
            arm.network(apps="10.60.8.0/25"),
            "subnets of the network",
            "apps (10.60.8.0/25, delegated to Microsoft.Web/serverFarms)",
        ),
        (
            {**NETWORKED, "compute": "vm", "networkCidr": "10.61.0.0/24"},
            NETWORK,
            arm.network(),
            "addresses of the network",
            "is not in 10.60.0.0/16",
        ),
        (
            {**NETWORKED, "compute": "vm"},
            NETWORK,
            arm.network(region="North Europe"),
            "region of the network",
            "northeurope",
        ),
        (
            {**NETWORKED, "private": "true"},
            f"{ZONE_ID}/virtualNetworkLinks",
            arm.linked(ZONE_ID, NETWORK.upper()),
            f"zone {ZONE}",
            f"privateDnsZoneIds: add {ZONE_ID}",
        ),
        (
            {**NETWORKED, "private": "true", "privateDnsZoneIds": f'["{ZONE_ID}"]'},
            f"{ZONE_ID}/virtualNetworkLinks",
            arm.linked(ZONE_ID, f"{NETWORK}-2"),
            f"zone {ZONE}",
            "az network private-dns link vnet create",
        ),
        # Azure makes no server before its zone is linked.
        (
            {**NETWORKED, "compute": "vm", "privateDnsZoneIds": f'["{_DATABASE_ZONE}"]'},
            f"{_DATABASE_ZONE}/virtualNetworkLinks",
            arm.linked(_DATABASE_ZONE, f"{NETWORK}-2"),
            "zone ours.postgres.database.azure.com",
            f"-z ours.postgres.database.azure.com -n trackstack -e false -v {NETWORK}",
        ),
        (
            {**NETWORKED, "compute": "vm", "privateDnsZoneIds": f'["{_DATABASE_ZONE}"]'},
            _DATABASE_ZONE,
            {"id": "nothing is below it"},
            "zone ours.postgres.database.azure.com",
            "privateDnsZoneIds: one that is there",
        ),
    ],
)
def test_what_is_missing_is_said_with_its_cure(
    keys: dict[str, str], path: str, answer: Any, name: str, told: str, tmp_path: Path
) -> None:
    found = _looked(plan_of(**keys), tmp_path, {path: answer})
    [failed] = _failed(found)
    assert failed.name == name
    assert failed.cure
    assert told in f"{failed.found} {failed.cure}"
    assert not found.is_ready


def test_a_name_that_the_stack_has_itself_is_no_obstacle(tmp_path: Path) -> None:
    plan = plan_of()
    taken = {"nameAvailable": False, "reason": "AlreadyExists", "message": "taken"}
    path = f"{HERE}/Microsoft.ContainerRegistry/checkNameAvailability"
    [failed] = _failed(_looked(plan, tmp_path, {path: taken}))
    assert failed.name == "name of the registry"
    group = f"{ROOT}/resourceGroups/{plan.names.resource_group}/providers"
    own = f"{group}/Microsoft.ContainerRegistry/registries/{plan.names.registry}"
    assert _looked(plan, tmp_path, {path: taken, own: {"id": own}}).is_ready


@pytest.mark.parametrize("named", [False, True])
def test_a_zone_that_the_stack_has_made_is_no_other_s(named: bool, tmp_path: Path) -> None:
    keys = {**NETWORKED, "private": "true", **({"resourceGroup": "theirs"} if named else {})}
    plan = plan_of(**keys)
    zones = f"{ROOT}/resourceGroups/{plan.names.resource_group}/providers/Microsoft.Network"
    own = f"{zones}/privateDnsZones/{ZONE}"
    there = {
        f"{ROOT}/providers/Microsoft.Network/privateDnsZones": {"value": [{"id": own}]},
        f"{own}/virtualNetworkLinks": arm.linked(own, NETWORK),
    }
    failed = [check.name for check in _failed(_looked(plan, tmp_path, there))]
    assert (f"zone {ZONE}" in failed) is named


def test_a_container_group_s_label_is_looked_up(tmp_path: Path) -> None:
    plan = plan_of()
    group = f"{ROOT}/resourceGroups/{plan.names.resource_group}/providers"
    own = f"{group}/Microsoft.ContainerInstance/containerGroups/{plan.names.base}"
    with standing_in(ready(plan), tmp_path) as cloud:
        cloud.taken.add(str(plan.hostname))
        [failed] = _failed(account.look(plan))
        assert (failed.name, failed.cure) == ("DNS label", "trackstack:name: another one")
        cloud.answers[own] = (200, {"id": own})
        assert account.look(plan).is_ready


def test_what_azure_does_not_tell_stops_nothing(tmp_path: Path) -> None:
    plan = plan_of()
    denied = (403, arm.refused("AuthorizationFailed", "does not have authorization"))
    hidden = {path: denied for path in ready(plan) if path != ROOT}
    found = _looked(plan, tmp_path, hidden)
    assert found.is_ready
    # DNS tells everybody.
    told = [check for check in found.checks[1:] if check.name != "DNS label"]
    assert {check.is_good for check in told} == {None}
    assert all("does not have authorization (403)" in check.found for check in told)


def test_it_makes_nothing(tmp_path: Path) -> None:
    plan = plan_of(compute="vm")
    with standing_in(ready(plan), tmp_path) as cloud:
        account.look(plan)
    posted = {path.rpartition("/")[2] for method, path, _ in cloud.asked if method == "POST"}
    assert {method for method, _, _ in cloud.asked} == {"GET", "POST"}
    assert posted == {"checkNameAvailability"}


def test_without_a_login_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of()
    with standing_in({}, tmp_path, logged_in=False):
        [check] = account.look(plan).checks
        assert (check.name, check.is_good) == ("login", False)
        assert "Please run 'az login'" in check.found
        assert "az account set" in check.cure
        monkeypatch.setenv("ARM_CLIENT_ID", "x")
        found = account.look(plan)
        assert found.is_ready
        assert "by ARM_CLIENT_ID" in found.checks[0].found
    monkeypatch.delenv("ARM_CLIENT_ID")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    [check] = account.look(plan).checks
    assert "no `az` on PATH" in check.found


def test_docker_is_looked_for_where_it_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    [login, docker] = account.look(plan_of(imageBuild="docker")).checks
    assert (login.name, docker.name, docker.is_good) == ("login", "Docker", False)
    assert "imageBuild: acr" in docker.cure
