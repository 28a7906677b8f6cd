"""Whether a cloud is ready for a stack: what is decided on what it answers, and what is asked."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from infra.operations import account
from infra.operations.account import Account, Check, preflight
from infra.operations.account.oci.checks import Facts, checks, limits_of, rights
from infra.operations.stack import Stack
from infra.place import ROOT
from infra.plan import Plan, make_plan
from infra.plan.oci import OciPlan
from infra.plan.place import Place
from infra.rehearsal.oci.access.policies import parse as parse_statement
from infra.settings import parse
from runtime.errors import UserError

_TENANCY = "ocid1.tenancy.oc1..aaaatest"
_HERE = "ocid1.compartment.oc1..aaaatest"
_KEYS = {
    "cloud": "oci",
    "tenancyId": _TENANCY,
    "compartmentId": _HERE,
    "region": "eu-frankfurt-1",
    "allowedCidrs": '["203.0.113.0/24"]',
}


def _plan(**keys: str) -> OciPlan:
    plan = make_plan(parse({**_KEYS, **keys}), Place("oci-test", ROOT, frozenset()))
    assert isinstance(plan, OciPlan)
    return plan


def _ready(plan: OciPlan) -> Facts:
    return Facts(
        _TENANCY,
        regions={"us-ashburn-1": True, "eu-frankfurt-1": False},
        compartment="ACTIVE",
        domains=["AD-1"],
        shapes=[plan.compute_shape, "CI.Standard.E3.Flex"],
        limits={limit: limit.needed for limit in limits_of(plan)},
        docker=True,
    )


@pytest.mark.parametrize("compute", ["container", "scale", "vm"])
def test_an_account_that_has_all_is_ready(compute: str) -> None:
    plan = _plan(compute=compute)
    found = list(checks(plan, _ready(plan)))
    assert [check.name for check in found if not check.is_good] == []
    assert "home is us-ashburn-1" in " ".join(check.found for check in found)


@pytest.mark.parametrize(
    ("changed", "name", "cure"),
    [
        ({"who": UserError("Could not find config file")}, "login", "oci setup config"),
        ({"who": "ocid1.tenancy.oc1..other"}, "login", "OCI_CONFIG_PROFILE"),
        ({"regions": {"us-ashburn-1": True}}, "region", "us-ashburn-1"),
        ({"regions": OSError("no")}, "regions", "inspect tenancies"),
        ({"compartment": "DELETED"}, "compartment", "active"),
        ({"compartment": OSError("404")}, "compartment", "compartmentId"),
        ({"shapes": ["CI.Standard.E3.Flex"]}, "shape", "computeShape: one of CI.Standard.E3.Flex"),
        ({"secret": "ocid1.compartment.oc1..other"}, "databaseSecretId", "move it there"),
        ({"docker": False}, "Docker", "trackstack:image"),
    ],
)
def test_what_is_missing_is_said_with_its_cure(
    changed: dict[str, Any], name: str, cure: str
) -> None:
    plan = _plan()
    found = list(checks(plan, replace(_ready(plan), **changed)))
    [failed] = [check for check in found if check.is_good is False]
    assert failed.name == name
    assert cure in failed.cure
    assert not Account(tuple(found)).is_ready


def test_a_limit_counts_where_oci_tells_of_it_and_stops_nothing_where_not() -> None:
    plan = _plan(compute="scale", maxReplicas="4", cpus="4", memory="8")
    [cores, *others] = limits_of(plan)
    assert (cores.needed, [limit.what for limit in others]) == (8, ["networks", "vaults"])
    for left, is_good in ((7, False), (8, True), (None, None), (OSError("no"), None)):
        limits: Mapping[Any, Any] = {cores: left}
        facts = replace(_ready(plan), limits=limits)
        [check] = [check for check in checks(plan, facts) if check.name == cores.what]
        assert check.is_good is is_good
    assert "4 left" in list(checks(plan, replace(facts, limits={cores: 4})))[-2].found


def test_a_vault_that_is_there_needs_no_room_and_a_right_to_use_it() -> None:
    vault = "ocid1.vault.oc1..aaaa"
    plan = _plan(compute="vm", vaultId=vault)
    assert "vaults" not in [limit.what for limit in limits_of(plan)]
    told = rights(plan)
    assert not any("manage vaults" in statement for statement in told)
    assert any("manage keys" in statement for statement in told)
    assert f"use vaults in tenancy where target.vault.id = '{vault}'" in told[-1]


@pytest.mark.parametrize("compute", ["container", "scale", "vm"])
def test_the_rights_to_paste_are_statements_of_the_stack_s_compartment(compute: str) -> None:
    for text in rights(_plan(compute=compute, alertEmail="ops@example.com")):
        statement = parse_statement(text)
        assert statement, text
        assert statement.compartment in ("", _HERE)


def _looked(account_of: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(_plan: Plan) -> Account:
        return account_of

    def plan(_stack: Stack) -> OciPlan:
        return _plan()

    monkeypatch.setattr(account, "look", look)
    monkeypatch.setattr(Stack, "plan", plan)


def test_a_cloud_that_is_not_ready_stops_what_comes_after(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = Check("login", True, "works"), Check("shape", False, "is not there", "take another")
    _looked(Account((good, bad), ("allow group GROUP to manage repos in tenancy",)), monkeypatch)
    with pytest.raises(UserError, match="take another") as stopped:
        preflight.require(Stack("oci-test"))
    assert "PREFLIGHT=no" in str(stopped.value)
    assert "works" not in str(stopped.value)
    for options in ([], ["--json"]):
        done = CliRunner().invoke(preflight.command, ["oci-test", *options], standalone_mode=False)
        assert done.return_value == 1
    assert json.loads(done.output)["ready"] is False
    _looked(Account((good, Check("vaults", None, "no such limit"))), monkeypatch)
    preflight.require(Stack("oci-test"))
    done = CliRunner().invoke(preflight.command, ["oci-test"], standalone_mode=False)
    assert done.return_value == 0
    assert "not told  vaults" in done.output


def test_a_cloud_with_nothing_to_look_at_is_ready() -> None:
    for compute in ({}, {"compute": "container"}):
        plan = make_plan(parse({"cloud": "local", **compute}), Place("local", ROOT, frozenset()))
        assert account.look(plan) == Account()
