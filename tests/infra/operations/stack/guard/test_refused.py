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
_SYSTEM = "oci:Mysql/mysqlDbSystem:MysqlDbSystem"


def _update(kind: str, was: dict[str, Any], will: dict[str, Any]) -> tuple[Finding, ...]:
    urn = f"urn:pulumi:a::trackstack::{kind}::it"
    known = Resource("it", kind, was, protected=True, retained=False, urn=urn)
    step = {"op": "update", "urn": urn, "type": kind, "diffs": list(was)}
    step |= {"old": {"inputs": was}, "new": {"inputs": will}}
    return findings.decide([json.dumps({"resourcePreEvent": {"metadata": step}})], [known])


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


def test_a_disk_may_grow_and_copies_stay_in_as_many_zones() -> None:
    assert _update(_SYSTEM, {"dataStorageSizeInGb": 50}, {"dataStorageSizeInGb": 100}) == ()
    kept = ({"sku": {"name": f"Standard_{name}"}} for name in ("LRS", "GRS"))
    assert _update(_ACCOUNT, *kept) == ()
