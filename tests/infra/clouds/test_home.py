"""A stack that is up stays where it is, whoever runs the engine."""

from typing import Any

import pytest

from infra.clouds.shared.home import moves
from tests.infra.recording import deploy_azure, deploy_oci

_HOME = {"region": "westeurope", "name": "a"}


@pytest.mark.parametrize(
    ("was", "now", "keys"),
    [
        ({}, _HOME, set[str]()),
        (_HOME, _HOME, set[str]()),
        (_HOME | {"__provider": "x"}, _HOME | {"__provider": "y"}, set[str]()),
        (_HOME, _HOME | {"tenancyId": "new in a later version"}, set[str]()),
        (_HOME, _HOME | {"region": "northeurope"}, {"region"}),
        (_HOME, {"name": "b"}, {"region", "name"}),
    ],
)
def test_only_what_was_noted_is_held_to(
    was: dict[str, str], now: dict[str, str], keys: set[str]
) -> None:
    found = moves(was, now)
    assert found.keys() == keys
    for key, said in found.items():
        assert said.startswith(f"trackstack:{key}: ")
        assert f"allowed: {was[key]}. " in said


def test_the_home_of_a_stack_on_azure() -> None:
    keys: dict[str, Any] = {
        "cloud": "azure",
        "subscriptionId": "00000000-0000-4000-8000-000000000001",
        "region": "westeurope",
        "allowedCidrs": ["0.0.0.0/0"],
        "name": "team",
    }
    _, made = deploy_azure(keys)
    [home] = made.of("StackHome")
    assert (home["region"], home["name"]) == ("westeurope", "team")
    assert home["subscriptionId"] == keys["subscriptionId"]
    assert home["resourceGroup"]


def test_the_home_of_a_stack_on_oci() -> None:
    keys: dict[str, Any] = {
        "cloud": "oci",
        "tenancyId": "ocid1.tenancy.oc1..a",
        "compartmentId": "ocid1.compartment.oc1..b",
        "region": "eu-frankfurt-1",
        "allowedCidrs": ["10.0.0.0/8"],
        "databaseShape": "MySQL.2",
    }
    _, made = deploy_oci(keys)
    [home] = made.of("StackHome")
    assert {key: home[key] for key in ("tenancyId", "compartmentId", "region")} == {
        key: keys[key] for key in ("tenancyId", "compartmentId", "region")
    }
    assert home["name"] == "trackstack-oci-test"
