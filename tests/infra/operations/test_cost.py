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
            {"type": "docker:index:Container", "inputs": {}},
            {"type": "azure-native:app:ContainerApp", "inputs": replicas},
            {"type": "azure-native:dbforpostgresql:Server", "inputs": standby},
        ]
    )
    assert estimate["by_type"] == {
        "azure-native:app:ContainerApp": 157.6,
        "azure-native:dbforpostgresql:Server": 24.8,
    }
    assert estimate["dollars"] == 182.4
    assert estimate["date"] >= "2026-11"
    assert set(estimate["sources"]) == {"local", "azure", "oci"}


def _event(operation: str, urn: str, old: int | None, new: int | None) -> str:
    """As the engine logs it, for a container group of so many cores."""
    kind = "azure-native:containerinstance:ContainerGroup"

    def state(cpu: int | None) -> dict[str, Any] | None:
        requests = {"requests": {"cpu": cpu}}
        inputs = {"containers": [{"resources": requests}]}
        return {"type": kind, "inputs": inputs} if cpu else None

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
