"""Updates that a cloud is known to refuse of what is there."""

import json
from typing import Any

import pytest

from infra.operations.stack import Resource, findings, guard
from infra.operations.stack.findings import Finding
from infra.operations.stack.guard import DataLossError
from runtime.errors import UserError

_DATABASE = Finding("replace", "database", "prod-db", "deleted", "changed: region")
_ACCOUNT = "azure-native:storage:StorageAccount"
_SUBNET = "azure-native:network:Subnet"
_INTERFACE = "azure-native:network:NetworkInterface"
_MYSQL = "azure-native:dbformysql:Server"
_POSTGRESQL = "azure-native:dbforpostgresql:Server"
_SYSTEM = "oci:Mysql/mysqlDbSystem:MysqlDbSystem"


def _update(
    kind: str, was: dict[str, Any], will: dict[str, Any], *, used: bool = True
) -> tuple[Finding, ...]:
    urn = f"urn:pulumi:a::trackstack::{kind}::it"
    known = Resource("it", kind, was, protected=True, retained=False, urn=urn, id="/it")
    user = Resource("user", "kind", {"on": {"id": "/it"}}, protected=False, retained=False, urn="u")
    step = {"op": "update", "urn": urn, "type": kind, "diffs": list(was)}
    step |= {"old": {"inputs": was}, "new": {"inputs": will}}
    state = [known, user] if used else [known]
    return findings.decide([json.dumps({"resourcePreEvent": {"metadata": step}})], state)


@pytest.mark.parametrize(
    ("kind", "was", "will", "instead"),
    [
        (
            _ACCOUNT,
            {"accountName": "a", "sku": {"name": "Standard_LRS"}},
            {"accountName": "a", "sku": {"name": "Standard_ZRS"}},
            "artifactsRedundancy: LRS",
        ),
        (
            _SYSTEM,
            {"dataStorageSizeInGb": 100},
            {"dataStorageSizeInGb": 50},
            "databaseStorage: 100",
        ),
        (
            _SUBNET,
            {"delegations": [{"name": "compute", "serviceName": "Microsoft.App/environments"}]},
            {"delegations": None},
            "compute, database: ",
        ),
        (_SUBNET, {"addressPrefix": "10.80.0.0/18"}, {"addressPrefix": "10.9.0.0/18"}, "networkC"),
        (
            _MYSQL,
            {"highAvailability": {"mode": "Disabled"}},
            {"highAvailability": {"mode": "ZoneRedundant"}},
            "highAvailability: ",
        ),
        (
            _MYSQL,
            {"network": {"privateDnsZoneResourceId": "/a"}},
            {"network": {"privateDnsZoneResourceId": "/b"}},
            "privateDnsZoneIds: ",
        ),
        (
            _POSTGRESQL,
            {"sku": {"tier": "Burstable"}},
            {"sku": {"tier": "GeneralPurpose"}, "highAvailability": {"mode": "ZoneRedundant"}},
            "databaseSku first",
        ),
        (
            _INTERFACE,
            {"ipConfigurations": [{"subnet": {"id": "/a"}}]},
            {"ipConfigurations": [{"subnet": {"id": "/b"}}]},
            "virtualNetworkId: ",
        ),
    ],
)
def test_an_update_that_a_cloud_refuses_is_stopped_and_says_what_else_to_do(
    kind: str, was: dict[str, Any], will: dict[str, Any], instead: str
) -> None:
    found = _update(kind, was, will)
    with pytest.raises(UserError) as stopped:
        guard.refuse(found, {"update:it"})
    assert not isinstance(stopped.value, DataLossError)
    assert instead in str(stopped.value)
    assert "the cloud refuses" in str(stopped.value)
    assert "DATA=" not in str(stopped.value)
    assert _update(kind, was, was) == ()
    # What is made anew for another reason is no update.
    both = (*found, _DATABASE)
    with pytest.raises(DataLossError, match=r"(?s)the cloud refuses.*DATA=replace:database"):
        guard.refuse(both, frozenset())
    with pytest.raises(UserError) as stopped:
        guard.refuse(both, {"replace:database"})
    assert "takes what holds data" not in str(stopped.value)


def test_what_a_cloud_takes_is_not_stopped() -> None:
    assert _update(_SYSTEM, {"dataStorageSizeInGb": 50}, {"dataStorageSizeInGb": 100}) == ()
    kept = ({"sku": {"name": f"Standard_{name}"}} for name in ("LRS", "GRS"))
    assert _update(_ACCOUNT, *kept) == ()
    modes = ({"highAvailability": {"mode": mode}} for mode in ("ZoneRedundant", "Disabled"))
    assert _update(_MYSQL, *modes) == ()
    tiers = ({"sku": {"tier": tier}} for tier in ("Burstable", "GeneralPurpose"))
    assert _update(_POSTGRESQL, *tiers) == ()
    # What nothing is in.
    prefixes = ({"addressPrefix": f"10.80.{number}.0/24"} for number in (1, 2))
    assert _update(_SUBNET, *prefixes, used=False) == ()
    # Of another kind, where what is left out and what is empty are one.
    assert _update(_SUBNET, {"natGateway": None, "delegations": []}, {"natGateway": "/a"}) == ()
