"""What a login may do in Azure, and the commands that give it the rest; asked of a stand-in."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.clouds.azure import ROLES
from infra.operations import account
from infra.operations.account import Account, Check
from infra.operations.account.azure.needs import namespaces
from infra.plan.azure import AzurePlan
from tests.infra.operations.account import arm
from tests.infra.operations.account.arm import NETWORK, ROOT, standing_in
from tests.infra.operations.account.roles import ADMINISTRATOR, OBJECT, held
from tests.infra.operations.account.subscription import (
    HERE,
    NETWORKED,
    ZONE_ID,
    plan_of,
    ready,
)

_TEAM = f"{ROOT}/resourceGroups/team"
_IDS = sorted(ROLES.values())


def _register(namespace: str) -> str:
    subscription = ROOT.rpartition("/")[2]
    return f"az provider register --wait --subscription {subscription} --namespace {namespace}"


def _looked(plan: AzurePlan, folder: Path, changed: Mapping[str, Any]) -> Account:
    """What is found by a login that has no role but those of ``changed``."""
    others = {path: known for path, known in ready(plan).items() if "Authorization/" not in path}
    with standing_in({**others, **changed}, folder):
        return account.look(plan)


def _failed(found: Account) -> list[Check]:
    return [check for check in found.checks if check.is_good is False]


def _check(found: Account, name: str) -> Check:
    [check] = [check for check in found.checks if check.name == name]
    return check


def _only(*ids: str) -> str:
    """A condition as Azure's portal writes it, for "Constrain roles".

    https://learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-examples
    """
    wanted = ", ".join(ids)
    way = "Microsoft.Authorization/roleAssignments"
    return f"""(
 (
  !(ActionMatches{{'{way}/write'}})
 )
 OR
 (
  @Request[{way}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{wanted}}}
 )
)
AND
(
 (
  !(ActionMatches{{'{way}/delete'}})
 )
 OR
 (
  @Resource[{way}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{wanted}}}
 )
)"""


def test_the_two_roles_that_suffice_are_commands_to_paste(tmp_path: Path) -> None:
    plan = plan_of()
    found = _looked(plan, tmp_path, held(ROOT, "Reader"))
    assigns, makes = _failed(found)
    assert [assigns.name, makes.name] == ["may assign roles", "may make resources"]
    assert "Microsoft.Storage/storageAccounts" in makes.found
    asked = [f"have its owner run: {command}" for command in found.rights]
    assert [makes.cure, assigns.cure] == asked
    given = [shlex.split(command) for command in found.rights]
    begin = ["az", "role", "assignment", "create", "--assignee", OBJECT, "--role"]
    assert [each[: len(begin)] for each in given] == [begin, begin]
    named = [dict(zip(each[4::2], each[5::2], strict=True)) for each in given]
    assert [each["--role"] for each in named] == ["Contributor", ADMINISTRATOR]
    assert {each["--scope"] for each in named} == {ROOT}
    # It suffices: what is printed is what is looked for.
    conditions = {ADMINISTRATOR: named[1]["--condition"]}
    assert named[1]["--condition-version"] == "2.0"
    both = held(ROOT, "Contributor", ADMINISTRATOR, conditions=conditions)
    found = _looked(plan, tmp_path, both)
    assert found.is_ready
    assert _check(found, "may assign roles").found == "yes, those of the stack"
    assert _check(found, "may assign roles").is_good


@pytest.mark.parametrize(
    ("condition", "is_good", "told"),
    [
        ("", True, "yes"),
        (_only(*_IDS), True, "yes, those of the stack"),
        (_only(*_IDS, "b24988ac-6180-42a0-ab88-20f7382dd24c"), True, "yes, those of the stack"),
        (_only(*(id for id in _IDS if id != ROLES["AcrPull"])), False, "but not AcrPull"),
        # Nobody can say beforehand what another one allows.
        (_only(*_IDS).replace("write", "w"), None, "only such as a condition allows"),
        ("@Principal[x] StringEquals 'y'", None, "only such as a condition allows"),
    ],
)
def test_a_condition_is_read_where_azure_keeps_it(
    condition: str, is_good: bool | None, told: str, tmp_path: Path
) -> None:
    conditions = {ADMINISTRATOR: condition}
    of = held(ROOT, "Contributor", ADMINISTRATOR, conditions=conditions)
    check = _check(_looked(plan_of(), tmp_path, of), "may assign roles")
    assert (check.is_good, check.found) == (is_good, told)


def test_what_one_assignment_conditions_another_may_give(tmp_path: Path) -> None:
    first = held(ROOT, "Contributor", ADMINISTRATOR, conditions={ADMINISTRATOR: _only(*_IDS[:2])})
    second = held(_TEAM, ADMINISTRATOR, conditions={ADMINISTRATOR: _only(*_IDS[2:])})
    plan = plan_of(resourceGroup="team")
    assert _check(_looked(plan, tmp_path, first | second), "may assign roles").is_good
    assert _check(_looked(plan, tmp_path, first), "may assign roles").is_good is False


def test_in_a_group_that_is_there_the_rights_on_it_count(tmp_path: Path) -> None:
    plan = plan_of(resourceGroup="team")
    reader = held(ROOT, "Reader")
    found = _looked(plan, tmp_path, reader | held(_TEAM, "Owner"))
    assert found.is_ready
    assert all(f"--scope {_TEAM}" in command for command in found.rights)
    # To register a provider is a right on the subscription.
    some = {HERE: arm.registered(*(n for n in namespaces(plan) if n != "Microsoft.Storage"))}
    [failed] = _failed(_looked(plan, tmp_path, reader | held(_TEAM, "Owner") | some))
    assert failed.cure == _register("Microsoft.Storage")


def test_a_group_that_is_not_there_is_told_with_what_makes_it(tmp_path: Path) -> None:
    plan = plan_of(resourceGroup="absent")
    found = _looked(plan, tmp_path, held(ROOT, "Owner"))
    [failed] = _failed(found)
    assert failed.name == "resource group"
    assert failed.cure.startswith("az group create --name absent --location westeurope")


def test_what_is_not_registered_is_registered_by_who_may(tmp_path: Path) -> None:
    plan = plan_of(compute="scale")
    owner = held(ROOT, "Owner")
    some = arm.registered(*(n for n in namespaces(plan) if n != "Microsoft.App"))
    assert _looked(plan, tmp_path, owner | {HERE: some}).is_ready
    found = _looked(plan, tmp_path, held(ROOT, "Reader") | {HERE: some})
    failed = _check(found, "resource providers")
    assert failed.cure == _register("Microsoft.App")


def test_what_the_provider_does_not_register_itself_must_be_before(tmp_path: Path) -> None:
    """https://github.com/Azure/bicep/issues/14935"""
    plan = plan_of(compute="scale")
    without = [n for n in namespaces(plan) if n != "Microsoft.ContainerService"]
    some = held(ROOT, "Owner") | {HERE: arm.registered(*without)}
    [failed] = _failed(_looked(plan, tmp_path, some))
    assert failed.cure == _register("Microsoft.ContainerService")
    assert "Microsoft.ContainerService" not in namespaces(plan_of())


