"""Estimates of cost, from the table of prices."""

import json
from typing import Any

from infra.operations import cost


def test_the_price_table_has_a_date_and_sources() -> None:
    replicas = {
        "template": {"scale": {"minReplicas": 2}, "containers": [{"resources": {"cpu": 1}}]}
    }
    standby = {"sku": {"name": "Standard_B1ms"}, "highAvailability": {"mode": "ZoneRedundant"}}
    estimate = cost.estimate(
        [
            {"urn": "urn::proxy", "type": "docker:index:Container", "inputs": {}},
            {"urn": "urn::app", "type": "azure-native:app:ContainerApp", "inputs": replicas},
            {"urn": "urn::db", "type": "azure-native:dbforpostgresql:Server", "inputs": standby},
        ]
    )
    assert estimate["by_type"] == {
        "azure-native:app:ContainerApp": 157.6,
        "azure-native:dbforpostgresql:Server": 24.8,
    }
    assert estimate["dollars"] == 182.4
    assert estimate["date"] >= "2026-11"
    assert set(estimate["sources"]) == {"local", "azure", "oci"}
    assert estimate["unpriced"] == {}
    assert cost.lines(estimate) == [
        "app                        157.60",
        "db                          24.80",
    ]


def test_a_size_without_a_price_is_said_and_is_no_zero() -> None:
    inputs = {"sku": {"name": "Standard_E96ds_v5"}, "storage": {"storageSizeGB": 100}}
    server = {"urn": "urn::db", "type": "azure-native:dbforpostgresql:Server", "inputs": inputs}
    estimate = cost.estimate([server])
    assert estimate["unpriced"] == {"db": "Standard_E96ds_v5"}
    (line,) = cost.lines(estimate)
    assert line.endswith("11.50, without Standard_E96ds_v5, which has no price here")


def _event(operation: str, urn: str, old: int | None, new: int | None) -> str:
    """As the engine logs it, for a container group of so many cores."""
    kind = "azure-native:containerinstance:ContainerGroup"

    def state(cpu: int | None) -> dict[str, Any] | None:
        requests = {"requests": {"cpu": cpu}}
        inputs = {"containers": [{"resources": requests}]}
        return {"urn": urn, "type": kind, "inputs": inputs} if cpu else None

    step = {"op": operation, "urn": urn, "type": kind, "old": state(old), "new": state(new)}
    return json.dumps({"sequence": 1, "resourcePreEvent": {"metadata": step}})


def test_a_preview_foresees_what_changes_in_cost() -> None:
    events = [
        json.dumps({"sequence": 0, "preludeEvent": {"config": {}}}),
        _event("same", "urn:a", 1, 1),
        _event("create", "urn:b", None, 2),
        _event("create-replacement", "urn:c", 1, 4),
        _event("replace", "urn:c", 1, 4),
        _event("delete-replaced", "urn:c", 1, None),
        _event("delete", "urn:d", 1, None),
    ]
    change = cost.foresee(events)
    assert (change.before, change.after) == (round(3 * 29.6, 2), round(7 * 29.6, 2))
    assert str(change).startswith("about 207 USD a month, +118 (list prices of 20")