@pytest.mark.parametrize("private", ["true", "false"])
def test_a_network_and_zones_of_others_need_rights_there(private: str, tmp_path: Path) -> None:
    keys = {**NETWORKED, "compute": "scale", "private": private}
    keys["privateDnsZoneIds"] = json.dumps([ZONE_ID])
    plan = plan_of(resourceGroup="team", **keys)
    known = {f"{ZONE_ID}/virtualNetworkLinks": arm.linked(ZONE_ID, NETWORK)}
    of_team = held(ROOT, "Reader") | held(_TEAM, "Owner") | known
    found = _looked(plan, tmp_path, of_team)
    failed = {check.name: check.cure for check in _failed(found)}
    uses = {"may use the network": ("Network Contributor", NETWORK)}
    if private == "true":
        uses["may use the zone privatelink.blob.core.windows.net"] = (
            "Private DNS Zone Contributor",
            ZONE_ID,
        )
    assert failed.keys() == uses.keys()
    for name, (role, id) in uses.items():
        command = f"az role assignment create --assignee {OBJECT} --role '{role}' --scope {id}"
        assert command in failed[name]
        assert command in found.rights
    for role, id in uses.values():
        of_team |= held(id, role)
    assert _looked(plan, tmp_path, of_team).is_ready
    # Who may do all in the subscription has these too.
    found = _looked(plan_of(**keys), tmp_path, held(ROOT, "Owner") | known)
    assert found.is_ready
    assert len(found.rights) == 2
